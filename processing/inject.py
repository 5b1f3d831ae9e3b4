"""Artificial point sources put into a visit image, to learn what is found of them.

They go through the same search as everything else and are never published: their pixels carry the
mask plane INJECTED, the sources found on them the flag of that name, and the database refuses it.
The light is spread as the image's own PSF model says, with photon noise of its own. GEN-12.
"""

from dataclasses import replace

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray
from scipy import ndimage

from processing.difference import Difference
from processing.exposure import Exposure, Mask
from processing.psf import PsfModel
from skyledger.errors import DataRejectedError, UsageError

FloatArray = NDArray[np.float64]
SNR = (3.0, 50.0)  # range of the signal-to-noise ratios, equally many a factor
_APART = 5.0  # FWHM between artificial sources: they are no blends of each other
_EXTENDED = 0.7  # share of a point source's light in its peak below which light is extended
_MARKED = 0.02  # of the peak: pixels that carry the mask plane


def inject(
    visit: Exposure, clean: Difference, number: int, rng: np.random.Generator
) -> tuple[Exposure, Table]:
    """Put point sources into a calibrated image, half of them onto galaxies.

    Parameters
    ----------
    visit : Exposure [nJy]
        Processed visit image with PSF; it is not changed.
    clean : Difference
        Of the visit as it is: tells which pixels are usable, and how noisy the template is.
    number : int
        How many; fewer where there is no room for so many.
    rng : Generator
        Decides places, fluxes and photon noise.

    Returns
    -------
    visit : Exposure [nJy]
        With the sources, their noise in the variance, and mask plane INJECTED.
    fakes : Table
        ``x``, ``y`` [pixel], ``ra``, ``decl`` [deg], ``flux`` [nJy], ``snr`` (Fisher: of the known
        flux and PSF, with the variance of visit and template), ``where`` (blank, star, host or
        masked).

    Raises
    ------
    UsageError
        If no sources are asked for.
    DataRejectedError
        If the image has no PSF, or nothing of it is usable.
    """
    if number < 1:
        raise UsageError(f"{number} artificial sources are asked for; ask for at least one")
    template = clean.template
    usable = clean.exposure.usable() & np.isfinite(visit.variance + template.variance)
    if visit.psf is None or not usable.any():
        raise DataRejectedError(
            f"ccdVisit {visit.visit.ccd_visit_id} has no PSF or no usable pixel; nothing can be "
            f"put into it"
        )
    middle = visit.psf.image((visit.shape[1] - 1) / 2, (visit.shape[0] - 1) / 2)
    fwhm = PsfModel.constant(middle).fwhm(0, 0)
    galaxies = _galaxies(visit, float(middle.max()))
    x, y = _places(galaxies, usable, number, _APART * fwhm, rng)
    variance = np.where(usable, visit.variance + template.variance, np.inf)
    level = float(np.median(variance[usable]))
    wanted = np.exp(rng.uniform(np.log(SNR[0]), np.log(SNR[1]), len(x)))
    image, new_variance = visit.image.astype(np.float64), visit.variance.astype(np.float64)
    mask = visit.mask.copy()
    flux, snr = np.zeros(len(x)), np.zeros(len(x))
    for k in range(len(x)):
        box, stamp = _stamp(visit, float(x[k]), float(y[k]))
        # What masks hide does not make a source fainter: it is in the denominator.
        local = np.where(np.isfinite(variance[box]), variance[box], level)
        flux[k] = _flux(wanted[k], stamp, local, visit.electrons_per_unit)
        photons = flux[k] * np.maximum(stamp, 0) / visit.electrons_per_unit
        snr[k] = flux[k] * np.sqrt(np.sum(stamp**2 / (local + photons)))
        image[box] += flux[k] * stamp + np.sqrt(photons) * rng.standard_normal(stamp.shape)
        new_variance[box] += photons
        mask[box] |= np.where(stamp > _MARKED * stamp.max(), int(Mask.INJECTED), 0)
    fakes = Table()
    fakes["x"], fakes["y"] = x, y
    fakes["ra"], fakes["decl"] = visit.wcs.all_pix2world(x, y, 0) if len(x) else (x, y)
    fakes["flux"], fakes["snr"] = flux, snr
    fakes["where"] = _where(visit, galaxies, usable, x, y)
    for name, unit in (("x", "pix"), ("y", "pix"), ("ra", "deg"), ("decl", "deg"), ("flux", "nJy")):
        fakes[name].unit = unit
    changed = replace(
        visit,
        image=image.astype(np.float32),
        variance=new_variance.astype(np.float32),
        mask=mask,
    )
    return changed, fakes


def _galaxies(visit: Exposure, peak: float) -> NDArray[np.bool_]:
    """Find the pixels of light that is more extended than a PSF of the given peak."""
    detected = (visit.mask & int(Mask.DETECTED)) != 0
    saturated = (visit.mask & int(Mask.SAT)) != 0
    labels, n = ndimage.label(detected)
    index = np.arange(1, n + 1)
    if not n:
        return np.zeros(visit.shape, bool)
    total = ndimage.sum_labels(visit.image, labels, index)
    highest = ndimage.maximum(visit.image, labels, index)
    extended = (total > 0) & (highest < _EXTENDED * peak * total)
    # A saturated star has no peak.
    extended &= ~ndimage.maximum(saturated, labels, index).astype(bool)
    keep = np.concatenate([[False], extended])
    return np.asarray(keep[labels])


def _places(
    galaxies: NDArray[np.bool_],
    usable: NDArray[np.bool_],
    number: int,
    apart: float,
    rng: np.random.Generator,
) -> tuple[FloatArray, FloatArray]:
    """Positions [pixel] at least ``apart`` from each other: half anywhere, half on galaxies."""
    ny, nx = usable.shape
    rows, columns = np.nonzero(galaxies & usable)
    found: list[tuple[float, float]] = []
    cells: dict[tuple[int, int], list[tuple[float, float]]] = {}  # squares of side ``apart``
    for attempt in range(20 * number):
        if len(found) == number:
            break
        if attempt % 2 and len(rows):
            pick = rng.integers(len(rows))
            x, y = columns[pick] + rng.uniform(-0.5, 0.5), rows[pick] + rng.uniform(-0.5, 0.5)
        else:
            x, y = rng.uniform(-0.5, nx - 0.5), rng.uniform(-0.5, ny - 0.5)
        i, j = int(x // apart), int(y // apart)
        near = [p for k in range(9) for p in cells.get((i + k // 3 - 1, j + k % 3 - 1), ())]
        if all((x - a) ** 2 + (y - b) ** 2 > apart**2 for a, b in near):
            found.append((float(x), float(y)))
            cells.setdefault((i, j), []).append(found[-1])
    places = np.array(found).reshape(-1, 2)
    return places[:, 0], places[:, 1]


def _stamp(visit: Exposure, x: float, y: float) -> tuple[tuple[slice, slice], FloatArray]:
    """Pixels around a position, and the share of a source's light that falls onto each."""
    assert visit.psf is not None  # noqa: S101 (checked on entry)
    centred = visit.psf.image(x, y)
    half = centred.shape[0] // 2
    column, row = int(np.rint(x)), int(np.rint(y))
    shifted = ndimage.shift(centred, (y - row, x - column), order=5, mode="constant")
    ny, nx = visit.shape
    top, left = max(0, row - half), max(0, column - half)
    bottom, right = min(ny, row + half + 1), min(nx, column + half + 1)
    inner = shifted[
        top - row + half : bottom - row + half, left - column + half : right - column + half
    ]
    return (slice(top, bottom), slice(left, right)), inner


def _flux(snr: float, stamp: FloatArray, variance: FloatArray, per_unit: float) -> float:
    """Flux [nJy] that has a signal-to-noise ratio, its own photons included."""
    flux = snr / np.sqrt(np.sum(stamp**2 / variance))
    share, square = np.maximum(stamp, 0) / per_unit, stamp**2
    for _ in range(30):
        before = flux
        flux = snr / np.sqrt(np.sum(square / (variance + flux * share)))
        if abs(flux - before) < 1e-9 * flux:
            break
    return float(flux)


def _where(
    visit: Exposure,
    galaxies: NDArray[np.bool_],
    usable: NDArray[np.bool_],
    x: FloatArray,
    y: FloatArray,
) -> list[str]:
    """Tell what is below each position: blank sky, a star, a galaxy, or masked pixels."""
    row = np.clip(np.rint(y).astype(int), 0, visit.shape[0] - 1)
    column = np.clip(np.rint(x).astype(int), 0, visit.shape[1] - 1)
    told = np.where(galaxies[row, column], "host", "blank")
    star = (visit.mask[row, column] & int(Mask.DETECTED)) != 0
    told = np.where(star & (told == "blank"), "star", told)
    return [str(v) for v in np.where(usable[row, column], told, "masked")]
