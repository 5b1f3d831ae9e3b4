"""The cache of processed images: what precovery needs stays, what is older goes (PRECOV-02).

The visit images and difference images of a survey visit are kept until a visit of the same
instrument was observed ``SKYLEDGER_IMAGE_DAYS`` after it, so that an object found then can be
measured on them, and for as long as the precovery of a visit that needs them waits. Time is that of
the observations: an archive that is read in late, or rests for a while, loses nothing. Visits of
template seasons are kept: templates are made of them. Nothing but files is removed; the rows stay
as they were published, and the same frames make the same images again. Sources and masters stay:
releases load the ones, later visits need the others.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skyledger import products, settings

# Of every instrument: observed before this, nothing can ask for an image any more.
_NEEDED_SINCE = """
SELECT v.instrument,
  least(max(v.midpointtai), min(v.midpointtai) FILTER (WHERE d.visitid IS NOT NULL))
FROM prompt_store.visit AS v
LEFT JOIN (SELECT DISTINCT visitid FROM ledger.precovery_due()) AS d ON d.visitid = v.visitid
WHERE NOT v.istemplate
GROUP BY v.instrument
"""
_OLD = """
SELECT c.pvipath, c.differencepath FROM prompt_store.ccdvisit AS c
JOIN prompt_store.visit AS v USING (visitid)
WHERE NOT v.istemplate AND c.instrument = %s AND c.midpointtai < %s
ORDER BY c.midpointtai
"""


@dataclass(frozen=True)
class Usage:
    """Files below the folder of processed images, and their size in bytes."""

    files: int
    size: int

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(self.files + other.files, self.size + other.size)


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*.*") if path.is_file())


def _kind(path: Path) -> str:
    if path.parent.name in {"templates", "masters"}:
        return path.parent.name
    endings = {"-difference.fits": "difference", "-sources.parquet": "sources"}
    return next((kind for ending, kind in endings.items() if path.name.endswith(ending)), "visit")


def usage() -> dict[str, Usage]:
    """Measure the disk use: ``visit`` and ``difference`` images, their ``sources``, and the rest.

    The rest are ``templates`` and ``masters``.
    """
    kinds = ("visit", "difference", "sources", "templates", "masters")
    found = {kind: Usage(0, 0) for kind in kinds}
    for path in _files(products.root()):
        kind = _kind(path)
        found[kind] += Usage(1, path.stat().st_size)
    return found


def evict(connection: Any, days: float | None = None) -> Usage:
    """Remove the images that precovery cannot ask for any more; returns what was removed.

    Parameters
    ----------
    connection
        psycopg2 connection; its transaction is ended.
    days
        How long images are kept; the setting ``SKYLEDGER_IMAGE_DAYS`` by default.
    """
    days = settings.read().image_days if days is None else days
    removed = Usage(0, 0)
    with connection.cursor() as cursor:
        cursor.execute(_NEEDED_SINCE)
        needed = cursor.fetchall()
        for instrument, since in needed:
            cursor.execute(_OLD, (instrument, since - days))
            for paths in cursor.fetchall():
                for path in filter(None, paths):
                    removed += _remove(products.root() / path)
    connection.rollback()
    return removed


def _remove(path: Path) -> Usage:
    try:
        size = path.stat().st_size
        path.unlink()
    except FileNotFoundError:  # evicted before
        return Usage(0, 0)
    return Usage(1, size)
