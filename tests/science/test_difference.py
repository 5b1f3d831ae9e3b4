"""Differences of simulated visits: noise, residuals, refusal, and both directions of seeing."""

from dataclasses import replace

import numpy as np
import pytest
from difference_scenes import Moffat, add_stars, expose, field_of_stars, make_wcs, robust_sd

from processing.coadd import build_template
from processing.difference import subtract
from skyledger.errors import DataRejectedError

SHAPE = (500, 520)


def pair(fwhm_visit, fwhm_template, sky_template, seed=1, shift=(0.3, -0.2), rotation=0.0):
    rng = np.random.default_rng(seed)
    sources = field_of_stars(rng, 300, 0.02)
    other = make_wcs(SHAPE, rotation, *shift)
    template = build_template([expose(rng, 7, other, SHAPE, fwhm_template, sky_template, sources)])
    visit = expose(rng, 1, make_wcs(SHAPE), SHAPE, fwhm_visit, 30, sources)
    light = np.zeros(SHAPE)
    add_stars(
        light, Moffat(fwhm_visit, SHAPE), *visit.wcs.all_world2pix(*sources[:2], 0), sources[2]
    )
    return visit, template, light


def correlation(image, good, lag):
    both = good[:, lag:] & good[:, :-lag]
    return np.mean(image[:, lag:][both] * image[:, :-lag][both]) / np.var(image[good])


@pytest.mark.requirement("DIA-01", "DIA-08")
@pytest.mark.parametrize(
    ("fwhm_visit", "fwhm_template", "sky_template"),
    [(4.2, 3.5, 10), (3.3, 3.6, 15), (3.6, 3.4, 30)],
    ids=["sharper template", "sharper visit", "equal depth"],
)
def test_without_transients_the_difference_is_noise(fwhm_visit, fwhm_template, sky_template):
    # Whole pixels of shift: interpolation takes power from a noisy template (next test).
    visit, template, light = pair(fwhm_visit, fwhm_template, sky_template, shift=(3.0, -2.0))
    made = subtract(visit, template)
    good = made.exposure.usable()
    blank = good & (light < 1)
    ratio = np.where(good, made.exposure.image, 0) / np.sqrt(made.exposure.variance)
    # 1e5 blank pixels, of which 5000 are independent for the score: 1 % for its spread.
    assert abs(ratio[blank].mean()) < 0.02
    assert abs(robust_sd(made.score[blank]) - 1) < 0.05
    assert abs(made.quality["scoreSd"] - 1) < 0.05
    assert abs(np.mean(ratio[blank] ** 2) - 1) < 0.05
    assert abs(correlation(ratio, blank, 1)) < 0.02
    assert abs(correlation(ratio.T, blank.T, 1)) < 0.02
    # On the stars: their photons and the kernel's errors are in the variance, less exactly.
    stars = good & (light > 30)
    assert abs(np.mean(ratio[stars] ** 2) - 1) < 0.25
    assert np.abs(made.score[good]).max() < 6.5
    assert abs(made.quality["kernelSum"] - 1) < 0.02
    assert good.mean() > 0.9


def test_a_rotated_template_is_found_again():
    visit, template, light = pair(4.2, 3.5, 10, 3, (11.4, -7.7), rotation=63.0)
    made = subtract(visit, template)
    good = made.exposure.usable()
    assert 0.5 < good.mean() < 0.95  # corners the template does not reach
    assert abs(robust_sd(made.score[good & (light < 1)]) - 1) < 0.05
    assert np.abs(made.score[good]).max() < 6.5


def test_noise_of_an_interpolated_template_keeps_the_score_calibrated():
    visit, template, light = pair(3.6, 3.4, 30, shift=(0.5, 0.5))
    made = subtract(visit, template)
    blank = made.exposure.usable() & (light < 1)
    assert abs(robust_sd(made.score[blank]) - 1) < 0.05
    # Half a pixel of shift is the worst case; the power lost lies beyond the PSF's.
    ratio = np.where(blank, made.exposure.image, 0) / np.sqrt(made.exposure.variance)
    assert abs(correlation(ratio, blank, 1)) < 0.12


def test_noise_per_visit_is_that_of_a_point_source():
    visit, template, _ = pair(4.2, 3.5, 10)
    made = subtract(visit, template)
    # The optimal fit on white noise: sigma / sqrt(sum P^2), template noise spread by the kernel.
    stamp = visit.psf.image(260, 250)
    plain = 30 / np.sqrt(np.sum(stamp**2))
    assert plain < made.quality["diffNoise"] < 1.15 * plain
    grid = np.array(made.quality["diffNoiseGrid"])
    assert grid.shape == (64,)
    assert np.all((grid > 0.8 * plain) & (grid < 1.4 * plain))
    assert made.quality["diffPixelSigma"] == pytest.approx(np.hypot(30, 10), rel=0.05)


def test_a_visit_is_not_subtracted_from_itself():
    visit, _, _ = pair(4.2, 3.5, 10)
    with pytest.raises(DataRejectedError, match="one of the 1 inputs"):
        subtract(visit, build_template([visit]))


def test_a_failed_subtraction_is_refused():
    visit, template, _ = pair(4.2, 3.5, 10)
    rng = np.random.default_rng(5)
    other = expose(rng, 9, make_wcs(SHAPE), SHAPE, 3.5, 10, field_of_stars(rng, 300, 0.02))
    with pytest.raises(DataRejectedError, match=r"stars fit|differ by a factor|subtraction failed"):
        subtract(visit, build_template([other]))
    with pytest.raises(DataRejectedError, match="band"):
        subtract(visit, replace(template, visit=replace(template.visit, band="i")))
    wide = expose(rng, 9, make_wcs(SHAPE), SHAPE, 9.5, 10, field_of_stars(rng, 300, 0.02))
    with pytest.raises(DataRejectedError, match="times wider"):
        subtract(visit, build_template([wide]))
    away = make_wcs(SHAPE)
    away.wcs.crval = [151.0, 2.0]
    away.wcs.set()
    far = build_template([expose(rng, 9, away, SHAPE, 3.5, 10, field_of_stars(rng, 300, 0.02))])
    with pytest.raises(DataRejectedError, match=r"covers 0\.00"):
        subtract(visit, far)
