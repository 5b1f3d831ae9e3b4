"""Where the files of ``db/`` are, in a checkout and in an installed wheel alike."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def db_dir() -> Path:
    """Return the folder holding ``dictionary/``, ``migrations/``, ``functions/`` ...

    In a wheel it is ``skyledger/db``; in a checkout it stands beside the package.
    """
    shipped = _PACKAGE / "db"
    return shipped if shipped.is_dir() else _PACKAGE.parent / "db"
