"""Which DIAObjects get forced photometry: all, or limited by policy."""

import numpy as np
import psycopg2
import pytest
from test_ledger import DD, MJD, Desk, ccd_visit_row, source_rows

from ingest.staging import slot, stage

# A detector of 0.2 deg around (10, 0): the circle around its corners has a radius of 0.1428 deg.
FOOTPRINT = np.array([[9.9, -0.1, 10.1, -0.1, 10.1, 0.1, 9.9, 0.1]])


@pytest.fixture
def desk(fresh_database):
    connection = fresh_database.connect()
    yield Desk(connection)
    connection.close()


def fill(desk):
    """An old object of two sources, an old one of one, a new one, and one outside the circle."""
    desk.publish(1, source_rows(1, [10.0, 10.05], [0.0, 0.0], [100.0, 200.0], MJD), MJD)
    mjd = MJD + 30
    rows = source_rows(1, [10.0, 9.95, 10.15], [0.0, 0.0, 0.0], [100.0, 300.0, 1.0], mjd)
    desk.publish(1, rows, mjd)
    return {
        round(ra, 2): key
        for key, ra in desk.all("SELECT diaobjectid, ra FROM prompt_live.diaobject")
    }


def targets(desk, ra, mjd=MJD + 31):
    """Targets of a visit that sees one source at a right ascension."""
    with slot(desk.connection) as number, desk.connection.cursor() as cursor:
        ccd = ccd_visit_row(2, mjd) | {"footprint": FOOTPRINT}
        stage(desk.connection, DD["CcdVisit"], ccd, number)
        stage(desk.connection, DD["DIASource"], source_rows(2, [ra], [0.0], [1.0], mjd), number)
        cursor.execute("SELECT * FROM staging.associate(%s::smallint)", (number,))
        cursor.execute("SELECT staging.characterize(%s::smallint)", (number,))
        cursor.execute(
            "SELECT diaobjectid, ra FROM staging.forced_targets(%s::smallint, %s)",
            (number, int(ccd["ccdVisitId"][0])),
        )
        found = cursor.fetchall()
        assert [key for key, _ in found] == sorted(key for key, _ in found)
        desk.connection.rollback()
    return sorted(round(place, 2) for _, place in found)


def decide(desk, *values):
    with desk.connection.cursor() as cursor:
        cursor.execute("SELECT ledger.set_forced_policy(%s, %s, %s, %s)", values)
    desk.connection.commit()


@pytest.mark.requirement("DIA-19")
def test_all_objects_on_the_detector_are_forced_unless_the_policy_limits_them(desk):
    objects = fill(desk)
    # The document's default; the visit's own new object at 10.08 takes part, 10.15 is too far.
    assert targets(desk, 10.08) == [9.95, 10.0, 10.05, 10.08]
    decide(desk, "limited", "noise", 2, None)
    assert targets(desk, 10.08) == [10.0]
    # The visit itself makes the object at 9.95 one of two sources.
    assert targets(desk, 9.95) == [9.95, 10.0]
    decide(desk, "limited", "noise", None, 7.0)
    assert targets(desk, 10.08) == [9.95, 10.08]
    decide(desk, "limited", "noise", 2, 7.0)
    assert targets(desk, 10.08) == [9.95, 10.0, 10.08]
    with desk.connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ledger.forcedobject VALUES (%s, science.tai_now(), 'watched')",
            (objects[10.05],),
        )
    desk.connection.commit()
    assert targets(desk, 10.08) == [9.95, 10.0, 10.05, 10.08]
    decide(desk, "all", "room for everything", None, None)
    assert targets(desk, 10.08) == [9.95, 10.0, 10.05, 10.08]
    # Decisions are kept.
    assert desk.one("SELECT count(*) FROM ledger.forcedpolicy") == 4


@pytest.mark.requirement("DIA-19")
def test_the_growth_under_a_policy_is_shown(desk):
    fill(desk)
    assert desk.all("SELECT * FROM ledger.forced_growth()") == [("all", 4, 4, 0.0)]
    decide(desk, "limited", "noise", 2, None)
    assert desk.all("SELECT * FROM ledger.forced_growth()") == [("limited", 4, 1, 0.0)]


@pytest.mark.parametrize(
    "policy",
    [("some", None, None), ("limited", None, None), ("all", 2, None), ("limited", 0, None),
     ("limited", None, float("nan")), (None, None, None)],
)  # fmt: skip
def test_a_policy_that_makes_no_sense_is_refused(desk, policy):
    name, sources, age = policy
    with pytest.raises(psycopg2.Error, match="makes no sense"):
        decide(desk, name, "because", sources, age)


def test_targets_need_a_staged_ccd_visit_with_a_footprint(desk):
    with (
        slot(desk.connection) as number,
        desk.connection.cursor() as cursor,
        pytest.raises(psycopg2.Error, match="ccdVisitId 5 is not staged"),
    ):
        cursor.execute("SELECT * FROM staging.forced_targets(%s::smallint, 5)", (number,))
