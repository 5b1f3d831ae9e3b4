"""Templates: built from the visits of the template season, one a band, and registered.

DPDD section 11 (templates), pipeline 2; IMG-05.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ingest import rows
from ingest.staging import slot, stage
from skyledger import dictionary as dd
from skyledger import ids, products


@dataclass(frozen=True)
class Registered:
    """A template in the database: its id, its file relative to the products, its sky."""

    template_id: int
    path: str
    footprint: tuple[float, ...]  # ra, decl of the corners in turn [deg]

    def covers(self, ra: float, decl: float) -> bool:
        """Tell whether a position [deg] lies within the footprint (convex, under 90 deg wide)."""
        corners = np.array(self.footprint).reshape(-1, 2)
        # Gnomonic projection about the position: great circles become straight lines.
        x = np.radians(corners[:, 0] - ra)
        y, y0 = np.radians(corners[:, 1]), np.radians(decl)
        depth = np.sin(y0) * np.sin(y) + np.cos(y0) * np.cos(y) * np.cos(x)
        if (depth <= 0).any():
            return False
        east = np.cos(y) * np.sin(x) / depth
        north = (np.cos(y0) * np.sin(y) - np.sin(y0) * np.cos(y) * np.cos(x)) / depth
        # Inside a convex polygon all edges turn the same way around the point.
        turn = east * np.roll(north, -1) - np.roll(east, -1) * north
        return bool((turn > 0).all() or (turn < 0).all())


def of_band(cursor: Any, instrument: str, band: str) -> tuple[Registered, ...]:
    """Return the templates of a band, the newest first."""
    cursor.execute(
        "SELECT templateid, path, footprint FROM prompt_store.template "
        "WHERE instrument = %s AND band = %s ORDER BY createdtai DESC, templateid DESC",
        (instrument, band),
    )
    return tuple(
        Registered(number, path, tuple(footprint)) for number, path, footprint in cursor.fetchall()
    )


def sources(cursor: Any, instrument: str, band: str) -> list[tuple[int, str]]:
    """Calibrated visits of the template season in a band: (ccdVisitId, path of the PVI)."""
    cursor.execute(
        "SELECT c.ccdvisitid, c.pvipath FROM prompt_store.ccdvisit AS c "
        "JOIN prompt_store.visit AS v USING (visitid) "
        "WHERE v.instrument = %s AND v.band = %s AND v.istemplate AND c.pvipath IS NOT NULL "
        "ORDER BY c.ccdvisitid",
        (instrument, band),
    )
    return list(cursor.fetchall())


def new_id(cursor: Any, ra: float, decl: float) -> int:
    """Return a new templateId: born where the template's centre lies."""
    cursor.execute("SELECT nextval('ledger.object_serial')")
    serial = np.array([cursor.fetchone()[0]], dtype=np.int64)
    pixel = np.array([int(ids.hpx29(ra, decl)) >> 48], dtype=np.int64)
    return int(ids.object_ids(ids.PROMPT, pixel, serial)[0])


def register(connection: Any, built: Sequence[dict[str, Any]], run: str, provenance: int) -> None:
    """Publish rows of Template, each with ``templateId`` and ``path``, under one epoch."""
    relation = dd.shipped()["Template"]
    listed = [{**row, "provenanceId": provenance} for row in built]
    with slot(connection) as number, connection.cursor() as cursor:
        cursor.execute(
            "SELECT batch FROM "
            "ledger.open_batch('template', NULL, '{}'::smallint[], %s, %s::smallint)",
            (run, number),
        )
        batch = cursor.fetchone()[0]
        stage(connection, relation, rows.table(listed, relation), number)
        cursor.execute("SELECT ledger.publish(%s)", (batch,))
        connection.commit()


def target(instrument: str, template_id: int) -> str:
    """Path of a template's file relative to the products."""
    return products.template_path(instrument, template_id)
