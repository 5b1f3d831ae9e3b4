"""From peaks of the score image to sources: single ones, dipoles, trails, parents and children.

DIA-08, DIA-09, DIA-21; DPDD section 4, steps 2 and 3.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from processing.difference import Difference
from processing.exposure import Mask
from processing.footprints import Footprint, Peak, find_footprints
from processing.line_fits import POINTS, TRAIL, LineFits
from processing.moments import fit_gaussians, psf_moments
from processing.plane import FloatArray, Plane
from skyledger.dictionary import flag_bit

_BLEND_LIMIT = 8  # peaks beyond which a footprint is not deblended
_HIDDEN = 10.0  # signal-to-noise from which a lone peak is searched for a close pair
_GAIN = 30.0  # in 2 ln L over one point that makes it a pair
_CLOSEST = 0.6  # FWHM between the points of such a pair
_FAINTEST = 0.12  # flux ratio of such a pair


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
    joint: FloatArray | None = None  # covariance (3, 3) of its flux, x, y among its siblings
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
        for plane_of_sign, sign in ((Mask.DETECTED, 1), (Mask.DETECTED_NEGATIVE, -1)):
            strong = footprint.inside & (sign * local >= threshold)
            mask[footprint.box] |= np.where(strong, int(plane_of_sign), 0)
        for peak in footprint.peaks:  # perhaps between pixels that are all below the threshold
            bit = Mask.DETECTED if peak.score > 0 else Mask.DETECTED_NEGATIVE
            mask[peak.y, peak.x] |= int(bit)
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
    if len(heads) > _BLEND_LIMIT:
        return [replace(alone, flags=flag("NOT_DEBLENDED"))]
    if len(heads) == 1:
        pair = None if 0 in paired or abs(main.score) < _HIDDEN else _hidden_pair(plane, alone)
        if pair is None:
            return [alone]
        errors = np.sqrt(np.diagonal(pair.covariance[0]))[::3]
        scores = pair.values[0, ::3] / errors
        return _parent_and_children(alone, index, pair, [0, 1], scores, {}, {})
    members = heads + [paired[i] for i in heads if i in paired]
    blend = _fit_together(plane, [peaks[i] for i in members])
    if blend is None:
        return [replace(alone, flags=flag("NOT_DEBLENDED"))]
    if _is_trail(plane, blend):
        return [alone]
    scores = np.array([peaks[i].score for i in members])
    lobes_of = {
        k: members.index(paired[i]) for k, i in enumerate(members) if i in paired and i in heads
    }
    opposite = {k: peaks[paired[members[k]]] for k in lobes_of}
    own = list(range(len(heads)))
    return _parent_and_children(alone, index, blend, own, scores, lobes_of, opposite)


def _parent_and_children(
    parent: Source,
    index: int,
    blend: LineFits,
    heads: list[int],
    scores: FloatArray,
    lobes: dict[int, int],
    opposite: dict[int, Peak],
) -> list[Source]:
    """Make a parent at row ``index`` and its children, one for each of the ``heads`` of a blend.

    ``lobes`` are the members that are other lobes of heads, ``opposite`` their peaks.
    """
    models = blend.values[0].reshape(-1, 3)
    family = [replace(parent, flags=flag("PARENT"))]
    for k in heads:
        mine = [k, lobes[k]] if k in lobes else [k]
        cut = slice(3 * k, 3 * k + 3)
        family.append(
            Source(
                models[k, 1],
                models[k, 2],
                float(scores[k]),
                parent.footprint,
                parent=index,
                flags=flag("DEBLENDED"),
                siblings=np.delete(models, mine, axis=0),
                joint=blend.covariance[0, cut, cut],
                opposite=opposite.get(k),
            )
        )
    return family


def _fit_together(plane: Plane, peaks: list[Peak]) -> LineFits | None:
    """Fit point sources that overlap at once; None if one of them does not stay at its peak."""
    x, y = np.array([p.x for p in peaks], float), np.array([p.y for p in peaks], float)
    top = [plane.psf.image(p.x, p.y).max() for p in peaks]
    flux = np.array([plane.image[p.y, p.x] for p in peaks]) / top
    blend = _fit_points(plane, np.stack([flux, x, y], axis=-1))
    models = blend.values[0].reshape(-1, 3)
    far = np.hypot(models[:, 1] - x, models[:, 2] - y) > max(2.0, 0.6 * plane.psf.fwhm)
    return None if far.any() or not blend.converged[0] else blend


def _fit_points(plane: Plane, start: FloatArray, like: FloatArray | None = None) -> LineFits:
    """Fit points (flux, x, y) at once, on the pixels around them or around others (``like``)."""
    place, radius = _box(plane, start if like is None else like)
    return plane.lines(POINTS, start.reshape(1, -1), place, radius)


def _box(plane: Plane, points: FloatArray) -> tuple[FloatArray, NDArray[np.int64]]:
    """Middle (with the sum of the fluxes) and half-width of a box that holds points."""
    low, high = points[:, 1:].min(axis=0), points[:, 1:].max(axis=0)
    radius = min(int(np.ceil((high - low).max() / 2)) + plane.psf.radius, 60)
    return np.array([[points[:, 0].sum(), *((low + high) / 2)]]), np.array([radius])


def _hidden_pair(plane: Plane, source: Source) -> LineFits | None:
    """Two points of one sign under a single peak, if they describe it best.

    Closer than about 1.3 FWHM two sources have one peak in the score. Its shape tells where to
    start; one point, and a trail, must describe it less well.
    """
    x, y = np.array([source.x]), np.array([source.y])
    of_psf = psf_moments(plane.psf.images(x, y).astype(np.float64))
    shape = fit_gaussians(
        plane.image, plane.variance, plane.usable, x, y, of_psf, plane.psf.radius, free_shape=True,
        per_unit=1 / plane.per_unit,
    )  # fmt: skip
    if not shape.converged[0]:
        return None
    xx, yy, xy = shape.moments[0] - of_psf[0]
    excess = (xx + yy) / 2 + np.hypot((xx - yy) / 2, xy)
    errors = np.sqrt(np.maximum(np.diagonal(shape.covariance[0])[2:4], 0))
    if excess < 3 * errors.max() or excess < 0.1 * of_psf[0, :2].mean():
        return None
    angle = 0.5 * np.arctan2(2 * xy, xx - yy)
    arm = 2 * np.sqrt(excess) * np.array([np.cos(angle), np.sin(angle)])
    middle = np.array([shape.x[0], shape.y[0]])
    point = plane.fit(middle[:1], middle[1:])
    flux = float(point.flux[0]) * (1 + 0.5 * excess / of_psf[0, :2].mean())
    tried = []
    for share in (0.5, 0.75, 0.25):
        places = middle + np.outer([1 - share, -share], arm)
        fluxes = flux * np.array([[share], [1 - share]])
        tried.append(_fit_points(plane, np.hstack([fluxes, places])))
    best = max(tried, key=lambda fit: fit.ln_likelihood[0] if fit.converged[0] else -np.inf)
    one, two = best.values[0].reshape(2, 3)
    errors = np.sqrt(np.maximum(np.diagonal(best.covariance[0])[::3], 1e-30))
    ratio = min(abs(one[0]), abs(two[0])) / max(abs(one[0]), abs(two[0]))
    apart = float(np.hypot(*(one[1:] - two[1:])))
    if (
        not best.converged[0]
        or one[0] * two[0] <= 0
        or (np.abs([one[0], two[0]]) < 5 * errors).any()
        or ratio < _FAINTEST
        or not _CLOSEST * plane.psf.fwhm < apart < 2.5 * plane.psf.fwhm
        or np.hypot(*(middle - (one[1:] + two[1:]) / 2)) > plane.psf.fwhm
    ):
        return None
    # All on the same pixels.
    models = best.values[0].reshape(2, 3)
    best = _fit_points(plane, models, models)
    start = np.array([[point.flux[0], point.x[0], point.y[0]]])
    single = _fit_points(plane, start, models)
    if 2 * (best.ln_likelihood[0] - single.ln_likelihood[0]) < _GAIN or _is_trail(plane, best):
        return None
    return best


def box_radius(footprint: Footprint, plane: Plane) -> int:
    """Half-width [pixel] of a box that holds the footprint and the PSF's wings; at most 60."""
    extent = max(footprint.inside.shape)
    return int(min(max(plane.psf.radius, extent // 2 + plane.psf.radius // 2), 60))


def _is_trail(plane: Plane, blend: LineFits) -> bool:
    """Whether one line explains the peaks at least as well as as many point sources."""
    models = blend.values[0].reshape(-1, 3)
    if (np.sign(models[:, 0]) != np.sign(models[0, 0])).any():
        return False
    flux = models[:, 0].sum()
    middle = (models[:, :1] * models[:, 1:]).sum(axis=0) / flux
    offsets = models[:, 1:] - middle
    far = offsets[np.argmax(np.hypot(offsets[:, 0], offsets[:, 1]))]
    place, radius = _box(plane, models)
    points = plane.lines(POINTS, blend.values, place, radius)
    start = np.array([[flux, *middle, 1.4 * far[0], 1.4 * far[1]]])
    trail = plane.lines(TRAIL, start, place, radius)
    if not trail.converged[0]:
        return False
    # A parameter more must pay for itself.
    gain = 2 * (points.ln_likelihood[0] - trail.ln_likelihood[0])
    return bool(gain <= 2 * (models.size - 5))


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
