"""Templates: visits resampled to one grid, cleaned of what moves or varies, and averaged.

Each visit is first brought to a common PSF (:mod:`processing.matching`), so that the PSF of the
template is the same wherever it lies and however many visits cover the place. Weights are constant
over a visit. The noise is correlated; the template carries how. DPDD sections 14, 19 (pipeline 2).
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_scales
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from processing.compiled import compiled
from processing.exposure import Exposure, Mask
from processing.matching import Matcher, common_psf, spread
from processing.psf import PsfModel, fwhm
from processing.warp import WarpedPsf, filled, pixel_map, resample, warped_noise
from skyledger.errors import DataRejectedError

FloatArray = NDArray[np.float64]
_CLIP = 5.0  # standard deviations from the median of all inputs
_ALIKE = 0.3  # of the median's light that inputs may differ by
_GROW = 1.5  # PSF sigmas rejected around an outlier: its wings are below the clip


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
        template as it is.
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
    _check(exposures)
    if wcs is None or shape is None:
        wcs, shape = (
            (exposures[0].wcs, exposures[0].shape)
            if len(exposures) == 1
            else template_grid(exposures)
        )
    maps = [pixel_map(wcs, shape, e.wcs) for e in exposures]
    noise = [warped_noise(e.noise, m) for e, m in zip(exposures, maps, strict=True)]
    planes = [resample(e, m) for e, m in zip(exposures, maps, strict=True)]
    image = np.stack([p[0] for p in planes])
    variance = np.stack([p[1] for p in planes])
    mask = np.stack([p[2] for p in planes])
    del planes
    psfs = [WarpedPsf(e, wcs) for e in exposures]
    if len(exposures) == 1:
        psf = PsfModel.sampled(psfs[0], shape)
        cost = np.ones(1)
    else:
        mask, noise, cost, psf = _match(image, mask, noise, psfs, shape)
    usable = (mask & int(Mask.BAD | Mask.CR | Mask.NO_DATA | Mask.STREAK | Mask.SAT)) == 0
    # EDGE pixels are interpolated from fewer neighbours but good enough in an average of many.
    if len(exposures) == 1:
        usable &= (mask & int(Mask.EDGE)) == 0
    gains = np.array([e.electrons_per_unit for e in exposures])
    weight = np.array([_weight(v[u]) for v, u in zip(variance, usable, strict=True)]) / cost
    if len(exposures) > 1:
        _level(image, usable)
        usable &= ~_outliers(image, variance, usable, noise, fwhm(psf.image(0, 0)) / 2.3548)
    mean, mean_variance = _average(image, variance, usable, weight)
    of_noise = weight**2 * np.array([_sky(v[u]) for v, u in zip(variance, usable, strict=True)])
    correlation = np.tensordot(of_noise / (of_noise.sum() or 1), np.stack(noise), axes=1)
    empty = ~usable.any(axis=0)
    bits = np.bitwise_or.reduce(np.where(usable, mask & int(Mask.INTRP), 0), axis=0)
    # Where no input is usable the reason is that of the inputs that cover the place.
    bits = np.where(empty, np.bitwise_or.reduce(mask, axis=0) & ~int(Mask.EDGE), bits)
    nothing = np.all((mask & int(Mask.NO_DATA)) != 0, axis=0)
    bits = np.where(nothing | ~empty, bits & ~int(Mask.NO_DATA), bits)
    bits = np.where(nothing, int(Mask.NO_DATA), bits)
    hidden = empty & ~nothing
    if hidden.any():
        # Saturated in all inputs: their mean keeps the image smooth; the mask says the rest.
        covered = (mask & int(Mask.NO_DATA)) == 0
        fallback, fallback_variance = _average(image, variance, covered, weight)
        mean[hidden], mean_variance[hidden] = fallback[hidden], fallback_variance[hidden]
    pixel = float(np.mean(proj_plane_pixel_scales(wcs))) * 3600
    times = np.array([e.visit.mid_tai for e in exposures])
    airmass = float(np.average([e.visit.airmass for e in exposures], weights=weight))
    visit = replace(
        exposures[0].visit,
        visit_id=0,
        ccd_visit_id=0,
        mid_tai=float(np.average(times, weights=weight)),
        exposure_time=float(sum(e.visit.exposure_time for e in exposures)),
        airmass=airmass,
        is_template=True,
    )
    return Exposure(
        image=mean,
        variance=mean_variance,
        mask=bits.astype(np.int32),
        unit="nJy",
        visit=visit,
        wcs=wcs,
        psf=psf,
        # Poisson noise of a source in the weighted mean: sum w^2 f/g / (sum w)^2 = f / this.
        electrons_per_unit=float(weight.sum() ** 2 / np.sum(weight**2 / gains)),
        quality={
            "inputs": [int(e.visit.ccd_visit_id) for e in exposures],
            "nVisits": len(exposures),
            "beginTai": float(times.min()),
            "endTai": float(times.max()),
            "meanTai": visit.mid_tai,
            "airmass": airmass,
            "seeing": psf.fwhm((shape[1] - 1) / 2, (shape[0] - 1) / 2) * pixel,
        },
        noise=correlation,
    )


def _match(
    image: NDArray[np.float32],
    mask: NDArray[np.int32],
    noise: list[FloatArray],
    psfs: list[WarpedPsf],
    shape: tuple[int, int],
) -> tuple[NDArray[np.int32], list[FloatArray], FloatArray, PsfModel]:
    """Bring the images, in place, to one PSF.

    Returns their masks and noise correlations, what each costs in noise, and the PSF.
    """
    stamps = [p.image(*_middle(m, shape)) for p, m in zip(psfs, mask, strict=True)]
    target = common_psf(stamps)
    matcher = Matcher(shape, target)
    width = fwhm(target) / 2.3548
    lost = int(Mask.BAD | Mask.CR | Mask.NO_DATA | Mask.STREAK | Mask.SAT)
    out = np.empty_like(mask)
    for k, stamp in enumerate(stamps):
        nothing = (mask[k] & int(Mask.NO_DATA)) != 0
        image[k] = matcher.convolve(filled(image[k], nothing), ~nothing, psfs[k])
        image[k][nothing] = 0
        own = fwhm(stamp) / 2.3548
        reach = int(np.ceil(1 + 1.5 * np.sqrt(abs(width**2 - own**2))))
        out[k] = spread(mask[k], lost, reach)
    correlations = [matcher.noise(r, stamp) for r, stamp in zip(noise, stamps, strict=True)]
    cost = np.array([matcher.cost(stamp) for stamp in stamps])
    return out, correlations, cost, PsfModel.constant(target)


def _middle(mask: NDArray[np.int32], shape: tuple[int, int]) -> tuple[float, float]:
    """Middle (x, y) of what a visit covers."""
    covered = (mask & int(Mask.NO_DATA)) == 0
    rows, columns = np.flatnonzero(covered.any(axis=1)), np.flatnonzero(covered.any(axis=0))
    if rows.size == 0:
        return (shape[1] - 1) / 2, (shape[0] - 1) / 2
    return float(columns[0] + columns[-1]) / 2, float(rows[0] + rows[-1]) / 2


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


def _sky(variance: NDArray[np.float32]) -> float:
    """Variance of the sky: the 25 % quantile leaves out what stars add to it."""
    return float(np.quantile(variance[::7], 0.25)) if variance.size else 0.0


def _weight(variance: NDArray[np.float32]) -> float:
    return 1 / _sky(variance) if variance.size else 0.0


def _corners(shape: tuple[int, int]) -> tuple[FloatArray, FloatArray]:
    ny, nx = shape
    return np.array([0.0, nx - 1, nx - 1, 0]), np.array([0.0, 0, ny - 1, ny - 1])


def _level(image: NDArray[np.float32], usable: NDArray[np.bool_]) -> None:
    """Remove, in place, the plane by which each image's sky differs from the median of all."""
    block = 64
    ny, nx = image.shape[1:]
    rows, columns = np.arange(0, ny, block), np.arange(0, nx, block)
    levels = np.full((len(image), rows.size, columns.size), np.nan)
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            cut = (slice(None), slice(row, row + block), slice(column, column + block))
            common = usable[cut].sum(axis=0) > 1
            if common.sum() < block:
                continue
            middle = _median(image[cut], usable[cut])
            for k in range(len(image)):
                both = common & usable[cut][k]
                if both.sum() >= block:
                    levels[k, i, j] = np.median((image[cut][k] - middle)[both])
    gx, gy = np.meshgrid((columns + block / 2) / nx - 0.5, (rows + block / 2) / ny - 0.5)
    x, y = np.arange(nx) / nx - 0.5, np.arange(ny)[:, None] / ny - 0.5
    for k in range(len(image)):
        known = np.isfinite(levels[k])
        if not known.any():
            continue
        design = np.stack([np.ones(known.sum()), gx[known], gy[known]], axis=1)
        if known.sum() < 9:
            design[:, 1:] = 0
        plane = np.linalg.lstsq(design, levels[k][known], rcond=None)[0]
        image[k] -= (plane[0] + plane[1] * x + plane[2] * y).astype(np.float32)


def _median(image: NDArray[np.float32], usable: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Median over the usable inputs; 0 where there is none."""
    out = np.zeros(image.shape[1:], np.float32)
    _pixel_medians(image, usable, out, fainter=False)
    return out


@compiled
def _pixel_medians(
    image: NDArray[np.float32],
    usable: NDArray[np.bool_],
    out: NDArray[np.float32],
    fainter: bool,
) -> None:
    n, ny, nx = image.shape
    values = np.empty(n, np.float32)
    for i in range(ny):
        for j in range(nx):
            count = 0
            for k in range(n):
                if usable[k, i, j]:
                    values[count] = image[k, i, j]
                    count += 1
            if count == 2 and fainter:
                out[i, j] = min(values[0], values[1])
            elif count > 0:
                out[i, j] = np.median(values[:count])


def _outliers(
    image: NDArray[np.float32],
    variance: NDArray[np.float32],
    usable: NDArray[np.bool_],
    correlation: list[FloatArray],
    width: float,
) -> NDArray[np.bool_]:
    """Pixels of each input that disagree with the others, shape (n, ny, nx).

    All have the same PSF, of Gaussian width ``width`` [pixel]; a little smoothing lets the noise
    of single pixels go.
    """
    common = np.zeros_like(image)
    noise = np.zeros(len(image))
    half = correlation[0].shape[0] // 2
    lag2 = np.sum(np.mgrid[-half : half + 1, -half : half + 1] ** 2, axis=0)
    for k in range(len(image)):
        common[k] = gaussian_filter(filled(image[k], ~usable[k]), 1.0)
        # Variance after a Gaussian of sigma 1: under its own correlation, exp(-d^2 / 4) / 4 pi.
        share = float(np.sum(correlation[k] * np.exp(-lag2 / 4)) / (4 * np.pi))
        noise[k] = _sky(variance[k][usable[k]]) * share
    middle = np.zeros(image.shape[1:], np.float32)
    _pixel_medians(common, usable, middle, fainter=True)
    # What is left of the PSFs' differences scales with the light of the star, in its wings with
    # that of its core; so do variable stars, which stay in the average.
    light = np.maximum(middle, 0)
    allowed = _ALIKE * light + gaussian_filter(light, 2.5 * width)
    found = np.zeros(image.shape, bool)
    several = usable.sum(axis=0) > 1
    reach = int(np.ceil(_GROW * width))
    for k in range(len(image)):
        limit = _CLIP * np.sqrt(noise[k] + noise.max() / 2) + allowed
        far = several & usable[k] & (np.abs(common[k] - middle) > limit)
        if far.any():
            found[k] = (spread(far.astype(np.int32), 1, reach) != 0) & several
    # The last input of a pixel stays, whatever the others say.
    return found & (usable & ~found).any(axis=0)


def _average(
    image: NDArray[np.float32],
    variance: NDArray[np.float32],
    usable: NDArray[np.bool_],
    weight: FloatArray,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weighted mean and its variance; 0 and infinity where nothing is usable."""
    total = np.zeros(image.shape[1:])
    noise, down = np.zeros_like(total), np.zeros_like(total)
    for pixels, var, good, w in zip(image, variance, usable, weight, strict=True):
        total += np.where(good, w * pixels, 0)
        noise += np.where(good, w * w * var, 0)
        down += np.where(good, w, 0)
    some = down > 0
    down[~some] = 1
    mean = (total / down).astype(np.float32)
    mean_variance = np.where(some, noise / down**2, np.inf).astype(np.float32)
    return mean, mean_variance
