"""GAVO DaCHS beside us: its database on the same server, its table, its process.

It is run as an operator would who follows its manual: a table with the positional index that the
manual recommends (``//scs#pgs-pos-index``), rows in the order of that index, statistics gathered.
Everything it writes lies in a folder that goes with the benchmark. The product never imports it
(GPL-3).
"""

import grp
import os
import shutil
import socket
import subprocess
import time
from contextlib import closing
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import psycopg2

from skyledger import dictionary as dd
from skyledger.database.cluster import Cluster

PROGRAM = "/usr/bin/dachs"
START_SECONDS = 60

_SETTINGS = """\
[general]
rootDir = {root}
group = {group}
gavoGroup = {group}
[web]
user = {user}
bindAddress = 127.0.0.1
serverPort = {port}
serverURL = http://127.0.0.1:{port}
sqlTimeout = 600
[async]
maxTAPRunning = 8
maxUserUWSRunningDefault = 8
defaultMAXREC = 2000000
hardMAXREC = 20000000
[ivoa]
authority = skyledger.benchmark
"""
_RESOURCE = """\
<resource schema="prompt" resdir="prompt">
  <meta name="title">Detections</meta>
  <meta name="description">The rows of the benchmark.</meta>
  <meta name="creationDate">2026-01-01T00:00:00Z</meta>
  <meta name="subject">surveys</meta>
  <table id="diasource" onDisk="True" adql="True" mixin="//scs#pgs-pos-index"
      primary="diaSourceId">
    <index columns="diaObjectId"/>
{columns}
  </table>
  <data id="import"><sources item="none"/><nullGrammar/><make table="diasource"/></data>
</resource>
"""


def missing() -> str | None:
    """Say why DaCHS cannot be compared with; None if it can."""
    if Path(PROGRAM).exists():
        return None
    return (
        "GAVO DaCHS is not installed (Debian package python3-gavo), so the figures are ours alone, "
        "without ratio"
    )


def free_port() -> int:
    """Port of this machine that nobody uses."""
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _columns(relation: dd.Relation) -> str:
    """Columns of a table as a resource descriptor has them."""
    said = []
    for column in relation.columns:
        known = {
            "name": column.name,
            "type": column.type,
            "unit": column.unit or "",
            "ucd": column.ucd or "",
            "required": "False" if column.nullable else "True",
            "description": column.description,
        }
        words = " ".join(f"{name}={quoteattr(value)}" for name, value in known.items())
        null = ""
        if column.nullable and column.type in {"bigint", "integer", "smallint"}:
            null = '<values nullLiteral="-9999"/>'
        said.append(f"    <column {words}>{null}</column>")
    return "\n".join(said)


class Dachs:
    """DaCHS with the rows of ``prompt_live.DIASource`` in a table ``prompt.diasource``.

    Parameters
    ----------
    cluster
        Server of both.
    dsn
        Where our rows are.
    home : Path
        Folder that may be filled.
    """

    def __init__(self, cluster: Cluster, dsn: str, home: Path) -> None:
        self.cluster = cluster
        self.home = home / "dachs"
        self.log = self.home / "log"
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.identity: dict[str, Any] = {}
        owner = cluster.user
        if owner.root:  # DaCHS does not run as root either
            self.identity = {"user": owner.uid, "group": owner.gid, "extra_groups": []}
        settings = _SETTINGS.format(
            root=self.home / "root", group=grp.getgrgid(owner.gid).gr_name, user=owner.name,
            port=self.port,
        )  # fmt: skip
        self.home.mkdir()
        (self.home / "gavo.rc").write_text(settings)
        self._owned()
        self._database(dsn)

    @property
    def address(self) -> str:
        """Address of its TAP service."""
        return f"http://127.0.0.1:{self.port}/tap"

    def _owned(self) -> None:
        """Give all files to whom the program runs as."""
        if self.cluster.user.root:
            for path in (self.home, *self.home.rglob("*")):
                os.chown(path, self.cluster.user.uid, self.cluster.user.gid)

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.home),
            "GAVOSETTINGS": str(self.home / "gavo.rc"),
            "GAVOCUSTOM": str(self.home / "none"),
            "LC_ALL": "C.UTF-8",
            "OMP_NUM_THREADS": "1",
        }

    def _call(self, *words: str) -> None:
        with self.log.open("ab") as log:
            done = subprocess.run(
                [PROGRAM, *words], check=False, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=self.home, env=self._environment(), **self.identity,
            )  # fmt: skip
        if done.returncode:
            raise SystemExit(
                f"dachs {' '.join(words)} failed:\n"
                + "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])
            )

    def _database(self, dsn: str) -> None:
        connection = psycopg2.connect(dsn)
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("CREATE DATABASE gavo TEMPLATE template0")
        connection.close()
        where = f"host={self.cluster.socket} port={self.cluster.port} user={self.cluster_owner} "
        self._call("init", "-d", where + "dbname=gavo")
        folder = self.home / "root" / "inputs" / "prompt"
        folder.mkdir()
        relation = dd.shipped()["DIASource"]
        (folder / "q.rd").write_text(_RESOURCE.format(columns=_columns(relation)))
        self._owned()
        self._call("imp", "prompt/q")
        self._copied(dsn, relation)
        self._call("pub", "//tap")
        self._call("pub", "prompt/q")

    @property
    def cluster_owner(self) -> str:
        """Superuser of the server."""
        return "skyledger"

    def _copied(self, dsn: str, relation: dd.Relation) -> None:
        """Copy our rows, put them into the order of the index and gather statistics."""
        names = ", ".join(column.sql_name for column in relation.columns)
        path = self.home / "rows"
        ours, theirs = psycopg2.connect(dsn), psycopg2.connect(self.cluster.dsn("gavo"))
        with closing(ours), closing(theirs), path.open("w+b") as rows:
            ours.cursor().copy_expert(
                f"COPY (SELECT {names} FROM prompt_live.diasource) TO STDOUT (FORMAT binary)", rows
            )
            rows.seek(0)
            cursor = theirs.cursor()
            cursor.execute(
                "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'prompt' "
                "AND tablename = 'diasource' AND indexdef ~ 'gist'"
            )
            ((name, made),) = cursor.fetchall()
            cursor.execute(f"DROP INDEX prompt.{name}")  # it is built faster than it is filled
            cursor.copy_expert(
                f"COPY prompt.diasource ({names}) FROM STDIN (FORMAT binary)", rows, size=1 << 20
            )
            cursor.execute(made)
            theirs.commit()
            theirs.autocommit = True
            cursor.execute(f"CLUSTER prompt.diasource USING {name}")
            cursor.execute("VACUUM ANALYZE prompt.diasource")
        path.unlink()

    def start(self) -> int:
        """Start the service and wait until it listens; returns the id of its process."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [PROGRAM, "serve", "start", "--foreground"], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, cwd=self.home, env=self._environment(), **self.identity,
            )  # fmt: skip
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self.process.poll() is None:
            with closing(socket.socket()) as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self.process.pid
            time.sleep(0.1)
        raise SystemExit(f"DaCHS does not listen on port {self.port}; see {self.log}")

    def stop(self) -> None:
        """End the service and remove what it wrote."""
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.home, ignore_errors=True)
