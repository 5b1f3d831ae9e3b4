"""Virtual databases as logins, and through a real pgbouncer: no client sees another's instant."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from datetime import timedelta

import psycopg2
import pytest
from test_ledger import MJD, Desk, source_rows
from typer.testing import CliRunner

from cli import main
from skyledger.database import aliases
from skyledger.errors import QueryRefusedError, UsageError
from skyledger.virtual import VirtualDatabase, parse

PGBOUNCER = shutil.which("pgbouncer", path=os.environ.get("PATH", "") + ":/usr/sbin")
COUNT = "SELECT count(*) FROM DIASource"


@pytest.fixture
def desk(fresh_database, monkeypatch):
    """A database that began four days ago; visits of three days and of two days ago, and of now."""
    monkeypatch.setenv("SKYLEDGER_DATABASE_URL", fresh_database.dsn)
    with contextlib.closing(fresh_database.connect()) as connection:
        desk = Desk(connection)
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE ledger.epoch "
                "SET epochtai = date_trunc('day', epochtai) - interval '83 hours'"
            )
            connection.commit()
            midnight = desk.one("SELECT date_trunc('day', science.tai_now())")
            for k, hours in ((1, 70), (2, 46), (3, 0)):
                cursor.execute(
                    "SELECT set_config('skyledger.clock_offset', "
                    "CASE WHEN %s = 0 THEN '' ELSE (%s - science.tai_now())::text END, false)",
                    (hours, midnight - timedelta(hours=hours)),
                )
                connection.commit()
                rows = source_rows(k, [10.0], [0.0], [100.0 * k], MJD + k)
                desk.publish(k, rows, MJD + k)
                cursor.execute("RESET skyledger.clock_offset")
                connection.commit()
        desk.today = midnight
        yield desk
        connection.rollback()
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT rolname FROM pg_roles WHERE "
                "shobj_description(oid, 'pg_authid') = 'virtual database of Skyledger'"
            )
            for (name,) in cursor.fetchall():
                cursor.execute(f'DROP ROLE "{name}"')
        connection.commit()


def ask(dsn, statement, **more):
    with contextlib.closing(psycopg2.connect(dsn, **more)) as opened, opened.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


def call(*arguments):
    return CliRunner().invoke(main.build(arguments[0]), arguments)


def test_aliases_are_named_in_the_style_of_the_document():
    for text, name in (
        ("prompt", "prompt"),
        ("dr5@2026-01-01", "dr5-2026-01-01"),
        ("prompt@2026-01-01T04:00:00", "prompt-2026-01-01t040000"),
        ("prompt@citation:dtpcp6r3", "prompt-citation-dtpcp6r3"),
    ):
        assert aliases.default_name(parse(text)) == name


@pytest.mark.requirement("GEN-21")
def test_a_login_shows_its_virtual_database(desk, fresh_database):
    date = (desk.today - timedelta(days=1)).date()
    done = call("db", "alias", f"prompt@{date}", "--name", f"lsst-dr5-{date}")
    assert done.exit_code == 0, done.output
    name = f"lsst-dr5-{date}"
    assert f"{name} shows prompt@{date}T00:00:00" in done.output
    assert ask(fresh_database.dsn, COUNT, user=name) == [(2,)]
    assert ask(fresh_database.dsn, "SELECT nDiaSources FROM DIAObject", user=name) == [(2,)]
    # Made again it is given its settings anew; another role is left alone.
    made = aliases.make(desk.connection, parse(f"prompt@{date - timedelta(days=1)}"), name)
    assert ask(fresh_database.dsn, COUNT, user=made.name) == [(1,)]
    with pytest.raises(QueryRefusedError, match="role skyledger_reader is there and is no alias"):
        aliases.make(desk.connection, VirtualDatabase("prompt"), "skyledger_reader")
    with pytest.raises(QueryRefusedError, match="cannot be the name of an alias"):
        aliases.make(desk.connection, VirtualDatabase("prompt"), "Robert'; DROP")
    for text, reason in (("prompt@2199-01-01", "in the future"), ("dr7", "there is no database")):
        with pytest.raises(QueryRefusedError, match=reason):
            aliases.make(desk.connection, parse(text))
    # A later instant than the horizon is settled when the login is made.
    now = desk.one("SELECT science.tai_now()")
    late = aliases.make(desk.connection, VirtualDatabase("prompt", now), "late")
    assert desk.one("SELECT ledger.horizon()") >= now
    assert ask(fresh_database.dsn, "SELECT ledger.as_of()", user=late.name) == [(now,)]
    # A login set to the future by hand is refused whenever it asks.
    with desk.connection.cursor() as cursor:
        cursor.execute("ALTER ROLE late IN DATABASE " + fresh_database.name +
                       " SET skyledger.as_of = '2199-01-01'")  # fmt: skip
    desk.connection.commit()
    with pytest.raises(psycopg2.Error, match="later than the horizon"):
        ask(fresh_database.dsn, COUNT, user="late")
    with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
        ask(fresh_database.dsn, "SELECT ledger.resolve(science.tai_now())", user=name)


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@contextlib.contextmanager
def pool(server, mode, days):
    """A pgbouncer configured by the command line; yields its port."""
    port = free_port()
    folder = server.base / f"pool-{mode}"
    done = call(
        "db", "pgbouncer", str(folder), "--days", str(days), "--port", str(port), "--mode", mode
    )
    assert done.exit_code == 0, done.output
    # As few server sessions as can be: clients get one another's.
    ini = folder / "pgbouncer.ini"
    ini.write_text(ini.read_text(encoding="utf-8") + "default_pool_size = 1\n", encoding="utf-8")
    user = server.user
    identity = {"user": user.uid, "group": user.gid, "extra_groups": []} if user.root else {}
    log = (folder / "log").open("w", encoding="utf-8")
    process = subprocess.Popen([PGBOUNCER, str(ini)], stdout=log, stderr=log, cwd="/", **identity)
    try:
        deadline = time.monotonic() + 10
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            assert process.poll() is None, (folder / "log").read_text(encoding="utf-8")
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield port
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(10)
        log.close()
        shutil.rmtree(folder)


@pytest.mark.requirement("GEN-21")
@pytest.mark.skipif(PGBOUNCER is None, reason="pgbouncer is not installed (Debian: pgbouncer)")
@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_clients_of_a_pool_never_see_the_instant_of_another(desk, server, mode):
    dates = [(desk.today - timedelta(days=back)).date() for back in range(4)]
    expected = dict(zip([f"prompt-{d}" for d in dates], [2, 2, 1, 0], strict=True))
    expected["prompt"] = 3
    with pool(server, mode, days=10) as port:
        place = f"host=127.0.0.1 port={port} user={aliases.CLIENT}"

        wrong, asked = [], []

        def client(number):
            names = sorted(expected)
            for turn in range(15):
                name = names[(number + turn) % len(names)]
                with contextlib.closing(psycopg2.connect(place, dbname=name)) as opened:
                    opened.autocommit = True
                    with opened.cursor() as cursor:
                        cursor.execute(COUNT)
                        found = cursor.fetchone()[0]
                        if found != expected[name]:
                            wrong.append((name, found))
                        asked.append(name)
                        # What this client sets must not reach the next one.
                        cursor.execute("SET skyledger.as_of = ''")
                        cursor.execute("SET search_path = prompt_live")
                        cursor.execute("SET default_transaction_read_only = off")

        threads = [threading.Thread(target=client, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []
        assert len(asked) == 60

        past = f"prompt-{dates[2]}"
        # A table of one client's own, in the place of a relation, is no other client's.
        with contextlib.closing(psycopg2.connect(place, dbname=past)) as opened:
            opened.autocommit = True
            with opened.cursor() as cursor:
                cursor.execute("BEGIN READ WRITE; CREATE TEMP TABLE diasource (a int); COMMIT")
        assert ask(place, COUNT, dbname=past) == [(1,)]
        for statement in ("CREATE TABLE public.a (b int)", "UPDATE prompt.DIASource SET ra = 1"):
            with pytest.raises(psycopg2.Error, match=r"read-only|permission denied|cannot"):
                ask(place, statement, dbname=past)
        assert ask(place, "SHOW transaction_read_only", dbname=past) == [("on",)]
        # A client's own instant is refused, not overlooked; nobody administers the pool.
        with pytest.raises(psycopg2.OperationalError, match="unsupported startup parameter"):
            ask(place, COUNT, dbname=past, options="-c skyledger.as_of=2026-01-01")
        with pytest.raises(psycopg2.Error, match=r"not allowed|denied|authentication"):
            ask(place, "SHOW POOLS", dbname="pgbouncer")
        with pytest.raises(psycopg2.OperationalError):
            ask(place, COUNT, dbname="prompt-2020-01-01")


def test_options_of_the_pool_that_make_no_sense_are_refused(desk, tmp_path):
    for arguments, reason in (
        (("--mode", "statement"), "--mode statement is not known"),
        (("--db", "prompt@2026-01-01"), "names an instant"),
    ):
        done = call("db", "pgbouncer", str(tmp_path), *arguments)
        assert isinstance(done.exception, UsageError)
        assert reason in str(done.exception)
