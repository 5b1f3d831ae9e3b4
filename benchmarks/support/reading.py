"""Reading twelve months of a field into numpy: its DIAObjects, and their sources of both kinds.

What is read is either every column of the dictionary, or **like for like**: what the rival reads,
column by column, as far as we have it. ``db/dictionary/rubin.yaml`` says which of our columns a
column of the rival's is made of, and those are read:

- a column of ours as it is: raErr in arcsec and not in degrees, spuriousness for reliability;
- a flag, which the rival keeps as a column each: it is a bit of ``flags``, read once;
- an error that we keep within a covariance matrix: its variance, of which numpy takes the root;
- what belongs to the visit (band, exposure time): from CcdVisit, and spread over the sources;
- validityStartMjdTai of a DIAObject: ``radecTai``, the epoch of what its row says.

What the rival has and we have not (``missing`` in that file) is not read, and of our columns not
what the rival has no counterpart of: covariance matrices, identifiers of templates, pixel indexes
and the like.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from skyledger import binary
from skyledger import dictionary as dd
from skyledger.database import rubin

# Relation of ours: the rival's.
RELATIONS = {
    "DIAObject": "DiaObject",
    "DIASource": "DiaSource",
    "DIAForcedSource": "DiaForcedSource",
}
# What rubin.yaml does not list, as it is no column of the relation itself.
ALSO = {
    ("DiaSource", "exposureTime"): "v.exposureTime",
    ("DiaSource", "trail_flag"): "s.flags",
    ("DiaObject", "validityStartMjdTai"): "o.radecTai",
}
_VARIANCE = re.compile(r"science\.cov_err\(\w\.(\w+), (\d+)\)")
_COLUMN = re.compile(r"\b([a-z])\.(\w+)")

Columns = dict[str, str]  # expressions by name


def like(theirs: Mapping[str, Sequence[str]]) -> tuple[dict[str, Columns], list[str]]:
    """Return what to read of each relation, given the rival's columns, and what of CcdVisit."""
    shown = {relation.name: relation for relation in rubin.relations()}
    wanted: dict[str, Columns] = {}
    of_visit: list[str] = []
    for ours, name in RELATIONS.items():
        relation = shown[name]
        known = {column.name: column for column in relation.columns}
        found: Columns = {}
        for column in theirs[name]:
            if (name, column) in ALSO:
                made_of = ALSO[name, column]
            elif column not in known:
                continue
            elif known[column].flag is not None:
                made_of = f"{next(iter(relation.bases))}.flags"
            else:
                made_of = relation.expression(known[column])
            variance = _VARIANCE.search(made_of)
            if variance:
                place = int(variance[2]) * (int(variance[2]) + 1) // 2
                found[column] = f"{variance[1]}[{place}]"
                continue
            for alias, part in _COLUMN.findall(made_of):
                if alias == "v":
                    found["ccdVisitId"] = "ccdVisitId"
                    of_visit += [part] if part not in of_visit else []
                else:
                    found[part] = part
        wanted[ours] = found
    return wanted, of_visit


def every() -> dict[str, Columns]:
    """Return all columns of the dictionary."""
    return {
        name: {column.name: column.name for column in dd.shipped()[name].columns}
        for name in RELATIONS
    }


def field(
    connection: Any, wanted: Mapping[str, Columns], of_visit: Sequence[str], where: dict[str, float]
) -> list[binary.Chunk]:
    """Read a cone (``ra``, ``decl``, ``radius`` [deg]) since ``since`` [MJD TAI], by objects."""
    cone = (
        "spoint(radians(ra), radians(decl)) <@ "
        "scircle(spoint(radians(%(ra)s), radians(%(decl)s)), radians(%(radius)s))"
    )
    # Objects as an array: it is looked up in the index of each month. As a join, every object
    # would pass through all months, since the planner expects few objects in a cone.
    of_objects = (
        f"diaObjectId = ANY (ARRAY(SELECT diaObjectId FROM prompt_live.DIAObject WHERE {cone})) "
        "AND midPointTai >= %(since)s"
    )
    found = []
    for relation, columns in wanted.items():
        listed = ", ".join(f'{sql} AS "{name}"' for name, sql in columns.items())
        chosen = cone if relation == "DIAObject" else of_objects
        query = f"SELECT {listed} FROM prompt_live.{relation} WHERE {chosen}"
        read = binary.rows(connection, query, where)
        for name, sql in columns.items():
            if sql.endswith("]"):
                read[name] = np.ma.sqrt(read[name])
        found.append(read)
    _spread(connection, found, of_visit)
    return found


def _spread(connection: Any, found: list[binary.Chunk], of_visit: Sequence[str]) -> None:
    """Give every source what its ccdVisit says."""
    measured = [read for read in found if "ccdVisitId" in read]
    if not of_visit or not measured:
        return
    seen = np.unique(np.concatenate([np.unique(read["ccdVisitId"].data) for read in measured]))
    visits = binary.rows(
        connection,
        f"SELECT ccdVisitId, {', '.join(of_visit)} FROM prompt_live.CcdVisit "
        "WHERE ccdVisitId = ANY (%s) ORDER BY ccdVisitId",
        (seen.tolist(),),
    )
    for read in measured:
        places = np.searchsorted(visits["ccdvisitid"].data, read["ccdVisitId"].data)
        for name in of_visit:
            values = visits[name.lower()]
            if values.dtype == object:
                values = values.astype("U1")
            read[name] = values[places]
