"""Dump and restore, up and down with data, and the rehearsal of an upgrade on a clone."""

import json
import re
import subprocess

import psycopg2
import pytest
from test_ledger import MJD, Desk, source_rows
from test_recovery import answers, publish
from test_schema import catalogue
from typer.testing import CliRunner

from cli import main
from cli.database import rehearse
from skyledger.database import rehearsal, schema
from skyledger.errors import DatabaseError

QUERIES = (
    "SELECT * FROM DIAObject",
    "SELECT band, count(*) AS n, avg(psFlux) AS mean FROM DIASourceFull GROUP BY band",
    "SELECT * FROM DIASource WHERE science.in_cone(ra, decl, 10, 0, 60)",
)


@pytest.fixture
def desk(fresh_database):
    """A database with four visits, each of which changed what was there before."""
    desk = Desk(fresh_database.connect())
    desk.epochs = [publish(desk, k) for k in (1, 2, 3, 4)]
    yield desk
    desk.connection.close()


def cite(desk):
    with desk.connection.cursor() as cursor:
        names = []
        for query in QUERIES:
            for epoch in (desk.epochs[1], desk.epochs[3]):
                cursor.execute("SELECT ledger.cite(%s, %s)", (query, epoch))
                names.append(cursor.fetchone()[0])
    desk.connection.commit()
    return names


def verdicts(desk, names):
    return {desk.one("SELECT verdict FROM ledger.verify(%s)", name) for name in names}


def everything(desk):
    """Every answer as of every epoch."""
    epochs = desk.all("SELECT epochtai FROM ledger.epoch ORDER BY 1")
    return {epoch: answers(desk, epoch) for (epoch,) in epochs}


def plain(found):
    """A body that was read again has fewer parentheses, and names for columns nobody named."""

    def body(text):
        return re.sub(r" AS (text|int8|float4|float8)\b", "", re.sub(r"[()]", "", text))

    return {key: body(text) if key[0] == "routine" else text for key, text in found.items()}


@pytest.mark.requirement("GEN-19", "GEN-20")
def test_a_dump_restored_into_a_new_database_is_the_same_database(
    desk, server, fresh_database, empty_database
):
    names = cite(desk)
    rehearsal._copy(fresh_database.dsn, empty_database.dsn)
    copy = Desk(empty_database.connect())
    before = everything(desk)
    assert len(before) == 5
    assert everything(copy) == before
    assert verdicts(copy, names) == {"identical"}
    # Tables, comments, constraints, triggers, functions, views and grants.
    assert plain(catalogue(copy.connection)) == plain(catalogue(desk.connection))
    copy.connection.rollback()
    assert schema.upgrade(copy.connection) is False
    # Life goes on: the sequences, the guard, the partitions and the lock came along.
    assert publish(copy, 5) > desk.epochs[-1]
    assert copy.all("SELECT * FROM ledger.audit()") == []
    with pytest.raises(psycopg2.Error, match=r"written by ledger\.publish alone"):
        copy.all("DELETE FROM prompt_store.diasource")
    copy.connection.close()
    # Only the data, into a database that has the schema: the guard refuses it.
    dump = [f"{server.programs}/pg_dump", "--data-only", "--table=prompt_store.visit"]
    content = subprocess.run([*dump, fresh_database.dsn], check=True, capture_output=True)
    psql = [f"{server.programs}/psql", empty_database.dsn]
    refused = subprocess.run(psql, check=False, input=content.stdout, capture_output=True)
    assert b"written by ledger.publish alone" in refused.stderr


@pytest.mark.requirement("GEN-19", "GEN-20")
def test_down_and_up_again_with_data_keeps_every_answer(desk, capsys):
    names = cite(desk)
    before = everything(desk)
    schema.downgrade(desk.connection, "first_light")
    assert schema.state(desk.connection).revision == "first_light"
    desk.connection.rollback()

    # The rehearsal upgrades a clone and leaves the database where it is.
    databases = desk.all("SELECT datname FROM pg_database ORDER BY 1")
    report = rehearsal.rehearse(desk.connection)
    assert desk.all("SELECT datname FROM pg_database ORDER BY 1") == databases
    assert schema.state(desk.connection).revision == "first_light"
    desk.connection.rollback()
    assert (report.pending, report.revision, report.target) == (True, "first_light", schema.head())
    assert [step.name for step in report.steps] == [
        "drop views and functions", "migration the_ledger", "migration ask_the_sky",
        "migration people", "migration trusted_pixels", "migration masters",
        "make views and functions", "definitions and partitions", "commit",
    ]  # fmt: skip
    assert all(step.seconds >= 0 for step in report.steps)
    # The migration adds columns: nobody can read the tables meanwhile, and the report says so.
    locks = {
        (lock.relation, lock.mode) for lock in report.locks if lock.step.startswith("migration")
    }
    assert ("prompt_store.ccdvisit", "AccessExclusiveLock") in locks
    assert [(c.citation, c.before, c.after) for c in report.citations] == [
        (name, None, "identical") for name in names
    ]
    assert report.broken == []

    schema.upgrade(desk.connection)
    assert everything(desk) == before
    assert verdicts(desk, names) == {"identical"}
    assert desk.all("SELECT * FROM ledger.audit()") == []
    rehearse._show(report)
    said = capsys.readouterr().out
    assert "from first_light to masters" in said
    assert "AccessExclusiveLock    prompt_store.ccdvisit  (migration the_ledger)" in said
    assert f"citations after: {len(names)} identical" in said


def test_a_rehearsal_finds_what_the_upgrade_would_break(desk, fresh_database, monkeypatch):
    monkeypatch.setenv("SKYLEDGER_DATABASE_URL", fresh_database.dsn)
    names = cite(desk)
    real = schema._fill

    def spoil(cursor):
        real(cursor)
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("UPDATE prompt_store.diasource SET psflux = psflux + 1")

    monkeypatch.setattr(schema, "_fill", spoil)
    done = CliRunner().invoke(main.build("db"), ["db", "rehearse", "--json"])
    assert isinstance(done.exception, DatabaseError)
    assert "do not upgrade" in str(done.exception)
    # Nothing was pending: the making of views and functions was rehearsed.
    said = json.loads(done.stdout)
    assert (said["pending"], said["revision"]) == (False, schema.head())
    assert {c["before"] for c in said["citations"]} == {"identical"}
    assert "different" in {c["after"] for c in said["citations"]}
    assert verdicts(desk, names) == {"identical"}
    # The database itself goes on.
    rows = source_rows(9, [30.0], [0.0], [100.0], MJD + 9)
    assert desk.publish(9, rows, MJD + 9) > desk.epochs[-1]
