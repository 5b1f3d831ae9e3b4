"""The service as a process of its own, which goes on when the terminal is closed.

One for each home. It holds a lock on ``serve.lock`` as long as it lives, so that nobody has to
trust a process number that may be somebody else's by now.
"""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from skyledger.errors import ConfigurationError

_SECONDS = 60.0  # until it answers, or has ended
_ANSWERS = "Skyledger answers at "


def start(home: Path, options: Sequence[str] = ()) -> str:
    """Start ``skyledger serve`` in the background, in place of one that runs already.

    Parameters
    ----------
    home : Path
        Folder of the database; the service's words go to ``serve.log`` there.
    options
        Options of ``skyledger serve``.

    Returns
    -------
    str
        Its address.

    Raises
    ------
    ConfigurationError
        If it does not start; the message is its own.
    """
    stop(home)
    log = home / "serve.log"
    lock = os.open(home / "serve.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with log.open("wb") as words:
            # The lock is inherited: it is free again when the process is gone.
            running = subprocess.Popen(
                [sys.executable, "-m", "cli.main", "serve", *options],
                stdin=subprocess.DEVNULL, stdout=words, stderr=words,
                start_new_session=True, pass_fds=(lock,),
            )  # fmt: skip
        os.truncate(lock, 0)
        os.pwrite(lock, f"{running.pid}\n".encode(), 0)
    except BlockingIOError:
        raise ConfigurationError(
            f"somebody else starts the service of {home} at this moment; ask again"
        ) from None
    finally:
        os.close(lock)
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        said = log.read_text(encoding="utf-8", errors="replace")
        if said.startswith(_ANSWERS):
            return said.removeprefix(_ANSWERS).split(maxsplit=1)[0]
        if running.poll() is not None:
            reason = said.strip().splitlines() or [f"it ended with {running.returncode}"]
            raise ConfigurationError(f"the service does not start: {reason[-1]}")
        time.sleep(0.05)
    stop(home)
    raise ConfigurationError(f"the service did not start within {_SECONDS:g} s; see {log}")


def stop(home: Path) -> bool:
    """Stop the service that runs in the background; False if none does.

    Raises
    ------
    ConfigurationError
        If it does not end.
    """
    try:
        lock = os.open(home / "serve.lock", os.O_RDWR)
    except OSError:
        return False
    try:
        if _free(lock):
            return False
        pid = int(os.pread(lock, 20, 0) or 0)
        if pid:
            os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + _SECONDS
        while time.monotonic() < deadline:
            if _free(lock):
                return True
            time.sleep(0.05)
    except ProcessLookupError:
        return False
    finally:
        os.close(lock)
    raise ConfigurationError(
        f"the service of {home}, process {pid}, does not end; look at {home / 'serve.log'}"
    )


def _free(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    fcntl.flock(lock, fcntl.LOCK_UN)
    return True
