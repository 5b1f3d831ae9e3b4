"""The command line's errors: one line, and the documented exit code."""

import subprocess
import sys
from pathlib import Path

import psycopg2
import pytest

from cli import main as command
from skyledger import errors


def _outcome(monkeypatch: pytest.MonkeyPatch, raised: BaseException) -> int:
    def app() -> None:
        raise raised

    monkeypatch.setattr(command, "build", lambda _command: app)
    with pytest.raises(SystemExit) as stopped:
        command.main()
    return stopped.value.code


def _run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *arguments],
        check=False,
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", **environment},
    )


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.UsageError, 2),
        (errors.ConfigurationError, 3),
        (errors.DatabaseError, 4),
        (errors.DataRejectedError, 5),
        (errors.QueryRefusedError, 6),
    ],
)
def test_each_family_has_its_exit_code(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: type[errors.SkyledgerError],
    code: int,
) -> None:
    message = "visit 4711: 3 of 812 rows\n  have psFluxErr <= 0; see staging.rejected"
    assert _outcome(monkeypatch, error(message)) == code
    written = capsys.readouterr()
    assert written.out == ""
    assert written.err == (
        "skyledger: visit 4711: 3 of 812 rows have psFluxErr <= 0; see staging.rejected\n"
    )


def test_a_server_that_went_away_is_a_database_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = psycopg2.OperationalError("server closed the connection\n\tunexpectedly\n")
    assert _outcome(monkeypatch, error) == 4
    assert "server closed the connection unexpectedly\n" in capsys.readouterr().err


def test_interruption_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _outcome(monkeypatch, KeyboardInterrupt()) == 130
    assert capsys.readouterr().err == "skyledger: interrupted\n"


def test_a_bug_shows_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def app() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(command, "build", lambda _command: app)
    with pytest.raises(ZeroDivisionError):
        command.main()


def test_wrong_words_are_usage_errors() -> None:
    done = _run("db", "strat")
    assert done.returncode == 2
    assert "No such command 'strat'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_database_that_is_not_running(tmp_path) -> None:
    done = _run("db", "check", SKYLEDGER_HOME=str(tmp_path))
    assert done.returncode == 4
    assert done.stderr == (
        f"skyledger: the database in {tmp_path} is not running; "
        "start it with `skyledger db start`\n"
    )


def test_a_wrong_setting() -> None:
    done = _run("db", "status", SKYLEDGER_HOME="here")
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert "SKYLEDGER_HOME is 'here'" in done.stderr


def test_an_external_server_is_not_ours_to_stop() -> None:
    done = _run("db", "stop", SKYLEDGER_DATABASE_URL="postgresql://archive.example/skyledger")
    assert done.returncode == 2
    assert "SKYLEDGER_DATABASE_URL names an external PostgreSQL server" in done.stderr


def test_an_external_server_that_is_not_there() -> None:
    done = _run("db", "check", SKYLEDGER_DATABASE_URL="host=/nonexistent")
    assert done.returncode == 4
    assert "named by SKYLEDGER_DATABASE_URL cannot be used" in done.stderr


def test_every_module_of_commands_is_on_the_command_line() -> None:
    folder = Path(command.__file__).parent
    modules = {f"cli.{path.stem}" for path in folder.glob("*.py")}
    assert modules - {"cli.main", "cli.common", "cli.__init__"} == set(command.COMMANDS.values())


def test_the_help_lists_every_command() -> None:
    done = _run("--help")
    assert done.returncode == 0
    listed = done.stdout.split("Commands:")[1].split()
    assert set(command.COMMANDS) <= set(listed)
