"""Tables that functions of schema ``science`` make of the living database, as ADQL sees them.

Each row is computed when it is asked for, object by object (`skyledger.catalogue.Table.by`).
"""

from skyledger.catalogue import Column, Table
from skyledger.systems import system_of

# Name, type, unit, UCD, description.
_LIGHT_CURVE = (
    ("diaObjectId", "bigint", None, "meta.id;src", "Identifier of the DIAObject."),
    (
        "midPointTai",
        "double precision",
        "d",
        "time.epoch;obs.exposure;meta.main",
        "Mid-point of the visit, as a Modified Julian Date in TAI.",
    ),
    ("band", "text", None, "instr.bandpass", "Photometric band: one of u, g, r, i, z, y."),
    (
        "kind",
        "text",
        None,
        "meta.code.class",
        "source: a DIASource; forced: a forced measurement; limit: covered, nothing measured.",
    ),
    ("flux", "real", "nJy", "phot.flux", "Point-source flux on the difference image."),
    ("fluxErr", "real", "nJy", "stat.error;phot.flux", "Standard error of flux."),
    (
        "noise",
        "real",
        "nJy",
        "stat.error;phot.flux",
        "One sigma of a point source on the difference image, for limits.",
    ),
    ("ccdVisitId", "bigint", None, "meta.id;obs.image", "Detector of the visit, see CcdVisit."),
    ("visitId", "bigint", None, "meta.id;obs.exposure", "Visit."),
    ("diaSourceId", "bigint", None, "meta.id", "The DIASource, for rows of kind source."),
)
_OBJECT_HISTORY = (
    ("diaObjectId", "bigint", None, "meta.id;src", "Identifier of the DIAObject."),
    (
        "tai",
        "timestamp",
        None,
        "time.creation;meta.main",
        "Instant of ledger time (TAI) at which the archive came to know.",
    ),
    (
        "event",
        "text",
        None,
        "meta.code.class",
        "founded, version, source gained, source lost or closed.",
    ),
    ("diaSourceId", "bigint", None, "meta.id", "The DIASource that was gained or lost."),
    (
        "midPointTai",
        "double precision",
        "d",
        "time.epoch;obs.exposure",
        "When that was observed, as a Modified Julian Date in TAI.",
    ),
)


def _columns(listed: tuple[tuple[str, str, str | None, str, str], ...]) -> tuple[Column, ...]:
    return tuple(
        Column(
            name, kind, unit, ucd, None, said, principal=True, indexed=name == "diaObjectId",
            system=system_of(kind, unit, ucd),
        )
        for name, kind, unit, ucd, said in listed
    )  # fmt: skip


def _light_curve() -> Table:
    columns = _columns(_LIGHT_CURVE)
    names = ", ".join("l." + c.sql for c in columns[1:])

    def body(objects: str, instant: str) -> str:
        return (
            f"(SELECT o.diaobjectid, {names} FROM {objects} AS o CROSS JOIN LATERAL "
            f"science.light_curve(ARRAY[o.diaobjectid]{instant}) AS l)"
        )

    return Table(
        "prompt",
        "LightCurve",
        columns,
        body("prompt_live.diaobject", ""),
        body("prompt_at.diaobject({instant})", ", instant => {instant}"),
        "Light curves: for each DIAObject and each visit that covers it the DIASource, else the "
        "forced measurement, else the noise, which limits how bright it can have been. Ask for "
        "single objects: WHERE diaObjectId = ..., or a join by it.",
        key=("diaobjectid", "visitid"),
        by="diaObjectId",
    )


def _object_history() -> Table:
    columns = _columns(_OBJECT_HISTORY)
    names = ", ".join("h." + c.sql for c in columns[1:])
    # Each object has one version that founded it, whatever became of it.
    body = (
        f"(SELECT o.diaobjectid, {names} FROM prompt_history.diaobject AS o CROSS JOIN LATERAL "
        f"science.object_history(ARRAY[o.diaobjectid]) AS h WHERE o.createdtai = o.insertedtai"
    )
    return Table(
        "prompt",
        "ObjectHistory",
        columns,
        f"{body})",
        f"{body} AND o.createdtai <= {{instant}} AND h.tai <= {{instant}} "
        f"AND (SELECT ledger.settled({{instant}})))",
        "What the archive came to know of a DIAObject, and when, in ledger time: that it was "
        "founded, gained or lost a DIASource, had another version, was closed. Ask for single "
        "objects: WHERE diaObjectId = ..., or a join by it.",
        by="diaObjectId",
    )


def tables() -> list[Table]:
    """Return ``prompt.LightCurve`` and ``prompt.ObjectHistory``."""
    return [_light_curve(), _object_history()]
