"""Backups of the embedded database, and its recovery as of an instant (design section 5).

A backup folder holds base backups and the write-ahead log archived since::

    FOLDER/skyledger-backup.json   which database, and on which line of its history
    FOLDER/base-20260101T040000Z/  a base backup, verified; its record lies beside it (.json)
    FOLDER/wal/                    the archived log, compressed

A recovery begins a new line of history: epochs that were published after the instant are gone,
although somebody may have seen them. ``ledger.restored()`` sees to it that their instants are
never given out again, and a restored database archives nowhere until it has a folder of its own.
"""

import json
import shutil
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg2
from astropy.time import Time

from skyledger.database import archive, schema
from skyledger.database.cluster import Cluster
from skyledger.database.processes import ServerUser
from skyledger.errors import ConfigurationError, DatabaseError, UsageError

_IDENTITY = "skyledger-backup.json"
_ARCHIVE_SECONDS = 60
_TOO_SHORT = "recovery ended before configured recovery target"
_IDENTIFY = (
    "SELECT system_identifier::text, timeline_id FROM pg_control_system(), pg_control_checkpoint()"
)


@dataclass(frozen=True)
class Base:
    """One base backup: its folder, its size and the instant (TAI) from which on it can be used."""

    path: Path
    finished: datetime
    size: int  # bytes

    def as_dict(self) -> dict[str, str | int]:
        """Return the fields by name, for JSON."""
        return {key: str(v) if key != "size" else v for key, v in asdict(self).items()}


@dataclass(frozen=True)
class Restored:
    """What a recovery brought back.

    Attributes
    ----------
    base : Base
        The base backup it began with.
    horizon : datetime
        Newest epoch (TAI) of the lost database that was kept.
    epoch : datetime
        Epoch (TAI) from which on the restored database goes on.
    """

    base: Base
    horizon: datetime
    epoch: datetime


def bases(folder: Path) -> list[Base]:
    """List the base backups in a backup folder, oldest first."""
    found = []
    for record in sorted(folder.glob("base-*.json")):
        kept = json.loads(record.read_text(encoding="utf-8"))
        found.append(
            Base(
                record.with_suffix(""),
                datetime.fromisoformat(kept["finished"]),
                int(kept["size"]),
            )
        )
    return sorted(found, key=lambda base: base.finished)


def make(cluster: Cluster, folder: Path) -> Base:
    """Make a base backup of the running server, and archive its log to the folder from now on.

    Parameters
    ----------
    cluster
        The embedded server; it must be running, and goes on publishing meanwhile.
    folder
        The backup folder: new, empty, or one that holds backups of this very database.

    Raises
    ------
    ConfigurationError
        If the folder holds something else or cannot be written by the server's user.
    DatabaseError
        If the server is not running, the copy fails its verification, or nothing is archived.
    """
    if cluster.pid() is None:
        raise DatabaseError(
            f"the database in {cluster.home} is not running; start it with `skyledger db start`"
        )
    connection: Any = psycopg2.connect(cluster.dsn())
    connection.autocommit = True
    try:
        schema.check(connection)
        with connection.cursor() as cursor:
            cursor.execute("SHOW archive_mode")
            if cursor.fetchone() == ("off",):
                raise DatabaseError(
                    "the server was started by an older version, which could not archive; run "
                    "`skyledger db stop` and `skyledger db start` once"
                )
            cursor.execute(_IDENTIFY)
            system, timeline = cursor.fetchone()
            _claim(cluster.user, folder, {"system": system, "timeline": timeline})
            if cluster.archive != folder / "wal":
                cluster.archive_to(folder / "wal")
            _wait_for_archive(cursor, folder / "wal", begins=True)
            path = folder / datetime.now(UTC).strftime("base-%Y%m%dT%H%M%SZ")
            cluster.call(
                "pg_basebackup",
                f"--pgdata={path}",
                f"--host={cluster.socket}",
                f"--port={cluster.port}",
                "--username=skyledger",
                "--checkpoint=fast",
                "--wal-method=stream",
            )
            cluster.call("pg_verifybackup", "--quiet", str(path))
            cursor.execute("SELECT ledger.draw('backup')")
            base = Base(path, cursor.fetchone()[0], _size(path))
            _wait_for_archive(cursor, folder / "wal")
        # The record is written last: a base backup without one is not finished and not used.
        record = json.dumps({"finished": base.finished.isoformat(), "size": base.size})
        cluster.user.write(path.with_name(path.name + ".json"), record)
    finally:
        connection.close()
    return base


def restore(cluster: Cluster, folder: Path, until: datetime | None = None) -> Restored:
    """Make the database of an empty home from a backup folder, and start it.

    Parameters
    ----------
    cluster
        The embedded server of a home that has no database.
    folder
        The backup folder; it is read only.
    until
        Instant (TAI) up to which what was committed is brought back; everything by default.

    Raises
    ------
    UsageError
        If the home has a database, or the instant is in the future or before every backup.
    ConfigurationError
        If the folder holds no backup, or the clock is behind the archive.
    DatabaseError
        If a file of the backup is damaged, or the archive ends before the instant.
    """
    if cluster.status().state != "absent":
        raise UsageError(
            f"there is a database in {cluster.home}; set SKYLEDGER_HOME to another folder, or "
            f"remove it with `skyledger db destroy`"
        )
    base = _choose(folder, until)
    recovery = _Recovery(cluster)
    horizon, epoch = recovery.run(base, folder / "wal", until)
    cluster.start()
    return Restored(base, horizon, epoch)


class _Recovery(Cluster):
    """A server that recovers in a folder and behind a socket of its own, where nobody comes."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster.home, cluster.configuration)
        self.final = self.data
        self.data = self.base / "restoring"
        self.port = cluster.port + 1

    def run(self, base: Base, wal: Path, until: datetime | None) -> tuple[datetime, datetime]:
        """Recover and mark the recovery; return the last epoch kept and the first of the new."""
        with self._lock():
            self._halt("immediate")  # what an interrupted restore left
            shutil.rmtree(self.data, ignore_errors=True)
            self.call("pg_verifybackup", "--quiet", str(base.path))
            self._init()
            self._choose_programs()
            shutil.rmtree(self.data)
            try:
                # As the server's user, who owns the files and whose mode PostgreSQL checks.
                self._copy(base.path)
                self._recover(wal, until)
                found = self._mark()
                self._halt()
                self.data.rename(self.final)
            except BaseException:
                self._halt("immediate")
                shutil.rmtree(self.data, ignore_errors=True)
                raise
            return found

    def _copy(self, source: Path) -> None:
        done = self.user.run("cp", "-a", "--reflink=auto", str(source), str(self.data))
        if done.returncode:
            raise DatabaseError(f"{source} cannot be copied: {done.stderr.strip()}")

    def _recover(self, wal: Path, until: datetime | None) -> None:
        self.configuration |= {
            "restore_command": archive.fetch_command(wal),
            "recovery_target_action": "promote",
            "hot_standby": "off",  # nobody gets in before the recovery has ended
        }
        if until is not None:
            target = Time(until, scale="tai").utc.to_datetime()
            self.configuration["recovery_target_time"] = f"{target.isoformat(' ')}+00"
        self.user.write(self.data / "recovery.signal", "")
        begun = self.log.stat().st_size if self.log.exists() else 0
        try:
            self._launch()
            self._wait(begun)
        except DatabaseError as error:
            if until is not None and _TOO_SHORT in self._log_since(begun, lines=1000):
                raise DatabaseError(
                    f"the archive in {wal} ends before {until} (TAI); restore without an instant "
                    f"to get all that it holds, or to an earlier one"
                ) from error
            raise

    def _wait(self, begun: int) -> None:
        """Wait until the log is replayed, however long that takes."""
        while not self._accepts():
            if self.pid() is None:
                raise DatabaseError(
                    f"the recovery failed; {self.log} ends with: {self._log_since(begun)}"
                )
            time.sleep(0.1)

    def _accepts(self) -> bool:
        try:
            psycopg2.connect(self.dsn()).close()
        except psycopg2.OperationalError:
            return False
        return True

    def _mark(self) -> tuple[datetime, datetime]:
        connection: Any = psycopg2.connect(self.dsn())
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT ledger.horizon()")
                horizon: datetime = cursor.fetchone()[0]
                cursor.execute("SELECT ledger.restored()")
                epoch: datetime = cursor.fetchone()[0]
            connection.commit()
        finally:
            connection.close()
        return horizon, epoch


def _claim(user: ServerUser, folder: Path, identity: dict[str, Any]) -> None:
    """Make a new backup folder, or see that it belongs to this database."""
    known = folder / _IDENTITY
    if known.is_file():
        if json.loads(known.read_text(encoding="utf-8")) != identity:
            raise ConfigurationError(
                f"{folder} holds backups of another database, or of this one before it was "
                f"restored; give another folder"
            )
        return
    try:
        if folder.exists() and any(folder.iterdir()):
            raise ConfigurationError(f"{folder} is not empty and no backup folder; give a new one")
        user.private_folder(folder)
    except OSError as error:
        raise ConfigurationError(
            f"{folder} cannot be used: {error.strerror}; give a folder you can write to"
        ) from error
    if user.run("test", "-w", str(folder)).returncode:
        raise ConfigurationError(
            f"user {user.name}, as whom the database server runs, cannot write to {folder}; give "
            f"a folder it can, such as /var/backups/skyledger"
        )
    user.private_folder(folder / "wal")
    user.write(known, json.dumps(identity))


def _wait_for_archive(cursor: Any, wal: Path, *, begins: bool = False) -> None:
    """Close the log file in use and wait until it is in the archive.

    Where archiving ``begins``, the archiver may not have heard of it yet and let a file or two
    pass: later ones will do.
    """
    wanted = _close_file(cursor)
    deadline = time.monotonic() + _ARCHIVE_SECONDS
    patience = time.monotonic() + 1
    while not (wal / f"{wanted}.gz").is_file():
        if time.monotonic() > deadline:
            raise DatabaseError(
                f"{wanted} is not archived to {wal} within {_ARCHIVE_SECONDS} s, so no backup was "
                f"made; the server's log, which `skyledger db status` names, says why"
            )
        if begins and time.monotonic() > patience:
            wanted, patience = _close_file(cursor), time.monotonic() + 1
        time.sleep(0.05)


def _close_file(cursor: Any) -> str:
    """Close the log file in use, which is not empty after this; return its name."""
    cursor.execute("SELECT pg_logical_emit_message(false, 'skyledger', 'archive')")
    cursor.execute("SELECT pg_walfile_name(pg_switch_wal())")
    name: str = cursor.fetchone()[0]
    return name


def _choose(folder: Path, until: datetime | None) -> Base:
    """Newest base backup from which ``until`` can be reached."""
    found = bases(folder)
    if not found:
        raise ConfigurationError(f"{folder} holds no backup; give the folder of `db backup`")
    now = Time.now().tai.to_datetime()
    newest = max((p.stat().st_mtime for p in (folder / "wal").glob("*.gz")), default=0)
    if newest > time.time() + 1:
        raise ConfigurationError(
            f"the archive in {folder} was written at {time.ctime(newest)}, later than this "
            f"machine's clock: set the clock, or instants would be given out a second time"
        )
    if until is None:
        return found[-1]
    if until > now:
        raise UsageError(f"instant {until} is in the future: it is {now} (TAI)")
    early = [base for base in found if base.finished <= until]
    if not early:
        raise UsageError(
            f"the oldest backup in {folder} is of {found[0].finished}, later than {until} (TAI)"
        )
    return early[-1]


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*"))
