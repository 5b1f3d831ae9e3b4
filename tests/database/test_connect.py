"""Virtual databases for Python and psql; what a reader cannot do."""

import contextlib
import subprocess
from datetime import timedelta

import numpy as np
import psycopg2
import pytest
from test_ledger import MJD, Desk, source_rows

import skyledger
from services.citation import cite
from skyledger.answers import run
from skyledger.database import connection as connections
from skyledger.database import schema
from skyledger.database.cluster import PROGRAMS
from skyledger.errors import QueryRefusedError, UsageError
from skyledger.virtual import VirtualDatabase, parse

NOW = VirtualDatabase("prompt")
COUNT = "SELECT count(*) FROM DIASource"


def with_two_visits(connection):
    desk = Desk(connection)
    desk.epochs = [
        desk.publish(k, source_rows(k, [10.0], [0.0], [100.0 * k], MJD + k), MJD + k)
        for k in (1, 2)
    ]
    return desk


@pytest.fixture
def desk(fresh_database, monkeypatch):
    """Two visits in a database that the product is told to use; ``epochs`` are theirs."""
    monkeypatch.setenv("SKYLEDGER_DATABASE_URL", fresh_database.dsn)
    with contextlib.closing(fresh_database.connect()) as connection:
        yield with_two_visits(connection)


@pytest.fixture(scope="module")
def unchanged(server, template):
    """The same for all tests that publish nothing more."""
    name = "unchanged"
    with contextlib.closing(psycopg2.connect(server.dsn("postgres"))) as owner:
        owner.autocommit = True
        with owner.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
            with contextlib.closing(psycopg2.connect(server.dsn(name))) as connection:
                yield with_two_visits(connection)
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def still(unchanged, monkeypatch):
    monkeypatch.setenv("SKYLEDGER_DATABASE_URL", unchanged.connection.dsn)
    yield unchanged
    unchanged.connection.rollback()


@contextlib.contextmanager
def connected(database="prompt"):
    opened = skyledger.connect(database)
    try:
        yield opened
    finally:
        opened.close()


def rows(connection, query):
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


# ------------------------------------------------------------------------------------- Python


@pytest.mark.requirement("GEN-21", "GEN-19")
def test_a_connection_shows_the_instant_of_its_virtual_database_whatever_is_published_later(desk):
    first, second = desk.epochs
    with connected(f"prompt@{first.isoformat()}") as past, connected() as now:
        assert rows(past, "SELECT psFlux FROM DIASource") == [(100.0,)]
        assert rows(past, "SELECT nDiaSources FROM DIAObject") == [(1,)]
        assert rows(past, "SELECT ledger.as_of()") == [(first,)]
        assert rows(now, COUNT) == [(2,)]
        assert rows(now, "SELECT ledger.as_of()") == [(second,)]
        third = desk.publish(3, source_rows(3, [10.0], [0.0], [300.0], MJD + 3), MJD + 3)
        # One transaction, one horizon; the next one sees what has come.
        assert rows(now, COUNT) == [(2,)]
        now.rollback()
        assert rows(now, COUNT) == [(3,)]
        assert rows(now, "SELECT ledger.as_of()") == [(third,)]
        # Settings of a user's own are undone by what a pool or a program resets with.
        past.rollback()
        past.set_session(autocommit=True)
        rows(past, "SELECT set_config('skyledger.as_of', '', false)")
        with past.cursor() as cursor:
            cursor.execute("DISCARD ALL")
        assert rows(past, COUNT) == [(1,)]


@pytest.mark.requirement("GEN-21")
def test_a_table_has_units_descriptions_masks_and_its_instant(still):
    first, second = still.epochs
    found = skyledger.query("SELECT ra, psFlux, trailFlux, dec FROM DIASource ORDER BY psFlux")
    assert found.colnames == ["ra", "psFlux", "trailFlux", "dec"]
    assert list(found["psFlux"]) == [100.0, 200.0]
    assert str(found["psFlux"].unit) == "nJy"
    assert "flux" in found["psFlux"].description.lower()
    assert found["psFlux"].dtype == np.float32
    assert found["trailFlux"].mask.all()
    assert found.meta == {"database": "prompt", "as_of": second.isoformat()}
    past = skyledger.query(COUNT, database=f"prompt@{first.isoformat()}")
    assert past["count"][0] == 1
    again = skyledger.query("SELECT ra FROM DIASource", f"prompt@{found.meta['as_of']}")
    assert len(again) == 2


@pytest.mark.requirement("GEN-21", "L1DB-05")
def test_the_living_database_in_rubins_names_is_one_more_virtual_database(still):
    first, second = still.epochs
    query = "SELECT s.raErr, s.psfFlux, o.nDiaSources FROM DiaSource AS s JOIN DiaObject AS o"
    query += " USING (diaObjectId) ORDER BY psfFlux"
    for name, expected in (
        ("rubin", [(100.0, 2), (200.0, 2)]),
        (f"rubin@{second.isoformat()}", [(100.0, 2), (200.0, 2)]),
        (f"rubin@{first.isoformat()}", [(100.0, 1)]),
    ):
        found = skyledger.query(query, name)
        assert list(zip(found["psfFlux"], found["nDiaSources"], strict=True)) == expected
        # The same name has another unit there than with us.
        assert (str(found["raErr"].unit), str(found["psfFlux"].unit)) == ("deg", "nJy")
        assert found["raErr"][0] == pytest.approx(0.05 / 3600)
        with connected(name) as opened:
            assert [r[1:] for r in rows(opened, query)] == expected
    ours = skyledger.query("SELECT raErr FROM DIASource")
    assert str(ours["raErr"].unit) == "arcsec"
    asked = skyledger.query(f"SELECT raErr FROM rubin_at.DiaSource('{first}')")
    assert asked["raErr"].unit is None  # of a function it is not known whose the name is


@pytest.mark.requirement("GEN-21")
def test_databases_and_instants_that_cannot_be_had_are_refused_in_one_sentence(still):
    for name, error, reason in (
        ("dr7", QueryRefusedError, "there is no database dr7; there is prompt"),
        ("prompt@2199-01-01", QueryRefusedError, "in the future"),
        ("prompt@1999-01-01", QueryRefusedError, "before this database began"),
        ("prompt@yesterday", UsageError, "is not an instant"),
        ("prompt_store", UsageError, "is not a database"),
        ("prompt@citation:nothing1", QueryRefusedError, "there is no citation nothing1"),
        ("prompt@source:12", QueryRefusedError, "there is no source 12"),
        ("prompt@source:here", QueryRefusedError, "is not an instant"),
        ("prompt@alert:12", QueryRefusedError, "alerts are not made yet"),
    ):
        with pytest.raises(error, match=reason):
            skyledger.connect(name)
        with pytest.raises(error, match=reason):
            skyledger.query(COUNT, name)


@pytest.mark.requirement("GEN-21")
def test_an_instant_after_the_horizon_is_settled_when_it_is_connected_to(still):
    before = still.one("SELECT science.tai_now()")
    with connected(f"prompt@{before.isoformat()}") as opened:
        assert still.one("SELECT ledger.horizon()") >= before
        assert rows(opened, COUNT) == [(2,)]


@pytest.mark.requirement("GEN-21", "GEN-19")
def test_the_instant_of_a_citation_and_of_a_source(desk):
    first, second = desk.epochs
    cited = cite(desk.connection, "SELECT * FROM DIASource", VirtualDatabase("prompt", first))
    source = desk.one("SELECT max(diasourceid) FROM prompt_live.diasource")
    desk.publish(3, source_rows(3, [10.0], [0.0], [300.0], MJD + 3), MJD + 3)
    visit = desk.one("SELECT visitid FROM prompt_live.diasource WHERE diasourceid = %s", source)
    with desk.connection.cursor() as cursor:
        cursor.execute("SELECT ledger.withdraw(%s, 'clouds')", (visit,))
    desk.connection.commit()
    for name, instant, n in (
        (f"prompt@citation:{cited.citation.upper()}", first, 1),
        (f"prompt@source:{source}", second, 2),  # also after the source was withdrawn
    ):
        found = skyledger.query(COUNT, name)
        assert (found["count"][0], found.meta["as_of"]) == (n, instant.isoformat())
        with connected(name) as opened:
            assert rows(opened, COUNT) == [(n,)]
            assert rows(opened, "SELECT ledger.as_of()") == [(instant,)]


@pytest.mark.requirement("GEN-21")
def test_a_release_ignores_instants_after_it_appeared_and_refuses_those_before(desk):
    first, second = desk.epochs
    schema.create_release(desk.connection, "dr1")
    with desk.connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ledger.database (databaseid, name, kind, registeredtai) "
            "VALUES (7, 'dr1', 'release', %s)",
            (second,),
        )
        cursor.execute("GRANT USAGE ON SCHEMA dr1 TO skyledger_reader")
        cursor.execute("GRANT SELECT ON ALL TABLES IN SCHEMA dr1 TO skyledger_reader")
    desk.connection.commit()
    with pytest.raises(QueryRefusedError, match=r"release dr1 appeared at .*, after instant"):
        skyledger.connect(f"dr1@{first.isoformat()}")
    with connected(f"dr1@{second.isoformat()}") as opened:
        assert rows(opened, "SELECT count(*) FROM Object") == [(0,)]
        # A living table beside it is read as of that instant.
        desk.publish(3, source_rows(3, [10.0], [0.0], [300.0], MJD + 3), MJD + 3)
        assert rows(opened, "SELECT count(*) FROM prompt.DIASource") == [(2,)]
    found = skyledger.query("SELECT count(*) FROM Object", "dr1")
    assert found.meta["database"] == "dr1"


def test_names_of_virtual_databases_are_read():
    assert parse("prompt@citation:dtpcp6r3").reference == "citation:dtpcp6r3"
    assert str(parse("dr1@source:12")) == "dr1@source:12"
    for text in ("prompt@citation:", "prompt@batch:1", "prompt@source:1; DROP"):
        with pytest.raises(UsageError):
            parse(text)


@pytest.mark.requirement("GEN-21")
def test_psql_takes_the_instant_as_an_option(still):
    first = still.epochs[0]
    cited = cite(still.connection, COUNT, VirtualDatabase("prompt", first)).citation
    place = f"{still.connection.dsn} user=skyledger_user"
    for as_of, expected in (
        (first.isoformat(), "1"),
        (f"citation:{cited}", "1"),
        ("", "2"),
        ("2199-01-01", "later than the horizon"),
        ("tomorrow", "'tomorrow' is not an instant"),
    ):
        done = subprocess.run(
            [str(PROGRAMS / "bin" / "psql"), "-XAt", "-c", COUNT, "-d",
             place + f" options='-c skyledger.as_of={as_of} -c search_path=prompt,science,public'"],
            check=False, capture_output=True, text=True,
        )  # fmt: skip
        assert expected in done.stdout + done.stderr


# ------------------------------------------------------------------------------ what readers may


HOSTILE = [
    ("SELECT set_config('role', 'skyledger', false)", "permission denied to set role"),
    ("SELECT set_config('session_authorization', 'skyledger', false)", "permission denied to set"),
    ("SELECT set_config('transaction_read_only', 'off', false)", "read-write mode"),
    ("SELECT lo_create(0)", "permission denied for function lo_create|read-only"),
    ("SELECT lo_from_bytea(0, 'x')", "permission denied for function|read-only"),
    ("SELECT lo_import('/etc/passwd')", "permission denied for function"),
    ("SELECT pg_read_file('/etc/passwd')", "permission denied for function"),
    ("SELECT pg_ls_dir('/')", "permission denied for function"),
    ("SELECT dblink('', 'SELECT 1')", "function dblink.* does not exist"),
    ("SELECT nextval('ledger.batch_id')", "permission denied for sequence"),
    ("SELECT nextval('ledger.object_serial')", "permission denied for sequence"),
    ("SELECT pg_terminate_backend(pg_backend_pid())", "permission denied for function"),
    ("SELECT pg_cancel_backend(pg_backend_pid())", "permission denied for function"),
    # The lock of publications: whoever held it would stop them.
    ("SELECT pg_advisory_lock(7526, 1)", "permission denied for function"),
    ("SELECT pg_try_advisory_xact_lock(7526, 1)", "permission denied for function"),
    ("SELECT pg_logical_emit_message(false, 'a', 'b')", "permission denied for function"),
    ("SELECT * FROM ledger.batch", "permission denied for table"),
    ("SELECT * FROM ledger.rejected", "permission denied for table"),
    ("SELECT * FROM ledger.embargo", "permission denied for table"),
    ("SELECT * FROM prompt_store.diasource", "permission denied for schema"),
    ("SELECT * FROM staging.diasource", "permission denied for schema"),
    ("SELECT * FROM pg_authid", "permission denied for table"),
    ("SELECT ledger.publish(1)", "permission denied for function"),
    ("SELECT ledger.draw('visit')", "permission denied for function"),
    ("SELECT ledger.versions()", "permission denied for function"),
    ("SELECT ledger.set_embargo('skyledger_user', 0)", "permission denied for function"),
    ("SELECT ledger.make_alias('abc', 'prompt', NULL)", "permission denied for function"),
    ("SELECT ledger.withdraw(1, 'x')", "permission denied for function"),
    ("SELECT ledger.resolve(science.tai_now())", "read-only transaction|READ COMMITTED"),
    ("SELECT query_to_xml('SELECT lo_create(0)', true, true, '')", "permission denied|read-only"),
]
STATEMENTS = [
    ("SET SESSION AUTHORIZATION skyledger", "permission denied"),
    ("SET ROLE skyledger", "permission denied"),
    ("SET ROLE skyledger_ingest", "permission denied"),
    ("COPY (SELECT 1) TO PROGRAM 'true'", "permission denied|must be"),
    ("COPY (SELECT 1) TO '/var/a'", "permission denied|must be"),
    ("CREATE TABLE public.mine (a int)", "read-only|permission denied"),
    ("CREATE SCHEMA mine", "read-only|permission denied"),
    ("UPDATE prompt_store.diasource SET psflux = 1", "permission denied"),
    ("UPDATE prompt_live.diasource SET psflux = 1", "permission denied"),
    ("DELETE FROM ledger.epoch", "permission denied"),
    ("INSERT INTO ledger.citation (citationid) VALUES ('a')", "permission denied"),
    ("ALTER ROLE skyledger_user SUPERUSER", "read-only|must be superuser|permission denied"),
    ("ALTER ROLE skyledger_user CREATEDB", "read-only|permission denied"),
    ("CREATE ROLE another", "read-only|permission denied"),
    ("CREATE FUNCTION science.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
     "read-only|permission denied"),
    ("CREATE EXTENSION dblink", "read-only|permission denied"),
    ("DROP VIEW prompt.diasource", "must be owner|read-only"),
    ("GRANT skyledger_ingest TO skyledger_user", "must have admin option|read-only"),
    ("DO LANGUAGE plpython3u 'x = 1'", "permission denied for language"),
    ("LOCK TABLE ledger.epoch IN EXCLUSIVE MODE", "permission denied|read-only|transaction block"),
    ("ALTER SYSTEM SET port = 1", "permission denied|must be|transaction block"),
    ("TRUNCATE ledger.epoch", "permission denied"),
]  # fmt: skip


@pytest.mark.requirement("GEN-21")
def test_a_query_can_neither_write_nor_become_somebody(connection):
    past = VirtualDatabase("prompt", _horizon(connection))
    with contextlib.closing(connections.reader_beside(connection)) as reader:
        for statement, reason in HOSTILE:
            for database in (NOW, past):
                with pytest.raises(QueryRefusedError, match=reason):
                    run(reader, statement, database)
        # The connection of the owner gives a query no more rights.
        for statement, reason in HOSTILE[:4]:
            with pytest.raises(QueryRefusedError, match=reason):
                run(connection, statement, NOW)


def _horizon(connection):
    found = rows(connection, "SELECT ledger.horizon()")[0][0]
    connection.rollback()
    return found


def test_what_is_no_query_is_refused(connection):
    with contextlib.closing(connections.reader_beside(connection)) as reader:
        for statement in ("CREATE TEMP TABLE a AS SELECT 1", "COMMIT", "SET role TO x"):
            with pytest.raises(QueryRefusedError):
                run(reader, statement, NOW)


def test_a_session_of_a_reader_cannot_write_even_where_it_leaves_read_only(connection):
    """In a session of his own a reader may turn read-only off; the rights remain those of one."""
    before = rows(connection, "SELECT count(*), max(epochtai) FROM ledger.epoch")
    connection.rollback()
    with contextlib.closing(connections.reader_beside(connection)) as reader:
        reader.autocommit = True
        with reader.cursor() as cursor:
            cursor.execute("SHOW default_transaction_read_only")
            assert cursor.fetchone() == ("on",)
            cursor.execute("SELECT rolsuper OR rolcreatedb OR rolcreaterole OR rolbypassrls OR "
                           "rolreplication FROM pg_roles WHERE rolname = session_user")  # fmt: skip
            assert cursor.fetchone() == (False,)
            cursor.execute("SET default_transaction_read_only = off")
        for statement, reason in HOSTILE + STATEMENTS:
            if "transaction_read_only" in statement or "ledger.resolve" in statement:
                continue
            with pytest.raises(psycopg2.Error, match=reason), reader.cursor() as cursor:
                cursor.execute(statement)
        # An epoch in the future would be the present of everybody after.
        with reader.cursor() as cursor:
            cursor.execute("SET skyledger.clock_offset = '10 years'")
            with pytest.raises(psycopg2.Error, match="in the future"):
                cursor.execute("SELECT ledger.resolve(science.tai_now() - interval '1 hour')")
    assert rows(connection, "SELECT count(*), max(epochtai) FROM ledger.epoch") == before


def test_sessions_of_skyledger_connect_are_read_only(still):
    with connected() as opened:
        with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
            rows(opened, "CREATE TEMP TABLE a (b int)")
        opened.rollback()
        for statement, reason in STATEMENTS:
            with pytest.raises(psycopg2.Error, match=reason + "|read-only"):
                rows(opened, statement)
            opened.rollback()


@pytest.mark.requirement("GEN-19")
def test_without_temporary_views_the_answer_is_the_same(desk):
    """As on a standby, or where the right is taken away."""
    first = VirtualDatabase("prompt", desk.epochs[0])
    query = "SELECT d.*, o.nDiaSources FROM DIASource AS d JOIN DIAObject AS o USING (diaObjectId)"
    with_views = run(desk.connection, query, first)
    name = desk.one("SELECT current_database()")
    with desk.connection.cursor() as cursor:
        cursor.execute(f"REVOKE TEMPORARY ON DATABASE {name} FROM PUBLIC")
    desk.connection.commit()
    without = run(desk.connection, query, first)
    assert with_views.rows == without.rows
    assert len(without.rows) == 1
    assert [c.name for c in with_views.columns] == [c.name for c in without.columns]


def test_a_session_before_the_first_epoch_has_nothing_to_show(still):
    early = still.one("SELECT min(epochtai) FROM ledger.epoch") - timedelta(seconds=1)
    with pytest.raises(QueryRefusedError, match="before this database began"):
        skyledger.query(COUNT, f"prompt@{early.isoformat()}")
