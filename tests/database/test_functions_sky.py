"""Separations, bearings, cones and proper motion on the whole sphere."""

import warnings

import astropy.units as u
import numpy as np
import psycopg2
import pytest
from astropy.coordinates import SkyCoord
from astropy.coordinates.angles import angular_separation
from astropy.time import Time
from functions_on_arrays import evaluate, numbers, one

SEED = 17830522
ARCSEC = 1 / 3600


@pytest.fixture
def rng():
    return np.random.default_rng(SEED)


def pairs(rng):
    """Pairs of positions [deg]: anywhere, close, at the poles, over RA 0, opposite."""
    n = 2000
    ra1 = rng.uniform(0, 360, n)
    decl1 = np.degrees(np.arcsin(rng.uniform(-1, 1, n)))
    ra2 = rng.uniform(0, 360, n)
    decl2 = np.degrees(np.arcsin(rng.uniform(-1, 1, n)))
    step = 10 ** rng.uniform(-9, 0, n)
    sets = [
        (ra1, decl1, ra2, decl2),
        (ra1, decl1, ra1 + step, np.clip(decl1 + step, -90, 90)),
        (ra1, np.full(n, 90.0), ra2, 90 - step),
        (ra1, -90 + step, ra2, -90 + step[::-1]),
        (step % 360, decl1, 360 - step, decl1),
        (ra1, decl1, (ra1 + 180) % 360, np.clip(-decl1 + step, -90, 90)),
    ]
    return {
        name: np.concatenate(columns)
        for name, columns in zip(("ra1", "decl1", "ra2", "decl2"), zip(*sets, strict=True),
                                 strict=True)
    }  # fmt: skip


def test_separation_equals_astropy(connection, rng):
    columns = pairs(rng)
    truth = angular_separation(*(np.radians(columns[n]) for n in ("ra1", "decl1", "ra2", "decl2")))
    found = numbers(connection, "science.separation(ra1, decl1, ra2, decl2)", **columns)
    # Coordinates as doubles are good to 3e-14 degrees, 1e-10 arcsec; so are both formulas.
    assert np.allclose(found, np.degrees(truth) / ARCSEC, rtol=1e-14, atol=5e-10)


@pytest.mark.parametrize(
    ("positions", "arcsec"),
    [
        ((10, 20, 10, 20), 0),
        ((0, 0, 360, 0), 0),
        ((0, 0, 180, 0), 648000),
        ((12, 34, 192, -34), 648000),
        ((0, 90, 123, -90), 648000),
        ((0, 90, 77, 90), 0),
        ((359.9999, 0, 0.0001, 0), 0.72),
        ((0, 0, 0, 1e-12), 3.6e-9),
        ((0, 89.9999, 180, 89.9999), 0.72),
        ((0, 0, 179.999999, 0), 648000 - 0.0036),
    ],
)
def test_separation_in_closed_form(connection, positions, arcsec):
    found = one(connection, "science.separation(%s, %s, %s, %s)", *positions)
    assert found == pytest.approx(arcsec, rel=1e-9, abs=5e-10)


def test_position_angle_equals_astropy(connection, rng):
    columns = pairs(rng)
    first = SkyCoord(columns["ra1"], columns["decl1"], unit="deg")
    second = SkyCoord(columns["ra2"], columns["decl2"], unit="deg")
    truth = first.position_angle(second).deg
    found = numbers(connection, "science.position_angle(ra1, decl1, ra2, decl2)", **columns)
    assert found.min() >= 0
    assert found.max() < 360
    # Rounding of the coordinates turns the bearing by up to 1e-14 radians over the sine of the
    # separation; astropy's formula cancels and adds as much again. At a pole the direction
    # "North" is that of the right ascension as written, in both.
    lever = np.maximum(np.sin(first.separation(second).rad), 1e-15)
    off = np.abs((found - truth + 180) % 360 - 180)
    assert (off <= np.degrees(2e-15 / lever)).all()


@pytest.mark.parametrize(
    ("positions", "angle"),
    [
        ((10, 0, 10, 1), 0),
        ((10, 0, 11, 0), 90),
        ((10, 0, 10, -1), 180),
        ((10, 0, 9, 0), 270),
        ((0, 0, 359, 0), 270),
        ((359.5, 0, 0.5, 0), 90),
        ((0, 0, -1e-100, 1), 0),  # a hair west of North is rounded to 0, not to 360
    ],
)
def test_position_angle_in_closed_form(connection, positions, angle):
    assert one(connection, "science.position_angle(%s, %s, %s, %s)", *positions) == pytest.approx(
        angle, abs=1e-12
    )


@pytest.mark.parametrize("missing", range(4))
@pytest.mark.parametrize("name", ["separation", "position_angle"])
def test_missing_coordinate_gives_null(connection, name, missing):
    arguments = ["NULL" if k == missing else "1" for k in range(4)]
    assert one(connection, f"science.{name}({', '.join(arguments)})") is None


@pytest.fixture
def sky(connection, rng):
    """Table of positions with the GiST index of the product, crowded where cones are hard."""
    n = 4000
    ra = np.concatenate([rng.uniform(0, 360, n), rng.uniform(-0.3, 0.3, n) % 360,
                         rng.uniform(0, 360, n), rng.uniform(0, 360, n)])  # fmt: skip
    decl = np.concatenate([np.degrees(np.arcsin(rng.uniform(-1, 1, n))), rng.uniform(-0.3, 0.3, n),
                           90 - rng.uniform(0, 0.3, n), -90 + rng.uniform(0, 0.3, n)])  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE sky (id int, ra float8, decl float8)")
        cursor.execute(
            "INSERT INTO sky "
            "SELECT row_number() OVER (), * FROM unnest(%s::float8[], %s::float8[])",
            [ra.tolist(), decl.tolist()],
        )
        cursor.execute(
            "CREATE INDEX sky_position ON sky USING gist (spoint(radians(ra), radians(decl)))"
        )
        cursor.execute("ANALYZE sky")
    return ra, decl


CONES = [(0, 0, 600), (359.999, 0.05, 60), (0.001, -0.2, 1), (123, 90, 300), (0, 90, 0.5),
         (77, -90, 900), (200, -89.9, 600), (40, 10, 36000), (180, 0, 324000)]  # fmt: skip


@pytest.mark.parametrize("cone", CONES)
def test_cone_finds_what_lies_within(connection, sky, cone):
    ra, decl = sky
    ra0, decl0, radius = cone
    distance = angular_separation(*np.radians([ra, decl]), *np.radians([ra0, decl0]))
    distance = np.degrees(distance) / ARCSEC
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM sky WHERE science.in_cone(ra, decl, %s, %s, %s)", cone)
        found = np.zeros(ra.size, dtype=bool)
        found[[row[0] - 1 for row in cursor.fetchall()]] = True
    # pg_sphere compares with a tolerance of 1e-9 radians, 0.0002 arcsec.
    sharp = np.abs(distance - radius) > 3e-4
    assert (found == (distance < radius))[sharp].all()
    assert found.any() or radius < 10


def test_cone_uses_the_index(connection, sky):
    with connection.cursor() as cursor:
        cursor.execute(
            "EXPLAIN (VERBOSE) SELECT id FROM sky WHERE science.in_cone(ra, decl, 359.999, 0, 5)"
        )
        plan = "\n".join(line for (line,) in cursor.fetchall())
        assert "sky_position" in plan
        assert "in_cone" not in plan
        assert "Seq Scan" not in plan


def test_cross_match_uses_the_index(connection, sky):
    ra, decl = sky
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE upload (id int, ra float8, decl float8)")
        cursor.execute("INSERT INTO upload SELECT id, ra, decl FROM sky WHERE id %% 400 = %s", [1])
        cursor.execute("ANALYZE upload")
        query = (
            "SELECT u.id, s.id FROM upload AS u "
            "JOIN sky AS s ON science.in_cone(s.ra, s.decl, u.ra, u.decl, 30)"
        )
        cursor.execute("EXPLAIN (VERBOSE) " + query)
        plan = "\n".join(line for (line,) in cursor.fetchall())
        assert "sky_position" in plan
        cursor.execute(query)
        found = set(cursor.fetchall())
    chosen = np.arange(0, ra.size, 400)
    distance = angular_separation(
        *(x[:, None] for x in np.radians([ra[chosen], decl[chosen]])), *np.radians([ra, decl])
    )
    i, j = np.nonzero(np.degrees(distance) / ARCSEC < 30)
    assert found == {(int(chosen[a]) + 1, int(b) + 1) for a, b in zip(i, j, strict=True)}


def test_cone_with_missing_position_is_unknown(connection):
    assert one(connection, "science.in_cone(NULL, 0, 0, 0, 1)") is None
    assert one(connection, "science.in_cone(0, 0, 0, 0, NULL)") is None


@pytest.mark.parametrize("radius", [-1, 324001])
def test_impossible_cone_is_refused(connection, radius):
    with pytest.raises(psycopg2.Error, match="radius"):
        one(connection, "science.in_cone(0, 0, 0, 0, %s)", radius)


def moving(rng, n):
    decl = np.degrees(np.arcsin(rng.uniform(-1, 1, n)))
    decl[:6] = [89.9999999, -89.9999999, 89.99, -89.99, 0, 0]
    ra = rng.uniform(0, 360, n)
    ra[4:6] = [359.9999999, 1e-8]
    return {
        "ra": ra,
        "decl": decl,
        "pm_ra": rng.normal(0, 3000, n),
        "pm_decl": rng.normal(0, 3000, n),
        "epoch": rng.uniform(48000, 62000, n),
        "mjd": rng.uniform(48000, 62000, n),
    }


def unit_vector(ra, decl):
    """Cartesian vectors, shape (3, n), of positions [rad]."""
    return np.array([np.cos(decl) * np.cos(ra), np.cos(decl) * np.sin(ra), np.sin(decl)])


def test_motion_equals_astropy(connection, rng):
    star = moving(rng, 1000)
    arguments = "(ra, decl, pm_ra, pm_decl, epoch, mjd)"
    ra = numbers(connection, "science.propagate_ra" + arguments, **star)
    decl = numbers(connection, "science.propagate_decl" + arguments, **star)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # erfa calls dates past its leap seconds dubious
        # The distance keeps astropy from capping the speed; radial velocity is none.
        truth = SkyCoord(
            star["ra"] * u.deg,
            star["decl"] * u.deg,
            distance=50 * u.pc,
            pm_ra_cosdec=star["pm_ra"] * u.mas / u.yr,
            pm_dec=star["pm_decl"] * u.mas / u.yr,
            radial_velocity=0 * u.km / u.s,
            obstime=Time(star["epoch"], format="mjd", scale="tai"),
        ).apply_space_motion(new_obstime=Time(star["mjd"], format="mjd", scale="tai"))
    off = angular_separation(*np.radians([ra, decl]), truth.ra.rad, truth.dec.rad)
    # Both move the star on a straight line; rounding of angles of up to 360 degrees remains.
    assert np.degrees(off).max() / ARCSEC < 1e-8
    assert (ra >= 0).all()
    assert (ra < 360).all()


def test_motion_in_closed_form(connection, rng):
    """A star moves on a great circle by the arctangent of the angle it would move linearly."""
    star = moving(rng, 1000)
    ra = numbers(connection, "science.propagate_ra(ra, decl, pm_ra, pm_decl, epoch, mjd)", **star)
    decl = numbers(
        connection, "science.propagate_decl(ra, decl, pm_ra, pm_decl, epoch, mjd)", **star
    )
    years = (star["mjd"] - star["epoch"]) / 365.25
    angle = np.arctan(np.radians(np.hypot(star["pm_ra"], star["pm_decl"]) / 3.6e6 * years))
    bearing = np.arctan2(star["pm_ra"], star["pm_decl"])
    alpha, delta = np.radians([star["ra"], star["decl"]])
    here, nothing = unit_vector(alpha, delta), np.zeros(alpha.size)
    north = unit_vector(alpha + np.pi, np.pi / 2 - delta)
    east = np.array([-np.sin(alpha), np.cos(alpha), nothing])
    truth = here * np.cos(angle) + np.sin(angle) * (
        north * np.cos(bearing) + east * np.sin(bearing)
    )
    off = np.linalg.norm(unit_vector(*np.radians([ra, decl])) - truth, axis=0)
    # Rounding of angles of up to 360 degrees: a few 1e-10 arcsec.
    assert np.degrees(off).max() / ARCSEC < 2e-9


def test_motion_over_the_pole(connection):
    """10 arcsec north from 4 arcsec below the pole: 6 arcsec below it, on the other side."""
    arguments = "(30, 90 - 4 / 3600.0, 0, 1000, 50000, 50000 + 3652.5)"
    assert one(connection, "science.propagate_ra" + arguments) == pytest.approx(210, abs=1e-6)
    assert one(connection, "science.propagate_decl" + arguments) == pytest.approx(
        90 - 6 * ARCSEC, abs=1e-11
    )


def test_star_at_rest_stays(connection):
    ra, decl = [0.0, 0.0, 359.999, 180.0, 12.5], [0.0, 90.0, -90.0, 45.0, -89.0]
    arguments = "(ra, decl, 0, 0, 50000, 60000)"
    found = numbers(connection, "science.propagate_ra" + arguments, ra=ra, decl=decl)
    assert np.allclose(found, ra, rtol=0, atol=1e-9)
    found = numbers(connection, "science.propagate_decl" + arguments, ra=ra, decl=decl)
    assert np.allclose(found, decl, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["propagate_ra", "propagate_decl"])
@pytest.mark.parametrize("missing", range(6))
def test_unknown_motion_gives_unknown_position(connection, name, missing):
    arguments = ["NULL" if k == missing else "1" for k in range(6)]
    assert evaluate(connection, f"science.{name}({', '.join(arguments)})", k=[1]) == [None]


@pytest.mark.parametrize(("ra", "decl"), [(10.0, 0.0), (0.0, -60.0), (123.0, 89.9)])
def test_polygon_of_a_footprint_holds_its_middle_and_has_its_area(connection, ra, decl):
    half = np.radians(0.05)
    centre = SkyCoord(ra, decl, unit="deg")
    corners = [
        centre.directional_offset_by(bearing * u.deg, half * np.sqrt(2) * u.rad)
        for bearing in (225, 135, 45, 315)
    ]
    vertices = [float(v) for c in corners for v in (c.ra.deg, c.dec.deg)]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT spoint(radians(%s), radians(%s)) <@ science.polygon(%s::float8[]), "
            "spoint(radians(%s), radians(%s)) <@ science.polygon(%s::float8[]), "
            "area(science.polygon(%s::float8[]))",
            (ra, decl, vertices, ra, decl - 0.06, vertices, vertices),
        )
        inside, outside, area = cursor.fetchone()
    assert inside
    assert not outside
    # A square of side 2 * half on the tangent plane; the sphere differs by half**2 / 3.
    assert area == pytest.approx(4 * half**2, rel=1e-4)
