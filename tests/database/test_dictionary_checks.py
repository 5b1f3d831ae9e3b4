"""The conditions of the dictionary refuse wrong rows, and only those, in the database itself."""

from typing import Any

import psycopg2
import pytest
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from skyledger.database import metadata
from skyledger.dictionary import shipped

DIASOURCE = {
    "diaSourceId": 1, "ccdVisitId": 1, "visitId": 1, "detector": 0, "midPointTai": 60000.5,
    "ra": 10.0, "decl": -5.0, "hpx29": 3, "flags": 0, "templateId": 1, "x": 1.0, "y": 2.0,
}  # fmt: skip
FIT = {"psFluxErr": 2.0, "psLnL": -3.0, "psChi2": 4.0, "psNdata": 9, "psCov": [1, 0, 1, 0, 0, 1]}
TEMPLATE = {
    "templateId": 1, "instrument": "simulated", "band": "r", "ra": 10.0, "decl": -5.0,
    "nVisits": 1, "inputCcdVisitIds": [5], "beginTai": 60000.1, "endTai": 60000.1,
    "meanTai": 60000.1,
}  # fmt: skip
SSOBJECT = {"ssObjectId": 1, "nDiaSources": 0, "flags": 0}
OBJECT = {
    "objectId": 1, "ra": 10.0, "decl": -5.0, "hpx29": 3, "flags": 0, "flags2": 0, "apNann": 2,
}  # fmt: skip
DIAOBJECT = {
    "diaObjectId": 1, "ra": 10.0, "decl": -5.0, "hpx29": 3, "radecTai": 60000.0,
    "nDiaSources": 1, "flags": 0,
}  # fmt: skip

GOOD = [
    ("DIASource", DIASOURCE),
    ("DIASource", DIASOURCE | {"psFlux": -50.0} | FIT),
    ("DIASource", DIASOURCE | {"ra": 0.0, "decl": 90.0, "trailAngle": 179.99}),
    ("DIASource", DIASOURCE | {"flags": 2**62}),
    ("DIASource", DIASOURCE | {"ssObjectId": 7}),
    # A weighted mean of equal times differs from them in the last digit.
    ("Template", TEMPLATE | {"meanTai": 60000.1 - 7e-12}),
    ("SSObject", SSOBJECT | {"oeCov": [0.0] * 28}),
    ("Object", OBJECT | {"uApMeanSb": [1.0, 2.0]}),
    ("DIAObject", DIAOBJECT | {"nearbyObj": [1, None, None, 4, None, None]}),
]
BAD = [
    ("DIASource", DIASOURCE | {"diaObjectId": 1, "ssObjectId": 2}),
    ("DIASource", DIASOURCE | {"parentDiaSourceId": 1}),
    ("DIASource", DIASOURCE | {"psFlux": -50.0}),
    ("DIASource", DIASOURCE | {"psFlux": -50.0} | FIT | {"psFluxErr": -2.0}),
    ("DIASource", DIASOURCE | {"psFlux": float("nan")} | FIT),
    ("DIASource", DIASOURCE | {"psCov": [1, 2, 3]}),
    ("DIASource", DIASOURCE | {"trailFlux": 1.0}),
    ("DIASource", DIASOURCE | {"dipMeanFlux": 1.0}),
    ("DIASource", DIASOURCE | {"ra": 360.5}),
    ("DIASource", DIASOURCE | {"decl": -90.5}),
    ("DIASource", DIASOURCE | {"extendedness": 1.5}),
    ("DIASource", DIASOURCE | {"templateId": None}),
    ("Template", TEMPLATE | {"nVisits": 2}),
    ("Template", TEMPLATE | {"meanTai": 60001.0}),
    ("Template", TEMPLATE | {"band": "v"}),
    ("SSObject", SSOBJECT | {"orbFitChi2": 3.0}),
    ("Object", OBJECT | {"uApMeanSb": [1.0]}),
    ("Object", OBJECT | {"yBdFluxB": 3.0}),
    ("DIAObject", DIAOBJECT | {"pmRa": 3.0}),
    ("DIAObject", DIAOBJECT | {"nearbyStar1LnP": 0.5}),
]


@pytest.fixture
def cursor(connection: Any) -> Any:
    """Return a cursor of a database with empty tables of all kinds in schema ``checked``."""
    with connection.cursor() as opened:
        opened.execute("CREATE SCHEMA checked")
        for table in metadata.release(shipped(), "checked").sorted_tables:
            opened.execute(str(CreateTable(table).compile(dialect=postgresql.dialect())))
        for relation in shipped().of_kind("living"):
            # Not the table itself: that one is written by publications alone.
            name = relation.sql_name
            opened.execute(
                f"CREATE TABLE checked.{name} (LIKE prompt_store.{name} INCLUDING CONSTRAINTS)"
            )
            opened.execute(
                f"ALTER TABLE checked.{name} DROP COLUMN insertedtai, DROP COLUMN createdtai"
            )
        yield opened


def _insert(cursor: Any, relation: str, row: dict[str, Any]) -> None:
    holes = ", ".join(["%s"] * len(row))
    cursor.execute(
        f"INSERT INTO checked.{relation} ({', '.join(row)}) VALUES ({holes})", list(row.values())
    )


@pytest.mark.requirement("GEN-05", "GEN-14", "DIA-04", "CAT-01")
def test_good_rows_are_taken(cursor: Any) -> None:
    for relation, row in GOOD:
        _insert(cursor, relation, row)
    cursor.execute("SELECT min(psFlux) FROM checked.DIASource")
    assert cursor.fetchone() == (-50.0,)


@pytest.mark.requirement("GEN-05", "DIA-04", "CAT-01")
def test_wrong_rows_are_refused(cursor: Any) -> None:
    for relation, row in BAD:
        cursor.execute("SAVEPOINT before")
        with pytest.raises(psycopg2.errors.IntegrityError) as caught:
            _insert(cursor, relation, row)
        # By a condition of the dictionary, not by a mistake in this test.
        assert caught.value.pgcode in {"23514", "23502"}, (relation, row)
        cursor.execute("ROLLBACK TO before")
