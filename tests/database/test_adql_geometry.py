"""Geometry of ADQL, computed a second time with vectors (numpy) and astropy."""

import itertools

import astropy.units as u
import numpy as np
import pytest
from adql_desk import HERE, LAT, LON, vectors
from astropy.coordinates import SkyCoord


def selected(sky, condition):
    """Numbers of the places for which a condition holds."""
    return {k for (k,) in sky.rows(f"SELECT id FROM TAP_UPLOAD.places WHERE {condition}")}


def chosen(mask):
    return set(np.flatnonzero(mask).tolist())


@pytest.mark.requirement("GEN-01")
@pytest.mark.parametrize("radius", [0.5, 3.0, 40.0, 89.5, 120.0, 180.0])
@pytest.mark.parametrize(("lon", "lat"), [(0, 0), (359.9, 0.1), (100, 40), (12, 89.5), (0, -90)])
def test_cones_hold_what_is_near(sky, lon, lat, radius):
    far = HERE.separation(SkyCoord(lon * u.deg, lat * u.deg)).deg
    # The edge of a circle is known to 0.0003 arcsec; none of the places is that near to it.
    sure = np.abs(far - radius) > 1e-7
    inside = chosen((far < radius) & sure)
    for condition in (
        f"1 = CONTAINS(POINT(lon, lat), CIRCLE({lon}, {lat}, {radius}))",
        f"CONTAINS(POINT('ICRS', lon, lat), CIRCLE('ICRS', {lon}, {lat}, {radius})) <> 0",
        f"1 = INTERSECTS(CIRCLE(POINT({lon}, {lat}), {radius}), POINT(lon, lat))",
        f"DISTANCE(lon, lat, {lon}, {lat}) <= {radius}",
        f"{radius} > DISTANCE(POINT({lon}, {lat}), POINT(lon, lat))",
        f"DISTANCE(lon, lat, {lon}, {lat}) BETWEEN 0 AND {radius}",
        f"NOT DISTANCE(lon, lat, {lon}, {lat}) > {radius}",
    ):
        assert selected(sky, condition) & chosen(sure) == inside, condition
    outside = f"CONTAINS(POINT(lon, lat), CIRCLE({lon}, {lat}, {radius})) = 0"
    assert selected(sky, outside) & chosen(sure) == chosen((far > radius) & sure)


@pytest.mark.requirement("GEN-01")
def test_distances_are_those_of_astropy(sky):
    rows = sky.rows(
        "SELECT a.id, b.id, DISTANCE(a.lon, a.lat, b.lon, b.lat), "
        "DISTANCE(POINT(a.lon, a.lat), CENTROID(CIRCLE(b.lon, b.lat, 1))) "
        "FROM TAP_UPLOAD.places AS a, TAP_UPLOAD.places AS b WHERE MOD(a.id, 7) = 0 AND b.id < 250"
    )
    first, second, *distances = np.array(rows, dtype=float).T
    truth = HERE[first.astype(int)].separation(HERE[second.astype(int)]).deg
    for found in distances:
        # A double holds an angle of 180 degrees to 3e-14.
        np.testing.assert_allclose(found, truth, atol=1e-12)


def inside_convex(corners):
    """Whether places are left of all sides of a polygon whose corners run anticlockwise."""
    v = vectors(*np.array(corners, dtype=float).T)
    normals = np.cross(v, np.roll(v, -1, axis=0))
    side = vectors(LON, LAT) @ normals.T
    assert np.abs(side[:400]).min() > 1e-9, "a place lies on the edge"
    return (side > 0).all(axis=1)


POLYGONS = [
    [(98, 38), (103, 38), (101, 43)],
    [(358.5, -1.1), (1.3, -1.2), (1.5, 1.1), (0.2, 1.9), (358.7, 1.3)],
    [(0, 87), (120, 87.5), (240, 86.8)],
    [(10, -88), (250, -87), (130, -87.5)],
    [(60, -10), (140, -20), (150, 70), (70, 60)],
]


@pytest.mark.requirement("GEN-01")
@pytest.mark.parametrize("corners", POLYGONS)
def test_polygons_hold_what_is_left_of_all_sides(sky, corners):
    truth = chosen(inside_convex(corners))
    numbers = ", ".join(f"{lon}, {lat}" for lon, lat in corners)
    points = ", ".join(f"POINT({lon}, {lat})" for lon, lat in reversed(corners))
    assert truth
    for shape in (
        f"POLYGON({numbers})",
        f"POLYGON('ICRS', {numbers})",
        f"POLYGON({points})",
        f"REGION('POLYGON ICRS {numbers.replace(',', '')}')",
        f"CAST('{numbers.replace(',', '')}' AS POLYGON)",
    ):
        assert selected(sky, f"1 = CONTAINS(POINT(lon, lat), {shape})") == truth, shape


@pytest.mark.requirement("GEN-01")
@pytest.mark.parametrize(
    ("lon", "lat", "width", "height"),
    [(100, 40, 6, 4), (0.2, 0.1, 2, 1), (30, 88, 5, 3), (200, -89, 4, 4), (100, 20, 80, 60)],
)
def test_boxes_have_sides_at_right_angles_to_their_cross(sky, lon, lat, width, height):
    centre = vectors(lon, lat)
    east = np.array([-np.sin(np.radians(lon)), np.cos(np.radians(lon)), 0])
    north = np.cross(centre, east)
    v = vectors(LON, LAT)
    x, y, z = v @ centre, v @ east, v @ north
    # A side is the great circle whose pole lies on the arm, 90 degrees from its end.
    a, b = np.radians(width / 2), np.radians(height / 2)
    truth = (np.abs(y) * np.cos(a) < x * np.sin(a)) & (np.abs(z) * np.cos(b) < x * np.sin(b))
    box = f"BOX({lon}, {lat}, {width}, {height})"
    assert truth.any()
    assert selected(sky, f"1 = CONTAINS(POINT(lon, lat), {box})") == chosen(truth)
    corners = (
        f"lon = 0 OR 1 = CONTAINS(POINT(lon, lat), BOX('ICRS', {lon}, {lat}, {width}, {height}))"
    )
    assert chosen(truth) <= selected(sky, corners)


@pytest.mark.requirement("GEN-01")
@pytest.mark.parametrize("corners", POLYGONS)
def test_areas_and_centroids_are_those_of_triangles(sky, corners):
    v = vectors(*np.array(corners, dtype=float).T)
    areas, middles = [], []
    # Cut into small triangles about the middle of the corners; each counts with its own middle.
    hub = v.sum(axis=0) / np.linalg.norm(v.sum(axis=0))
    steps = np.linspace(0, 1, 201)
    for first, second in zip(v, np.roll(v, -1, axis=0), strict=True):
        edge = np.outer(1 - steps, first) + np.outer(steps, second)
        rings = [(1 - t) * hub + t * edge for t in steps]
        rings = [r / np.linalg.norm(r, axis=1, keepdims=True) for r in rings]
        for lower, upper in itertools.pairwise(rings):
            for p, q, r in (
                (lower[:-1], upper[:-1], upper[1:]),
                (lower[:-1], upper[1:], lower[1:]),
            ):
                areas.append(np.linalg.norm(np.cross(q - p, r - p), axis=1) / 2)
                middles.append((p + q + r) / 3)
    areas, middles = np.concatenate(areas), np.concatenate(middles)
    mean = (areas[:, None] * middles).sum(axis=0)
    numbers = ", ".join(f"{lon}, {lat}" for lon, lat in corners)
    ((area, (lon, lat)),) = sky.rows(
        f"SELECT TOP 1 AREA(POLYGON({numbers})), CENTROID(POLYGON({numbers})) "
        f"FROM TAP_UPLOAD.places"
    )
    # 40,000 flat triangles a side: short of the sphere by the square of their size, 1e-5.
    assert area == pytest.approx(np.degrees(np.degrees(areas.sum())), rel=1e-4)
    apart = np.degrees(np.arccos(np.clip(vectors(lon, lat) @ mean / np.linalg.norm(mean), -1, 1)))
    assert apart < 1e-3


@pytest.mark.requirement("GEN-01")
@pytest.mark.parametrize(
    "vertices",
    ["{NULL,1,2,3,4,5}", "{1,2,3,NULL,4,5}", "[0:5]={1,2,3,4,5,6}", "{{1,2},{3,4},{5,6}}", "{}"],
)
def test_a_polygon_without_a_corner_is_none_and_harms_nobody(sky, vertices):
    with sky.connection.cursor() as cursor:
        # pg_sphere itself would bring the server down.
        cursor.execute("SELECT science.polygon(%s::float8[]), 1", (vertices,))
        assert cursor.fetchall() == [(None, 1)]


@pytest.mark.requirement("GEN-01")
def test_areas_of_circles(sky):
    for radius in (0.1, 5, 90, 120):
        ((area,),) = sky.rows(f"SELECT TOP 1 AREA(CIRCLE(10, 20, {radius})) FROM TAP_UPLOAD.places")
        cap = 2 * np.pi * (1 - np.cos(np.radians(radius)))
        assert area == pytest.approx(np.degrees(np.degrees(cap)), rel=1e-9)


@pytest.mark.requirement("GEN-01")
def test_circles_and_polygons_in_each_other(sky):
    square = "POLYGON(99, 39, 101, 39, 101, 41, 99, 41)"
    cases = {
        "CONTAINS(CIRCLE(100, 40, 0.5), CIRCLE(100, 40, 1))": 1,
        "CONTAINS(CIRCLE(100, 40, 0.5), CIRCLE(101, 40, 1))": 0,
        f"CONTAINS(CIRCLE(100, 40, 0.5), {square})": 1,
        f"CONTAINS(CIRCLE(100, 40, 1.5), {square})": 0,
        f"CONTAINS({square}, CIRCLE(100, 40, 2))": 1,
        f"CONTAINS({square}, CIRCLE(100, 40, 1))": 0,
        f"CONTAINS(POLYGON(99.5, 39.5, 100.5, 39.5, 100, 40.5), {square})": 1,
        f"CONTAINS({square}, POLYGON(99.5, 39.5, 100.5, 39.5, 100, 40.5))": 0,
        "INTERSECTS(CIRCLE(100, 40, 0.5), CIRCLE(101, 40, 0.5))": 1,
        "INTERSECTS(CIRCLE(100, 0, 0.5), CIRCLE(101.1, 0, 0.5))": 0,
        f"INTERSECTS(CIRCLE(102, 40, 1), {square})": 1,
        f"INTERSECTS({square}, CIRCLE(102, 40, 0.5))": 0,
        f"INTERSECTS({square}, POLYGON(100, 40, 105, 40, 105, 45))": 1,
        f"INTERSECTS({square}, BOX(110, 40, 2, 2))": 0,
        "CONTAINS(POINT(10, 20), POINT(370, 20))": 1,
        "CONTAINS(POINT(10, 20), POINT(10, 20.1))": 0,
    }
    shown = ", ".join(cases)
    (row,) = sky.rows(f"SELECT TOP 1 {shown} FROM TAP_UPLOAD.places")
    assert dict(zip(cases, row, strict=True)) == cases
    # As conditions they say the same.
    for call, value in cases.items():
        for asked in (0, 1):
            found = sky.rows(f"SELECT TOP 1 id FROM TAP_UPLOAD.places WHERE {call} = {asked}")
            assert len(found) == (asked == value), call


@pytest.mark.requirement("GEN-01")
def test_geometries_are_shown_in_degrees_and_taken_back(sky):
    (row,) = sky.rows(
        "SELECT POINT(lon, lat), CIRCLE(lon, lat, 0.5), POLYGON(lon, lat, 10, 0, 10, 1), "
        "COORD1(POINT(lon, lat)), COORD2(POINT(lon, lat)) FROM TAP_UPLOAD.places WHERE id = 3"
    )
    lon, lat = LON[3], LAT[3]
    assert row == ([lon, lat], [lon, lat, 0.5], [lon, lat, 10, 0, 10, 1], lon, lat)
    found = sky.rows(
        "SELECT q.id FROM (SELECT id, POINT(lon, lat) AS p, CIRCLE(lon, lat, 0.5) AS c FROM "
        f"TAP_UPLOAD.places) AS q WHERE 1 = CONTAINS(POINT({lon}, {lat}), q.c) AND q.id = 3 "
        f"AND DISTANCE(q.p, POINT({lon}, {lat})) < 1e-9"
    )
    assert found == [(3,)]


@pytest.mark.requirement("GEN-01")
def test_an_upload_finds_its_neighbours(sky):
    rows = sky.rows(
        "SELECT m.id, o.diaObjectId, DISTANCE(m.ra, m.dec, o.ra, o.decl) FROM TAP_UPLOAD.mine AS m "
        "JOIN DIAObject AS o ON DISTANCE(m.ra, m.dec, o.ra, o.decl) < 0.2"
    )
    objects = sky.rows("SELECT diaObjectId, ra, decl FROM DIAObject")
    there = np.array([(ra, decl) for _, ra, decl in objects])
    mine = sky.rows("SELECT id, ra, dec FROM TAP_UPLOAD.mine")
    truth = set()
    for identifier, ra, dec in mine:
        far = SkyCoord(ra * u.deg, dec * u.deg).separation(
            SkyCoord(there[:, 0] * u.deg, there[:, 1] * u.deg)
        )
        truth |= {(identifier, objects[k][0]) for k in np.flatnonzero(far.deg < 0.2)}
    assert {(a, b) for a, b, _ in rows} == truth
    assert len(truth) > 50
