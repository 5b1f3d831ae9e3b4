"""``skyledger db``: the life of an embedded database from the command line."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli import main as command
from skyledger.database import connection, schema
from skyledger.database.cluster import Cluster, temporary_home
from skyledger.errors import DatabaseError


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    made = temporary_home()
    yield made
    Cluster(made).destroy()
    shutil.rmtree(made)


@pytest.fixture
def run(home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SKYLEDGER_HOME", str(home))
    runner = CliRunner()

    def call(*words: str, typed: str | None = None) -> Result:
        done = runner.invoke(command.build("db"), ["db", *words], input=typed)
        # Errors of ours are turned into a line and a code by `main`, which is tested by itself.
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done

    return call


def _status(run) -> dict[str, str | int | None]:
    return json.loads(run("status", "--json").stdout)


@pytest.mark.requirement("GEN-01")
def test_the_life_of_a_database(run, home: Path) -> None:
    assert _status(run)["state"] == "absent"
    assert "was not running" in run("stop").stdout
    assert "there is no database" in run("destroy").stdout

    assert "started" in run("init").stdout
    found = _status(run)
    assert found["state"] == "running"
    assert found["home"] == str(home)
    assert Path(f"{found['socket']}/.s.PGSQL.{found['port']}").is_socket()
    assert f"psql -h '{found['socket']}'" in run("status").stdout

    checked = run("check")
    assert checked.exit_code == 0
    words = {line.split()[0]: line.split(maxsplit=1)[1] for line in checked.stdout.splitlines()}
    assert words["schema"] == schema.head()
    assert words["PostgreSQL"].startswith("15.")
    assert words["pg_sphere"].startswith(f"extension, from {found['pg_sphere']}")
    assert words["q3c"][0].isdigit()
    assert words["plpython3u"][0].isdigit()

    assert "is running already" in run("start").stdout
    assert "up to date" in run("upgrade").stdout
    assert "stopped" in run("stop").stdout
    assert _status(run)["state"] == "stopped"
    assert "was not running" in run("stop").stdout

    refused = run("destroy", typed="n\n")
    assert refused.exit_code == 1
    assert _status(run)["state"] == "stopped"
    assert "deleted" in run("destroy", "--yes").stdout
    assert _status(run)["state"] == "absent"


def test_a_database_without_the_schema_is_found_out_and_completed(
    run, empty_database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKYLEDGER_DATABASE_URL", empty_database.dsn)
    with pytest.raises(DatabaseError, match="no Skyledger schema"):
        run("check")
    assert "schema created" in run("init").stdout
    assert "there already" in run("init").stdout
    checked = run("check")
    assert "external, named by SKYLEDGER_DATABASE_URL" in checked.stdout
    assert "complete" in checked.stdout
    opened = connection.connect()
    schema.check(opened)
    opened.close()
