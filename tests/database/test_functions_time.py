"""UTC, TAI and MJD against astropy; the clock."""

import datetime as dt
import warnings

import erfa
import numpy as np
import psycopg2
import pytest
from astropy.time import Time
from functions_on_arrays import evaluate, numbers, one

SEED = 19720101
SECOND = dt.timedelta(seconds=1)
MICROSECOND = dt.timedelta(microseconds=1)

STEPS = [
    (dt.datetime(int(row["year"]), int(row["month"]), 1), int(row["tai_utc"]))  # noqa: DTZ001 - UTC
    for row in erfa.leap_seconds.get()
    if row["year"] >= 1972
]


@pytest.fixture
def rng():
    return np.random.default_rng(SEED)


def instants(rng, n):
    """Random instants from 1972 to 2035, whole microseconds."""
    seconds = rng.uniform(0, 63 * 365.25 * 86400, n)
    start = dt.datetime(1972, 1, 1)  # noqa: DTZ001 - UTC or TAI, as the test reads it
    return [start + dt.timedelta(seconds=float(s)) for s in seconds]


def astropy_says(values, source, target):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", erfa.ErfaWarning)  # years past the last leap second
        return getattr(Time(values, format="datetime", scale=source), target)


def same(found, truth):
    """Whether the instants agree to the microsecond, to which astropy's dates are rounded."""
    return all(abs(a - b) <= MICROSECOND for a, b in zip(found, truth, strict=True))


def test_all_leap_seconds(connection):
    with connection.cursor() as cursor:
        cursor.execute("SELECT utc, tai_minus_utc FROM science.leap_seconds() ORDER BY utc")
        assert cursor.fetchall() == STEPS
    assert len(STEPS) == 28
    assert (STEPS[0][1], STEPS[-1][1]) == (10, 37)


@pytest.mark.parametrize("offset", [-1, -1e-6, 0, 1e-6, 1])
def test_at_every_step(connection, offset):
    utc = [step + dt.timedelta(seconds=offset) for step, _ in STEPS]
    if offset < 0:
        utc = utc[1:]
    tai = evaluate(connection, "science.utc_to_tai(utc)", utc=utc)
    assert same(tai, astropy_says(utc, "utc", "tai").datetime)
    assert evaluate(connection, "science.tai_to_utc(tai)", tai=tai) == utc
    expected = [value - (1 if offset < 0 else 0) for _, value in STEPS[-len(utc) :]]
    assert evaluate(connection, "science.tai_minus_utc(utc)", utc=utc) == expected


def test_random_instants(connection, rng):
    utc = instants(rng, 2000)
    tai = evaluate(connection, "science.utc_to_tai(utc)", utc=utc)
    assert same(tai, astropy_says(utc, "utc", "tai").datetime)
    back = evaluate(connection, "science.tai_to_utc(tai)", tai=tai)
    assert back == utc
    mjd = numbers(connection, "science.utc_to_mjd_tai(utc)", utc=utc)
    truth = astropy_says(utc, "utc", "tai").mjd
    # One step of a double at MJD 60000 is 0.63 microseconds; two of them.
    assert np.abs(mjd - truth).max() <= 1.5e-11
    again = evaluate(connection, "science.mjd_tai_to_utc(mjd)", mjd=mjd)
    assert same(again, utc)


def test_mjd_of_tai(connection, rng):
    tai = [*instants(rng, 500), dt.datetime(1858, 11, 17), dt.datetime(9999, 12, 31, 23, 59, 59)]  # noqa: DTZ001
    found = numbers(connection, "science.tai_to_mjd(tai)", tai=tai)
    assert np.abs(found[:-2] - Time(tai[:-2], format="datetime", scale="tai").mjd).max() <= 1.5e-11
    assert found[-2] == 0
    back = evaluate(connection, "science.mjd_to_tai(mjd)", mjd=found[:-1])
    assert same(back, tai[:-1])


def test_leap_second_reads_as_the_next_day(connection):
    """A timestamp cannot say 23:59:60; PostgreSQL reads it as 00:00:00, and so do the functions."""
    assert one(connection, "science.utc_to_tai('2016-12-31 23:59:60')") == one(
        connection, "science.utc_to_tai('2017-01-01 00:00:00')"
    )
    inside = one(connection, "science.tai_to_utc('2017-01-01 00:00:36.25')")
    assert inside == dt.datetime(2017, 1, 1, 0, 0, 0, 250000)  # noqa: DTZ001
    after = one(connection, "science.tai_to_utc('2017-01-01 00:00:37')")
    assert after == dt.datetime(2017, 1, 1)  # noqa: DTZ001
    before = one(connection, "science.tai_to_utc('2017-01-01 00:00:35.999999')")
    assert before == dt.datetime(2016, 12, 31, 23, 59, 59, 999999)  # noqa: DTZ001


@pytest.mark.parametrize(
    "call",
    [
        "tai_minus_utc('1971-12-31 23:59:59.999999')",
        "utc_to_tai('1971-12-31 23:59:59.999999')",
        "tai_to_utc('1972-01-01 00:00:09.999999')",
        "utc_to_mjd_tai('1960-01-01')",
        "mjd_tai_to_utc(40000)",
        "utc_to_tai(NULL)",
        "tai_to_utc(NULL)",
        "tai_to_mjd(NULL)",
        "mjd_to_tai(NULL)",
        "mjd_to_tai('NaN')",
        "mjd_to_tai('Infinity')",
        "mjd_to_tai(-1e300)",
        "mjd_to_tai(2973484)",
    ],
)
def test_what_cannot_be_said_is_null(connection, call):
    assert one(connection, f"science.{call}") is None


def now():
    return dt.datetime.now(dt.UTC).replace(tzinfo=None) + 37 * SECOND


def test_clock_is_tai_whatever_the_time_zone(connection):
    for zone in ("UTC", "Pacific/Auckland", "America/Santiago"):
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL TIME ZONE %s", [zone])
        early = now()
        found = one(connection, "science.tai_now()")
        assert early - SECOND < found < now() + SECOND


def test_clock_advances_within_a_transaction(connection):
    first = one(connection, "science.tai_now()")
    assert one(connection, "pg_sleep(0.01)") == ""
    assert one(connection, "science.tai_now()") - first >= 10_000 * MICROSECOND


@pytest.mark.parametrize(
    ("offset", "days"), [("12 hours", 0.5), ("-400 days", -400), ("", 0), ("30.5 days", 30.5)]
)
def test_clock_can_be_moved(connection, offset, days):
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL skyledger.clock_offset = %s", [offset])
    expected = now() + dt.timedelta(days=days)
    assert abs(one(connection, "science.tai_now()") - expected) < 2 * SECOND
    mjd = (expected - dt.datetime(1858, 11, 17)) / dt.timedelta(days=1)  # noqa: DTZ001
    assert one(connection, "science.mjd_now()") == pytest.approx(mjd, abs=2 / 86400)


def test_clock_offset_must_be_an_interval(connection):
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL skyledger.clock_offset = 'soon'")
        with pytest.raises(psycopg2.errors.InvalidDatetimeFormat, match="soon"):
            cursor.execute("SELECT science.tai_now()")
