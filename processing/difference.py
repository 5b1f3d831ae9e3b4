"""Difference of a visit and a template, its noise made white, and its PSF-likelihood image.

The template, warped to the visit's pixels and some more, is convolved with the matching kernel K
of :mod:`processing.kernel` and subtracted. The noise of S - K*T has the power vS + vT R |K|^2, R
being that of the template's own correlation; the filter phi, the root of its inverse, makes it
white again and is folded into the PSF. All this runs over cells in Fourier space
(:mod:`processing.tiles`).
DIA-01, DIA-08; design section 9; Alard & Lupton 1998; Reiss & Lupton 2016 (DMTN-021).
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from astropy.wcs import WCS
from numpy.typing import NDArray
from scipy import ndimage

from processing import kernel, masks, smoothing, tiles
from processing.compiled import compiled
from processing.exposure import UNUSABLE, Exposure, Mask
from processing.kernel import Kernel, PsfRatio
from processing.psf import PsfModel, fwhm
from processing.warp import filled, warp, white_noise
from skyledger.errors import DataRejectedError

FloatImage = NDArray[np.float32]
_SIGMA_OF_FWHM = 2.3548
_MARGIN = 32  # pixels of template around the visit
_EDGE = 2  # pixels at the border without the neighbours that white noise takes
_MIN_COVERAGE = 0.1  # of the visit's usable pixels that a template must reach
_MAX_RESIDUAL = 0.25  # of a star's light left, pixel by pixel, in the difference
_SCORE_SD = (0.6, 1.6)  # measured noise over predicted
_KERNEL_SUM = (0.5, 2.0)  # both images are calibrated: the flux ratio is near 1
_WIDEST = 2.0  # template FWHM over the visit's
_SAME_STAR = 0.3  # least ratio of the light of a star in both images
_BLOCK = 4  # pixels: the sky that is left is looked for on sums of blocks


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
    wide = warp(template, *_widened(visit))
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
    sky_visit = _sky_of_visit(visit, usable)
    sky_template = _sky_of_template(warped, usable)
    smooth = smoothing.gaussian(pixels, sigma_visit)
    x, y = _stars(smooth, reference, sky_visit, sigma_visit, usable)
    noise = _with_photons(
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
    del smooth, noise
    mask = _mask(visit, warped, sigma_visit)
    good = usable & ((mask & int(UNUSABLE)) == 0)
    correlation = white_noise() if wide.noise is None else wide.noise
    made = tiles.difference(
        pixels, reference, sky_visit, sky_template, correlation, good, psf, matching
    )
    del pixels, reference
    variance = _with_photons(
        sky_visit, sky_template, matching.sum**2, made.model,
        1 / visit.electrons_per_unit + matching.sum / template.electrons_per_unit, 0.0,
        out=sky_template,
    )  # fmt: skip
    del sky_visit, sky_template
    blank = _blank(made.model, variance, good)
    sky = _sky_left(made.image, variance, blank)
    np.subtract(made.image, sky, out=made.image, where=good)
    del sky
    some = _lattice(visit.shape)
    floor = _spread((made.image[some] / np.sqrt(variance[some]))[blank[some]])
    residual = _residual_fraction(made.image, variance, floor**2, made.model, good)
    _add_share(variance, made.model, residual)
    score, flux_err = tiles.likelihood(made.image, variance, good, made.psf)
    changed = masks.around(score, 5, int(4 * sigma_visit))
    score_sd = _spread(score[some][(blank & ~changed)[some]])
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
        **_noise_summary(flux_err, variance, good),
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


def _lattice(shape: tuple[int, int]) -> tuple[slice, slice]:
    """Every pixel of a small image; of a large one about a million, for medians and the like."""
    step = max(1, round(max(shape) / 1024))
    return slice(step // 2, None, step), slice(step // 2, None, step)


def _sky_of_visit(visit: Exposure, usable: NDArray[np.bool_]) -> FloatImage:
    """Variance without the photons of sources, shape (ny, nx).

    A smooth map of block medians, which does not depend on how the variance plane was made.
    """

    def base(rows: slice, columns: slice) -> NDArray[np.float32]:
        seen = usable[rows, columns]
        light = np.maximum(visit.image[rows, columns][seen], 0)
        return np.asarray(visit.variance[rows, columns][seen] - light / visit.electrons_per_unit)

    ny, nx = visit.shape
    size = 128
    counts = max(1, round(ny / size)), max(1, round(nx / size))
    levels = np.full(counts, np.median(base(*_lattice(visit.shape))), np.float32)
    for i, row in enumerate(np.array_split(np.arange(ny), counts[0])):
        for j, column in enumerate(np.array_split(np.arange(nx), counts[1])):
            found = base(slice(row[0], row[-1] + 1, 3), slice(column[0], column[-1] + 1, 3))
            if found.size > 0.1 * row.size * column.size / 9:
                levels[i, j] = np.median(found)
    out = np.empty(visit.shape, np.float32)
    _stretch(levels, out)
    return out


@compiled
def _stretch(levels: NDArray[np.float32], out: FloatImage) -> None:
    """Interpolate the values of blocks linearly; beyond the outer middles they stay as they are."""
    ny, nx = out.shape
    rows, columns = levels.shape
    for i in range(ny):
        s = min(max((i + 0.5) * rows / ny - 0.5, 0.0), rows - 1.0)
        r = min(int(s), max(0, rows - 2))
        t = np.float32(s - r)
        line = levels[r] + t * (levels[min(r + 1, rows - 1)] - levels[r])
        for j in range(nx):
            u = min(max((j + 0.5) * columns / nx - 0.5, 0.0), columns - 1.0)
            c = min(int(u), max(0, columns - 2))
            out[i, j] = line[c] + np.float32(u - c) * (line[min(c + 1, columns - 1)] - line[c])


def _sky_of_template(template: Exposure, usable: NDArray[np.bool_]) -> FloatImage:
    """Variance without the photons of sources, of the pixels themselves; shape (ny, nx).

    The depth of a template jumps where coverage ends.
    """
    some, per_unit = _lattice(template.shape), 1 / template.electrons_per_unit
    seen = usable[some]
    light = np.maximum(template.image[some][seen], 0)
    middle = float(np.median(template.variance[some][seen] - per_unit * light))
    base = np.empty(template.shape, np.float32)
    _without_photons(template.image, template.variance, usable, per_unit, middle, base)
    base = smoothing.box(base, 2)
    return np.asarray(np.maximum(base, np.float32(0.3 * middle), out=base))


@compiled
def _without_photons(
    image: FloatImage, variance: FloatImage, usable: NDArray[np.bool_], per_unit: float,
    elsewhere: float, out: FloatImage,
) -> None:  # fmt: skip
    p, other = np.float32(per_unit), np.float32(elsewhere)
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            own = variance[i, j] - p * max(image[i, j], np.float32(0))
            out[i, j] = own if usable[i, j] else other


@compiled
def _with_photons(
    first: FloatImage, second: FloatImage, factor: float, light: FloatImage, per_unit: float,
    share: float, out: FloatImage,
) -> FloatImage:  # fmt: skip
    """Variance of two skies, the second times a factor, of the light and of a share of it."""
    f, p, s = np.float32(factor), np.float32(per_unit), np.float32(share)
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            here = light[i, j]
            photons = p * max(here, np.float32(0)) + (s * here) ** 2
            out[i, j] = first[i, j] + f * second[i, j] + photons
    return out


@compiled
def _add_share(variance: FloatImage, light: FloatImage, share: float) -> None:
    """Add the square of a share of the light."""
    s = np.float32(share)
    for i in range(variance.shape[0]):
        for j in range(variance.shape[1]):
            variance[i, j] += (s * light[i, j]) ** 2


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


def _spread(values: NDArray[np.floating[Any]]) -> float:
    """Robust standard deviation about the median, from up to some hundred thousand values."""
    if values.size == 0:
        return float("nan")
    values = values.ravel()[:: max(1, values.size // 300_000)]
    return float(1.4826 * np.median(np.abs(values - np.median(values))))


def _blank(model: FloatImage, variance: FloatImage, good: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Usable pixels where the template shows next to nothing; in crowded fields the emptiest."""
    smooth = smoothing.gaussian(model, 2)
    some = _lattice(model.shape)
    depth = (smooth[some] / np.sqrt(variance[some]))[good[some]]
    if depth.size == 0:
        return good
    # The template's own noise must not decide: a cut within it would select quiet pixels.
    negative = depth[depth < 0]
    noise = 1.4826 * float(np.median(-negative)) if negative.size else 0.0
    limit = max(0.2 + 4 * noise, float(np.quantile(depth, 0.2)))
    out = np.empty(good.shape, np.bool_)
    _fainter(smooth, variance, good, limit, out)
    return out


@compiled
def _fainter(
    light: FloatImage, variance: FloatImage, good: NDArray[np.bool_], limit: float,
    out: NDArray[np.bool_],
) -> None:  # fmt: skip
    """Good pixels whose light is less than ``limit`` standard deviations (not negative)."""
    squared = np.float32(limit**2)
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            value = light[i, j]
            faint = value < 0 or value * value < squared * variance[i, j]
            out[i, j] = good[i, j] and faint


def _sky_left(image: FloatImage, variance: FloatImage, blank: NDArray[np.bool_]) -> FloatImage:
    """Plane of what sky is left, shape (ny, nx).

    The kernel's stamps lie on stars, whose wings outside of them pass for sky. What changed has
    wings too: blocks where something is, and those around them, do not count.
    """
    ny, nx = image.shape
    sums = np.zeros((3, ny // _BLOCK, nx // _BLOCK), np.float32)
    _sum_blocks(image, variance, blank, sums)
    count, light, noise = sums
    known = count > 0
    y, x = (np.arange(n) * _BLOCK / size for n, size in zip(count.shape, (ny, nx), strict=True))
    quiet, sky = known, np.zeros(3)
    for _ in range(2):
        points = []
        for row in np.array_split(np.arange(y.size), 6):
            for column in np.array_split(np.arange(x.size), 6):
                cut = np.ix_(row, column)
                number = count[cut][quiet[cut]].sum()
                if number > 100:
                    level = light[cut][quiet[cut]].sum() / number
                    points.append((1.0, x[column].mean(), y[row].mean(), level))
        if len(points) < 12:
            level = np.median(image[blank]) if blank.any() else 0.0
            return np.full(image.shape, level, np.float32)
        design = np.array(points)
        sky = np.linalg.lstsq(design[:, :3], design[:, 3], rcond=None)[0]
        plane = sky[0] + sky[1] * x + sky[2] * y[:, None]
        size = np.abs(light - plane * count) / np.sqrt(np.where(known, noise, 1))
        quiet = known & ~masks.around(size, 4, 3) & ~masks.around(size, 30, 8)
    across = (sky[0] + sky[1] * np.arange(nx) / nx).astype(np.float32)
    return np.asarray(across + (sky[2] * np.arange(ny)[:, None] / ny).astype(np.float32))


@compiled
def _sum_blocks(
    image: FloatImage, variance: FloatImage, blank: NDArray[np.bool_], out: FloatImage
) -> None:
    """Sum number, light and variance of the blank pixels of blocks; a part of a block is none."""
    for i in range(out.shape[1] * _BLOCK):
        for j in range(out.shape[2] * _BLOCK):
            if blank[i, j]:
                r, c = i // _BLOCK, j // _BLOCK
                out[0, r, c] += np.float32(1)
                out[1, r, c] += image[i, j]
                out[2, r, c] += variance[i, j]


def _residual_fraction(
    image: FloatImage,
    variance: FloatImage,
    factor: float,
    model: FloatImage,
    good: NDArray[np.bool_],
) -> float:
    """Share f of the light for which residuals of stars are factor var + (f light)^2 wide."""
    faint = np.empty(good.shape, np.bool_)
    _fainter(model, variance, good, 10 * float(np.sqrt(factor)), faint)
    bright = good & ~faint
    if bright.sum() < 50:
        return 0.0
    d, v, m = image[bright], variance[bright] * np.float32(factor), model[bright]
    low, high = 0.0, 1.0
    if _spread(d / np.sqrt(v)) <= 1:
        return 0.0
    for _ in range(20):
        middle = (low + high) / 2
        if _spread(d / np.sqrt(v + (middle * m) ** 2)) > 1:
            low = middle
        else:
            high = middle
    return high


def _noise_summary(
    flux_err: FloatImage, variance: FloatImage, good: NDArray[np.bool_]
) -> dict[str, Any]:
    """Noise over the usable positions: medians of the whole and of an 8 x 8 grid."""
    some = _lattice(flux_err.shape)
    flux_err, variance = flux_err[some], variance[some]
    seen = good[some] & np.isfinite(flux_err)
    grid = np.full(64, np.nan)
    rows, columns = (np.array_split(np.arange(n), 8) for n in flux_err.shape)
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            cut = slice(row[0], row[-1] + 1), slice(column[0], column[-1] + 1)
            if seen[cut].any():
                grid[8 * i + j] = np.median(flux_err[cut][seen[cut]])
    return {
        "diffNoise": float(np.median(flux_err[seen])),
        "diffNoiseGrid": grid.tolist(),
        "diffPixelSigma": float(np.sqrt(np.median(variance[seen]))),
    }
