"""The embedded database: a private PostgreSQL 15 server in ``$SKYLEDGER_HOME``.

It listens on no network. Its one Unix socket lies in a folder of mode 0700 that belongs to the
user the server runs as, so the file system admits that user and root, nobody else; behind that
door the server trusts. Root's server runs as ``postgres``, as PostgreSQL demands.
"""

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psycopg2
from psycopg2.extensions import make_dsn

from skyledger import settings
from skyledger.database import archive, parameters, pgsphere, processes
from skyledger.database.processes import ServerUser
from skyledger.errors import ConfigurationError, DatabaseError, UsageError
from skyledger.settings import DATABASE

log = logging.getLogger(__name__)

MAJOR = "15"
PROGRAMS = Path("/usr/lib/postgresql") / MAJOR
SHARE = Path("/usr/share/postgresql") / MAJOR
OWNER = "skyledger"  # the superuser role that owns the cluster
PORT = 5432  # names the socket only: nothing listens on the network
SOCKET_LIMIT = 107  # bytes of a Unix socket's path on Linux
START_SECONDS = 120
STOP_SECONDS = 60

_HBA = """\
# The folder of the socket (mode 0700) admits the server's user and root alone.
local all         all trust
local replication all trust
"""


@dataclass(frozen=True)
class Status:
    """State of the embedded server.

    ``state`` is ``absent`` (never created), ``stopped`` or ``running``; ``pg_sphere`` says which
    programs it runs from: ``stock`` (Debian's own) or ``private tree``.
    """

    state: str
    home: str
    data: str
    socket: str
    port: int
    log: str
    pid: int | None = None
    pg_sphere: str | None = None

    def as_dict(self) -> dict[str, str | int | None]:
        """Return the fields by name."""
        return asdict(self)


class Cluster:
    """A private PostgreSQL server below a home folder.

    Parameters
    ----------
    home : Path
        Folder to live in; the server's files are in ``home/postgres``.
    configuration : mapping, optional
        Server parameters beyond the usual ones, such as ``{"fsync": "off"}``.

    Raises
    ------
    ConfigurationError
        From `start` and `init`: if PostgreSQL is not installed or ``home`` cannot be used.
    DatabaseError
        From `start` and `stop`: if the server refuses; the message ends with its log.
    """

    def __init__(self, home: Path, configuration: Mapping[str, str] | None = None) -> None:
        self.home = home
        self.base = home / "postgres"
        self.data = self.base / "data"
        self.tree = self.base / "tree"
        self.log = self.base / "log"
        self.port = PORT
        self.configuration = dict(configuration or {})
        self.user = ServerUser.current()

    # ------------------------------------------------------------------ places

    @property
    def socket(self) -> Path:
        """Folder of the server's socket: ``home/postgres/socket``, or a short one in ``/tmp``."""
        inside = self.base / "socket"
        path = str(inside)
        # libpq reads commas as a list of hosts and a leading @ as an abstract socket.
        plain = not set(path) & set(",\"'\\\n")
        if plain and len(os.fsencode(f"{path}/.s.PGSQL.{self.port}.lock")) <= SOCKET_LIMIT:
            return inside
        digest = hashlib.sha256(os.fsencode(self.base)).hexdigest()[:12]
        return Path("/tmp") / f"skyledger-{self.user.uid}-{digest}"  # noqa: S108

    def dsn(self, database: str = DATABASE) -> str:
        """Return the connection string of one of the server's databases, as its owner."""
        return str(make_dsn(host=str(self.socket), port=self.port, user=OWNER, dbname=database))

    @property
    def _record(self) -> Path:
        """File that says which programs were chosen, for which installed files."""
        return self.base / "programs.json"

    @property
    def programs(self) -> Path:
        """Folder of the PostgreSQL programs in use."""
        return pgsphere.tree_programs(self.tree) if self.tree.is_dir() else PROGRAMS / "bin"

    # ------------------------------------------------------------------ life

    def init(self) -> bool:
        """Create the cluster; False if it is there already."""
        with self._lock():
            return self._init()

    def start(self) -> bool:
        """Start the server, creating the cluster and its database first where needed.

        Returns
        -------
        bool
            False if it was running already.
        """
        with self._lock():
            if self.pid() is not None:
                if self._record.is_file():
                    self._create_database()
                    return False
                # The first start was interrupted while it tried Debian's own programs.
                self._halt()
            self._init()
            self._choose_programs()
            self._launch()
            self._create_database()
            return True

    def stop(self) -> bool:
        """Stop the server, ending its sessions; False if it was not running."""
        if not self.data.is_dir():
            return False
        with self._lock():
            return self._halt()

    def destroy(self) -> None:
        """Stop the server and remove the cluster with everything in it."""
        if self.data.is_dir():
            with self._lock():
                self._halt("immediate")  # nothing is to be kept, so nothing is written out
        for folder in (self.base, self.socket):
            if folder.exists():
                shutil.rmtree(folder)

    def status(self) -> Status:
        """Say whether the server is there and running."""
        pid = self.pid()
        exists = self._exists()
        state = "running" if pid else ("stopped" if exists else "absent")
        way = ("private tree" if self.tree.is_dir() else "stock") if exists else None
        return Status(
            state,
            str(self.home),
            str(self.data),
            str(self.socket),
            self.port,
            str(self.log),
            pid,
            way,
        )

    def pid(self) -> int | None:
        """Process id of the running server, None if it does not run.

        The file the server leaves behind when it is killed may name a process that is something
        else by now, so the process's working folder is compared.
        """
        try:
            first = (self.data / "postmaster.pid").read_text(encoding="utf-8").split("\n", 1)[0]
            pid = int(first)
        except PermissionError as error:
            raise ConfigurationError(
                f"{self.data} belongs to another user; set SKYLEDGER_HOME to a folder of your own"
            ) from error
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return None
        return pid if processes.is_server(pid, self.data) else None

    # ------------------------------------------------------------------ steps

    def _exists(self) -> bool:
        try:
            return (self.data / "PG_VERSION").is_file()
        except PermissionError as error:
            raise ConfigurationError(
                f"{self.base} belongs to another user; set SKYLEDGER_HOME to a folder of your own"
            ) from error

    def _init(self) -> bool:
        if self._exists():
            version = (self.data / "PG_VERSION").read_text(encoding="ascii").strip()
            if version != MAJOR:
                raise DatabaseError(
                    f"{self.data} was made by PostgreSQL {version}, this software runs {MAJOR}; "
                    "dump it with the older server and restore it here"
                )
            return False
        _require_programs()
        # A data folder without PG_VERSION is what a killed initdb leaves behind.
        if self.data.exists():
            shutil.rmtree(self.data)
        self.call(
            "initdb",
            f"--pgdata={self.data}",
            f"--username={OWNER}",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--data-checksums",
            "--no-instructions",
        )
        with (self.data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write("\ninclude = 'skyledger.conf'  # rewritten at every start\n")
        (self.data / "pg_hba.conf").write_text(_HBA, encoding="utf-8")
        return True

    def _choose_programs(self) -> None:
        """Decide between Debian's programs and the private tree, once per package version."""
        _require_programs()
        key = pgsphere.tree_key(PROGRAMS, SHARE)
        known = {}
        if self._record.is_file():
            known = json.loads(self._record.read_text(encoding="utf-8"))
        way = known.get("way")
        if known.get("key") == key and self.tree.is_dir() == (way == "private tree"):
            return
        self._record.unlink(missing_ok=True)
        shutil.rmtree(self.tree, ignore_errors=True)
        self._launch()
        try:
            way = "stock" if self._stock_extension_works() else "private tree"
        finally:
            self._halt()
        if way == "private tree":
            log.info("copying the PostgreSQL programs to %s: pg_sphere needs it", self.tree)
            pgsphere.build_tree(PROGRAMS, SHARE, self.tree)
        self._record.write_text(json.dumps({"key": key, "way": way}), encoding="utf-8")

    def _stock_extension_works(self) -> bool:
        connection = psycopg2.connect(self.dsn("template1"))
        try:
            with connection.cursor() as cursor:
                cursor.execute("DROP EXTENSION IF EXISTS pg_sphere")
                cursor.execute("CREATE EXTENSION pg_sphere")
        except psycopg2.Error as error:
            if pgsphere.is_refusal(error):
                return False
            raise DatabaseError(f"pg_sphere cannot be installed: {str(error).strip()}") from error
        finally:
            connection.rollback()
            connection.close()
        return True

    def _create_database(self) -> None:
        connection = psycopg2.connect(self.dsn("postgres"))
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,))
                if not cursor.fetchone():
                    cursor.execute(f"CREATE DATABASE {DATABASE}")
        finally:
            connection.close()

    def _launch(self) -> None:
        """Start the server program and wait until it accepts connections."""
        processes.end_orphans(self.data)
        # A stale file that names a living process of another kind would stop the server.
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        self.user.private_folder(self.socket)
        for stale in self.socket.glob(".s.PGSQL.*"):
            stale.unlink()
        self.user.write(self.data / "skyledger.conf", self._configuration_text())
        seen = self.log.stat().st_size if self.log.exists() else 0
        done = self._call(
            "pg_ctl",
            "start",
            f"--pgdata={self.data}",
            f"--log={self.log}",
            "--wait",
            f"--timeout={START_SECONDS}",
        )
        if done.returncode:
            raise DatabaseError(
                f"the database in {self.home} does not start; {self.log} ends with: "
                f"{self._log_since(seen) or done.stderr.strip()}"
            )

    def _halt(self, mode: str = "fast") -> bool:
        if self.pid() is None:
            return False
        done = self._call(
            "pg_ctl",
            "stop",
            f"--pgdata={self.data}",
            f"--mode={mode}",
            "--wait",
            f"--timeout={STOP_SECONDS}",
        )
        if done.returncode and self.pid() is not None:
            raise DatabaseError(
                f"the database in {self.home} (process {self.pid()}) does not stop within "
                f"{STOP_SECONDS} s: {done.stderr.strip()}; see {self.log}"
            )
        return True

    def _configuration_text(self) -> str:
        folders = {"port": str(self.port), "unix_socket_directories": str(self.socket)}
        return parameters.text({**folders, **archive.settings(self.archive), **self.configuration})

    # ------------------------------------------------------------------ archive

    @property
    def archive(self) -> Path | None:
        """Folder the write-ahead log is archived to; None if it is not."""
        try:
            return Path((self.base / "archive").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None

    def archive_to(self, folder: Path) -> None:
        """Let the running server archive its write-ahead log to a folder, from now on."""
        with self._lock():
            self.user.write(self.base / "archive", str(folder))
            self.user.write(self.data / "skyledger.conf", self._configuration_text())
            self.call("pg_ctl", "reload", f"--pgdata={self.data}")

    # ------------------------------------------------------------------ processes and files

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        """Keep two commands from starting or stopping the server at the same time."""
        self._make_base()
        with (self.base / "lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _make_base(self) -> None:
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            self.user.private_folder(self.base)
        except OSError as error:
            raise ConfigurationError(
                f"{self.home} cannot be used: {error.strerror}; set SKYLEDGER_HOME to a folder "
                "you can write to"
            ) from error
        if self.user.run("test", "-w", str(self.base)).returncode:
            raise ConfigurationError(
                f"user {self.user.name}, as whom root's database server runs, cannot enter "
                f"{self.home}; set SKYLEDGER_HOME to a folder it can, such as /var/lib/skyledger"
            )

    def _call(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.user.run(str(self.programs / program), *arguments)

    def call(self, program: str, *arguments: str) -> str:
        """Run one of PostgreSQL's programs as the server's user; return what it prints.

        Raises
        ------
        DatabaseError
            If it fails, with what it said.
        """
        done = self._call(program, *arguments)
        if done.returncode:
            raise DatabaseError(f"{program} failed: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def _log_since(self, position: int, lines: int = 5) -> str:
        with contextlib.suppress(OSError), self.log.open("rb") as file:
            file.seek(position)
            text = file.read().decode("utf-8", "replace").strip()
            return " / ".join(text.splitlines()[-lines:])
        return ""


def _require_programs() -> None:
    needed: Sequence[tuple[Path, str]] = (
        (PROGRAMS / "bin" / "postgres", f"postgresql-{MAJOR}"),
        (SHARE / "extension" / "pg_sphere.control", f"postgresql-{MAJOR}-pgsphere"),
        (SHARE / "extension" / "q3c.control", f"postgresql-{MAJOR}-q3c"),
        (SHARE / "extension" / "plpython3u.control", f"postgresql-plpython3-{MAJOR}"),
    )
    missing = [package for path, package in needed if not path.is_file()]
    if missing:
        raise ConfigurationError(
            f"the embedded database needs the Debian packages {', '.join(missing)}; "
            "install them, or run ./run setup"
        )


def embedded(action: str) -> Cluster:
    """Return the embedded server of the settings, for an ``action`` that is done to it alone.

    Raises
    ------
    UsageError
        Where an external server is configured.
    """
    configured = settings.read()
    if configured.external is not None:
        raise UsageError(
            f"{configured.external_source} names an external PostgreSQL server, which Skyledger "
            f"does not {action}; unset the variable to use the embedded one"
        )
    return Cluster(configured.home)


def temporary_home() -> Path:
    """Create a folder for a throw-away cluster that root's server user can enter, too.

    It lies in memory where 2 GiB are free there and programs may run from it: a server that is
    not to last need not wait for a disk.
    """
    memory = Path("/dev/shm")  # noqa: S108
    usable = memory.is_dir() and os.access(memory, os.W_OK)
    if usable:
        state = os.statvfs(memory)
        usable = not state.f_flag & os.ST_NOEXEC and state.f_bavail * state.f_frsize >= 2**31
    home = Path(tempfile.mkdtemp(prefix="skyledger-", dir=memory if usable else None))
    home.chmod(0o711)
    return home
