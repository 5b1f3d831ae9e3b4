"""Ids never collide, in any database or release, and what does not fit is refused by name."""

import numpy as np
import psycopg2
import pytest
from astropy.time import Time
from test_ledger import Desk, source_rows
from test_nearby import load

from skyledger import dictionary, ids
from skyledger.database import schema
from skyledger.errors import DatabaseError, UsageError


def spread(rng, bits, n):
    """Pick n different values of a field, the lowest and the highest among them."""
    top = (1 << bits) - 1
    return np.unique(np.append(rng.choice(top - 1, n - 2, replace=False) + 1, [0, top]))


@pytest.mark.requirement("GEN-18")
def test_ten_million_ids_are_ten_million_numbers():
    """Four databases, 250 detectors of visits each, 10,000 serials: every field to its limits."""
    rng = np.random.default_rng(18)
    databases = spread(rng, ids.DATABASE_BITS, 4)
    ccd_visits = {}
    for night in spread(rng, ids.NIGHT_BITS, 5):
        for sequence in spread(rng, ids.VISIT_BITS, 5):
            visit = ids.visit_id(int(night), int(sequence))
            for detector in spread(rng, ids.DETECTOR_BITS, 10):
                key = int(night), int(sequence), int(detector)
                ccd_visits[key] = ids.ccd_visit_id(visit, int(detector))
    serials = spread(rng, ids.SERIAL_BITS, 10_000)
    made = np.concatenate(
        [
            ids.source_ids(int(database), ccd_visit, serials)
            for database in databases
            for ccd_visit in ccd_visits.values()
        ]
    )
    assert made.size == 10_000_000
    assert made.min() >= 0
    # Taken apart again, field by field: two different things can have no common number.
    fields = made.reshape(4, 250, 10_000)
    assert (fields >> 54 == databases[:, None, None]).all()
    assert (fields & 524287 == serials).all()
    exposures = fields >> 19 & ((1 << 35) - 1)
    assert (exposures == np.array(list(ccd_visits.values()))[:, None]).all()
    night, sequence, detector = np.array(list(ccd_visits)).T
    assert (exposures[0, :, 0] >> 20 == night).all()
    assert (exposures[0, :, 0] >> 9 & 2047 == sequence).all()
    assert (exposures[0, :, 0] & 511 == detector).all()
    made.sort()
    assert (np.diff(made) > 0).all()


@pytest.mark.requirement("GEN-18")
def test_ids_of_objects_differ_and_fall_apart_into_what_they_were_made_of():
    rng = np.random.default_rng(19)
    n = 1_000_000
    pixel = rng.integers(0, 12 * 4**5, n)
    serial = rng.permutation(np.append(np.arange(n - 1), (1 << 39) - 1))
    made = np.concatenate([ids.object_ids(int(d), pixel, serial) for d in (0, 1, 2, 511)])
    assert (made.reshape(4, n) >> 54 == np.array([0, 1, 2, 511])[:, None]).all()
    assert (made.reshape(4, n) >> 39 & 16383 == pixel).all()
    assert (made.reshape(4, n) & ((1 << 39) - 1) == serial).all()
    made.sort()
    assert (np.diff(made) > 0).all()


def one(value):
    return np.array([value], dtype=np.int64)


@pytest.mark.requirement("GEN-18")
@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: ids.visit_id(1 << 15, 1), "night is 32768, but an id holds 0 to 32767"),
        (lambda: ids.visit_id(-1, 1), "night is -1, but an id holds 0 to 32767"),
        (lambda: ids.visit_id(1, 2048), "visit of the night is 2048, but an id holds 0 to 2047"),
        (lambda: ids.ccd_visit_id(1, 512), "detector is 512, but an id holds 0 to 511"),
        (
            lambda: ids.ccd_visit_id(1 << 26, 1),
            "visitId is 67108864, but an id holds",
        ),
        (lambda: ids.source_ids(512, 1, one(1)), "database is 512, but an id holds 0 to 511"),
        (lambda: ids.source_ids(1, 1 << 35, one(1)), "ccdVisitId is 34359738368, but an id holds"),
        (
            lambda: ids.source_ids(1, 1, one(1 << 19)),
            "serial is 524288, but an id holds 0 to 5",
        ),
        (lambda: ids.object_ids(512, one(1), one(1)), "database is 512"),
        (
            lambda: ids.object_ids(1, one(1 << 14), one(1)),
            "HEALPix pixel is 16384, but",
        ),
        (
            lambda: ids.object_ids(1, one(1), one(1 << 39)),
            "serial is 549755813888, but",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_field_and_limit(make, said):
    with pytest.raises(UsageError, match=said):
        make()


def test_the_last_night_is_the_one_that_the_documentation_names():
    last = Time("2079-09-18T13:00:00", scale="tai").mjd
    assert ids.night_of(last) == (1 << 15) - 1
    with pytest.raises(UsageError, match="night is 32768"):
        ids.visit_id(ids.night_of(last + 1), 1)


@pytest.mark.requirement("GEN-18")
def test_the_database_refuses_what_does_not_fit(connection):
    with connection.cursor() as cursor:
        cursor.execute("SELECT setval('ledger.object_serial', 549755813887)")
        with pytest.raises(psycopg2.Error, match=r'maximum value of sequence "object_serial"'):
            cursor.execute("SELECT nextval('ledger.object_serial')")
    connection.rollback()
    with connection.cursor() as cursor, pytest.raises(psycopg2.Error, match="database_values"):
        cursor.execute(
            "INSERT INTO ledger.database (databaseid, name, kind, registeredtai) "
            "VALUES (512, 'dr511', 'release', science.tai_now())"
        )
    connection.rollback()
    with connection.cursor() as cursor, pytest.raises(psycopg2.Error, match="database_pkey"):
        cursor.execute(
            "INSERT INTO ledger.database (databaseid, name, kind, registeredtai) "
            "VALUES (1, 'dr1', 'release', science.tai_now())"
        )


@pytest.mark.requirement("GEN-18")
def test_prompt_and_two_releases_share_no_id_but_those_of_exposures(fresh_database, tmp_path):
    connection = fresh_database.connect()
    desk = Desk(connection)
    places = np.linspace(10, 10.01, 40)
    desk.publish(1, source_rows(1, places, np.zeros(40), np.full(40, 100.0)))
    load(connection, tmp_path, ra=places, decl=np.zeros(40), extendedness=np.zeros(40))
    schema.create_release(connection, "dr1")
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(databaseid) + 1 FROM ledger.database")
        number = cursor.fetchone()[0]
        cursor.execute(
            "INSERT INTO ledger.database (databaseid, name, kind, registeredtai) "
            "VALUES (%s, 'dr1', 'release', science.tai_now())",
            (number,),
        )
        # The same objects and measurements again, numbered as the release numbers them.
        cursor.execute(
            "INSERT INTO dr1.object (objectid, ra, decl, hpx29, flags, flags2) "
            "SELECT science.object_id(%s, science.object_pixel(objectid), "
            "science.object_serial(objectid)), ra, decl, hpx29, 0, 0 FROM dr0.object",
            (number,),
        )
        cursor.execute(
            "SELECT array_agg(science.source_id(%s, science.source_ccd_visit(diasourceid), "
            "science.source_serial(diasourceid))), array_agg(diasourceid) "
            "FROM prompt_live.diasource",
            (number,),
        )
        again, first = cursor.fetchone()
    connection.commit()
    listed = [
        {r[0] for r in desk.all(f"SELECT {name}")}
        for name in (
            "diaobjectid FROM prompt_live.diaobject",
            "objectid FROM dr0.object",
            "objectid FROM dr1.object",
        )
    ]
    listed += [set(first), set(again)]
    assert [len(s) for s in listed] == [40] * 5
    assert len(set().union(*listed[:3])) == 120
    assert len(set().union(*listed[3:])) == 80
    assert {i >> 54 for i in set().union(*listed)} == {1, 2, 3}
    # Every id leads to the same exposure.
    (exposure,) = desk.all("SELECT ccdvisitid FROM prompt_live.ccdvisit")
    for own in (first, again):
        assert desk.all(
            "SELECT DISTINCT science.source_ccd_visit(i) FROM unnest(%s) AS i", own
        ) == [exposure]
    connection.close()


def test_a_database_with_ids_of_the_first_layout_is_refused(empty_database):
    """Ten bits of database and fourteen of night; empty partitions are made again."""
    connection = empty_database.connect()
    schema.upgrade(connection, "first_light")
    old = 1 << 53
    needed = [c for c in dictionary.shipped()["DIASource"].columns if not c.nullable]
    row = {c.sql_name: 61000.2 if c.name == "midPointTai" else 1 for c in needed}
    row |= {"diasourceid": old + 1, "insertedtai": "2026-01-01", "createdtai": "2026-01-01"}
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE prompt_store.diasource_p202511 PARTITION OF prompt_store.diasource "
            "FOR VALUES FROM (%s) TO (%s)",
            (old, old + (1 << 50)),
        )
        cursor.execute(
            "SELECT set_config('skyledger.publishing', pg_current_xact_id()::text, true)"
        )
        cursor.execute(
            f"INSERT INTO prompt_store.diasource ({', '.join(row)}) "
            f"VALUES ({', '.join(['%s'] * len(row))})",
            list(row.values()),
        )
    connection.commit()
    with pytest.raises(
        DatabaseError, match=rf"{old + 1} has the layout of first light[\s\S]*db init"
    ):
        schema.upgrade(connection)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('skyledger.publishing', pg_current_xact_id()::text, true)"
        )
        cursor.execute("DELETE FROM prompt_store.diasource")
    connection.commit()
    assert schema.upgrade(connection)
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('prompt_store.diasource_p202511')")
        assert cursor.fetchone() == (None,)
    connection.close()
