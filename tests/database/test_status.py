"""What the status says, held against what was done to the database; heartbeat and forethought."""

import json
import subprocess
import sys
import threading
import time

import numpy as np
import psycopg2
import pytest
from test_ledger import Desk, source_rows
from typer.testing import CliRunner

from cli import main
from cli import process as process_command
from ingest.staging import slot
from skyledger.database import heartbeat, status
from skyledger.errors import DatabaseError

HOUR = 1 / 24


@pytest.fixture
def desk(fresh_database):
    connection = fresh_database.connect()
    yield Desk(connection)
    connection.close()


def move_clock(desk, days):
    """Move the clock of every session of the database that begins from now on, and of this one."""
    with desk.connection.cursor() as cursor:
        name = desk.connection.info.dbname
        cursor.execute(f"ALTER DATABASE {name} SET skyledger.clock_offset = '{days} days'")
        cursor.execute("SELECT set_config('skyledger.clock_offset', %s, false)", (f"{days} days",))
    desk.connection.commit()


def figures(desk):
    return {(f.topic, f.item): f for f in status.read(desk.connection)}


def said(*words):
    done = CliRunner().invoke(main.build("db"), ["db", *words])
    if done.exception is not None:
        raise done.exception
    return done.stdout


@pytest.mark.requirement("L1DB-02")
def test_deadlines_over_a_month_of_nights(desk, fresh_database, monkeypatch):
    """Visits are published hours after they were taken, two too late, one never."""
    monkeypatch.setenv("SKYLEDGER_DATABASE_URL", fresh_database.dsn)
    begin = desk.one("SELECT science.mjd_now()")
    rng = np.random.default_rng(3)
    taken = begin + 2 + 2 * np.arange(14) + rng.uniform(0, 0.4, 14)
    delay = rng.uniform(0.1, 20, 14)  # hours
    delay[[3, 9]] = 30, 24.5
    lost = 6
    for k in np.argsort(taken + delay * HOUR):
        move_clock(desk, taken[k] + 2e-4 + delay[k] * HOUR - begin)
        rows = source_rows(int(k) + 1, [10.0 + k], [0.0], [100.0], taken[k])
        if k == lost:
            with slot(desk.connection) as number, desk.connection.cursor() as cursor:
                batch = desk.stage(number, int(k) + 1, rows, float(taken[k]))
                cursor.execute("SELECT ledger.fail_batch(%s, 'a broken flat')", (batch,))
                desk.connection.commit()
        else:
            desk.publish(int(k) + 1, rows, float(taken[k]))
    move_clock(desk, 31)
    found = figures(desk)
    published = np.delete(delay, lost)
    assert found["deadline", "published late"].value == np.sum(published > 24) == 2
    assert found["deadline", "published late"].note.startswith("of 13 detectors")
    # Minutes at most lie between the clock that was set and the publication.
    assert found["deadline", "slowest"].value == pytest.approx(published.max(), abs=0.1)
    assert found["deadline", "overdue"].value == 1
    assert found["deliveries", "failed"].value == 1
    assert found["epochs", "visit"].value == 13
    late = {("deadline", "published late"), ("deadline", "slowest"), ("deadline", "overdue")}
    assert {key for key, f in found.items() if f.ok is False} == {
        *late, ("deliveries", "failed"), ("precovery", "late")
    }  # fmt: skip
    # The command line says the same, of the server the settings name.
    shown = json.loads(said("status", "--json"))
    assert shown["state"] == "running"
    assert shown["ledger"]["deadline"]["published late"]["value"] == 2
    assert any(w.startswith("deadline published late: 2, at most 0") for w in shown["warnings"])
    text = said("status")
    assert "! deadline published late" in text
    assert "! deliveries failed" in text
    # Another deadline, and a month later: what is old is history.
    with desk.connection.cursor() as cursor:
        cursor.execute("SET skyledger.deadline = '25 hours'")
    desk.connection.commit()
    assert figures(desk)["deadline", "published late"].value == 1
    move_clock(desk, 75)
    assert figures(desk)["deadline", "published late"].value == 0
    assert figures(desk)["deadline", "overdue"].value == 0


def test_figures_are_those_of_the_database(desk, fresh_database):
    for k in (1, 2, 3):
        desk.publish(k, source_rows(k, [10.0], [0.0], [100.0]))
    found = figures(desk)
    locks = [s for (s,) in desk.all("SELECT lockseconds FROM ledger.epoch WHERE kind = 'visit'")]
    assert found["lock", "longest"].value == max(locks)
    assert found["lock", "p50"].value == pytest.approx(np.median(locks))
    assert found["lock", "p99"].value == pytest.approx(np.percentile(locks, 99))
    age = desk.one("SELECT extract(epoch FROM science.tai_now() - ledger.horizon())::float8")
    assert found["horizon", "age"].value == pytest.approx(age, abs=5)
    sizes = desk.one(
        "SELECT sum(pg_total_relation_size(c.oid))::float8 FROM pg_class AS c "
        "WHERE relname ~ '^diasource(_p\\d+)?$' "
        "AND relnamespace = 'prompt_store'::regnamespace AND relkind = 'r'"
    )
    assert found["size", "prompt_store.diasource"].value == sizes
    serial = desk.one("SELECT last_value FROM ledger.object_serial")
    assert found["serials", "objects"].value == pytest.approx(serial / 2**39)
    # A batch left open, rows left in a slot, a horizon that should have moved.
    with slot(desk.connection) as number:
        batch = desk.stage(number, 9, source_rows(9, [40.0], [0.0], [1.0]))
        desk.connection.commit()
    assert figures(desk)["batches", "open"].value == 1
    with desk.connection.cursor() as cursor:
        cursor.execute("SELECT ledger.draw('heartbeat')")
    desk.connection.commit()
    move_clock(desk, 0.1)
    found = figures(desk)
    assert found["batches", "open"].ok is False
    assert "the heartbeat has stopped" in found["horizon", "age"].warning
    with desk.connection.cursor() as cursor:
        cursor.execute("SELECT ledger.fail_batch(%s, 'given up')", (batch,))
        cursor.execute("INSERT INTO staging.diasource (slot) VALUES (0), (3)")
    desk.connection.commit()
    assert figures(desk)["staging", "rows left"].value == 2
    # Who publishes may look; who only reads may not.
    with desk.connection.cursor() as cursor:
        cursor.execute("SET ROLE skyledger_ingest")
        cursor.execute("SELECT count(*) FROM ledger.status() WHERE topic = 'size'")
        assert cursor.fetchone()[0] > 30
        cursor.execute("SET ROLE skyledger_reader")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute("SELECT * FROM ledger.status()")
    desk.connection.rollback()


@pytest.mark.requirement("GEN-19")
def test_the_heart_beats_when_nothing_is_published_and_survives_its_session(
    desk, fresh_database, monkeypatch
):
    monkeypatch.setattr(heartbeat, "LOOK_SECONDS", 0.05)
    beats = "SELECT count(*) FROM ledger.epoch WHERE kind = 'heartbeat'"

    def wait_for(number):
        deadline = time.monotonic() + 20
        while desk.one(beats) != number:
            assert time.monotonic() < deadline
            time.sleep(0.05)

    sessions = []

    def connect():
        sessions.append(fresh_database.connect())
        return sessions[-1]

    move_clock(desk, 1)
    with heartbeat.beating(connect):
        wait_for(1)
        time.sleep(0.3)
        assert desk.one(beats) == 1  # the horizon is young
        move_clock(desk, 2)
        with desk.connection.cursor() as cursor:
            # The session goes, and the next one knows the new time.
            cursor.execute("SELECT pg_terminate_backend(%s)", (sessions[0].info.backend_pid,))
        desk.connection.rollback()
        wait_for(2)
    assert threading.active_count() == 1 or not any(
        thread.name == "heartbeat" for thread in threading.enumerate()
    )
    assert all(session.closed for session in sessions)


def test_the_command_beats_until_it_is_told_to_end(desk, fresh_database):
    move_clock(desk, 1)
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", **fresh_database.environment}
    command = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "db", "heartbeat"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + 30
        while not desk.one("SELECT count(*) FROM ledger.epoch WHERE kind = 'heartbeat'"):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        command.terminate()
        said = command.communicate(timeout=20)
    assert (command.returncode, *said) == (0, "", "")


def test_partitions_are_made_three_months_ahead_by_whatever_runs(desk, fresh_database, monkeypatch):
    monkeypatch.setenv("SKYLEDGER_DATABASE_URL", fresh_database.dsn)
    assert figures(desk)["partitions", "made ahead"].value > 62
    move_clock(desk, 100)
    before = figures(desk)["partitions", "made ahead"]
    assert before.ok is False
    assert "at least 31 d is meant" in before.warning

    # What `skyledger process` does while it works.
    def work(*_arguments, **_options):
        deadline = time.monotonic() + 20
        while figures(desk)["partitions", "made ahead"].ok is False:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return "done"

    monkeypatch.setattr(process_command.runs, "process_directory", work)
    console = process_command.Console(quiet=True)
    assert process_command.process_folder("folder", "simulated", "prompt", 1, console) == "done"
    after = figures(desk)["partitions", "made ahead"]
    assert after.value >= 62
    assert after.warning is None
    # A visit of then finds its partitions made: nothing is left to make.
    then = desk.one("SELECT science.mjd_now() + 60")
    with desk.connection.cursor() as cursor:
        cursor.execute("SELECT ledger.ensure_partitions(%s, %s)", (then, then))
        assert cursor.fetchone() == (0,)
    desk.connection.rollback()
    assert desk.publish(1, source_rows(1, [10.0], [0.0], [5.0], then), then)
    assert desk.one("SELECT count(*) FROM prompt_live.diasource") == 1


def test_drift_is_told_on_the_command_line(desk, fresh_database, monkeypatch, capsys):
    monkeypatch.setenv("SKYLEDGER_DATABASE_URL", fresh_database.dsn)
    with desk.connection.cursor() as cursor:
        cursor.execute("ALTER TABLE prompt_store.visit DROP CONSTRAINT visit_values")
    desk.connection.commit()
    assert "complete" in said("check")
    with pytest.raises(DatabaseError, match="1 objects differ"):
        said("check", "--drift")
