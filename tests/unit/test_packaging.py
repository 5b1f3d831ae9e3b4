"""The wheel, the pinned versions, and the words of ./run."""

import importlib.metadata
import os
import re
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = {"skyledger", "simulate", "processing", "ingest", "services", "cli"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        check=True,
        capture_output=True,
        cwd=REPOSITORY,
    )
    (built,) = folder.glob("*.whl")
    return built


def test_the_top_level_of_the_wheel(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    top = {name.split("/")[0] for name in names}
    (information,) = {name for name in top if name.endswith(".dist-info")}
    assert top - {information} == PACKAGES
    assert f"{information}/licenses/LICENSE" in names


def test_the_wheel_holds_every_file_of_db(wheel: Path) -> None:
    names = {n for n in zipfile.ZipFile(wheel).namelist() if n.startswith("skyledger/db/")}
    files = {
        f"skyledger/{path.relative_to(REPOSITORY)}"
        for path in (REPOSITORY / "db").rglob("*")
        if path.is_file() and path.suffix in {".sql", ".yaml", ".py", ".mako"}
    }
    assert len(files) > 10
    assert files <= names


def test_an_unpacked_wheel_finds_its_dictionary_and_migrations(wheel: Path, tmp_path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    program = (
        "from skyledger import dictionary, resources\n"
        "from skyledger.database import schema\n"
        "print(resources.db_dir()); print(schema.head())\n"
        "print(len(schema.replay_items(dictionary.load())))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        text=True,
        cwd="/",
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tmp_path), "HOME": str(tmp_path)},
    )
    folder, head, items = done.stdout.splitlines()
    assert Path(folder) == tmp_path / "skyledger" / "db"
    assert head
    assert int(items) > 10


def _pins() -> dict[str, str]:
    lines = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = {}
    for line in lines:
        if not line.startswith("#"):
            match = re.fullmatch(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.+!]+)", line)
            assert match, f"constraints.txt: {line!r} is not an exact version"
            pins[canonicalize_name(match[1])] = match[2]
    return pins


def test_every_needed_package_is_pinned_to_the_installed_version() -> None:
    pins = _pins()
    seen: set[tuple[str, str]] = set()
    todo = [("skyledger", extra) for extra in ("", "test", "docs")]
    while todo:
        name, extra = todo.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        for text in importlib.metadata.requires(name) or []:
            needed = Requirement(text)
            if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                plain = canonicalize_name(needed.name)
                todo += [(plain, "")] + [(plain, part) for part in needed.extras]
    names = {name for name, _ in seen} - {"skyledger"}
    assert len(names) > 50
    installed = {name: importlib.metadata.version(name) for name in names}
    assert {name: pins.get(name) for name in names} == installed


def test_every_pin_is_needed_or_builds_something() -> None:
    installed = {canonicalize_name(d.name) for d in importlib.metadata.distributions()}
    build = {"editables", "setuptools", "setuptools-scm", "vcs-versioning", "wheel"}
    assert set(_pins()) - installed <= build


# ---------------------------------------------------------------------- ./run


def _run(*arguments: str, path: str = os.environ["PATH"], cwd: Path = REPOSITORY):
    return subprocess.run(
        [str(REPOSITORY / "run") if cwd == REPOSITORY else "./run", *arguments],
        check=False,
        capture_output=True,
        text=True,
        cwd=cwd,
        env={"PATH": path, "HOME": "/nonexistent"},
        stdin=subprocess.DEVNULL,
    )


def test_run_alone_explains_itself_on_one_screen() -> None:
    done = _run()
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert len(lines) <= 24
    assert max(len(line) for line in lines) <= 100
    for command in ("demo", "test", "bench", "docs", "skyledger", "setup"):
        assert f"./run {command}" in done.stdout


def test_run_refuses_unknown_commands_before_it_installs_anything() -> None:
    done = _run("tset")
    assert done.returncode == 2
    assert "there is no command tset" in done.stderr
    assert _run("bench", "no-such-benchmark").returncode == 2


@pytest.mark.parametrize("sudo", ["absent", "asks for a password"])
def test_run_without_rights_names_the_missing_packages(tmp_path: Path, sudo: str) -> None:
    # The commands the script asks are replaced by ones that answer as an ordinary user's would.
    checkout = tmp_path / "check out"
    checkout.mkdir()
    shutil.copy(REPOSITORY / "run", checkout)
    answers = tmp_path / "bin"
    answers.mkdir()
    _program(answers / "id", "echo 1000")
    _program(
        answers / "dpkg-query",
        'case "$*" in *q3c*|*numpy*) exit 1;; *) printf installed;; esac',
    )
    _program(answers / "apt-get", "echo called >&2; exit 9")
    for name in ("bash", "dirname", "flock"):
        (answers / name).symlink_to(shutil.which(name) or "")
    if sudo != "absent":
        _program(answers / "sudo", "echo 'sudo: a password is required' >&2; exit 1")
    done = _run("setup", path=str(answers), cwd=checkout)
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr == (
        "run: the Debian packages postgresql-15-q3c python3-numpy are missing and neither root "
        "nor sudo without a password is there to install them; have them installed (apt-get "
        "install postgresql-15-q3c python3-numpy) and run this again\n"
    )


def _program(path: Path, body: str) -> None:
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="ascii")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
