"""The embedded server: its life, its door, and what happens after accidents."""

import concurrent.futures
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from skyledger.database import connection as connection_module
from skyledger.database import extensions
from skyledger.database.cluster import SOCKET_LIMIT, Cluster, temporary_home
from skyledger.errors import ConfigurationError, DatabaseError

FAST = {"fsync": "off", "full_page_writes": "off"}
ROOT = os.geteuid() == 0


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    home = temporary_home()
    made = Cluster(home / "a home, with space", FAST)
    try:
        made.start()
        yield made
    finally:
        made.destroy()
        shutil.rmtree(home)


@pytest.fixture
def running(cluster: Cluster) -> Cluster:
    cluster.start()
    return cluster


@contextlib.contextmanager
def _session(cluster: Cluster, database: str = "skyledger"):
    opened = psycopg2.connect(cluster.dsn(database))
    opened.autocommit = True
    try:
        with opened.cursor() as cursor:
            yield cursor
    finally:
        opened.close()


def _value(cluster: Cluster, query: str):
    with _session(cluster) as cursor:
        cursor.execute(query)
        return cursor.fetchone()[0]


def _kill_server(cluster: Cluster) -> int:
    pid = cluster.pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while cluster.pid() is not None and time.monotonic() < deadline:
        time.sleep(0.02)
    return pid


def test_a_second_start_changes_nothing(running: Cluster) -> None:
    pid = running.status().pid
    assert running.start() is False
    assert running.status().pid == pid


def test_stop_and_start_keep_the_data(running: Cluster) -> None:
    with _session(running) as cursor:
        cursor.execute("CREATE TABLE kept AS SELECT 4711 AS visit")
    assert running.stop() is True
    assert running.status().state == "stopped"
    assert running.stop() is False
    assert running.start() is True
    assert _value(running, "SELECT visit FROM kept") == 4711
    with _session(running) as cursor:
        cursor.execute("DROP TABLE kept")


def test_starts_after_the_server_and_a_busy_session_were_left_by_kill_9(running: Cluster) -> None:
    with _session(running) as cursor:
        cursor.execute("CREATE TABLE survivor AS SELECT 1 AS one")
    # A session busy in the kernel of a query outlives its server and keeps its shared memory.
    busy = psycopg2.connect(running.dsn())
    try:
        with busy.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            backend = cursor.fetchone()[0]
            os.kill(backend, signal.SIGSTOP)
        _kill_server(running)
        assert (running.data / "postmaster.pid").exists()
        assert running.status().state == "stopped"
        os.kill(backend, signal.SIGCONT)
        assert running.start() is True
    finally:
        busy.close()
    assert _value(running, "SELECT one FROM survivor") == 1
    with _session(running) as cursor:
        cursor.execute("DROP TABLE survivor")


def test_a_stale_pid_file_naming_another_living_process_does_not_matter(running: Cluster) -> None:
    running.stop()
    stale = running.data / "postmaster.pid"
    stale.write_text(f"{os.getpid()}\n{running.data}\n0\n5432\n\n\n\n\n", encoding="ascii")
    assert running.status().state == "stopped"
    assert running.start() is True
    assert running.pid() != os.getpid()


def test_two_starts_at_once_start_one_server(running: Cluster) -> None:
    running.stop()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(lambda _: Cluster(running.home, FAST).start(), range(2)))
    assert sorted(outcomes) == [False, True]


def test_starts_with_another_server_on_port_5432(running: Cluster) -> None:
    running.stop()
    with socket.socket() as other:
        # Where a PostgreSQL is there already, the port is taken as well.
        with contextlib.suppress(OSError):
            other.bind(("127.0.0.1", 5432))
            other.listen()
        running.start()
        assert _value(running, "SELECT 1") == 1


def test_listens_on_no_network_and_only_behind_a_private_folder(running: Cluster) -> None:
    assert _value(running, "SHOW listen_addresses") == ""
    with _session(running) as cursor:
        cursor.execute("SELECT type, auth_method FROM pg_hba_file_rules")
        assert set(cursor.fetchall()) == {("local", "trust")}
    folder = running.socket.stat()
    assert folder.st_mode & 0o777 == 0o700
    assert folder.st_uid == running.user.uid
    assert running.base.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(not ROOT, reason="only root can try as another user")
def test_another_user_is_not_admitted(running: Cluster) -> None:
    done = subprocess.run(
        ["/usr/lib/postgresql/15/bin/psql", running.dsn(), "-c", "SELECT 1"],
        check=False,
        capture_output=True,
        text=True,
        user="nobody",
        group="nogroup",
        extra_groups=[],
        cwd="/",
        env={"PATH": "/usr/bin:/bin"},
    )
    assert done.returncode != 0
    assert "Permission denied" in done.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("server_encoding", "UTF8"),
        ("lc_collate", "C.UTF-8"),
        ("timezone", "UTC"),
        ("data_checksums", "on"),
        ("jit", "off"),
        ("random_page_cost", "1.1"),
        ("wal_level", "replica"),
        ("synchronous_commit", "on"),
        ("autovacuum", "on"),
    ],
)
def test_settings_of_the_server(running: Cluster, name: str, value: str) -> None:
    assert _value(running, f"SHOW {name}") == value


def test_python_in_the_server_finds_the_numpy_of_debian(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Truth: Debian's own interpreter. A caller's virtual environment must not leak in.
    debian = subprocess.run(
        ["/usr/bin/python3", "-I", "-c", "import numpy; print(numpy.__version__)"],
        check=True,
        capture_output=True,
        text=True,
        cwd="/",
    ).stdout.strip()
    cluster.stop()
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    monkeypatch.setenv("VIRTUAL_ENV", sys.prefix)
    monkeypatch.setenv("PYTHONPATH", next(p for p in sys.path if p.endswith("site-packages")))
    cluster.start()
    opened = psycopg2.connect(cluster.dsn("postgres"))
    try:
        extensions.install(opened)
        assert extensions.numpy_version(opened) == debian
    finally:
        opened.close()


def test_a_long_home_gets_a_short_socket() -> None:
    home = temporary_home()
    long = home / ("deep" * 30) / "down"
    made = Cluster(long, FAST)
    try:
        made.start()
        path = f"{made.socket}/.s.PGSQL.{made.port}"
        assert len(path) <= SOCKET_LIMIT < len(str(made.base / "socket" / ".s.PGSQL.5432"))
        assert _value(made, "SELECT 1") == 1
        made.destroy()
        assert not made.socket.exists()
        assert not made.base.exists()
        assert made.status().state == "absent"
    finally:
        made.destroy()
        shutil.rmtree(home)


def test_the_folder_of_the_socket_must_not_belong_to_somebody_else() -> None:
    home = temporary_home()
    made = Cluster(home / ("deep" * 30), FAST)
    target = home / "target"
    target.mkdir()
    made.socket.symlink_to(target)
    try:
        made.init()
        with pytest.raises(ConfigurationError, match=re.escape(str(made.socket))):
            made.start()
    finally:
        made.socket.unlink()
        shutil.rmtree(home)


def test_data_of_another_major_version_are_refused(running: Cluster) -> None:
    running.stop()
    version = running.data / "PG_VERSION"
    version.write_text("14\n", encoding="ascii")
    try:
        with pytest.raises(DatabaseError, match=r"made by PostgreSQL 14, .* runs 15"):
            running.start()
    finally:
        version.write_text("15\n", encoding="ascii")


def test_a_server_that_does_not_start_shows_its_log(running: Cluster) -> None:
    running.stop()
    broken = Cluster(running.home, {"shared_buffers": "a lot"})
    with pytest.raises(DatabaseError, match=r'invalid value for parameter "shared_buffers"'):
        broken.start()
    assert running.start() is True


def test_a_home_that_is_a_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("", encoding="ascii")
    with pytest.raises(ConfigurationError, match="SKYLEDGER_HOME"):
        Cluster(file).start()


@pytest.mark.skipif(not ROOT, reason="only root's server runs as another user")
def test_a_home_the_server_cannot_enter_is_refused() -> None:
    home = temporary_home()
    home.chmod(0o700)
    try:
        with pytest.raises(ConfigurationError, match=r"user postgres, .* cannot enter .*/var/lib"):
            Cluster(home).start()
    finally:
        shutil.rmtree(home)


def test_an_interrupted_creation_is_repeated() -> None:
    home = temporary_home()
    made = Cluster(home, FAST)
    try:
        made.init()
        (made.data / "PG_VERSION").unlink()
        assert made.status().state == "absent"
        # Interrupted later: the server runs, but its programs and database are not settled.
        made.init()
        made._launch()
        assert made.start() is True
        assert _value(made, "SELECT 1") == 1
        assert made.start() is False
    finally:
        made.destroy()
        shutil.rmtree(home)


def test_connect_says_how_to_start_the_server(
    running: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKYLEDGER_HOME", str(running.home))
    # Variables that do not name a server must not lead astray from the embedded one.
    monkeypatch.setenv("PGPORT", "1")
    monkeypatch.setenv("PGUSER", "nobody")
    monkeypatch.setenv("PGDATABASE", "nowhere")
    opened = connection_module.connect(autocommit=True)
    assert opened.autocommit
    with opened.cursor() as cursor:
        cursor.execute(
            "SELECT current_user, current_database(), current_setting(%s)", ("application_name",)
        )
        assert cursor.fetchone() == ("skyledger", "skyledger", "skyledger")
    opened.close()
    with pytest.raises(DatabaseError, match='database "dr9" does not exist'):
        connection_module.connect("dr9")
    running.stop()
    with pytest.raises(DatabaseError, match=r"is not running; start it with `skyledger db start`"):
        connection_module.connect()


def test_an_external_server_is_used_as_named(
    running: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKYLEDGER_DATABASE_URL", running.dsn("postgres"))
    for database, expected in ((None, "postgres"), ("skyledger", "skyledger")):
        opened = connection_module.connect(database)
        assert opened.info.dbname == expected
        opened.close()
    monkeypatch.delenv("SKYLEDGER_DATABASE_URL")
    monkeypatch.setenv("PGHOST", str(running.socket))
    monkeypatch.setenv("PGUSER", "skyledger")
    monkeypatch.setenv("PGDATABASE", "postgres")
    opened = connection_module.connect()
    assert opened.info.dbname == "postgres"
    opened.close()
    monkeypatch.setenv("PGHOST", "/nonexistent")
    with pytest.raises(DatabaseError, match="named by PGHOST cannot be used"):
        connection_module.connect()
    monkeypatch.setenv("SKYLEDGER_DATABASE_URL", "not a connection string")
    with pytest.raises(DatabaseError, match="SKYLEDGER_DATABASE_URL is not a connection string"):
        connection_module.connect()
