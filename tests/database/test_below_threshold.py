"""What is not published: artificial sources, and what no rule wants below the threshold."""

import numpy as np
import psycopg2
import pytest
from test_ledger import DD, MJD, Desk, source_rows

from ingest.staging import slot
from skyledger.dictionary import flag_bit

WEAK, CHOSEN = (1 << flag_bit("DIASource", name) for name in ("SUBTHRESHOLD", "CHOSEN"))
FAKE = 1 << flag_bit("DIASource", "INJECTED")


@pytest.fixture
def desk(fresh_database):
    connection = fresh_database.connect()
    yield Desk(connection)
    connection.close()


@pytest.mark.parametrize("name", ["DIASource", "DIAForcedSource", "DIAObject", "SSObject"])
def test_the_rule_against_artificial_sources_names_their_flag(name):
    assert f"flags & {1 << flag_bit(name, 'INJECTED')} = 0" in DD[name].checks


@pytest.mark.requirement("GEN-12")
def test_artificial_sources_are_refused(desk):
    rows = source_rows(1, [10.0, 10.1], [0.0, 0.0], [100.0, 200.0])
    rows["flags"] = np.array([0, FAKE])
    desk.publish(1, rows)
    assert desk.all("SELECT ra, flags FROM prompt_live.diasource") == [(10.0, 0)]
    ((reason,),) = desk.all("SELECT reason FROM ledger.rejected")
    assert f"flags & {FAKE} = 0" in reason


def test_nor_do_they_come_in_without_validation(desk):
    rows = source_rows(1, [10.0], [0.0], [100.0])
    with slot(desk.connection) as number, desk.connection.cursor() as cursor:
        batch = desk.stage(number, 1, rows)
        cursor.execute("UPDATE staging.diasource SET flags = %s", (FAKE,))
        with pytest.raises(psycopg2.errors.CheckViolation):
            cursor.execute("SELECT ledger.publish(%s)", (batch,))
        desk.connection.rollback()


def rule(desk, name, associated=False, fraction=1.0, **conditions):
    names = ["rulename", "isassociated", "fraction", "isinforce", "reason", *conditions]
    with desk.connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO ledger.subthresholdrule ({', '.join(names)}) "
            f"VALUES ({', '.join(['%s'] * len(names))})",
            (name, associated, fraction, True, "to test it", *conditions.values()),
        )
    desk.connection.commit()


def choose(desk, sequence, ra, snr, mjd=MJD, weak=True):
    """Stage detections of a visit, choose and associate; returns right ascension: flags, object."""
    n = len(ra)
    rows = source_rows(sequence, ra, [0.0] * n, [50.0] * n, mjd)
    rows["snr"] = np.asarray(snr, float)
    rows["flags"] = np.full(n, WEAK if weak else 0)
    with slot(desk.connection) as number, desk.connection.cursor() as cursor:
        batch = desk.stage(number, sequence, rows, mjd)
        cursor.execute("UPDATE staging.ccdvisit SET ndiasources = %s", (n,))
        cursor.execute("SELECT staging.choose_subthreshold(%s::smallint)", (number,))
        removed = cursor.fetchone()[0]
        cursor.execute("SELECT * FROM staging.associate(%s::smallint)", (number,))
        cursor.execute("SELECT staging.characterize(%s::smallint)", (number,))
        cursor.execute("SELECT staging.characterize_fluxes(%s::smallint)", (number,))
        cursor.execute("SELECT ledger.publish(%s)", (batch,))
        desk.connection.commit()
    ccd = int(rows["ccdVisitId"][0])
    found = desk.all(
        "SELECT ra, flags, diaobjectid FROM prompt_live.diasource WHERE ccdvisitid = %s", ccd
    )
    count = desk.one("SELECT ndiasources FROM prompt_live.ccdvisit WHERE ccdvisitid = %s", ccd)
    assert (count, removed) == (len(found), n - len(found))
    return {round(place, 2): (flags, owner) for place, flags, owner in found}


@pytest.mark.requirement("DIA-21")
def test_without_a_rule_nothing_below_the_threshold_is_kept(desk):
    assert choose(desk, 1, [10.0, 10.1], [4.5, 4.9]) == {}
    assert len(choose(desk, 2, [10.0], [7.0], weak=False)) == 1


@pytest.mark.requirement("DIA-21")
def test_a_sample_is_kept_and_takes_part_in_nothing(desk):
    rule(desk, "sample", fraction=0.1)
    ra = 10 + 1e-4 * np.arange(2000)
    rows = choose(desk, 1, ra, np.full(2000, 4.5))
    # Places that round to the same hundredth fall together here: the database has counted.
    n = desk.one("SELECT count(*) FROM prompt_live.diasource")
    assert 130 < n < 270  # 200 expected, five standard deviations
    assert {(flags, owner) for flags, owner in rows.values()} == {(WEAK, None)}
    assert desk.one("SELECT count(*) FROM prompt_live.diaobject") == 0


@pytest.mark.requirement("DIA-21")
def test_conditions_choose_what_is_associated(desk):
    strong = choose(desk, 1, [10.0, 10.05], [9.0, 9.0], weak=False)
    rule(desk, "near objects", associated=True, objectradius=2.0, minsnr=4.3)
    rule(desk, "circle", ra=10.1, decl=0.0, radius=0.005)
    rule(desk, "other band", band="u")
    # Near an object; near one but too faint; in the circle; nowhere.
    found = choose(desk, 2, [10.0, 10.05, 10.1, 10.2], [4.5, 4.2, 4.1, 4.9], MJD + 1)
    assert set(found) == {10.0, 10.1}
    assert found[10.0] == (WEAK | CHOSEN, strong[10.0][1])
    assert found[10.1] == (WEAK, None)
    # A rule out of force is kept and not used.
    with desk.connection.cursor() as cursor:
        cursor.execute("UPDATE ledger.subthresholdrule SET isinforce = false")
    desk.connection.commit()
    assert choose(desk, 3, [10.0, 10.1], [4.5, 4.5], MJD + 2) == {}
    assert desk.all("SELECT * FROM ledger.audit()") == []
