"""Rubin's lsst-dax-apdb beside us: its environment, and its process."""

import json
import subprocess
import sys
import tomllib
import venv
from pathlib import Path
from typing import Any

from psycopg2.extensions import parse_dsn

from skyledger import settings

ROOT = Path(__file__).resolve().parents[2]


def rival_python(given: str | None) -> str:
    """Python of an environment that has the rival; made at the first run."""
    if given:
        return given
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]["benchmark"]
    home = settings.read().home / "benchmark"
    python = home / "bin" / "python"
    done = home / "installed"
    if not done.exists() or done.read_text() != "\n".join(needed):
        print(f"installing {', '.join(needed)} into {home}", file=sys.stderr)
        venv.create(home, with_pip=True, clear=True)
        install = [str(python), "-m", "pip", "install", "--quiet", *needed]
        if subprocess.run(install, check=False, stdout=sys.stderr).returncode:
            raise SystemExit(
                f"the rival could not be installed; make an environment that has "
                f"{' '.join(needed)} and name its Python with --rival-python"
            )
        done.write_text("\n".join(needed))
    return str(python)


class Rival:
    """The other database, in a process of its own."""

    def __init__(self, python: str, dsn: str) -> None:
        where = parse_dsn(dsn)
        url = (
            f"postgresql+psycopg2://{where['user']}@/{where['dbname']}"
            f"?host={where['host']}&port={where['port']}"
        )
        self.process = subprocess.Popen(
            [python, str(ROOT / "benchmarks" / "rivals" / "apdb.py"), url, dsn],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.answer()

    def answer(self) -> dict[str, Any]:
        """Return the next answer."""
        line = self.process.stdout.readline() if self.process.stdout else ""
        if not line:
            raise SystemExit("the rival has stopped; its words are above")
        return dict(json.loads(line))

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Give one command and wait for its answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def close(self) -> None:
        """End the process."""
        if self.process.stdin:
            self.process.stdin.close()
        self.process.wait()
