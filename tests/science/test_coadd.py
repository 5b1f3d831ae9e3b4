"""Templates: geometry, noise, PSF, and what must not be in them."""

from copy import deepcopy

import numpy as np
import pytest
from difference_scenes import DECL, RA, expose, field_of_stars, make_visit, make_wcs, robust_sd

from processing import stack
from processing.coadd import build_template, template_grid
from processing.exposure import Mask
from processing.psf_core import forced_flux, spline_psf
from processing.warp import warp
from skyledger.errors import DataRejectedError

SHAPE = (300, 320)


def dithered(seed, n=4, extra=None, fwhm=(3.6, 4.4, 3.2, 4.0)):
    rng = np.random.default_rng(seed)
    sources = field_of_stars(rng, 150, 0.015)
    visits = []
    for k in range(n):
        wcs = make_wcs(SHAPE, 40.0 * k, 9.3 * k, -6.1 * k, flip=k == 1)
        added = extra(k, wcs) if extra else ()
        visits.append(
            expose(rng, 10 + k, wcs, SHAPE, fwhm[k], 20, sources, added, mid_tai=61000.0 + k)
        )
    return visits, sources


@pytest.fixture(scope="module")
def made():
    """Four visits; the third with a transient at (RA, DECL) + 5 arcsec north."""

    def transient(k, wcs):
        x, y = wcs.all_world2pix([RA], [DECL + 5 / 3600], 0)
        return (x, y, [20000.0]) if k == 2 else ()

    visits, sources = dithered(1, extra=transient)
    return visits, sources, build_template(visits)


def test_point_source_fluxes_survive_rotation_flip_and_average(made):
    _, (ra, decl, flux), template = made
    x, y = template.wcs.all_world2pix(ra, decl, 0)
    usable = template.usable()
    ny, nx = template.shape
    inside = (x > 15) & (x < nx - 15) & (y > 15) & (y < ny - 15)
    distance = np.hypot(x[:, None] - x, y[:, None] - y) + np.eye(len(x)) * 99
    alone = inside & (distance.min(axis=1) > 14) & (flux > 3000)
    # Where all four contribute the PSF is the same average everywhere.
    middle = alone & (np.hypot(x - nx / 2, y - ny / 2) < 100)
    measured, error, coverage = forced_flux(
        template.image, np.where(usable, template.variance, 0), usable.astype(float),
        spline_psf(template.psf, template.shape), x[middle], y[middle],
    )  # fmt: skip
    assert middle.sum() > 4
    assert np.all(coverage > 0.99)
    # PSF stamps of 31 pixels leave 1 % of a Moffat's light outside; 1 % for the polynomial.
    assert np.median(np.abs(measured / flux[middle] - 1)) < 0.02 + np.median(error / flux[middle])


def test_noise_goes_down_as_predicted(made):
    _, sources, template = made
    x, y = template.wcs.all_world2pix(sources[0], sources[1], 0)
    ny, nx = template.shape
    rows, columns = np.mgrid[:ny, :nx]
    blank = template.usable()
    for xi, yi in zip(x, y, strict=True):
        blank &= np.hypot(columns - xi, rows - yi) > 12
    centre = np.hypot(columns - nx / 2, rows - ny / 2) < 100
    expected = 20 / np.sqrt(4)
    assert np.median(np.sqrt(template.variance[blank & centre])) == pytest.approx(expected, rel=0.1)
    # The variance is a power density: seen through a PSF it is right (5 % of 400 areas) ...
    psf = spline_psf(template.psf, template.shape)
    rng = np.random.default_rng(4)
    where = np.flatnonzero((blank & centre).ravel())
    row, column = np.unravel_index(rng.choice(where, 1500), template.shape)
    flux, error, _ = forced_flux(
        template.image, template.variance, np.ones(template.shape), psf, column, row
    )
    assert 0.85 < robust_sd(flux / error) < 1.15
    # ... while single pixels scatter less, since interpolation correlates them.
    assert robust_sd(template.image[blank & centre]) < expected


@pytest.mark.requirement("IMG-05")
def test_a_transient_of_one_input_is_not_in_the_template(made):
    *_, template = made
    psf = spline_psf(template.psf, template.shape)
    x, y = template.wcs.all_world2pix([RA], [DECL + 5 / 3600], 0)
    usable = template.usable()
    flux, error, _ = forced_flux(
        template.image, np.where(usable, template.variance, 0), usable.astype(float), psf, x, y
    )
    # 20000 nJy were injected into one of four, at a sigma of 100.
    assert abs(flux[0]) < 5 * error[0]
    assert error[0] < 200


def test_the_template_says_what_it_is_made_of(made):
    *_, template = made
    quality = template.quality
    assert quality["inputs"] == [10, 11, 12, 13]
    assert (quality["beginTai"], quality["endTai"]) == (61000.0, 61003.0)
    assert 61000 < quality["meanTai"] < 61003
    assert quality["airmass"] == pytest.approx(1.1)
    assert 0.64 < quality["seeing"] < 0.9  # of 3.2 to 4.4 pixels of 0.2 arcsec
    assert template.visit.is_template
    nothing = (template.mask & int(Mask.NO_DATA)) != 0
    assert nothing.any()
    assert np.all(np.isinf(template.variance[nothing]))


def test_the_grid_holds_every_corner():
    visits, _ = dithered(2)
    wcs, (ny, nx) = template_grid(visits)
    for visit in visits:
        h, w = visit.shape
        x, y = wcs.all_world2pix(*visit.wcs.all_pix2world([0, w - 1, 0], [0, h - 1, h - 1], 0), 0)
        assert np.all((x >= 0) & (x <= nx - 1) & (y >= 0) & (y <= ny - 1))


def test_a_single_visit_is_a_template_as_it_is():
    (visit,), _ = dithered(3, n=1)
    template = build_template([visit])
    assert np.allclose(template.image, visit.image, rtol=1e-5, atol=1e-3)
    assert template.quality["nVisits"] == 1


def test_a_template_does_not_depend_on_what_fits_into_memory(made, monkeypatch):
    visits, _, template = made

    class Once(list):
        """Hands out copies, as one that reads files does."""

        def __iter__(self):
            return (deepcopy(visit) for visit in super().__iter__())

    monkeypatch.setattr(stack, "_HELD", 0)
    monkeypatch.setattr(stack, "_BLOCK", 0)
    monkeypatch.setattr(stack, "_LEAST", 100)
    other = build_template(Once(visits))
    for name in ("image", "variance", "mask"):
        assert np.array_equal(getattr(template, name), getattr(other, name)), name
    assert other.quality == template.quality


def test_impossible_templates_are_refused():
    visits, _ = dithered(4, n=2)
    with pytest.raises(DataRejectedError, match="no visits"):
        build_template([])
    with pytest.raises(DataRejectedError, match="given twice"):
        build_template([visits[0], visits[0]])
    visits[1].visit = make_visit(11, band="g")
    with pytest.raises(DataRejectedError, match="one band"):
        build_template(visits)


def test_warping_carries_masks_and_borders():
    (visit,), _ = dithered(5, n=1)
    visit.mask[100, 50:250] |= int(Mask.BAD)
    visit.image[100, 50:250] = np.nan
    other = warp(visit, make_wcs(SHAPE, 0.0, 20.5, 0.5), SHAPE)
    assert np.isfinite(other.image).all()
    assert ((other.mask[100:102, 80:260] & int(Mask.BAD)) != 0).all()
    assert ((other.mask[97] & int(Mask.BAD)) == 0).all()
    assert ((other.mask[:, :20] & int(Mask.NO_DATA)) != 0).all()
