"""Trails, pairs and masked apertures on sources drawn apart from the product."""

import numpy as np
import pytest
from difference_scenes import Moffat, add_stars, robust_sd

from processing.deblend import Source, _fit_points, _hidden_pair, _is_trail
from processing.footprints import Footprint
from processing.line_fits import POINTS, TRAIL
from processing.measure import aperture_flux
from processing.plane import Plane
from processing.psf import PsfModel
from processing.psf_core import spline_psf

SHAPE = (400, 400)
SKY = 900.0  # variance of the background; gain 1
DARK = 0.1  # share of a trail without light


def grid(seed, step):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[30:371:step, 30:371:step]
    return (x + rng.uniform(-0.5, 0.5, x.shape)).ravel(), (
        y + rng.uniform(-0.5, 0.5, y.shape)
    ).ravel()


def plane_of(light, seed, dark=0.0):
    rng = np.random.default_rng(seed)
    psf = Moffat(4.0, SHAPE, swing=0.0)
    image = light + rng.normal(size=SHAPE) * np.sqrt(np.maximum(SKY + light, 0))
    return Plane(
        image.astype(np.float32),
        np.full(SHAPE, SKY, np.float32),
        np.ones(SHAPE, bool),
        spline_psf(PsfModel.sampled(psf, SHAPE), SHAPE),
        1.0,
        dark,
    )


def drawn(points):
    light = np.zeros(SHAPE)
    add_stars(light, Moffat(4.0, SHAPE, swing=0.0), *points)
    return light


@pytest.mark.requirement("L1DB-10")
def test_a_trail_of_two_snaps_has_a_dark_middle():
    x, y = grid(1, 38)
    n = x.size
    rng = np.random.default_rng(2)
    half, turn = rng.uniform(5, 9, n), rng.uniform(0, np.pi, n)
    t = DARK + (1 - DARK) * (np.arange(30) + 0.5) / 30
    t = np.concatenate([-t, t])
    dx, dy = np.cos(turn) * half, np.sin(turn) * half
    points = (
        (x[:, None] + t * dx[:, None]).ravel(),
        (y[:, None] + t * dy[:, None]).ravel(),
        np.full(n * t.size, 25000 / t.size),
    )
    light = drawn(points)
    start = np.stack([np.full(n, 20000), x + 0.5, y - 0.5, 0.8 * dx, 0.8 * dy], axis=-1)
    place, box = np.stack([np.full(n, 20000), x, y], axis=-1), np.full(n, 18)
    fit = plane_of(light, 3, DARK).lines(TRAIL, start, place, box)
    assert fit.converged.all()
    values = fit.values * np.sign(np.sum(fit.values[:, 3:] * start[:, 3:], axis=1))[:, None] ** (
        np.arange(5) > 2
    )
    truth = np.stack([np.full(n, 25000), x, y, dx, dy], axis=-1)
    pull = (values - truth) / np.sqrt(np.einsum("nkk->nk", fit.covariance))
    # 81 trails: 0.14 for a median, 0.1 for a width.
    assert np.all(np.abs(np.median(pull, axis=0)) < 0.45)
    assert all(0.7 < robust_sd(column) < 1.3 for column in pull.T)
    whole = plane_of(light, 3).lines(TRAIL, start, place, box)
    # Without the gap the same light looks longer, and fits less well.
    assert np.median(np.hypot(*whole.values[:, 3:].T) / half) > 1.01
    assert np.mean(whole.chi2 > fit.chi2) > 0.8


@pytest.mark.requirement("DIA-08")
def test_a_close_pair_is_told_from_a_point_and_from_a_trail():
    x, y = grid(4, 48)
    n = x.size
    rng = np.random.default_rng(5)
    turn = rng.uniform(0, 2 * np.pi, n)
    dx, dy = 2.4 * np.cos(turn), 2.4 * np.sin(turn)  # 1.2 FWHM apart: one peak in the score
    ratio = rng.uniform(1, 3, n)
    pair = (
        np.concatenate([x + dx, x - dx]),
        np.concatenate([y + dy, y - dy]),
        np.concatenate([6000 * ratio, np.full(n, 6000.0)]),
    )
    footprint = Footprint((slice(0, 1), slice(0, 1)), np.ones((1, 1), bool), ())
    plane = plane_of(drawn(pair), 6)
    found = [_hidden_pair(plane, Source(a, b, 50.0, footprint)) for a, b in zip(x, y, strict=True)]
    assert np.mean([fit is not None for fit in found]) > 0.9
    flux = [np.sort(fit.values[0, ::3]) for fit in found if fit is not None]
    truth = [6000 * np.array([1, r]) for r, fit in zip(ratio, found, strict=True) if fit]
    # Each flux is known to 15 %, 120 of them.
    assert np.median(np.array(flux) / np.array(truth)) == pytest.approx(1, abs=0.05)
    single = plane_of(drawn((x, y, np.geomspace(2000, 60000, n))), 7)
    lone = [_hidden_pair(single, Source(a, b, 50.0, footprint)) for a, b in zip(x, y, strict=True)]
    assert not any(lone)
    t = np.linspace(-1, 1, 30)
    line = (
        (x[:, None] + 1.7 * t * dx[:, None]).ravel(),
        (y[:, None] + 1.7 * t * dy[:, None]).ravel(),
        np.full(n * 30, 25000 / 30),
    )
    trails = plane_of(drawn(line), 8)
    start = [
        np.array([[12000, a + c, b + d], [12000, a - c, b - d]])
        for a, b, c, d in zip(x, y, dx, dy, strict=True)
    ]
    assert np.mean([_is_trail(trails, _fit_points(trails, s)) for s in start]) > 0.9


def test_a_joint_fit_of_a_blend_knows_what_its_members_share():
    x, y = grid(9, 48)
    n = x.size
    light = drawn((np.concatenate([x + 2.2, x - 2.2]), np.tile(y, 2), np.full(2 * n, 8000.0)))
    plane = plane_of(light, 10)
    start = np.stack([np.full(n, 7000), x + 2, y, np.full(n, 7000), x - 2, y], axis=-1)
    place = np.stack([np.full(n, 14000), x, y], axis=-1)
    fit = plane.lines(POINTS, start, place, np.full(n, 13))
    error = np.sqrt(np.einsum("nkk->nk", fit.covariance))
    pull = (fit.values[:, 0] - 8000) / error[:, 0]
    assert 0.7 < robust_sd(pull) < 1.3
    # What one gains the other loses; alone, either would be known better than this.
    assert np.all(fit.covariance[:, 0, 3] < 0)
    alone = plane.fit(x + 2.2, y)
    assert np.median(error[:, 0] / np.sqrt(alone.covariance[:, 0])) > 1.05


def test_an_aperture_with_masked_pixels_still_gives_the_flux():
    x, y = grid(11, 34)
    light = drawn((x, y, np.full(x.size, 50000.0)))
    plane = plane_of(light, 12)
    plane.usable[np.rint(y).astype(int) + 3, :] = False
    image = np.where(plane.usable, plane.image, 1e6).astype(np.float32)
    holed = Plane(image, plane.variance, plane.usable, plane.psf, 1.0)
    flux, error, valid, cut = aperture_flux(holed, x, y)
    assert valid.all()
    assert cut.all()
    # 100 stars, each to 1 %.
    assert np.median(flux) == pytest.approx(50000, rel=0.01)
    assert 0.7 < robust_sd((flux - 50000) / error) < 1.4


def test_an_aperture_off_the_image_is_no_flux():
    """A fit near the border may end outside of it."""
    plane = plane_of(drawn((np.array([40.0]), np.array([40.0]), np.array([5e4]))), 13)
    ny, nx = plane.image.shape
    x, y = np.array([-0.7, nx - 0.3, 40, 40, -9, 40]), np.array([40, 40, -0.7, ny - 0.3, 40, 40])
    flux, error, valid, cut = aperture_flux(plane, x, y)
    assert cut[:5].all()
    assert not valid[4]
    assert valid[5]
    assert np.isfinite(flux).all()
    assert np.isfinite(error).all()
