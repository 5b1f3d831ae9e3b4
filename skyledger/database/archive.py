"""The archive of the write-ahead log: commands by which the server fills and reads it.

Files are compressed, since a file is closed every minute whether it is full or not: 16 MB of
which a quiet minute fills a few kB. A file is renamed when it is complete and on disk, and one
that is there already is never written over: a restarted server may offer it again, and then it
must be the same.
"""

import shlex
from pathlib import Path

_SECONDS = 60  # what is lost at most when the whole machine is lost
# archive_mode is changed by a restart only, so it is on from the start and this command forgets.
_NOWHERE = "/bin/true"


def settings(folder: Path | None) -> dict[str, str]:
    """Return the server parameters that archive to ``folder``, or nowhere."""
    if folder is None:
        return {"archive_mode": "on", "archive_command": _NOWHERE}
    return {
        "archive_mode": "on",
        "archive_command": store_command(folder),
        "archive_timeout": f"{_SECONDS}s",
    }


def store_command(folder: Path) -> str:
    """Return the shell command that archives file ``%p`` as ``folder/%f.gz``."""
    place, new = _quoted(folder / "%f.gz"), _quoted(folder / "%f.new")
    return (
        f"if test -f {place}; then gzip -dc {place} | cmp -s - %p; "
        f"else gzip -1c %p >{new} && sync {new} && mv {new} {place} && sync {_quoted(folder)}; fi"
    )


def fetch_command(folder: Path) -> str:
    """Return the shell command that brings ``folder/%f.gz`` back to ``%p``."""
    place = _quoted(folder / "%f.gz")
    return f"test -f {place} && gzip -dc {place} >%p"


def _quoted(path: Path) -> str:
    """Quote a path for the shell; PostgreSQL reads %f as the file's name and %% as one percent."""
    name = path.name if path.name.startswith("%f") else ""
    folder = str(path.parent if name else path).replace("%", "%%")
    return f"{shlex.quote(folder)}/{name}" if name else shlex.quote(folder)
