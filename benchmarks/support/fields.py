"""Fields of a sky and what a visit sees of them, every column of the dictionary filled."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skyledger import dictionary as dd
from skyledger import ids

RADIUS = 1.75  # deg
Rows = dict[str, Any]


@dataclass
class Field:
    """True things of one field; the second half of ``known`` are false detections."""

    ra: float
    decl: float
    ras: NDArray[np.float64]
    decls: NDArray[np.float64]
    names: NDArray[np.int64]  # diaObjectId
    created: NDArray[np.datetime64] = field(
        default_factory=lambda: np.array([], dtype="datetime64[us]")
    )


def places(ra: float, decl: float, n: int, rng: np.random.Generator) -> tuple[Any, Any]:
    """Draw positions [deg], uniform in a circle."""
    away, angle = RADIUS * np.sqrt(rng.random(n)), rng.uniform(0, 2 * np.pi, n)
    decls = decl + away * np.sin(angle)
    return (ra + away * np.cos(angle) / np.cos(np.radians(decl))) % 360, decls


def by_detector(ra: Any, decl: Any) -> NDArray[np.int64]:
    """Order in which a camera delivers positions: one patch of sky (0.23 deg) after the other."""
    return np.argsort(ids.hpx29(ra, decl) >> 42, kind="stable")


def filled(relation: dd.Relation, given: Rows, rng: np.random.Generator) -> Rows:
    """Return all columns of a relation: those given, random values within the limits elsewhere.

    A tenth is missing; what belongs to one fit (its prefix) is missing together.
    """
    n = len(next(iter(given.values())))
    missing: dict[str, NDArray[np.bool_]] = {}
    rows = dict(given)
    for column in relation.columns:
        if column.name in (*rows, "diaObjectId", "ssObjectId", "parentDiaSourceId"):
            continue
        fit = next((p for p in ("ps", "tot", "trail", "dip", "pm") if column.name.startswith(p)),
                   "pm" if column.name == "parallax" else column.name)  # fmt: skip
        low, high = column.minimum, column.maximum
        size = (n, int(np.prod(column.shape))) if column.shape else n
        if column.type.startswith(("bigint", "integer", "smallint")):
            values: Any = rng.integers(1, 100, size)
        else:
            values = rng.normal(0, 100, size)
            if low is not None and high is not None:
                values = rng.uniform(low, high, size)
            elif low is not None:
                values = low + np.abs(values)
            elif high is not None:
                values = high - np.abs(values)
            if not column.type.startswith("double"):
                values = values.astype(np.float32)
        if column.nullable:
            gone = missing.setdefault(fit, rng.random(n) < 0.1)
            values = np.ma.MaskedArray(values)
            values[gone] = np.ma.masked
        rows[column.name] = values
    return rows


def ccd_visit(at: Field, mjd: float, visit: int, ccd: int) -> Rows:
    """Return the row of the one detector of a visit."""
    return {
        "ccdVisitId": np.array([ccd]), "visitId": np.array([visit]), "detector": np.array([0]),
        "instrument": ["simulated"], "band": ["ugrizy"[visit % 6]], "filterName": ["r"],
        "programId": ["wide"], "ra": np.array([at.ra]), "decl": np.array([at.decl]),
        "beginTai": np.array([mjd - 2e-4]), "midPointTai": np.array([mjd]),
        "endTai": np.array([mjd + 2e-4]), "exposureTime": np.array([30.0]),
        "nSnaps": np.array([2]), "airmass": np.array([1.2]), "seeing": np.array([0.8]),
        "zeroPoint": np.array([30.0]), "fluxScale": np.array([1.0]),
        "pixelScale": np.array([0.2]), "rotation": np.array([0.0]),
        "astromSysRaErr": np.array([0.01]), "astromSysDeclErr": np.array([0.01]),
        "astromSysCov": np.array([0.0]),
    }  # fmt: skip


def of_visit(mjd: float, number: int) -> tuple[int, int]:
    """Return the identifiers of a visit and of its detector."""
    visit = ids.visit_id(ids.night_of(mjd), number)
    return visit, ids.ccd_visit_id(visit, 0)


def sources(mjd: float, visit: int, ccd: int, ra: Any, decl: Any, rng: Any) -> Rows:
    """Return DIASources measured at true positions, all columns."""
    n = len(ra)
    ra = (ra + rng.normal(0, 0.05, n) / 3600 / np.cos(np.radians(decl))) % 360
    decl = decl + rng.normal(0, 0.05, n) / 3600
    given = {
        "diaSourceId": ids.source_ids(ids.PROMPT, ccd, np.arange(1, n + 1)),
        "ccdVisitId": np.full(n, ccd), "visitId": np.full(n, visit),
        "detector": np.zeros(n, np.int64), "templateId": np.ones(n, np.int64),
        "midPointTai": np.full(n, mjd), "ra": ra, "decl": decl,
        "raErr": np.full(n, 0.05, np.float32), "declErr": np.full(n, 0.05, np.float32),
        "raDeclCov": np.zeros(n, np.float32), "flags": np.zeros(n, np.int64),
        "hpx29": ids.hpx29(ra, decl), "psFlux": rng.normal(1000, 100, n).astype(np.float32),
        "psFluxErr": np.full(n, 50, np.float32), "psLnL": np.full(n, -200, np.float32),
        "psChi2": rng.chisquare(400, n).astype(np.float32), "psNdata": np.full(n, 441),
    }  # fmt: skip
    return filled(dd.shipped()["DIASource"], given, rng)


def forced(mjd: float, visit: int, ccd: int, names: Any, ra: Any, decl: Any, rng: Any) -> Rows:
    """Return forced measurements of objects, all columns."""
    n = len(names)
    given = {
        "diaForcedSourceId": ids.source_ids(ids.PROMPT, ccd, np.arange(1, n + 1)),
        "ccdVisitId": np.full(n, ccd), "visitId": np.full(n, visit),
        "detector": np.zeros(n, np.int64), "diaObjectId": names, "midPointTai": np.full(n, mjd),
        "ra": ra, "decl": decl, "templateId": np.ones(n, np.int64),
        "flags": np.zeros(n, np.int64),
    }  # fmt: skip
    return filled(dd.shipped()["DIAForcedSource"], given, rng)
