"""Difference of a visit and a template, its noise made white, and its PSF-likelihood image.

The template, brought onto the visit's stars and warped to its pixels and some more, is convolved
with the matching kernel K of :mod:`processing.kernel` and subtracted. The noise of S - K*T has the
power vS + vT R |K|^2, R being that of the template's own correlation; the filter phi, the root of
its inverse, makes it white again and is folded into the PSF. All this runs over cells in Fourier
space (:mod:`processing.tiles`).
DIA-01, DIA-08; design section 9; Alard & Lupton 1998;
Reiss & Lupton 2016 (DMTN-021).
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from astropy.wcs import WCS
from numpy.typing import NDArray
from scipy import ndimage

from processing import kernel, levels, masks, refraction, smoothing, tiles
from processing.alignment import aligned
from processing.compiled import compiled
from processing.exposure import UNUSABLE, Exposure, Mask
from processing.kernel import Kernel, PsfRatio
from processing.psf import PsfModel, fwhm
from processing.registration import registered
from processing.resampling import filled
from processing.warp import warp, white_noise
from skyledger.errors import DataRejectedError

FloatImage = NDArray[np.float32]
_SIGMA_OF_FWHM = 2.3548
_MARGIN = 32  # pixels of template around the visit
_EDGE = 2  # pixels at the border without the neighbours that white noise takes
_MIN_COVERAGE = 0.1  # of the visit's usable pixels that a template must reach
_MAX_RESIDUAL = 0.25  # of a star's light left, pixel by pixel, in the difference
_SCORE_SD = (0.6, 2.0)  # measured noise over predicted; crowded fields reach 1.7
_KERNEL_SUM = (0.5, 2.0)  # both images are calibrated: the flux ratio is near 1
_WIDEST = 2.0  # template FWHM over the visit's
_SAME_STAR = 0.3  # least ratio of the light of a star in both images


@dataclass
class Difference:
    """A difference image and what it was made of; all on the pixels of the visit.

    Attributes
    ----------
    exposure : Exposure [nJy]
        Visit minus template with white noise. The variance is a model (sky, template, photons
        of what both show), not the noisy pixel; the PSF is that of the difference.
    score : array, shape (ny, nx)
        Signal-to-noise of a point source centred on each pixel; 0 where unusable. Its
        standard deviation is 1 where nothing changed.
    flux_err : array, shape (ny, nx) [nJy]
        Standard error of the flux of such a source; infinite where unusable.
    template : Exposure [nJy]
        The template warped to the visit, not convolved.
    kernel : Kernel
        The matching kernel.
    quality : dict
        By the dictionary's names where it has one: ``kernelSum``, ``scoreSd`` (before the
        variance was scaled by its square), ``diffNoise`` [nJy], ``diffNoiseGrid`` (64 values,
        NaN where nothing is usable) [nJy], ``diffPixelSigma`` [nJy]; and ``nStamps``,
        ``nCandidates``, ``kernelChi2``, ``residualFraction`` (light of a star left over).
    """

    exposure: Exposure
    score: FloatImage
    flux_err: FloatImage
    template: Exposure
    kernel: Kernel
    quality: dict[str, Any]


def subtract(visit: Exposure, template: Exposure) -> Difference:
    """Subtract ``template`` from the calibrated image of a visit.

    Parameters
    ----------
    visit : Exposure [nJy]
        Processed visit image with PSF.
    template : Exposure [nJy]
        From :func:`processing.coadd.build_template`; on any pixel grid.

    Raises
    ------
    DataRejectedError
        Template built from this visit, of another band or unit, covering less than a tenth of
        the visit or far less sharp; too few stars; or a subtraction that failed: too much of
        the stars is left, or the noise is not the predicted one. Nothing of it may be used.
    """
    _check(visit, template)
    stars = template.refraction
    seen = visit if stars is None else replace(visit, wcs=registered(visit, stars))
    wide = warp(aligned(template, visit) if stars is None else template, *_widened(seen))
    _refract(wide, visit)
    warped = _cropped(wide, visit)
    name = f"ccdVisit {visit.visit.ccd_visit_id}"
    usable = np.empty(visit.shape, np.bool_)
    n_visit, n_both = _usable(
        visit.image, visit.variance, visit.mask, warped.mask, int(UNUSABLE), usable
    )
    coverage = n_both / max(1, n_visit)
    if coverage < _MIN_COVERAGE:
        raise DataRejectedError(
            f"{name}: the template covers {coverage:.2f} of the usable pixels, at least "
            f"{_MIN_COVERAGE} are needed; build a template of this field"
        )
    sigma_visit, sigma_template = _widths(visit, warped)
    if sigma_template > _WIDEST * sigma_visit:
        raise DataRejectedError(
            f"{name}: the template's PSF is {sigma_template / sigma_visit:.1f} times wider than "
            f"the visit's, the limit is {_WIDEST}; build one from sharper visits"
        )
    pixels = filled(visit.image, ~usable)
    reference = filled(wide.image, masks.flagged(wide.mask, int(Mask.NO_DATA | Mask.BAD)))
    sky_visit = levels.sky_of_visit(visit, usable)
    sky_template, spare = levels.sky_of_template(warped, usable)
    smooth = smoothing.gaussian(pixels, sigma_visit, out=spare)
    x, y = _stars(smooth, reference, sky_visit, sigma_visit, usable)
    noise = levels.with_photons(
        sky_visit, sky_template, 1.0, smooth, 1 / visit.electrons_per_unit, 0.005, out=smooth
    )
    stamp = int(np.clip(np.ceil(2.2 * _SIGMA_OF_FWHM * sigma_visit), 7, 16))
    psf = _psf(visit)
    assert warped.psf is not None  # noqa: S101 (checked on entry)
    matching = kernel.fit(
        reference, pixels, noise, usable, x, y,
        PsfRatio(psf, warped.psf), sigma_visit, stamp,
    )  # fmt: skip
    if not _KERNEL_SUM[0] < matching.sum < _KERNEL_SUM[1]:
        raise DataRejectedError(
            f"{name}: visit and template differ by a factor {matching.sum:.2f} in flux, allowed "
            f"are {_KERNEL_SUM}; check the zero points of both"
        )
    del smooth, noise, spare
    mask = _mask(visit, warped, sigma_visit)
    good = usable & ((mask & int(UNUSABLE)) == 0)
    correlation = white_noise() if wide.noise is None else wide.noise
    made = tiles.difference(
        pixels, reference, sky_visit, sky_template, correlation, good, psf, matching
    )
    del pixels, reference
    variance = levels.with_photons(
        sky_visit, sky_template, matching.sum**2, made.model,
        1 / visit.electrons_per_unit + matching.sum / template.electrons_per_unit, 0.0,
        out=sky_template,
    )  # fmt: skip
    blank = levels.blank_pixels(smoothing.gaussian(made.model, 2, out=sky_visit), variance, good)
    del sky_visit, sky_template
    levels.subtract_sky(made.image, variance, blank, good)
    some = levels.lattice(visit.shape)
    floor = levels.spread_of((made.image[some] / np.sqrt(variance[some]))[blank[some]])
    residual = levels.residual_fraction(made.image, variance, floor**2, made.model, good)
    levels.add_share(variance, made.model, residual)
    if stars is not None:
        refraction.add_uncertainty(
            variance, made.model, stars, seen.wcs, visit.visit, sigma_visit * _SIGMA_OF_FWHM
        )
    score, flux_err = tiles.likelihood(made.image, variance, good, made.psf)
    changed = masks.around(score, 5, int(4 * sigma_visit))
    score_sd = levels.spread_of(score[some][(blank & ~changed)[some]])
    if not _SCORE_SD[0] < score_sd < _SCORE_SD[1] or residual > _MAX_RESIDUAL:
        raise DataRejectedError(
            f"{name}: the subtraction failed: noise is {score_sd:.2f} times the predicted one "
            f"(allowed {_SCORE_SD}), {100 * residual:.0f} % of the stars' light is left (allowed "
            f"{100 * _MAX_RESIDUAL:.0f} %); look at the visit's PSF, WCS and background"
        )
    # What the variance planes do not know (say, read noise of a real camera) is scaled away.
    variance *= np.float32(score_sd**2)
    score /= np.float32(score_sd)
    flux_err *= np.float32(score_sd)
    quality: dict[str, Any] = {
        "kernelSum": matching.sum,
        "scoreSd": score_sd,
        **levels.noise_summary(flux_err, variance, good),
        "nStamps": matching.n_stamps,
        "nCandidates": matching.n_candidates,
        "kernelChi2": matching.chi2,
        "residualFraction": residual,
    }
    variance[~good] = np.inf
    exposure = replace(
        visit,
        image=made.image,
        variance=variance,
        mask=mask,
        psf=made.psf,
        quality=dict(quality),
    )
    return Difference(exposure, score, flux_err, warped, matching, quality)


def _check(visit: Exposure, template: Exposure) -> None:
    name = f"ccdVisit {visit.visit.ccd_visit_id}"
    inputs = list(template.quality.get("inputs", []))
    if visit.visit.ccd_visit_id in inputs:
        raise DataRejectedError(
            f"{name} is one of the {len(inputs)} inputs of its template; "
            "subtract a template built without it"
        )
    if visit.visit.band != template.visit.band:
        raise DataRejectedError(
            f"{name} is in band {visit.visit.band}, its template in {template.visit.band}; "
            "take the template of the same band"
        )
    if visit.unit != "nJy" or template.unit != "nJy":
        raise DataRejectedError(
            f"{name} is in {visit.unit}, its template in {template.unit}; both must be in nJy"
        )
    if visit.psf is None or template.psf is None:
        raise DataRejectedError(f"{name} or its template has no PSF; measure it first")


def _refract(template: Exposure, visit: Exposure) -> None:
    """Put the stars of a template, in place, where the visit's atmosphere shows them."""
    if template.refraction is None or template.psf is None:
        return
    ny, nx = template.shape
    width = fwhm(template.psf.image((nx - 1) / 2, (ny - 1) / 2))
    noise = float(np.sqrt(np.median(template.variance[template.usable()][::7])))
    template.image = refraction.displaced(
        template.image, template.refraction, template.wcs, visit.visit, width, noise
    )


def _widened(visit: Exposure) -> tuple[WCS, tuple[int, int]]:
    """Grid of the visit with a margin, so that the kernel has what it needs at the border."""
    wcs = visit.wcs.deepcopy()
    wcs.wcs.crpix = wcs.wcs.crpix + _MARGIN
    wcs.wcs.set()
    return wcs, (visit.shape[0] + 2 * _MARGIN, visit.shape[1] + 2 * _MARGIN)


def _cropped(wide: Exposure, visit: Exposure) -> Exposure:
    """Template on the pixels of the visit, without the margin."""
    inner = (slice(_MARGIN, -_MARGIN), slice(_MARGIN, -_MARGIN))
    psf = wide.psf
    if isinstance(psf, PsfModel):
        psf = replace(psf, x0=psf.x0 - _MARGIN, y0=psf.y0 - _MARGIN)
    return replace(
        wide,
        image=wide.image[inner],
        variance=wide.variance[inner],
        mask=wide.mask[inner],
        wcs=visit.wcs,
        psf=psf,
    )


def _psf(visit: Exposure) -> PsfModel:
    psf = visit.psf
    if isinstance(psf, PsfModel):
        return psf
    assert psf is not None  # noqa: S101 (checked on entry)
    return PsfModel.sampled(psf, visit.shape)


def _widths(visit: Exposure, template: Exposure) -> tuple[float, float]:
    """Gaussian widths [pixel] of both PSFs: medians over nine places of the detector."""
    ny, nx = visit.shape
    places = [(f * nx, g * ny) for f in (0.15, 0.5, 0.85) for g in (0.15, 0.5, 0.85)]
    widths = []
    for exposure in (visit, template):
        psf = exposure.psf
        assert psf is not None  # noqa: S101 (checked on entry)
        widths.append(np.median([fwhm(psf.image(x, y)) for x, y in places]) / _SIGMA_OF_FWHM)
    return float(widths[0]), float(widths[1])


@compiled
def _usable(
    image: FloatImage, variance: FloatImage, mask: NDArray[np.int32], other: NDArray[np.int32],
    bits: int, out: NDArray[np.bool_],
) -> tuple[int, int]:  # fmt: skip
    """Find pixels usable in two images; count those of the first and those of both."""
    first = both = 0
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            mine = (mask[i, j] & bits) == 0
            sound = np.isfinite(image[i, j]) and np.isfinite(variance[i, j]) and variance[i, j] > 0
            out[i, j] = mine and (other[i, j] & bits) == 0 and sound
            first += mine
            both += out[i, j]
    return first, both


def _stars(
    smooth: FloatImage,
    template: FloatImage,
    sky: FloatImage,
    width: float,
    usable: NDArray[np.bool_],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Peaks of S/N 20 to 20,000 with no unusable pixel near, spread over the detector.

    ``smooth`` is the image after a Gaussian of ``width``, ``sky`` the variance before it. What the
    ``template``, with its margin, does not show is not a star but something new.
    """
    # Noise of an image smoothed by a Gaussian: 1 / (2 sqrt(pi) width) of the pixel's.
    factor = float(2 * np.sqrt(np.pi) * width)
    reach = int(np.ceil(2 * width))
    y, x = _peaks(smooth, sky, usable, reach, 20.0 / factor, 20_000.0 / factor)
    near = np.arange(-reach, reach + 1)
    rows, columns = y[:, None, None] + near[:, None], x[:, None, None] + near
    ratio = template[rows + _MARGIN, columns + _MARGIN].sum(axis=(1, 2)) / smooth[
        np.clip(rows, 0, smooth.shape[0] - 1), np.clip(columns, 0, smooth.shape[1] - 1)
    ].sum(axis=(1, 2))
    same = (ratio > _SAME_STAR) & (ratio < 1 / _SAME_STAR)
    y, x = y[same], x[same]
    significance = smooth[y, x] / np.sqrt(sky[y, x])
    brightest = np.argsort(-significance)
    y, x = y[brightest], x[brightest]
    ny, nx = smooth.shape
    cell = (y * 8 // ny) * 8 + x * 8 // nx
    chosen = [np.flatnonzero(cell == c)[:5] for c in np.unique(cell)]
    keep = np.concatenate(chosen) if chosen else np.zeros(0, int)
    return x[keep], y[keep]


@compiled
def _peaks(
    image: FloatImage, variance: FloatImage, usable: NDArray[np.bool_], reach: int, low: float,
    high: float,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:  # fmt: skip
    """Pixels between two S/N that nothing within a box around them exceeds, all usable there."""
    ny, nx = image.shape
    rows, columns = [], []
    low2, high2 = np.float32(low * low), np.float32(high * high)
    for i in range(ny):
        for j in range(nx):
            value = image[i, j]
            square = value * value
            if value <= 0 or square <= low2 * variance[i, j] or square >= high2 * variance[i, j]:
                continue
            top = True
            for r in range(max(0, i - reach), min(ny, i + reach + 1)):
                for c in range(max(0, j - reach), min(nx, j + reach + 1)):
                    if image[r, c] > value or not usable[r, c]:
                        top = False
                        break
                if not top:
                    break
            if top:
                rows.append(i)
                columns.append(j)
    return np.array(rows, np.int64), np.array(columns, np.int64)


def _mask(visit: Exposure, template: Exposure, width: float) -> NDArray[np.int32]:
    """Mask of the difference: of both images, the template's spread by half a PSF."""
    carried = int(UNUSABLE | Mask.INTRP | Mask.INJECTED)
    lost = int(Mask.BAD | Mask.SAT | Mask.CR | Mask.NO_DATA | Mask.EDGE | Mask.STREAK)
    mask = masks.merged(visit.mask, carried, template.mask, lost, int(np.ceil(1.5 * width)))
    mask[_halo(masks.flagged(mask, int(Mask.SAT)), width)] |= int(Mask.SAT)
    for line in (mask[:_EDGE], mask[-_EDGE:], mask[:, :_EDGE], mask[:, -_EDGE:]):
        np.bitwise_or(line, np.int32(int(Mask.EDGE)), out=line)
    return mask


def _halo(saturated: NDArray[np.bool_], width: float) -> NDArray[np.bool_]:
    """Surroundings of saturated stars where the PSF's wings are too bright to subtract.

    The reach is 2 pixels and four radii of the core, the radius being that of the largest circle
    in it, so that a bled column does not count as a large star. On real frames (SDSS, r) 57 of 79
    detections lay within that reach of five stars. It is at least 2.5 FWHM beyond the core: there
    the kernels, whose sigma is about ``width`` [pixel], spread the light that the core lost.
    """
    parts, _ = ndimage.label(saturated)
    out = saturated.copy()
    ny, nx = saturated.shape
    for index, cut in enumerate(ndimage.find_objects(parts), start=1):
        core = np.pad(parts[cut] == index, 1)
        radius = float(ndimage.distance_transform_edt(core).max())
        least = radius + 2.5 * _SIGMA_OF_FWHM * width
        reach = min(60, int(np.ceil(max(2 + 4 * radius, least))))
        y, x = cut
        box = (
            slice(max(0, y.start - reach), min(ny, y.stop + reach)),
            slice(max(0, x.start - reach), min(nx, x.stop + reach)),
        )
        out[box] |= masks.spread((parts[box] == index).astype(np.int32), 1, reach) != 0
    return out
