"""The audit finds each kind of damage, and nothing where there is none; the heartbeat."""

from datetime import timedelta

import psycopg2
import pytest
from test_ledger import MJD, source_rows
from test_relink import Owner

FINDINGS = "SELECT relation, kind, detail FROM ledger.audit()"
# Undone with the test: what keeps the damage out of a sound database.
UNGUARDED = """
SET LOCAL session_replication_role = replica;
ALTER TABLE prompt_store.diaobject_history DROP CONSTRAINT diaobject_interval;
ALTER TABLE prompt_store.diaobject DROP CONSTRAINT diaobject_pkey;
ALTER TABLE prompt_store.diasource DROP CONSTRAINT diasource_rule1;
"""
# The object that each visit saw, and its first two versions, both ended by a visit.
OFTEN = "(SELECT diaobjectid FROM prompt_store.diaobject WHERE ra BETWEEN 9 AND 11)"
VERSION = (
    f"(diaobjectid, createdtai) IN (SELECT diaobjectid, createdtai "
    f"FROM prompt_store.diaobject_history WHERE diaobjectid = {OFTEN} "
    f"ORDER BY createdtai LIMIT 1 OFFSET "
)
OLDEST, MIDDLE = f"{VERSION} 0)", f"{VERSION} 1)"
SECOND = "interval '1 second'"


@pytest.fixture(scope="module")
def dsn(server, template):
    """Connection string of a database with visits, a late one, re-links and withdrawals in it."""
    name = "audited"
    admin = psycopg2.connect(server.dsn("postgres"))
    admin.autocommit = True
    with admin.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        connection = psycopg2.connect(server.dsn(name))
        desk = Owner(connection)
        for k in (1, 2, 3):
            rows = source_rows(k, [10.0, 20.0, 30.0 + k], [0.0] * 3, [100.0 * k] * 3, MJD + k)
            desk.publish(k, rows, MJD + k)
        desk.publish(8, source_rows(8, [10.0, 25.0], [0.0] * 2, [50.0] * 2, MJD - 40), MJD - 40)
        near = desk.one(
            "SELECT diaobjectid FROM prompt_live.diaobject WHERE ra BETWEEN 30.5 AND 31.5"
        )
        moved = desk.one("SELECT min(diasourceid) FROM prompt_live.diasource WHERE ra > 32.5")
        desk.relink([moved], objects=[near])
        # The object at 25 has its one source withdrawn with the visit, and comes back with it.
        desk.withdraw(8, MJD - 40)
        desk.publish(8, source_rows(8, [10.0, 25.0], [0.0] * 2, [50.0] * 2, MJD - 40), MJD - 40)
        desk.change("SELECT ledger.heartbeat() IS NULL")
        connection.close()
        yield server.dsn(name)
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
    admin.close()


@pytest.fixture
def opened(dsn):
    connection = psycopg2.connect(dsn)
    yield connection
    connection.rollback()
    connection.close()


@pytest.mark.requirement("GEN-19", "GEN-20")
def test_a_database_written_by_publications_alone_has_no_findings(opened):
    with opened.cursor() as cursor:
        cursor.execute("SELECT count(*), count(*) FILTER (WHERE deletedtai < '9999-01-01') "
                       "FROM ledger.versions()")  # fmt: skip
        versions, closed = cursor.fetchone()
        assert versions > 25
        assert closed > 8
        cursor.execute("SELECT count(DISTINCT kind) FROM ledger.epoch")
        assert cursor.fetchone()[0] >= 4  # created, visit, relink, withdrawal
        cursor.execute(FINDINGS)
        assert cursor.fetchall() == []


@pytest.mark.requirement("GEN-19", "GEN-20")
@pytest.mark.parametrize(
    ("damage", "relation", "kind"),
    [
        pytest.param(
            f"UPDATE prompt_store.diaobject_history SET deletedtai = deletedtai + {SECOND} "
            f"WHERE {OLDEST}", "DIAObject", "overlap", id="overlapping versions",
        ),
        pytest.param(
            f"DELETE FROM prompt_store.diaobject_history WHERE {MIDDLE}",
            "DIAObject", "gap", id="a version is missing",
        ),
        pytest.param(
            f"DELETE FROM prompt_store.diaobject WHERE diaobjectid = {OFTEN}",
            "DIAObject", "gap", id="the newest version is missing",
        ),
        pytest.param(
            "DELETE FROM prompt_store.ccdvisit", "Epoch", "rows", id="rows without history vanish",
        ),
        pytest.param(
            f"INSERT INTO prompt_store.diaobject SELECT * FROM prompt_store.diaobject "
            f"WHERE diaobjectid = {OFTEN}", "DIAObject", "duplicate", id="a key twice",
        ),
        pytest.param(
            f"UPDATE prompt_store.diaobject_history SET createdtai = deletedtai + {SECOND} "
            f"WHERE {OLDEST}", "DIAObject", "interval", id="created after it was deleted",
        ),
        pytest.param(
            f"UPDATE prompt_store.diaobject SET createdtai = createdtai - interval '1 microsecond'"
            f" WHERE diaobjectid = {OFTEN}", "DIAObject", "no epoch", id="created between epochs",
        ),
        pytest.param(
            f"UPDATE prompt_store.diaobject_history SET deletedtai = deletedtai "
            f"- interval '1 microsecond' WHERE {OLDEST}",
            "DIAObject", "no epoch", id="deleted between epochs",
        ),
        pytest.param(
            "UPDATE prompt_store.ccdvisit SET createdtai = ledger.horizon() + interval '1 day'",
            "CcdVisit", "newer than the horizon", id="from the future",
        ),
        pytest.param(
            f"UPDATE prompt_store.diaobject SET insertedtai = createdtai "
            f"WHERE diaobjectid = {OFTEN}", "DIAObject", "insertedTai", id="a birthday moved",
        ),
        pytest.param(
            "UPDATE prompt_store.diasource SET ssobjectid = 5 WHERE diaobjectid IS NOT NULL",
            "DIASource", "two objects", id="linked to a moving and a fixed object",
        ),
        pytest.param(
            "UPDATE prompt_store.diasource SET diaobjectid = (SELECT min(diaobjectid) FROM "
            "prompt_store.diaobject)", "DIASource", "two sources of a visit", id="wrong merge",
        ),
        pytest.param(
            "UPDATE prompt_store.diasource SET diaobjectid = 5 WHERE diasourceid = "
            "(SELECT min(diasourceid) FROM prompt_store.diasource)",
            "DIASource", "no object", id="linked to nothing",
        ),
        pytest.param(
            "UPDATE ledger.batch SET startedtai = startedtai + interval '1 day'",
            "Epoch", "order", id="published before it was begun",
        ),
        pytest.param(
            "UPDATE ledger.batch SET epochtai = epochtai - interval '1 day'",
            "Batch", "batch", id="a batch of another epoch",
        ),
        pytest.param(
            "DELETE FROM ledger.batch WHERE kind = 'visit'", "Epoch", "batch", id="a lost batch",
        ),
        pytest.param(
            "DELETE FROM ledger.epoch WHERE kind = 'relink'", "DIAObject", "no epoch",
            id="a lost epoch",
        ),
    ],
)  # fmt: skip
def test_each_kind_of_damage_is_found(opened, damage, relation, kind):
    with opened.cursor() as cursor:
        cursor.execute(UNGUARDED)
        cursor.execute(damage)
        assert cursor.rowcount > 0
        cursor.execute(FINDINGS)
        found = cursor.fetchall()
    assert (relation, kind) in {(r, k) for r, k, _ in found}
    assert all(detail for _, _, detail in found)


def test_a_finding_names_the_row(opened):
    with opened.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(f"SELECT {OFTEN}")
        (key,) = cursor.fetchone()
        cursor.execute(f"DELETE FROM prompt_store.diaobject_history WHERE {MIDDLE}")
        cursor.execute("SELECT key, detail FROM ledger.audit() WHERE kind = 'gap'")
        ((name, detail),) = cursor.fetchall()
    assert name == str(key)
    assert detail.startswith("nothing from 2")


@pytest.mark.requirement("GEN-19")
def test_the_heartbeat_publishes_an_empty_epoch_when_the_newest_is_ten_seconds_old(fresh_database):
    beats = "SELECT ledger.heartbeat()"
    with fresh_database.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT ledger.horizon()")
        before = cursor.fetchone()[0]
        cursor.execute("SET skyledger.clock_offset = '9 seconds'")
        cursor.execute("SELECT science.tai_now() - ledger.horizon() < interval '10 seconds'")
        soon = cursor.fetchone()[0]
        cursor.execute(beats)
        assert (cursor.fetchone()[0] is None) == soon
        connection.rollback()
        cursor.execute("SET skyledger.clock_offset = '1 hour'")
        cursor.execute(beats)
        beat = cursor.fetchone()[0]
        assert beat >= before + timedelta(hours=1)
        connection.commit()
        cursor.execute("SELECT kind, nrows, batchid FROM ledger.epoch WHERE epochtai = %s", (beat,))
        assert cursor.fetchone() == ("heartbeat", 0, None)
        cursor.execute(beats)
        assert cursor.fetchone() == (None,)
        connection.rollback()


def test_the_heartbeat_does_not_wait_for_a_publication(fresh_database):
    publisher, other = fresh_database.connect(), fresh_database.connect()
    with publisher.cursor() as busy, other.cursor() as cursor:
        busy.execute("SELECT ledger.draw('test')")
        cursor.execute("SET statement_timeout = '5s'; SET skyledger.clock_offset = '1 hour'")
        cursor.execute("SELECT ledger.heartbeat()")
        assert cursor.fetchone() == (None,)
        other.rollback()
        publisher.rollback()
        cursor.execute("SET skyledger.clock_offset = '1 hour'; SELECT ledger.heartbeat()")
        assert cursor.fetchone()[0] is not None
    publisher.close()
    other.close()
