"""Settings: where the data live and which server is used. All come from the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from skyledger.errors import ConfigurationError

DATABASE = "skyledger"  # the one PostgreSQL database; its schemas are the DPDD's databases
ROOT_HOME = Path("/var/lib/skyledger")  # root's server runs as postgres, which cannot enter /root

IMAGE_DAYS = 30.0  # precoveryWindow of the DPDD

# libpq variables that name a server; the others (PGUSER, PGDATABASE ...) only refine one.
SERVER_VARIABLES = ("PGHOST", "PGHOSTADDR", "PGSERVICE")


@dataclass(frozen=True)
class Settings:
    """What a run of the software needs to know about its surroundings.

    Attributes
    ----------
    home : Path
        Folder of the embedded server and of everything else the software keeps.
    external : str or None
        Connection string of an external server (may be empty: libpq reads its own ``PG*``
        variables); None when the embedded server is used.
    external_source : str or None
        The variable that named the external server.
    image_days : float
        Time that processed images of survey visits are kept, in days of observation.
    """

    home: Path
    external: str | None = None
    external_source: str | None = None
    image_days: float = IMAGE_DAYS


def default_home(environment: Mapping[str, str], *, root: bool) -> Path:
    """Folder used when ``SKYLEDGER_HOME`` is not set."""
    if root:
        return ROOT_HOME
    data = environment.get("XDG_DATA_HOME") or ""
    base = Path(data) if data.startswith("/") else _user_home(environment) / ".local" / "share"
    return base / "skyledger"


def _user_home(environment: Mapping[str, str]) -> Path:
    home = environment.get("HOME")
    return Path(home) if home else Path.home()


def read(environment: Mapping[str, str] | None = None, *, root: bool | None = None) -> Settings:
    """Read the settings from the environment.

    Parameters
    ----------
    environment : mapping, optional
        Variables; those of the process by default. ``SKYLEDGER_HOME``: the folder of the
        embedded server. ``SKYLEDGER_DATABASE_URL``: connection string of an external server
        (libpq URL or ``key=value``). ``PGHOST``, ``PGHOSTADDR`` or ``PGSERVICE`` name one as well.
        ``SKYLEDGER_IMAGE_DAYS``: how long processed images are kept, 30 days by default.
    root : bool, optional
        Whether the process is root's; asked from the system by default.

    Raises
    ------
    ConfigurationError
        If ``SKYLEDGER_HOME`` is not an absolute path, or ``SKYLEDGER_IMAGE_DAYS`` not a number of
        days from 30 on.
    """
    environment = os.environ if environment is None else environment
    root = os.geteuid() == 0 if root is None else root
    given = environment.get("SKYLEDGER_HOME")
    home = Path(given).expanduser() if given else default_home(environment, root=root)
    if not home.is_absolute():
        raise ConfigurationError(
            f"SKYLEDGER_HOME is {given!r}, which depends on the current folder; "
            "give an absolute path"
        )
    days = _image_days(environment)
    url = environment.get("SKYLEDGER_DATABASE_URL")
    if url:
        return Settings(home, url, "SKYLEDGER_DATABASE_URL", days)
    for name in SERVER_VARIABLES:
        if environment.get(name):
            return Settings(home, "", name, days)
    return Settings(home, image_days=days)


def _image_days(environment: Mapping[str, str]) -> float:
    given = environment.get("SKYLEDGER_IMAGE_DAYS")
    try:
        days = float(given) if given else IMAGE_DAYS
    except ValueError:
        days = float("nan")
    if not days >= IMAGE_DAYS:
        raise ConfigurationError(
            f"SKYLEDGER_IMAGE_DAYS is {given!r}; give days from {IMAGE_DAYS:g} on: precovery "
            f"measures new objects on images of that time"
        )
    return days
