"""Denormalised relations: the row with its visit, and fluxes as magnitudes."""

import numpy as np
import pytest
from test_ledger import MJD, Desk, source_rows

from skyledger import dictionary


@pytest.fixture
def desk(fresh_database):
    connection = fresh_database.connect()
    yield Desk(connection)
    connection.close()


@pytest.mark.requirement("GEN-17", "GEN-29", "L1DB-05")
def test_sources_with_band_and_magnitudes_in_all_forms(desk):
    rows = source_rows(1, [10.0, 11.0, 12.0], [0.0] * 3, [1.0, -1.0, 3631e9])
    first = desk.publish(1, rows)
    desk.publish(2, source_rows(2, [13.0], [0.0], [50.0], MJD + 1), MJD + 1)
    wanted = "band, filtername, psflux, psmag, psmagerr, pschi2dof"
    at = desk.all(f"SELECT {wanted} FROM prompt_at.diasourcefull(%s) ORDER BY diasourceid", first)
    assert [r[0] for r in at] == ["r"] * 3
    assert at[0][3] == pytest.approx(31.4, abs=1e-4)
    assert at[0][4] == pytest.approx(1.085736 * 10.0 / 1.0, rel=1e-5)
    assert at[1][3] is None
    assert at[1][4] is None
    assert at[2][3] == pytest.approx(0.0, abs=1e-3)
    assert at[0][5] == pytest.approx(400.0 / (441 - 3))
    assert desk.one("SELECT count(*) FROM prompt_live.diasourcefull") == 4
    assert desk.one("SELECT count(*) FROM prompt.diasourcefull") == 4


@pytest.mark.requirement("GEN-29", "GEN-14")
@pytest.mark.parametrize("name", ["diasourcefull", "diaforcedsourcefull", "diaobjectfull"])
def test_every_column_of_a_full_relation_is_described(connection, name):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT attname, col_description(attrelid, attnum) FROM pg_attribute "
            "WHERE attrelid = %s::regclass AND attnum > 0",
            (f"prompt.{name}",),
        )
        said = dict(cursor.fetchall())
    assert [c for c, text in said.items() if not text] == []
    derived = set(dictionary.all_derived()) & set(said)
    assert derived
    assert all(said[c].endswith("[mag]") for c in derived if "mag" in c)


@pytest.mark.requirement("GEN-29")
def test_the_instant_is_pruned_and_the_sky_index_used_through_a_full_relation(desk):
    for k in (1, 2, 3):
        desk.publish(k, source_rows(k, [10.0 + k], [0.0], [100.0], MJD + 40 * k), MJD + 40 * k)
    with desk.connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        for relation in ("prompt_live.diasourcefull", "prompt_at.diasourcefull(ledger.horizon())"):
            cursor.execute(
                f"EXPLAIN SELECT band, psmag FROM {relation} "
                "WHERE science.in_cone(ra, decl, 11, 0, 5)"
            )
            plan = "\n".join(r[0] for r in cursor.fetchall())
            assert "spoint" in plan
            assert "Function Scan" not in plan
            assert "sky_idx" in plan or "spoint_idx" in plan
    desk.connection.rollback()
    assert np.isfinite(desk.one("SELECT max(totmag) FROM prompt.diasourcefull"))
