"""From peaks of the score image to sources: single ones, dipoles, trails, parents and children.

DIA-08, DIA-09, DIA-21; DPDD section 4, steps 2 and 3.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from processing.difference import Difference
from processing.exposure import Mask
from processing.footprints import Footprint, Peak, find_footprints
from processing.line_fits import TRAIL
from processing.plane import FloatArray, Plane
from skyledger.dictionary import flag_bit

_BLEND_LIMIT = 8  # peaks beyond which a footprint is not deblended


@dataclass(frozen=True)
class Source:
    """What is to be measured: where, on which image, and its place among the others."""

    x: float
    y: float
    score: float
    footprint: Footprint
    parent: int = -1
    flags: int = 0
    siblings: FloatArray | None = None  # models of the other children: rows of flux, x, y
    opposite: Peak | None = None  # other lobe of a dipole


def flag(name: str) -> int:
    """Return the value of a flag of DIASource, by its name in the dictionary."""
    return 1 << flag_bit("DIASource", name)


def find_sources(
    difference: Difference, plane: Plane, threshold: float, fraction: float
) -> list[Source]:
    """Detect, merge lobes, deblend; sets the mask planes of the difference."""
    exposure, score = difference.exposure, difference.score
    mask = exposure.mask
    mask &= ~int(Mask.DETECTED | Mask.DETECTED_NEGATIVE | Mask.NOT_DEBLENDED)
    assert exposure.psf is not None  # noqa: S101 (every Difference has one)
    ny, nx = exposure.shape
    stamp = exposure.psf.image((nx - 1) / 2, (ny - 1) / 2)
    sources: list[Source] = []
    for footprint in find_footprints(score, plane.usable, stamp, threshold):
        local = score[footprint.box]
        mask[footprint.box] |= np.where(
            footprint.inside & (local >= threshold), int(Mask.DETECTED), 0
        )
        mask[footprint.box] |= np.where(
            footprint.inside & (local <= -threshold), int(Mask.DETECTED_NEGATIVE), 0
        )
        family = _family(footprint, plane, len(sources))
        if family[0].flags & flag("NOT_DEBLENDED"):
            mask[footprint.box] |= np.where(footprint.inside, int(Mask.NOT_DEBLENDED), 0)
        sources += family
    if fraction > 0:
        sources += _sample(score, plane, stamp, threshold, fraction, exposure.visit.ccd_visit_id)
    return sources


def _family(footprint: Footprint, plane: Plane, index: int) -> list[Source]:
    """Make the sources of a footprint: one, or a parent and its children."""
    peaks = footprint.peaks
    main = peaks[0]
    lobes = 2.5 * plane.psf.fwhm
    paired = {}  # peak -> opposite lobe close by: together one dipole
    taken: set[int] = set()
    for i, peak in enumerate(peaks):
        if i in taken:
            continue
        for j in range(i + 1, len(peaks)):
            other = peaks[j]
            near = np.hypot(peak.x - other.x, peak.y - other.y) < lobes
            if j not in taken and near and peak.score * other.score < 0:
                paired[i] = j
                taken.add(j)
                break
    heads = [i for i in range(len(peaks)) if i not in taken]
    alone = Source(main.x, main.y, main.score, footprint)
    if 0 in paired:
        alone = replace(alone, opposite=peaks[paired[0]])
    if len(heads) == 1:
        return [alone]
    if len(heads) > _BLEND_LIMIT:
        return [replace(alone, flags=flag("NOT_DEBLENDED"))]
    x = np.array([float(peaks[i].x) for i in heads])
    y = np.array([float(peaks[i].y) for i in heads])
    models = _fit_together(plane, x, y)
    if _is_trail(plane, footprint, models):
        return [alone]
    family = [replace(alone, flags=flag("PARENT"))]
    for k, i in enumerate(heads):
        peak = peaks[i]
        child = Source(
            models[k, 1],
            models[k, 2],
            peak.score,
            footprint,
            parent=index,
            flags=flag("DEBLENDED"),
            siblings=np.delete(models, k, axis=0),
            opposite=peaks[paired[i]] if i in paired else None,
        )
        family.append(child)
    return family


def _fit_together(plane: Plane, x: FloatArray, y: FloatArray) -> FloatArray:
    """Point sources that overlap: fit each with the others subtracted, until all agree."""
    reach = 2 * plane.psf.radius + int(np.ceil(max(np.ptp(x), np.ptp(y))))
    models = np.stack([np.zeros(len(x)), x, y], axis=1)
    for _ in range(6):
        for k in range(len(x)):
            piece = plane.without(np.delete(models, k, axis=0), x[k], y[k], reach)
            fit = piece.fit(models[k : k + 1, 1] - piece.x0, models[k : k + 1, 2] - piece.y0)
            near = np.hypot(fit.x[0] + piece.x0 - x[k], fit.y[0] + piece.y0 - y[k]) < 2
            if fit.converged[0] and near:
                models[k] = fit.flux[0], fit.x[0] + piece.x0, fit.y[0] + piece.y0
    return models


def box_radius(footprint: Footprint, plane: Plane) -> int:
    """Half-width [pixel] of a box that holds the footprint and the PSF's wings; at most 60."""
    extent = max(footprint.inside.shape)
    return int(min(max(plane.psf.radius, extent // 2 + plane.psf.radius // 2), 60))


def _is_trail(plane: Plane, footprint: Footprint, models: FloatArray) -> bool:
    """Whether one line explains several peaks at least as well as as many point sources."""
    if models[0, 0] == 0 or (np.sign(models[:, 0]) != np.sign(models[0, 0])).any():
        return False
    flux = models[:, 0].sum()
    middle = (models[:, :1] * models[:, 1:]).sum(axis=0) / flux
    offsets = models[:, 1:] - middle
    far = offsets[np.argmax(np.hypot(offsets[:, 0], offsets[:, 1]))]
    radius = max(box_radius(footprint, plane), int(np.hypot(*far)) + plane.psf.radius // 2)
    start = np.array([[flux, *middle, 1.2 * far[0], 1.2 * far[1]]])
    point = np.array([[flux, *middle]])
    fit = plane.lines(TRAIL, start, point, np.array([min(radius, 60)]))
    if not fit.converged[0]:
        return False
    # The same pixels with all point sources taken away.
    row, column = int(np.rint(middle[1])), int(np.rint(middle[0]))
    piece = plane.without(models, column, row, min(radius, 60))
    cut = (
        slice(piece.y0, piece.y0 + piece.image.shape[0]),
        slice(piece.x0, piece.x0 + piece.image.shape[1]),
    )
    share = (plane.image[cut] - piece.image) / plane.per_unit
    variance = np.maximum(piece.variance + share, 0.2 * piece.variance)
    chi2 = np.sum(piece.image[piece.usable] ** 2 / variance[piece.usable])
    return bool(fit.chi2[0] + 2 * 5 <= chi2 + 2 * 3 * len(models))


def _sample(
    score: NDArray[np.float32],
    plane: Plane,
    stamp: FloatArray,
    threshold: float,
    fraction: float,
    seed: int,
) -> list[Source]:
    """Choose a share of the peaks just below the threshold (DIA-21)."""
    rng = np.random.default_rng(seed)
    low = []
    for footprint in find_footprints(score, plane.usable, stamp, 0.8 * threshold):
        peak = footprint.peaks[0]
        if abs(peak.score) < threshold:
            low.append(Source(peak.x, peak.y, peak.score, footprint, flags=flag("SUBTHRESHOLD")))
    chosen = rng.random(len(low)) < fraction
    return [source for source, keep in zip(low, chosen, strict=True) if keep]
