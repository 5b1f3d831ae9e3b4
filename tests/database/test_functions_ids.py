"""Ids agree with skyledger.ids bit by bit; names of flags."""

import numpy as np
import pytest
from functions_on_arrays import evaluate, one
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skyledger import ids

# The connection is only read, so every example may use the same.
many = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
SEED = 47892


@pytest.fixture
def rng():
    return np.random.default_rng(SEED)


def below(bits):
    return st.integers(0, (1 << bits) - 1)


@pytest.mark.requirement("GEN-18")
@many
@given(
    database=below(ids.DATABASE_BITS),
    night=below(ids.NIGHT_BITS),
    sequence=below(ids.VISIT_BITS),
    detector=below(ids.DETECTOR_BITS),
    serial=below(ids.SERIAL_BITS),
)
def test_ids_of_measured_things(connection, database, night, sequence, detector, serial):
    visit = ids.visit_id(night, sequence)
    ccd_visit = ids.ccd_visit_id(visit, detector)
    (source,) = (int(i) for i in ids.source_ids(database, ccd_visit, np.array([serial])))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT science.visit_id(%s, %s), science.ccd_visit_id(%s, %s), "
            "science.source_id(%s, %s, %s)",
            [night, sequence, visit, detector, database, ccd_visit, serial],
        )
        assert cursor.fetchone() == (visit, ccd_visit, source)
        cursor.execute(
            "SELECT science.id_database(id), science.source_night(id), "
            "science.visit_sequence(science.ccd_visit_visit(science.source_ccd_visit(id))), "
            "science.ccd_visit_detector(science.source_ccd_visit(id)), science.source_serial(id), "
            "science.visit_night(science.ccd_visit_visit(science.source_ccd_visit(id))) "
            "FROM (SELECT %s::bigint AS id) AS given",
            [source],
        )
        parts = ids.parse_source_id(source)
        assert cursor.fetchone() == (
            parts.database,
            parts.night,
            parts.sequence,
            parts.detector,
            parts.serial,
            parts.night,
        )


@pytest.mark.requirement("GEN-18")
@many
@given(
    database=below(ids.DATABASE_BITS),
    pixel=below(ids.PIXEL_BITS),
    serial=below(ids.OBJECT_SERIAL_BITS),
)
def test_ids_of_objects(connection, database, pixel, serial):
    (truth,) = (int(i) for i in ids.object_ids(database, np.array([pixel]), np.array([serial])))
    with connection.cursor() as cursor:
        cursor.execute("SELECT science.object_id(%s, %s, %s)", [database, pixel, serial])
        assert cursor.fetchone() == (truth,)
        cursor.execute(
            "SELECT science.id_database(id), science.object_pixel(id), science.object_serial(id) "
            "FROM (SELECT %s::bigint AS id) AS given",
            [truth],
        )
        assert cursor.fetchone() == (database, pixel, serial)


@pytest.mark.requirement("GEN-18")
@pytest.mark.parametrize(
    "call",
    [
        "visit_id(32768, 0)",
        "visit_id(-1, 0)",
        "visit_id(0, 2048)",
        "visit_id(NULL, 0)",
        "ccd_visit_id(67108864, 0)",
        "ccd_visit_id(0, 512)",
        "ccd_visit_id(0, -1)",
        "source_id(512, 0, 0)",
        "source_id(0, 34359738368, 0)",
        "source_id(0, 0, 524288)",
        "source_id(0, 0, -1)",
        "source_id(0, 0, NULL)",
        "object_id(512, 0, 0)",
        "object_id(0, 16384, 0)",
        "object_id(0, 0, 549755813888)",
        "id_database(NULL)",
        "night_of(NULL)",
    ],
)
def test_what_does_not_fit_gives_no_id(connection, call):
    assert one(connection, f"science.{call}") is None


@pytest.mark.requirement("GEN-18")
def test_largest_ids_are_positive(connection):
    largest = "science.source_id(511, 34359738367, 524287)"
    assert one(connection, largest) == 2**63 - 1
    # One bit of the ids of objects is not in use.
    largest = "science.object_id(511, 16383, 549755813887)"
    assert one(connection, largest) == 2**63 - 1 - 2**53


@pytest.mark.requirement("GEN-18")
def test_night_changes_at_noon(connection, rng):
    mjd = np.concatenate([rng.uniform(47892, 64000, 500), [60000.5, np.nextafter(60000.5, 0)]])
    assert evaluate(connection, "science.night_of(mjd)", mjd=mjd) == [
        ids.night_of(float(m)) for m in mjd
    ]


@pytest.mark.parametrize("bit", [0, 1, 17, 31, 32, 62, 63])
def test_has_flag(connection, bit):
    mask = (1 << bit) - (1 << 64 if bit == 63 else 0)
    found = evaluate(
        connection, "science.has_flag(mask, b::integer)", mask=[mask] * 64, b=list(range(64))
    )
    assert found == [b == bit for b in range(64)]


@pytest.mark.parametrize("arguments", ["1, 64", "1, -1", "NULL, 0", "1, NULL"])
def test_no_such_flag_is_null(connection, arguments):
    assert one(connection, f"science.has_flag({arguments})") is None


def test_flag_names(connection):
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO ledger.flagdefinition (relation, bit, columnName, name, description) "
            "VALUES ('Telescope', %s, %s, %s, 'invented for this test')",
            [
                (0, "flags", "EDGE"),
                (5, "flags", "SATURATED"),
                (62, "flags", "LAST"),
                (64, "flags2", "MORE"),
            ],
        )
    names = "science.flag_names(%s, %s)"
    assert one(connection, names, "Telescope", 1 | 1 << 62) == ["EDGE", "LAST"]
    assert one(connection, names, "telescope", 1 << 5 | 1 << 7) == ["SATURATED", "bit 7"]
    assert one(connection, names, "Telescope", -(1 << 63)) == ["bit 63"]
    assert one(connection, names, "Telescope", 0) == []
    assert one(connection, names, "Telescope", None) is None
    assert one(connection, names, None, 1) is None
    names = "science.flag_names(%s, %s, %s)"
    assert one(connection, names, "Telescope", 1 << 5, 3) == ["SATURATED", "MORE", "bit 65"]
    assert one(connection, names, "Telescope", 0, 0) == []
    assert one(connection, names, "Telescope", 1, None) is None
