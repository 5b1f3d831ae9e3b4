"""Settings: which folder, which server."""

from pathlib import Path

import pytest

from skyledger import settings
from skyledger.errors import ConfigurationError


def test_defaults_of_a_user_and_of_root() -> None:
    assert settings.read({"HOME": "/h/ann"}, root=False) == settings.Settings(
        Path("/h/ann/.local/share/skyledger")
    )
    assert settings.read({"HOME": "/h/root"}, root=True).home == Path("/var/lib/skyledger")


def test_the_users_data_folder_counts_only_when_absolute() -> None:
    # XDG Base Directory Specification: relative paths are to be ignored.
    given = {"HOME": "/h/ann", "XDG_DATA_HOME": "/data/ann"}
    assert settings.read(given, root=False).home == Path("/data/ann/skyledger")
    given["XDG_DATA_HOME"] = "data"
    assert settings.read(given, root=False).home == Path("/h/ann/.local/share/skyledger")


@pytest.mark.parametrize("root", [False, True])
def test_skyledger_home_wins(root: bool) -> None:
    found = settings.read({"HOME": "/h/ann", "SKYLEDGER_HOME": "/disk/a b"}, root=root)
    assert found.home == Path("/disk/a b")
    assert found.external is None


def test_a_relative_home_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"SKYLEDGER_HOME is 'data'.*absolute path"):
        settings.read({"HOME": "/h/ann", "SKYLEDGER_HOME": "data"}, root=False)


def test_an_external_server_is_named_by_our_variable_first() -> None:
    given = {"HOME": "/h/ann", "SKYLEDGER_DATABASE_URL": "postgresql://a@b/c", "PGHOST": "d"}
    found = settings.read(given, root=False)
    assert found.external == "postgresql://a@b/c"
    assert found.external_source == "SKYLEDGER_DATABASE_URL"


@pytest.mark.parametrize("name", ["PGHOST", "PGHOSTADDR", "PGSERVICE"])
def test_variables_of_libpq_that_name_a_server(name: str) -> None:
    found = settings.read({"HOME": "/h/ann", name: "somewhere"}, root=False)
    assert found.external == ""
    assert found.external_source == name


@pytest.mark.parametrize("name", ["PGPORT", "PGUSER", "PGDATABASE", "PGOPTIONS", "PGPASSFILE"])
def test_variables_of_libpq_that_name_no_server(name: str) -> None:
    assert settings.read({"HOME": "/h/ann", name: "5"}, root=False).external is None
