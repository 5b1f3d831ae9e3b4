"""Denormalised relations: the row with its visit, and fluxes as magnitudes."""

import numpy as np
import pytest
from test_ledger import MJD, Desk, source_rows
from test_living_relations import Archivist

from skyledger import dictionary
from skyledger.resources import db_dir


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
@pytest.mark.parametrize("name", sorted(p.stem for p in (db_dir() / "views").glob("*.sql")))
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
    assert derived or name == "diasourceobjectmatch"
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


@pytest.fixture
def archivist(fresh_database):
    connection = fresh_database.connect()
    yield Archivist(connection)
    connection.close()


@pytest.mark.requirement("L1DB-04", "GEN-24")
def test_the_way_from_source_to_object_is_the_two_step_join(archivist):
    desk = archivist
    desk.publish(1, source_rows(1, [10.0, 11.0, 12.0], [0.0] * 3, [100.0] * 3))
    desk.publish(2, source_rows(2, [10.0, 11.0], [0.0] * 2, [90.0] * 2, MJD + 1), MJD + 1)
    before = desk.one("SELECT ledger.horizon()")
    # Two stars and a galaxy near the first object, a galaxy near the second, nothing at the third.
    near = {
        10: [(71, "nearbyStar1", 3.5), (72, "nearbyStar2", 9.0), (73, "nearbyGal1", 0.5)],
        11: [(73, "nearbyGal1", 20.0)],
    }
    objects = {
        round(ra): i for i, ra in desk.all("SELECT diaobjectid, ra FROM prompt_live.diaobject")
    }
    for ra, neighbours in near.items():
        given = {"ndiasources": "ndiasources"}
        for identifier, place, distance in neighbours:
            given[place.lower()] = str(identifier)
            given[f"{place}Dist".lower()] = str(distance)
            given[f"{place}LnP".lower()] = str(-distance)
        names = [c.sql_name for c in dictionary.shipped()["DIAObject"].columns]
        desk.put(
            f"INSERT INTO staging.diaobject (slot, {', '.join(names)}, replacestai) "
            f"SELECT {{slot}}, {', '.join(given.get(n, n) for n in names)}, createdtai "
            f"FROM prompt_store.diaobject WHERE diaobjectid = {objects[ra]}"
        )
    links = desk.all("SELECT diasourceid, diaobjectid FROM prompt_live.diasource")
    wanted = set()
    for source, owner in links:
        (ra,) = (r for r, i in objects.items() if i == owner)
        ranked = sorted(near.get(ra, []), key=lambda n: n[2])
        for rank, (identifier, place, distance) in enumerate(ranked, start=1):
            wanted.add((source, owner, identifier, distance, rank, "Gal" in place, -distance))
    assert len(wanted) == 8
    query = "SELECT diaSourceId, diaObjectId, objectId, dist, rank, isGalaxy, lnP FROM {}"
    assert set(desk.all(query.format("prompt_live.DIASourceObjectMatch"))) == wanted
    assert set(desk.all(query.format("prompt.DIASourceObjectMatch"))) == wanted
    now = desk.one("SELECT ledger.horizon()")
    assert set(desk.all(query.format("prompt_at.DIASourceObjectMatch(%s)"), now)) == wanted
    assert desk.all(query.format("prompt_at.DIASourceObjectMatch(%s)"), before) == []
    assert desk.all(
        "SELECT objectId, dist, rank FROM prompt.DIAObjectMatch WHERE diaObjectId = %s "
        "ORDER BY rank",
        objects[10],
    ) == [(73, 0.5, 1), (71, 3.5, 2), (72, 9.0, 3)]
    assert len(desk.all("SELECT objectId FROM rubin.DiaObject_To_Object_Match")) == 4


@pytest.mark.requirement("GEN-29")
def test_observations_of_solar_system_objects_with_magnitudes(archivist):
    desk = archivist
    desk.publish(1, source_rows(1, [10.0], [0.0], [2000.0]))
    desk.put(
        "INSERT INTO staging.ssobject (slot, ssobjectid, designation, ndiasources, flags) "
        "VALUES ({slot}, 7, '2026 AA', 1, 0)"
    )
    desk.put(
        "INSERT INTO staging.sssource (slot, diasourceid, ssobjectid, midpointtai, phaseangle, "
        "heliocentricdist, topocentricdist) "
        "SELECT {slot}, diasourceid, 7, midpointtai, 20, 2.5, 2 FROM prompt_store.diasource"
    )
    found = desk.all(
        "SELECT designation, band, totMag, reducedMag, phaseAngle FROM prompt.SSSourceFull"
    )
    magnitude = 31.4 - 2.5 * np.log10(3000.0)
    assert found[0][:2] == ("2026 AA", "r")
    # real fluxes: seven digits
    assert found[0][2:] == pytest.approx((magnitude, magnitude - 5 * np.log10(5.0), 20), abs=1e-5)
