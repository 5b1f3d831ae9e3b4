"""Templates: which visits make one, which one serves a visit, and their rows.

DPDD section 11 (templates), pipeline 2; IMG-05, IMG-06.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from ingest import rows
from ingest.staging import slot, stage
from processing.instrument import TemplateSeason
from skyledger import dictionary as dd
from skyledger import ids, products

_WIDER = 1.5  # times the visit's PSF: a template of more is taken only if there is no other


@dataclass(frozen=True)
class Registered:
    """A template in the database: its id, its file relative to the products, its sky."""

    template_id: int
    path: str
    footprint: tuple[float, ...]  # ra, decl of the corners in turn [deg]
    begin_tai: float  # mid-exposure of its first and last visit [MJD TAI]
    end_tai: float
    airmass: float  # mean
    seeing: float  # [arcsec]
    inputs: frozenset[int]  # ccdVisitIds
    program: str  # of its visits
    age: int = 0  # 0 for those made last, 1 for those made before, ...

    @classmethod
    def of(cls, row: Mapping[str, Any], program: str, age: int = 0) -> "Registered":
        """Describe a row of Template, made of visits of a programme."""
        return cls(
            row["templateId"], row["path"], tuple(row["footprint"]), row["beginTai"],
            row["endTai"], row["airmass"], row["seeing"], frozenset(row["inputCcdVisitIds"]),
            program, age,
        )  # fmt: skip

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


@dataclass(frozen=True)
class Circumstances:
    """What of a visit decides about its template; ``ra``, ``decl`` [deg] of the image's middle."""

    ra: float
    decl: float
    mid_tai: float
    airmass: float
    seeing: float  # [arcsec]
    program: str


def choose(
    found: Sequence[Registered], season: TemplateSeason, ccd_visit_id: int, visit: Circumstances
) -> Registered | None:
    """Choose the template to subtract from a visit; None if no one covers its middle.

    By time of observation, airmass and seeing (DMS-REQ-0280), one after the other:

    1. Templates of its own programme, if it has any, else of the one for all.
    2. Templates that do not contain the visit, and of those the ones that were complete before it,
       if there are any; none whose visits are all in newer ones.
    3. Templates not much wider than the visit: a kernel that sharpens raises noise.
    4. The nearest bin of airmass, in which the atmosphere displaced stars by their colour alike.
    5. The latest; of one time the sharpest.
    """
    serve = [t for t in found if ccd_visit_id not in t.inputs and t.covers(visit.ra, visit.decl)]
    if season.program is not None:
        own = [t for t in serve if t.program == visit.program]
        serve = own or [t for t in serve if t.program == season.program]
    serve = [t for t in serve if t.end_tai < visit.mid_tai] or serve
    serve = [
        t
        for t in serve
        if not t.inputs <= frozenset().union(*(n.inputs for n in serve if n.age < t.age))
    ]
    serve = [t for t in serve if not t.seeing > _WIDER * visit.seeing] or serve
    wanted = season.bin_of(visit.airmass)
    return min(
        serve,
        key=lambda t: (
            abs(season.bin_of(t.airmass) - wanted), -t.end_tai, t.seeing, -t.template_id,
        ),
        default=None,
    )  # fmt: skip


def of_band(cursor: Any, instrument: str, band: str) -> tuple[Registered, ...]:
    """Return the templates of a band, the newest first."""
    cursor.execute(
        "SELECT t.templateid, t.path, t.footprint, t.begintai, t.endtai, t.airmass, t.seeing, "
        "t.inputccdvisitids, c.programid, dense_rank() OVER (ORDER BY t.createdtai DESC) - 1 "
        "FROM prompt_store.template AS t "
        "LEFT JOIN prompt_store.ccdvisit AS c ON c.ccdvisitid = t.inputccdvisitids[1] "
        "WHERE t.instrument = %s AND t.band = %s ORDER BY t.createdtai DESC, t.templateid DESC",
        (instrument, band),
    )
    return tuple(
        Registered(
            number, path, tuple(outline), begin, end, airmass, seeing, frozenset(inputs),
            program or "", age,
        )
        for number, path, outline, begin, end, airmass, seeing, inputs, program, age
        in cursor.fetchall()
    )  # fmt: skip


@dataclass(frozen=True)
class Source:
    """A calibrated image of the template season."""

    ccd_visit_id: int
    visit_id: int
    path: str  # of the PVI, relative to the products
    program: str
    mid_tai: float
    airmass: float
    ra: float  # of its middle [deg]
    decl: float
    radius: float  # from there to its corners [deg]


def sources(cursor: Any, instrument: str, band: str) -> list[Source]:
    """Calibrated images of the template season in a band, in the order of their ids."""
    cursor.execute(
        "SELECT c.ccdvisitid, c.visitid, c.pvipath, c.programid, c.midpointtai, c.airmass, c.ra, "
        "c.decl, greatest(science.separation(c.ra, c.decl, c.llra, c.lldecl), "
        "science.separation(c.ra, c.decl, c.urra, c.urdecl)) / 3600 "
        "FROM prompt_store.ccdvisit AS c JOIN prompt_store.visit AS v USING (visitid) "
        "WHERE v.instrument = %s AND v.band = %s AND v.istemplate AND c.pvipath IS NOT NULL "
        "ORDER BY c.ccdvisitid",
        (instrument, band),
    )
    return [Source(*row) for row in cursor.fetchall()]


def groups(listed: Sequence[Source], season: TemplateSeason) -> list[list[Source]]:
    """Divide images of one band into those that make a template each.

    Images that overlap are of one field. Its visits are divided by programme, if the season names
    one whose templates serve all; by time, into spans of at most
    ``season.span_days`` from the first on, and each span by airmass. A bin of too few visits joins
    the neighbour that has fewer.
    """
    programs = [[*listed]]
    if season.program is not None:
        names = sorted({s.program for s in listed})
        programs = [[s for s in listed if s.program == name] for name in names]
    return [
        sorted(group, key=lambda s: s.ccd_visit_id)
        for program in programs
        for field in _fields(program)
        for span in _spans(field, season)
        for group in _bins(span, season)
    ]


def _spans(field: list[Source], season: TemplateSeason) -> list[list[Source]]:
    spans: list[list[Source]] = []
    for image in sorted(field, key=lambda s: s.mid_tai):
        if not spans or image.mid_tai > spans[-1][0].mid_tai + season.span_days:
            spans.append([])
        spans[-1].append(image)
    return spans


def _bins(span: list[Source], season: TemplateSeason) -> list[list[Source]]:
    bins: list[list[Source]] = [[] for _ in range(len(season.airmass) + 1)]
    for image in span:
        bins[season.bin_of(image.airmass)].append(image)
    while len(bins) > 1:
        count = [len({s.visit_id for s in images}) for images in bins]
        least = int(np.argmin(count))
        if count[least] >= season.bin_visits:
            break
        beside = [k for k in (least - 1, least + 1) if 0 <= k < len(bins)]
        other = min(beside, key=lambda k: count[k])
        bins[other] = bins[other] + bins[least]
        del bins[least]
    return bins


def _fields(listed: Sequence[Source]) -> list[list[Source]]:
    """Images connected by overlaps."""
    if not listed:
        return []
    ra, decl, radius = (np.array([getattr(s, n) for s in listed]) for n in ("ra", "decl", "radius"))
    a, d = np.radians(ra), np.radians(decl)
    place = np.stack([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)], axis=1)
    near = np.zeros((len(listed), len(listed)), bool)
    for k in range(len(listed)):
        chord = 2 * np.sin(np.radians(np.minimum(radius[k] + radius, 180)) / 2)
        near[k] = np.linalg.norm(place - place[k], axis=1) < chord
    number, label = connected_components(csr_array(near), directed=False)
    return [[listed[i] for i in np.flatnonzero(label == k).tolist()] for k in range(number)]


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
