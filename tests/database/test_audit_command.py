"""``skyledger db audit`` and ``db failures`` on a real database."""

import json

import pytest
from test_ledger import Desk, source_rows
from typer.testing import CliRunner

from cli import db
from skyledger.errors import DatabaseError


@pytest.fixture
def desk(fresh_database, monkeypatch):
    for name, value in fresh_database.environment.items():
        monkeypatch.setenv(name, value)
    connection = fresh_database.connect()
    yield Desk(connection)
    connection.close()


@pytest.mark.requirement("GEN-19")
def test_a_sound_store_has_no_findings_and_a_changed_one_is_told(desk):
    desk.publish(1, source_rows(1, [10.0], [0.0], [100.0]))
    sound = CliRunner().invoke(db.app, ["audit"])
    assert sound.exit_code == 0
    assert "no version, epoch or link contradicts another" in sound.output
    with desk.connection.cursor() as cursor:
        # As a superuser can, who knows how the guard is opened.
        cursor.execute(
            "SELECT set_config('skyledger.publishing', pg_current_xact_id()::text, true)"
        )
        cursor.execute(
            "UPDATE prompt_store.diaobject SET createdtai = createdtai + interval '1 microsecond'"
        )
    desk.connection.commit()
    broken = CliRunner().invoke(db.app, ["audit"])
    assert isinstance(broken.exception, DatabaseError)
    assert "newer than the horizon" in broken.output


def test_failures_are_listed_with_their_reason(desk):
    rows = source_rows(1, [10.0, 11.0], [0.0, 0.0], [100.0, 100.0])
    rows["raErr"][1] = -1.0
    desk.publish(1, rows)
    with desk.connection.cursor() as cursor:
        cursor.execute("SELECT ledger.fail_delivery(1, 77, 3::smallint, 'test', 'no stars')")
    desk.connection.commit()
    found = json.loads(CliRunner().invoke(db.app, ["failures", "--json"]).output)
    assert [(v["visitid"], v["detector"], v["reason"]) for v in found["visits"]] == [
        (77, 3, "no stars")
    ]
    assert found["rows"][0]["content"]["raerr"] == -1
    assert "raErr = -1 is below 0" in found["rows"][0]["reason"]
    plain = CliRunner().invoke(db.app, ["failures"]).output
    assert "1 visits" in plain
    assert "    no stars" in plain
