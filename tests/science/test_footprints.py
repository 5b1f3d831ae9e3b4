"""Peaks of the score between its pixels, against the Gaussians that were drawn."""

import numpy as np
import pytest

from processing.footprints import find_footprints, find_peaks

WIDTH = 2.2  # pixel: sigma of a score whose PSF has a FWHM of 3.7 pixels


def bumps(height, seed=3, n=12, apart=30):
    """Score of n x n sources at random fractions of a pixel, every second one negative."""
    rng = np.random.default_rng(seed)
    y, x = (a.ravel() + rng.uniform(-0.5, 0.5, n * n) for a in np.mgrid[:n, :n] * apart + apart)
    rows, columns = np.mgrid[: (n + 1) * apart, : (n + 1) * apart]
    sign = np.where(np.arange(n * n) % 2, -1.0, 1.0)
    score = np.zeros(rows.shape)
    for a, b, s in zip(x, y, sign, strict=True):
        score += s * height * np.exp(-((columns - a) ** 2 + (rows - b) ** 2) / 2 / WIDTH**2)
    return score.astype(np.float32), x, y, sign


@pytest.mark.requirement("DIA-08")
def test_height_of_a_peak_is_that_between_the_pixels():
    score, x, y, sign = bumps(8.0)
    rows, columns, height = find_peaks(score, np.ones(score.shape, bool), 5.0)
    order = np.lexsort((columns, rows // 30))
    truth = np.lexsort((x, np.rint(y / 30)))
    assert len(height) == len(x)
    assert np.array_equal(np.rint(x[truth]), columns[order])
    assert np.array_equal(np.rint(y[truth]), rows[order])
    # A Gaussian is no parabola: it loses 0.2 % in each direction where it is between two pixels.
    assert height[order] == pytest.approx(8 * sign[truth], rel=5e-3)
    # The pixels alone lose up to 5 %.
    assert np.abs(score[rows, columns]).min() < 0.965 * 8


def test_threshold_holds_for_the_height_between_the_pixels():
    psf = np.exp(-(np.mgrid[-10:11, -10:11] ** 2).sum(0) / 2 / (WIDTH**2 / 2))
    for height, share in ((5.03, 1.0), (4.97, 0.0)):
        score, x, _, sign = bumps(height)
        found = find_footprints(score, np.ones(score.shape, bool), psf, 5.0)
        assert len(found) == share * len(x)
        positive = [f.peaks[0].score > 0 for f in found]
        assert sum(positive) == share * (sign > 0).sum()
    # Most of the fainter ones have no pixel at the threshold.
    score, *_ = bumps(5.03)
    assert (np.abs(score) >= 5).sum() < len(x) / 2


def test_peak_beside_unusable_pixels_is_that_of_its_pixel():
    score, x, y, _ = bumps(8.0, n=1)
    column, row = int(np.rint(x[0])), int(np.rint(y[0]))
    score[row, column + 1] = 0  # as the score is where nothing is usable
    good = score != 0
    _, _, height = find_peaks(score, good, 5.0)
    assert height.tolist() == [float(score[row, column])]
