"""Templates: built from the visits of the template season, one a band, and registered.

DPDD section 11 (templates), pipeline 2; IMG-05.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ingest import rows
from ingest.publish import DATABASE_ID, hpx29
from ingest.staging import slot, stage
from skyledger import dictionary as dd
from skyledger import ids, products


@dataclass(frozen=True)
class Registered:
    """A template in the database: its id and its file relative to the products."""

    template_id: int
    path: str


def find(cursor: Any, instrument: str, band: str, ra: float, decl: float) -> Registered | None:
    """Return the newest template of a band that covers a position [deg]."""
    cursor.execute(
        "SELECT templateid, path FROM prompt_store.template "
        "WHERE instrument = %s AND band = %s AND "
        "spoint(radians(%s), radians(%s)) <@ science.polygon(footprint) "
        "ORDER BY createdtai DESC, templateid DESC LIMIT 1",
        (instrument, band, ra, decl),
    )
    found = cursor.fetchone()
    return Registered(*found) if found else None


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
    pixel = np.array([int(hpx29(ra, decl)) >> 48], dtype=np.int64)
    return int(ids.object_ids(DATABASE_ID, pixel, serial)[0])


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
