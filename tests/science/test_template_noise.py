"""A template of dithered, rotated visits: one PSF, noise as it says, and white differences."""

import sys
from pathlib import Path

import numpy as np
import pytest
from difference_scenes import robust_sd

from processing.difference import subtract
from processing.exposure import Mask
from processing.psf_core import forced_flux, spline_psf

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
from support import scenes
from support.true_psf import TruePsf


@pytest.fixture(scope="module")
def scene():
    return scenes.make(11, 448, visits_in_template=4, n_fakes=0, n_stars=120)


def correlation(image, good, dy, dx):
    """Mean product of two good pixels (dy, dx) apart."""
    moved = np.roll(image, (-dy, -dx), (0, 1))
    both = good & np.roll(good, (-dy, -dx), (0, 1))
    return np.mean((image * moved)[both])


def test_the_psf_of_a_template_does_not_depend_on_how_many_visits_cover_a_place(scene):
    template = scene.template()
    points = scene.sky.stars
    x, y = template.wcs.all_world2pix(points[:, 0], points[:, 1], 0)
    every_x, every_y = template.wcs.all_world2pix(*scene.sky.points[:, :2].T, 0)
    ny, nx = template.shape
    depth = np.zeros(len(x), int)
    for visit in scene.template_inputs:
        vx, vy = visit.wcs.all_world2pix(points[:, 0], points[:, 1], 0)
        vy_limit, vx_limit = visit.shape
        depth += (vx > 20) & (vx < vx_limit - 20) & (vy > 20) & (vy < vy_limit - 20)
    inside = (x > 20) & (x < nx - 20) & (y > 20) & (y < ny - 20) & (depth > 0)
    good = template.usable()
    measured, error, coverage = forced_flux(
        template.image, np.where(good, template.variance, 0), good.astype(float),
        spline_psf(template.psf, template.shape), x[inside], y[inside],
    )  # fmt: skip
    true = points[inside, 2]
    light = np.zeros(len(true))
    for k, (a, b) in enumerate(zip(x[inside], y[inside], strict=True)):
        near = np.hypot(every_x - a, every_y - b) < 12
        light[k] = scene.sky.points[near, 2].sum()
    alone = (coverage > 0.99) & (light < 1.005 * true) & (true > 100 * error) & (true < 5e5)
    ratio, covered = measured[alone] / true[alone], depth[inside][alone]
    assert len(set(covered)) > 1
    assert alone.sum() > 12
    # Zero points of the visits are off by 0.5 %, stamps of 4 FWHM leave up to 2 % of the light
    # outside, alike for all: the spread tells.
    assert robust_sd(ratio) < 0.008
    assert abs(np.median(ratio) - 1) < 0.03


@pytest.mark.requirement("GEN-12")
def test_the_noise_of_a_template_is_correlated_as_it_says(scene):
    template = scene.template()
    light = np.zeros(template.shape)
    psf = TruePsf(5.0, template.shape, np.eye(6)[0], np.zeros(6), np.zeros(6))
    x, y = template.wcs.all_world2pix(*scene.sky.points[:, :2].T, 0)
    psf.draw(light, x, y, scene.sky.points[:, 2])
    blank = template.usable() & (light < 1) & np.isfinite(template.variance)
    ratio = np.where(blank, template.image, 0) / np.sqrt(np.where(blank, template.variance, 1))
    half = template.noise.shape[0] // 2
    assert template.noise.sum() == pytest.approx(1)
    for dy, dx in ((0, 0), (0, 1), (1, 0), (1, 1), (1, -1), (0, 2), (3, 0), (0, 5)):
        # 1e5 pixels, 2e4 of them independent; coverage changes the mixture of the visits.
        said = template.noise[half + dy, half + dx]
        assert correlation(ratio, blank, dy, dx) == pytest.approx(said, abs=0.04), (dy, dx)


@pytest.mark.requirement("DIA-01", "DIA-08")
def test_differences_from_it_are_white_and_static_stars_vanish(scene):
    made = subtract(scene.visit, scene.template())
    good = made.exposure.usable()
    blank = good & scene.blank
    ratio = np.where(blank, made.exposure.image, 0) / np.sqrt(made.exposure.variance)
    # 1e5 pixels: 0.3 % for a correlation; 5000 PSFs: 1 % for the spread of the score.
    assert abs(robust_sd(made.score[blank]) - 1) < 0.04
    assert abs(np.std(ratio[blank]) - 1) < 0.03
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1), (0, 2), (2, 0), (0, 4)):
        assert abs(correlation(ratio, blank, dy, dx)) < 0.02, (dy, dx)
    # Of 120 stars none is left; a bright one beyond the border, which no stamp holds, may be.
    x, y = np.rint(scene.star_pixels[:, :2].T).astype(int)
    inside = (x > 8) & (x < good.shape[1] - 8) & (y > 8) & (y < good.shape[0] - 8)
    assert np.abs(made.score[y[inside], x[inside]]).max() < 4.5
    assert np.abs(made.score[good]).max() < 6.5
    # What is masked is masked for saturated stars, not for the border.
    away = (made.exposure.mask & int(Mask.SAT)) == 0
    assert good[away].mean() > 0.98
