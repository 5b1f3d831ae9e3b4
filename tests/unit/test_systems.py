"""Systems of times and positions: which columns have them, and what answers keep of them."""

import pytest
from adql_sets import archive

from services.adql import translate
from skyledger.systems import GALACTIC, ICRS, LEDGER, LEDGER_MJD, OBSERVED, ORBITAL, SYSTEMS

CATALOGUE = archive()
COLUMNS = [
    (table, column)
    for table in CATALOGUE.tables.values()
    if table.schema not in {"TAP_UPLOAD", "tap_schema"}
    for column in table.columns
]


def systems(text):
    return {c.name: c.system for c in translate(text, CATALOGUE).columns}


@pytest.mark.requirement("GEN-29")
def test_every_moment_and_every_position_has_its_system():
    """Told by what names and descriptions say, which the rule does not look at."""
    for table, column in COLUMNS:
        name, where = column.name.lower(), f"{table.full_name}.{column.name}"
        if name.endswith("tai") and column.type in {"timestamp", "double precision"}:
            assert column.system in {LEDGER.name, LEDGER_MJD.name, OBSERVED.name}, where
            assert (column.system == LEDGER.name) == (column.type == "timestamp"), where
        elif name in {"ra", "dec", "decl", "footprint", "s_ra", "s_dec", "s_region"}:
            assert column.system == ICRS.name, where
        if column.system in {OBSERVED.name, LEDGER.name, LEDGER_MJD.name}:
            assert "TAI" in (column.description or "") or name.endswith("tai"), where
        elif column.system == ORBITAL.name:
            assert "Modified Julian Date in TDB" in column.description, where
        elif column.system == GALACTIC.name:
            assert "galactic" in column.description.lower(), where
        elif column.system is None:
            assert not name.endswith("tai"), where
            assert "pos.eq" not in (column.ucd or ""), where
    assert {c.system for _, c in COLUMNS} == {*SYSTEMS, None}


@pytest.mark.requirement("GEN-29")
def test_systems_go_where_the_values_go_and_no_further():
    found = systems(
        "SELECT MAX(q.t) AS latest, MIN(q.t) + 1 AS shifted, AVG(q.x) AS mean, SUM(q.x) AS total, "
        "COALESCE(MIN(q.i), MAX(q.i)) AS known, ABS(MIN(q.x)) AS length, "
        "IN_UNIT(MAX(q.t), 's') AS seconds "
        "FROM (SELECT midPointTai AS t, ra AS x, insertedTai AS i FROM DIASource) AS q"
    )
    assert found == {
        "latest": OBSERVED.name,
        "mean": ICRS.name,
        "known": LEDGER.name,
        **dict.fromkeys(("shifted", "total", "length", "seconds")),
    }
    assert systems("SELECT POINT(1, 2) AS p, CIRCLE(1, 2, 3) AS c, AREA(CIRCLE(1, 2, 3)) AS a "
                   "FROM Visit") == {"p": ICRS.name, "c": ICRS.name, "a": None}  # fmt: skip
    both = "SELECT ra AS x FROM Visit UNION ALL SELECT {} FROM Visit"
    assert systems(both.format("decl")) == {"x": ICRS.name}
    assert systems(both.format("midPointTai")) == {"x": None}
    # Of what somebody uploads nobody knows.
    assert systems("SELECT ra, date FROM TAP_UPLOAD.mine".replace("date", '"date"')) == {
        "ra": None, "date": None,
    }  # fmt: skip
