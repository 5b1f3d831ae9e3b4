"""Backup and recovery to an instant, a standby, a crash: answers stay what they were."""

import json
import os
import shutil
import signal
import threading
import time
from datetime import timedelta

import psycopg2
import pytest
from test_ledger import MJD, Desk, source_rows
from typer.testing import CliRunner

from cli import main
from skyledger import dictionary
from skyledger.database import backup, schema
from skyledger.database.cluster import Cluster, temporary_home
from skyledger.errors import ConfigurationError, DatabaseError, UsageError

LIVING = [relation.sql_name for relation in dictionary.shipped().of_kind("living")]
# What this file proves does not hang on the disk: processes are killed, not the machine.
FAST = {"fsync": "off", "shared_buffers": "64MB"}


@pytest.fixture(scope="module")
def home():
    made = temporary_home()
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def primary(home):
    """A running server with the schema; the drill destroys and restores it."""
    cluster = Cluster(home / "primary", FAST)
    try:
        cluster.start()
        connection = psycopg2.connect(cluster.dsn())
        schema.upgrade(connection)
        connection.close()
        yield cluster
    finally:
        cluster.destroy()


@pytest.fixture
def desk(primary):
    connection = psycopg2.connect(primary.dsn())
    yield Desk(connection)
    connection.close()


def publish(desk, k):
    """Publish visit k: an object that every visit sees, and one of its own."""
    rows = source_rows(k, [10.0, 20.0 + k], [0.0, 0.0], [100.0 * k, 7.0], MJD + k)
    return desk.publish(k, rows, MJD + k)


def answers(desk, instant):
    """Checksum of every column of every row of every living relation, as of an instant."""
    return [
        desk.one(
            f"SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) "
            f"FROM prompt_at.{name}(%s) AS t",
            instant,
        )
        for name in LIVING
    ]


def archived(primary, folder):
    """Wait until everything published so far is in the archive."""
    connection = psycopg2.connect(primary.dsn())
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_walfile_name(pg_switch_wal())")
        file = folder / "wal" / f"{cursor.fetchone()[0]}.gz"
    connection.close()
    deadline = time.monotonic() + 30
    while not file.is_file():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.requirement("GEN-18", "GEN-19", "GEN-20")
def test_drill_of_a_recovery_to_an_instant_between_two_visits(primary, home, monkeypatch):
    monkeypatch.setenv("SKYLEDGER_HOME", str(primary.home))
    folder = home / "back up, 100% of it"

    def call(*words):
        done = CliRunner().invoke(main.build("db"), ["db", *words])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.stdout

    desk = Desk(psycopg2.connect(primary.dsn()))
    epochs = [publish(desk, 1), publish(desk, 2)]
    with desk.connection.cursor() as cursor:
        cursor.execute("SELECT ledger.cite('SELECT diaObjectId, ra, rPsFluxMean FROM DIAObject')")
        citation = cursor.fetchone()[0]
    desk.connection.commit()
    assert "verified" in call("backup", str(folder))
    epochs.append(publish(desk, 3))
    instant = desk.one("SELECT science.tai_now()")
    before = [answers(desk, epoch) for epoch in epochs]
    lost = publish(desk, 4)
    serial, batch = desk.all("SELECT o.last_value, b.last_value "
                             "FROM ledger.object_serial AS o, ledger.batch_id AS b")[0]  # fmt: skip
    after = desk.one("SELECT science.tai_now()")
    desk.connection.close()
    archived(primary, folder)
    assert len(json.loads(call("status", "--json"))["backups"]) == 1
    with pytest.raises(UsageError, match="there is a database"):
        call("restore", str(folder))
    monkeypatch.setenv("SKYLEDGER_DATABASE_URL", "postgresql://elsewhere/skyledger")
    with pytest.raises(UsageError, match=r"external PostgreSQL server.*pgBackRest"):
        call("restore", str(folder))
    monkeypatch.delenv("SKYLEDGER_DATABASE_URL")

    primary.destroy()
    with pytest.raises(UsageError, match="oldest backup"):
        call("restore", str(folder), "--until", epochs[0].isoformat())
    with pytest.raises(UsageError, match="in the future"):
        call("restore", str(folder), "--until", "2999-01-01")
    with pytest.raises(DatabaseError, match=r"archive .* ends before"):
        call("restore", str(folder), "--until", after.isoformat())
    assert primary.status().state == "absent"
    said = call("restore", str(folder), "--until", instant.isoformat())
    assert epochs[2].isoformat() in said

    desk = Desk(psycopg2.connect(primary.dsn()))
    assert [answers(desk, epoch) for epoch in epochs] == before
    assert desk.one("SELECT verdict FROM ledger.verify(%s)", citation) == "identical"
    # The lost visit is not there, and nobody is told that it never was.
    restored = desk.one("SELECT epochtai FROM ledger.epoch WHERE kind = 'restored'")
    for gone in (lost, instant, lost + timedelta(microseconds=1)):
        with pytest.raises(psycopg2.Error, match="lies in a time that was lost"):
            answers(desk, gone)
        desk.connection.rollback()
        with pytest.raises(psycopg2.Error, match="lies in a time that was lost"):
            desk.one("SELECT ledger.resolve(%s)", gone)
        desk.connection.rollback()
    assert answers(desk, restored) == before[2]
    assert restored > lost
    # Ids that alerts may have carried are not given out again.
    assert desk.one("SELECT nextval('ledger.object_serial')") > serial
    assert desk.one("SELECT nextval('ledger.batch_id')") > batch
    again = publish(desk, 4)
    assert again > restored
    assert desk.one("SELECT count(*) FROM prompt_live.diasource") == 8
    assert desk.all("SELECT * FROM ledger.audit()") == []
    desk.connection.close()
    # The archive of the lost history is not written to by the new one.
    assert primary.archive is None
    with pytest.raises(ConfigurationError, match="before it was restored"):
        call("backup", str(folder))


def test_a_damaged_backup_and_a_strange_folder_are_refused(primary, home):
    folder = home / "damaged"
    made = backup.make(primary, folder)
    file = made.path / "global" / "pg_control"
    content = bytearray(file.read_bytes())
    content[100] ^= 1
    file.write_bytes(content)
    with pytest.raises(DatabaseError, match=r"pg_verifybackup failed.*pg_control"):
        backup.restore(Cluster(home / "other", FAST), folder)
    with pytest.raises(ConfigurationError, match="holds no backup"):
        backup.restore(Cluster(home / "other", FAST), home)
    with pytest.raises(ConfigurationError, match="not empty and no backup folder"):
        backup.make(primary, home)
    (folder / "wal" / "0.gz").touch()
    os.utime(folder / "wal" / "0.gz", (time.time() + 3600, time.time() + 3600))
    with pytest.raises(ConfigurationError, match="set the clock"):
        backup.restore(Cluster(home / "other", FAST), folder)


@pytest.mark.requirement("GEN-19", "GEN-20")
def test_a_standby_answers_as_the_primary_does(primary, home, desk):
    data, port = home / "standby", primary.port + 1
    primary.user.private_folder(data)
    where = (f"--host={primary.socket}", f"--port={primary.port}", "--username=skyledger")
    primary.call(
        "pg_basebackup", f"--pgdata={data}", *where, "--checkpoint=fast", "--write-recovery-conf"
    )
    primary.call("pg_ctl", "start", f"--pgdata={data}", f"--log={data}/log", "--wait",
                 f"--options=-p {port} -k '{primary.socket}'")  # fmt: skip
    try:
        standby = Desk(
            psycopg2.connect(primary.dsn().replace(f"port={primary.port}", f"port={port}"))
        )
        epochs, failed = [], []

        def publisher():
            try:
                connection = psycopg2.connect(primary.dsn())
                epochs.extend(publish(Desk(connection), k) for k in range(101, 109))
                connection.close()
            except Exception as error:  # noqa: BLE001 - reported by the test
                failed.append(error)

        thread = threading.Thread(target=publisher)
        thread.start()
        seen = []
        while thread.is_alive():
            horizon = standby.one("SELECT ledger.horizon()")
            seen.append((horizon, answers(standby, horizon)))
        thread.join()
        assert failed == []
        # Every epoch, settled on the standby first: it waits for the replay.
        for epoch in epochs:
            assert standby.one("SELECT ledger.resolve(%s)", epoch) == epoch
            assert answers(standby, epoch) == answers(desk, epoch)
        assert len({horizon for horizon, _ in seen}) > 1
        for horizon, found in seen:
            assert answers(desk, horizon) == found
        # The view that reads the setting, and the current rows.
        count = (
            "SELECT (SELECT count(*) FROM prompt.diasource), count(*) FROM prompt_live.diasource"
        )
        assert standby.all(count) == desk.all(count)
        # What is not replayed within the limit is refused, and nothing is published from here.
        instant = standby.one("SELECT science.tai_now()")
        with pytest.raises(psycopg2.Error, match=r"has not reached this standby: after 00:00:00.3"):
            standby.all("SET skyledger.replay_wait = '300 ms'; SELECT ledger.resolve(%s)", instant)
        standby.connection.rollback()
        with standby.connection.cursor() as cursor:
            cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        with pytest.raises(psycopg2.Error, match="before a REPEATABLE READ transaction begins"):
            standby.all("SELECT ledger.resolve(%s)", instant)
        standby.connection.rollback()
        assert standby.one("SELECT ledger.heartbeat()") is None
        assert standby.one("SELECT count(*) FROM ledger.status()") > 20

        # The standby takes over. What may not have reached it is dealt with before it publishes.
        before = answers(desk, epochs[-1])
        primary.call("pg_ctl", "promote", f"--pgdata={data}", "--wait")
        with pytest.raises(psycopg2.Error, match=r"drawn on line (\d).* it is on line (?!\1)\d"):
            publish(standby, 109)
        standby.connection.rollback()
        with standby.connection.cursor() as cursor:
            cursor.execute("SELECT ledger.restored()")
            restored = cursor.fetchone()[0]
        standby.connection.commit()
        assert publish(standby, 109) > restored > epochs[-1]
        assert answers(standby, epochs[-1]) == before
        assert standby.all("SELECT * FROM ledger.audit()") == []
        standby.connection.close()
    finally:
        primary.call("pg_ctl", "stop", f"--pgdata={data}", "--mode=immediate", "--wait")


@pytest.mark.requirement("GEN-19")
def test_an_epoch_somebody_has_seen_survives_a_crash(primary):
    """Although the server is told to let commits be lost."""
    connection = psycopg2.connect(primary.dsn())
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("ALTER DATABASE skyledger SET synchronous_commit = off")
        # The writer that would flush behind our back comes late.
        cursor.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
        cursor.execute("SELECT pg_reload_conf()")
    connection.close()
    for k, kind in ((201, "visit"), (202, "resolve")):
        connection = psycopg2.connect(primary.dsn())
        desk = Desk(connection)
        if kind == "visit":
            publish(desk, k)
        else:
            with connection.cursor() as cursor:
                cursor.execute("SELECT ledger.resolve(science.tai_now())")
            connection.commit()
        seen = desk.one("SELECT ledger.horizon()")
        found = answers(desk, seen)
        os.kill(primary.pid(), signal.SIGKILL)
        connection.close()
        primary.start()
        desk = Desk(psycopg2.connect(primary.dsn()))
        assert desk.one("SELECT ledger.horizon()") == seen, kind
        assert answers(desk, seen) == found
        assert desk.all("SELECT * FROM ledger.audit()") == []
        desk.connection.close()
