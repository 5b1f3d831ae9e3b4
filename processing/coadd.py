"""Templates: visits resampled to one grid, cleaned of what moves or varies, and averaged.

Each visit is first brought to a common PSF (:mod:`processing.matching`), so that the PSF of the
template is the same wherever it lies and however many visits cover the place; then they are
averaged (:mod:`processing.stack`). Weights are constant over a visit. The noise is correlated; the
template carries how. DPDD sections 14, 19 (pipeline 2).
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_scales
from numpy.typing import NDArray

from processing import refraction
from processing.exposure import Exposure
from processing.matching import Matcher, common_psf
from processing.psf import PsfModel, fwhm
from processing.registration import located
from processing.resampling import pixel_map, resample
from processing.stack import Stack
from processing.star_shifts import Evidence
from processing.warp import WarpedPsf, warped_noise
from skyledger.errors import DataRejectedError

FloatArray = NDArray[np.float64]


def template_grid(exposures: Sequence[Exposure]) -> tuple[WCS, tuple[int, int]]:
    """Pixel grid that holds all ``exposures``: tangent plane, North up, their finest scale.

    Returns
    -------
    wcs, shape
        ``shape`` is (ny, nx).
    """
    corners = [e.wcs.pixel_to_world(*_corners(e.shape)) for e in exposures]
    x, y, z = np.mean([c.cartesian.xyz.value.mean(axis=1) for c in corners], axis=0)
    middle = SkyCoord(x, y, z, representation_type="cartesian").spherical
    scale = min(float(np.mean(proj_plane_pixel_scales(e.wcs))) for e in exposures)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.cunit = ["deg", "deg"]
    wcs.wcs.crval = [middle.lon.deg % 360, middle.lat.deg]
    wcs.wcs.cd = [[-scale, 0], [0, scale]]
    wcs.wcs.crpix = [1, 1]
    wcs.wcs.set()
    pixels = np.concatenate([wcs.all_world2pix(c.ra.deg, c.dec.deg, 0) for c in corners], axis=1)
    low, high = np.floor(pixels.min(axis=1)), np.ceil(pixels.max(axis=1))
    wcs.wcs.crpix = 1 - low
    wcs.wcs.set()
    return wcs, (int(high[1] - low[1]) + 1, int(high[0] - low[0]) + 1)


def build_template(
    exposures: Sequence[Exposure],
    wcs: WCS | None = None,
    shape: tuple[int, int] | None = None,
) -> Exposure:
    """Average calibrated visits into a template.

    Parameters
    ----------
    exposures : sequence of Exposure [nJy]
        Of one band, each with a PSF; no two of the same ccdVisit. A single one becomes the
        template as it is. Each is asked for twice, one after the other: a sequence that reads
        files keeps one at a time in memory.
    wcs, shape : optional
        Grid of the template; by default one that holds all inputs.

    Returns
    -------
    Exposure [nJy]
        ``quality``: ``inputs`` (ccdVisitIds), ``nVisits``, ``beginTai``, ``endTai``,
        ``meanTai`` [d], ``airmass``, ``seeing`` [arcsec]; its ``visit`` has the id 0.

    Raises
    ------
    DataRejectedError
        Nothing to average; another unit; several bands; a visit twice; no PSF.

    Notes
    -----
    Inputs a third wider than the common PSF count only where there is no other. All are compared
    with their median; what is off by more than 5 sigma and 30 % of the median's light is left out.
    Of two inputs that disagree the fainter holds: what comes and goes is brighter than the sky.
    Variable stars are averaged.
    """
    heads = [_without_pixels(e) for e in exposures]
    _check(heads)
    if wcs is None or shape is None:
        wcs, shape = (heads[0].wcs, heads[0].shape) if len(heads) == 1 else template_grid(heads)
    psfs = [WarpedPsf(e, wcs) for e in heads]
    maps = [pixel_map(wcs, shape, e.wcs) for e in heads]
    noise = [warped_noise(e.noise, m) for e, m in zip(heads, maps, strict=True)]
    cost = np.ones(len(heads))
    matcher = None
    if len(heads) == 1:
        psf = PsfModel.sampled(psfs[0], shape)
    else:
        stamps = [p.image(*_middle(e, wcs, shape)) for p, e in zip(psfs, heads, strict=True)]
        target = common_psf(stamps)
        matcher = Matcher(target)
        noise = [matcher.noise(r, stamp) for r, stamp in zip(noise, stamps, strict=True)]
        cost = np.array([matcher.cost(stamp) for stamp in stamps])
        psf = PsfModel.constant(target)
    stack = Stack(len(heads), shape)
    for k, exposure in enumerate(exposures):
        stack.put(k, *resample(exposure, maps[k]), psfs[k], matcher)
    if len(heads) > 1:
        stack.level()
    gains = np.array([e.electrons_per_unit for e in heads])
    weight = np.where(stack.sky > 0, 1 / np.where(stack.sky > 0, stack.sky, 1), 0) / cost
    mean, mean_variance, bits = stack.average(weight, noise, fwhm(psf.image(0, 0)) / 2.3548)
    stars = None
    pulls = refraction.of_visits([e.visit for e in heads])
    if pulls is not None and len(heads) > 1 and weight.any():
        axes = refraction.towards_sky(wcs, shape)
        width = fwhm(psf.image(0, 0)) / 2.3548
        evidence = Evidence(pulls, weight, stack.sky, gains, axes, width)
        stack.collect(evidence, mean)
        stars = evidence.stars(wcs)
    of_noise = weight**2 * stack.sky
    correlation = np.tensordot(of_noise / (of_noise.sum() or 1), np.stack(noise), axes=1)
    pixel = float(np.mean(proj_plane_pixel_scales(wcs))) * 3600
    times = np.array([e.visit.mid_tai for e in heads])
    airmass = float(np.average([e.visit.airmass for e in heads], weights=weight))
    visit = replace(
        heads[0].visit,
        visit_id=0,
        ccd_visit_id=0,
        mid_tai=float(np.average(times, weights=weight)),
        exposure_time=float(sum(e.visit.exposure_time for e in heads)),
        airmass=airmass,
        zenith_bearing=None,
        is_template=True,
    )
    template = Exposure(
        image=mean,
        variance=mean_variance,
        mask=bits,
        unit="nJy",
        visit=visit,
        wcs=wcs,
        psf=psf,
        # Poisson noise of a source in the weighted mean: sum w^2 f/g / (sum w)^2 = f / this.
        electrons_per_unit=float(weight.sum() ** 2 / np.sum(weight**2 / gains)),
        quality={
            "inputs": [int(e.visit.ccd_visit_id) for e in heads],
            "nVisits": len(heads),
            "beginTai": float(times.min()),
            "endTai": float(times.max()),
            "meanTai": visit.mid_tai,
            "airmass": airmass,
            "seeing": psf.fwhm((shape[1] - 1) / 2, (shape[0] - 1) / 2) * pixel,
        },
        noise=correlation,
        refraction=stars,
    )
    return replace(template, refraction=located(template))


def _without_pixels(exposure: Exposure) -> Exposure:
    """Everything about an exposure but its pixels; takes no memory."""
    nothing = np.broadcast_to(np.float32(0), exposure.shape)
    return replace(
        exposure,
        image=nothing,
        variance=nothing,
        mask=np.broadcast_to(np.int32(0), exposure.shape),
    )


def _middle(exposure: Exposure, wcs: WCS, shape: tuple[int, int]) -> tuple[float, float]:
    """Middle (x, y) of what a visit covers of the template."""
    x, y = wcs.all_world2pix(*exposure.wcs.all_pix2world(*_corners(exposure.shape), 0), 0)
    x, y = np.clip(x, 0, shape[1] - 1), np.clip(y, 0, shape[0] - 1)
    return float(x.min() + x.max()) / 2, float(y.min() + y.max()) / 2


def _check(exposures: Sequence[Exposure]) -> None:
    if not exposures:
        raise DataRejectedError("no visits to build a template from; give at least one")
    ids = [e.visit.ccd_visit_id for e in exposures]
    twice = sorted({i for i in ids if ids.count(i) > 1})
    if twice:
        raise DataRejectedError(f"ccdVisit {twice[0]} is given twice for a template; give it once")
    for e in exposures:
        if e.unit != "nJy":
            raise DataRejectedError(
                f"ccdVisit {e.visit.ccd_visit_id} is in {e.unit}, a template needs nJy; "
                "calibrate it first"
            )
        if e.psf is None:
            raise DataRejectedError(
                f"ccdVisit {e.visit.ccd_visit_id} has no PSF; a template needs one of each input"
            )
    bands = sorted({e.visit.band for e in exposures})
    if len(bands) > 1:
        raise DataRejectedError(f"a template has one band, got {', '.join(bands)}; split the list")


def _corners(shape: tuple[int, int]) -> tuple[FloatArray, FloatArray]:
    ny, nx = shape
    return np.array([0.0, nx - 1, nx - 1, 0]), np.array([0.0, 0, ny - 1, ny - 1])
