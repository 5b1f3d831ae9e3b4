"""The user the embedded server runs as: its programs, folders and processes."""

import contextlib
import os
import pwd
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from skyledger.errors import ConfigurationError, DatabaseError

_ORPHAN_SECONDS = 10


class _Identity(TypedDict, total=False):
    """Arguments of subprocess that choose the user."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True)
class ServerUser:
    """The caller; for root, who may not run PostgreSQL, the user ``postgres``."""

    name: str
    uid: int
    gid: int
    folder: str
    root: bool  # whether the caller is root and has to become this user

    @classmethod
    def current(cls) -> "ServerUser":
        """Return the user for the process at hand.

        Raises
        ------
        ConfigurationError
            If root calls and there is no user ``postgres``.
        """
        root = os.geteuid() == 0
        try:
            entry = pwd.getpwnam("postgres") if root else pwd.getpwuid(os.geteuid())
        except KeyError as error:
            missing = "postgres, as whom root's database server runs" if root else "of this process"
            raise ConfigurationError(
                f"there is no user {missing}; install the Debian package postgresql-15, which "
                "makes user postgres, or run as a user the system knows"
            ) from error
        return cls(entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir, root)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a program as this user, in a clean environment, and wait for it.

        With the ``PATH`` of a virtual environment, the server's Python would look for numpy
        there; ``LC_ALL`` keeps messages in English, where they are compared.
        """
        identity: _Identity = {}
        if self.root:
            identity = {"user": self.uid, "group": self.gid, "extra_groups": []}
        environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": self.folder,
            "LC_ALL": "C.UTF-8",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            # Planning over a hundred partitions takes megabytes. Given back after each query and
            # fetched again for the next, they were a quarter of the time.
            "MALLOC_TOP_PAD_": str(16 << 20),
            "MALLOC_TRIM_THRESHOLD_": str(128 << 20),
        }
        return subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            cwd="/",
            env=environment,
            umask=0o077,
            **identity,
        )

    def private_folder(self, folder: Path) -> None:
        """Create a folder of mode 0700 that belongs to this user; refuse somebody else's."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        refusal = ConfigurationError(
            f"{folder} does not belong to user {self.name}; set SKYLEDGER_HOME to another folder"
        )
        # Everything goes through one handle: in /tmp others could swap the folder meanwhile.
        try:
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError as error:
            raise refusal from error
        try:
            owner = os.fstat(handle).st_uid
            if owner == 0 and self.root:
                os.fchown(handle, self.uid, self.gid)
            elif owner != self.uid:
                raise refusal
            os.fchmod(handle, 0o700)
        finally:
            os.close(handle)

    def write(self, path: Path, text: str) -> None:
        """Write a file that belongs to this user."""
        path.write_text(text, encoding="utf-8")
        if self.root:
            os.chown(path, self.uid, self.gid)


def is_server(pid: int, data: Path) -> bool:
    """Whether a process is a ``postgres`` that works in the data folder ``data``."""
    process = Path(f"/proc/{pid}")
    try:
        name = (process / "comm").read_text(encoding="utf-8").strip()
        return name == "postgres" and (process / "cwd").readlink() == data.resolve()
    except OSError:
        return False


def end_orphans(data: Path) -> None:
    """End the sessions a killed server left behind: they keep its shared memory.

    Raises
    ------
    DatabaseError
        If they do not end.
    """
    left = [
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and is_server(int(entry.name), data)
    ]
    for kind in (signal.SIGTERM, signal.SIGQUIT):
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, kind)
        deadline = time.monotonic() + _ORPHAN_SECONDS
        while left and time.monotonic() < deadline:
            left = [pid for pid in left if is_server(pid, data)]
            time.sleep(0.02)
    if left:
        raise DatabaseError(
            f"processes {left} of an earlier server still use {data}; end them and start again"
        )
