"""Polygons of masked sky against the pixels they stand for."""

import numpy as np
import pytest

from processing.exposure import UNUSABLE, Mask
from processing.regions import masked_polygons, rectangles


def test_rectangles_cover_the_masked_pixels_once():
    rng = np.random.default_rng(4)
    mask = np.where(rng.uniform(size=(70, 90)) < 0.2, int(Mask.CR), 0).astype(np.int32)
    mask[:, 40:43] |= int(Mask.BAD)
    mask[10:30, 60:80] |= int(Mask.SAT)
    mask[0, 0] = int(Mask.DETECTED)  # not asked for
    drawn = np.zeros(mask.shape, dtype=int)
    for x1, x2, y1, y2 in rectangles(mask):
        drawn[y1 : y2 + 1, x1 : x2 + 1] += 1
    assert np.array_equal(drawn, ((mask & int(UNUSABLE)) != 0).astype(int))
    column = np.zeros((50, 60), dtype=np.int32)
    column[:, 7:9] = int(Mask.BAD)
    assert rectangles(column).tolist() == [[7, 8, 0, 49]]
    assert len(rectangles(np.zeros((5, 5), dtype=np.int32))) == 0


def spherical_area(ra, decl):
    """Area [arcsec^2] of a small polygon by the planes through its corners (Girard)."""
    vector = np.stack(
        [
            np.cos(np.radians(decl)) * np.cos(np.radians(ra)),
            np.cos(np.radians(decl)) * np.sin(np.radians(ra)),
            np.sin(np.radians(decl)),
        ],
        axis=-1,
    )
    total = 0.0
    for k in (1, 2):
        cross = np.cross(vector[k] - vector[0], vector[k + 1] - vector[0])
        total += np.linalg.norm(cross) / 2
    return total * np.degrees(3600) ** 2


@pytest.mark.requirement("GEN-13")
def test_masked_sky_has_the_area_of_its_pixels_and_holds_their_points(smoke_survey):
    exposure = smoke_survey.processed[0][1].exposure
    polygons = masked_polygons(exposure)
    assert 50 < len(polygons) < 20_000
    area = sum(
        spherical_area(np.asarray(ra), np.asarray(decl))
        for ra, decl in zip(polygons["ra"], polygons["decl"], strict=True)
    )
    pixels = (~exposure.usable()).sum() * exposure.quality["pixelScale"] ** 2
    assert area == pytest.approx(pixels, rel=0.001)
    # Random points of the sky: inside a polygon, by the signs of its sides, as by the pixel.
    rng = np.random.default_rng(5)
    x, y = rng.uniform(0, 511, (2, 2000))
    points = exposure.wcs.all_pix2world(np.column_stack([x, y]), 0)
    ra, decl = np.asarray(polygons["ra"]), np.asarray(polygons["decl"])
    inside = np.zeros(2000, dtype=bool)
    for k, (a, d) in enumerate(points):
        sides = [
            (ra[:, (i + 1) % 4] - ra[:, i]) * (d - decl[:, i])
            - (decl[:, (i + 1) % 4] - decl[:, i]) * (a - ra[:, i])
            for i in range(4)
        ]
        inside[k] = np.any(
            np.all(np.array(sides) > 0, axis=0) | np.all(np.array(sides) < 0, axis=0)
        )
    by_pixel = ~exposure.usable()[np.rint(y).astype(int), np.rint(x).astype(int)]
    assert by_pixel.sum() > 10
    assert (inside == by_pixel).mean() > 0.998
