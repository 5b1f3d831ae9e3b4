"""Servers, workers, disks and people that end a run midway: nothing half-done, and a way back."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import psycopg2
import pytest
from astropy.io import fits

# The kernel refuses the first byte or some later one of a page.
FULL = r"could not extend file .*(No space left on device|wrote only).* Check free disk space"
PUBLICATION_LOCK = (7526, 1)  # of ledger.draw


@pytest.fixture
def night(simulated, tmp_path):
    """Data set of two visits of the template season and one of the survey, in one band."""
    folder = tmp_path / "a short night"
    (folder / "raw").mkdir(parents=True)
    for name in ("calibration", "reference.parquet"):
        (folder / name).symlink_to(simulated / "data" / name)
    chosen = {0: [], 1: []}
    for path in sorted((simulated / "data" / "raw").glob("*.fits")):
        header = fits.getheader(path)
        if header["FILTER"] == "SIM-r":
            chosen[min(header["SEASON"], 1)].append(path)
    for path in (*chosen[0][:2], chosen[1][0]):
        (folder / "raw" / path.name).symlink_to(path)
    return folder


@pytest.fixture
def environment(fresh_database, tmp_path):
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": "/nonexistent",
        "OMP_NUM_THREADS": "1",
        "SKYLEDGER_HOME": str(tmp_path / "home"),
        **fresh_database.environment,
    }


def process_words(night):
    """One worker is slower, but loads its modules and the calibration frames only once."""
    return ["process", str(night), "--instrument", "simulated", "--workers", "1"]


@contextmanager
def running(night, environment):
    """Run ``process`` in a session of its own, as a terminal would."""
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", *process_words(night)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
        # A shell that runs the tests in the background has its children ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def ended(process, seconds=60):
    """Exit code, and the last line on stderr; nobody wants to read a traceback."""
    out, err = process.communicate(timeout=seconds)
    assert "Traceback" not in out + err, err
    return process.returncode, err.strip().splitlines()[-1]


def wait_for(condition, process=None, seconds=60):
    """Wait until ``condition`` holds, no longer than ``process`` lives."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and (process is None or process.poll() is None):
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"waited in vain; {process and process.communicate()}")


def workers_of(process):
    """Process numbers of the workers: children that multiprocessing has spawned."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            words = (entry / "cmdline").read_text()
        except (OSError, IndexError, ValueError):
            continue
        if parent == process.pid and "spawn_main" in words:
            found.append(int(entry.name))
    return found


def ask(database, statement, *values):
    connection = database.connect()
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall()
    finally:
        connection.close()


def counts(database):
    """Rows in the store, by relation."""
    names = ("visit", "ccdvisit", "diasource", "diaobject", "diaforcedsource", "template")
    return {n: ask(database, f"SELECT count(*) FROM prompt_history.{n}")[0][0] for n in names}


def states(database):
    """Deliveries by state, reasons as they are."""
    return ask(database, "SELECT state, reason, attempts FROM ledger.delivery ORDER BY visitid")


@contextmanager
def held_publication(database):
    """Hold the lock of publication, so that the next one stands in its midst."""
    connection = database.connect(autocommit=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s, %s)", PUBLICATION_LOCK)
    try:
        yield
    finally:
        connection.close()


def publishing(database):
    """Backend that waits for the lock of publication, if there is one."""
    found = ask(
        database,
        "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND classid = %s AND objid = %s "
        "AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = %s)",
        *PUBLICATION_LOCK,
        database.name,
    )
    return found[0][0] if found else None


def reachable(database):
    try:
        return ask(database, "SELECT 1")
    except psycopg2.OperationalError:
        return None


def complete(skyledger, night, environment, database):
    """The same command again publishes what is missing."""
    done = skyledger(*process_words(night), environment=environment)
    assert done.returncode == 0, done.stderr
    assert [state for state, _, _ in states(database)] == ["published"] * 3
    found = counts(database)
    assert found["visit"] == found["ccdvisit"] == 3
    assert found["template"] == 1
    assert found["diasource"] > 5
    open_batches = ask(database, "SELECT count(*) FROM ledger.batch WHERE state = 'open'")
    assert open_batches == [(0,)]


@pytest.mark.slow
def test_a_server_killed_in_the_midst_of_a_publication(
    skyledger, night, environment, fresh_database
):
    """SIGKILL of the session's process: PostgreSQL ends all sessions and recovers from its log."""
    connection = fresh_database.connect(autocommit=True)
    with connection.cursor() as cursor:
        # The server of the tests is told to forget what was committed just before a crash.
        cursor.execute(f"ALTER DATABASE {fresh_database.name} SET synchronous_commit = on")
    connection.close()
    with running(night, environment) as process, held_publication(fresh_database):
        backend = wait_for(lambda: publishing(fresh_database), process)
        os.kill(backend, signal.SIGKILL)
        code, said = ended(process)
    assert code == 4
    assert said.startswith("skyledger: the database failed during publication: ")
    assert said.endswith("run the same command again")
    wait_for(lambda: reachable(fresh_database))
    assert set(counts(fresh_database).values()) == {0}
    assert [(state, attempts) for state, _, attempts in states(fresh_database)] == [("open", 1)]
    complete(skyledger, night, environment, fresh_database)
    assert [attempts for _, _, attempts in states(fresh_database)] == [2, 1, 1]


@pytest.mark.slow
def test_interrupted_by_the_user_and_by_the_killer_of_processes(
    skyledger, night, environment, fresh_database
):
    # Out of memory: a worker is killed before it has measured anything.
    with running(night, environment) as process:
        victim = wait_for(lambda: workers_of(process), process)[0]
        os.kill(victim, signal.SIGKILL)
        code, said = ended(process)
    assert code == 5
    assert "a worker process was killed (out of memory?)" in said
    assert "run the same command again, with fewer --workers" in said
    assert set(counts(fresh_database).values()) == {0}
    # What was handed to the workers by then has failed: two visits, or none on a slow machine.
    assert [(state, attempts) for state, _, attempts in states(fresh_database)] in (
        [("failed", 1)] * 2,
        [],
    )
    assert all("a worker process was killed" in reason for _, reason, _ in states(fresh_database))

    # Ctrl-C reaches all processes of the terminal at once.
    with running(night, environment) as process:
        wait_for(lambda: counts(fresh_database)["visit"] > 0, process)
        os.killpg(process.pid, signal.SIGINT)
        code, said = ended(process, 20)
        assert workers_of(process) == []
    assert (code, said) == (130, "skyledger: interrupted")
    published = ask(fresh_database, "SELECT visitid FROM ledger.delivery WHERE state = 'published'")
    assert 1 <= len(published) == counts(fresh_database)["visit"]

    complete(skyledger, night, environment, fresh_database)


@pytest.mark.slow
def test_a_disk_that_is_full(skyledger, night, environment, fresh_database):
    """No image fits a limit of 1 MB a file: the kernel refuses it as it would on a full disk."""
    limited = ["bash", "-c", 'ulimit -f 1024; exec "$0" "$@"', sys.executable, "-m", "cli.main"]
    done = subprocess.run(
        [*limited, *process_words(night)],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
    )
    assert done.returncode == 5
    assert "Traceback" not in done.stdout + done.stderr
    found = states(fresh_database)
    assert [state for state, _, _ in found] == ["failed"] * 3
    for _, reason, _ in found[:2]:
        assert re.search(
            r"cannot be written: no more room \(.*\)\. Make room for images of", reason
        )
        assert reason.endswith("then run the same command again")
    assert set(counts(fresh_database).values()) == {0}
    left = [p for p in Path(environment["SKYLEDGER_HOME"]).rglob("*") if p.is_file()]
    assert left == []  # not even the beginning of a file

    # The database's disk is full: its staging lies on one with 20 kB left.
    with tiny_disk(fresh_database):
        done = skyledger(*process_words(night), environment=environment)
        said = done.stderr.strip().splitlines()[-1]
        assert "Traceback" not in done.stdout + done.stderr
        assert done.returncode == 4
        assert re.search(FULL, said)
        assert said.endswith("run the same command again")
        assert counts(fresh_database)["diasource"] == 0
        last = ask(
            fresh_database,
            "SELECT state, reason FROM ledger.batch ORDER BY batchid DESC LIMIT 1",
        )[0]
        assert last[0] == "failed"
        assert re.search(FULL, last[1], re.DOTALL)
    complete(skyledger, night, environment, fresh_database)


@contextmanager
def tiny_disk(database):
    """Put the staged DIASources on a disk that is nearly full; skips where none can be mounted."""
    folder = Path(database.connect().info.host)  # the socket's folder admits the server
    mount = folder / "tiny"
    mount.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(mount)], check=False
    ).returncode
    if mounted:
        mount.rmdir()
        pytest.skip("only root can mount a small disk to fill")
    name = f"tiny_{database.name}"
    try:
        shutil.chown(mount, folder.owner(), folder.group())
        connection = database.connect(autocommit=True)
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE TABLESPACE {name} LOCATION '{mount}'")
            cursor.execute(f"ALTER TABLE staging.diasource_s0 SET TABLESPACE {name}")
        state = os.statvfs(mount)
        # Room for emptying the table, not for the sources of a visit.
        (mount / "filler").write_bytes(bytes(state.f_bavail * state.f_frsize - 20480))
        yield
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE staging.diasource_s0 SET TABLESPACE pg_default")
            cursor.execute(f"DROP TABLESPACE {name}")
        connection.close()
    finally:
        subprocess.run(["umount", "-l", str(mount)], check=False)
        mount.rmdir()


def test_a_session_ended_while_it_answers(environment, fresh_database):
    asked = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "query", "SELECT pg_sleep(60)"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    wait_for(
        lambda: ask(
            fresh_database,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s "
            "AND wait_event = 'PgSleep'",
            fresh_database.name,
        ),
        asked,
    )
    code, said = ended(asked)
    assert code == 4
    assert said.startswith("skyledger: the database failed while it answered: ")
    assert said.endswith("ask again")
