"""Filters that vary over an image, and the passes over planes beside them."""

import numpy as np
import pytest
from scipy import ndimage, signal

from processing import masks, smoothing, tiles
from processing.psf import PsfModel

SHAPE = (210, 330)


def gauss(sigma, reach):
    x = np.arange(-reach, reach + 1.0)
    line = np.exp(-0.5 * (x / sigma) ** 2)
    stamp = np.outer(line, line)
    return stamp / stamp.sum()


def test_a_constant_filter_is_a_convolution():
    rng = np.random.default_rng(1)
    wide = rng.normal(size=(SHAPE[0] + 10, SHAPE[1] + 10)).astype(np.float32)
    stamp = rng.normal(size=(13, 13))  # no symmetry hides a flip
    found = tiles.convolved(wide, SHAPE, 6, lambda _x, _y: stamp)
    # The margin of 5 pixels is used, zeros beyond it.
    expected = signal.convolve(wide.astype(float), stamp, "same", "direct")[5:-5, 5:-5]
    # Single precision: 169 products of order 1 each.
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_filter_that_varies_linearly_is_interpolated_exactly():
    rng = np.random.default_rng(2)
    image = rng.normal(size=SHAPE).astype(np.float32)
    stamps = rng.normal(size=(3, 9, 9))
    found = tiles.convolved(image, SHAPE, 4, lambda x, y: stamps[0] + x * stamps[1] + y * stamps[2])
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    parts = [signal.convolve(image.astype(float), s, "same", "direct") for s in stamps]
    expected = parts[0] + x * parts[1] + y * parts[2]
    # Values reach 1e4; single precision.
    np.testing.assert_allclose(found, expected, atol=2e-6 * np.abs(expected).max())


@pytest.mark.requirement("DIA-01")
def test_the_score_is_the_likelihood_of_a_point_source():
    rng = np.random.default_rng(3)
    variance = rng.uniform(1, 4, SHAPE).astype(np.float32)
    image = (rng.normal(size=SHAPE) * np.sqrt(variance)).astype(np.float32)
    good = rng.random(SHAPE) > 0.05
    image[~good] = np.nan  # what is not good is not looked at
    stamp = gauss(1.6, 8)
    stamp[:, 9:] *= 0.8  # no symmetry hides a flip
    score, error = tiles.likelihood(image, variance, good, PsfModel.constant(stamp))
    stamp = PsfModel.constant(stamp).image(0, 0)
    for y, x in ((100, 150), (0, 0), (209, 329), (40, 7)):
        if not good[y, x]:
            assert score[y, x] == 0
            assert error[y, x] == np.inf
            continue
        rows, columns = np.mgrid[y - 8 : y + 9, x - 8 : x + 9]
        on = (rows >= 0) & (rows < SHAPE[0]) & (columns >= 0) & (columns < SHAPE[1])
        p, (r, c) = stamp[on], (rows[on], columns[on])
        seen = good[r, c]
        w = 1 / variance[r, c][seen]
        down = np.sum(w * p[seen] ** 2)
        flux = np.sum(w * p[seen] * image[r, c][seen]) / down
        assert error[y, x] == pytest.approx(1 / np.sqrt(down), rel=1e-4)
        assert score[y, x] == pytest.approx(flux * np.sqrt(down), abs=1e-3)


def test_smoothing_agrees_with_scipy():
    image = np.random.default_rng(4).normal(size=SHAPE).astype(np.float32)
    expected = ndimage.gaussian_filter(image, 1.7, truncate=3, mode="nearest")
    np.testing.assert_allclose(smoothing.gaussian(image, 1.7), expected, atol=2e-6)
    expected = ndimage.uniform_filter(image, 5, mode="nearest")
    np.testing.assert_allclose(smoothing.box(image, 2), expected, atol=2e-6)


def test_masks_spread_over_circles():
    rng = np.random.default_rng(5)
    image = rng.normal(size=SHAPE).astype(np.float32)
    disk = np.hypot(*np.mgrid[-4:5, -4:5]) <= 4
    expected = ndimage.binary_dilation(np.abs(image) > 3.5, disk)
    np.testing.assert_array_equal(masks.around(image, 3.5, 4), expected)
    mask = rng.choice([0, 1, 2, 4, 6], size=SHAPE, p=[0.9, 0.04, 0.03, 0.02, 0.01]).astype(np.int32)
    spread = masks.spread(mask, 2, 4)
    np.testing.assert_array_equal(
        spread & 2 != 0, ndimage.binary_dilation(masks.flagged(mask, 2), disk)
    )
    np.testing.assert_array_equal(spread & 5, mask & 5)
    other = np.roll(mask, 7)
    both = masks.merged(mask, 5, other, 2, 4)
    np.testing.assert_array_equal(both & 5, mask & 5)
    np.testing.assert_array_equal(both & 2, masks.spread(other, 2, 4) & 2)
