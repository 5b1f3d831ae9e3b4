"""The astrometric solution of a visit image (GEN-10; DPDD section 2.6).

The header's WCS is off by some arcseconds and a little turned. A histogram of offsets finds the
shift, nearest neighbours the pairs, least squares the solution. Frames that are farther off, or
have no WCS, are found by the pattern of their stars.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from numpy.typing import NDArray
from scipy.spatial import KDTree

from processing import patterns
from processing.raw import number
from skyledger.errors import DataRejectedError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_SEARCH = 20.0  # arcsec: how wrong the header may be
_WIDE = 600.0  # arcsec: how far from its header's place a frame is looked for by pattern
_MAX_TURN = 5.0  # degrees: how much it may then be turned against its header
_TURNS = np.arange(-0.5, 0.501, 0.05)  # degrees: how much it may be turned
_BRIGHTEST = 100  # stars that vote
_CENTROID_FLOOR = 0.01  # pixel: the PSF model places a star no better
_SHARED = 0.0  # part of the unexplained scatter that neighbouring sources share
_MIN_PAIRS = 5  # six numbers are fitted to twice as many coordinates


@dataclass(frozen=True)
class Place:
    """What is known of a frame without WCS: ra, decl [deg] and scale [arcsec / pixel]."""

    ra: float
    decl: float
    scale: float


@dataclass(frozen=True)
class Solution:
    """A WCS and what it rests on.

    Attributes
    ----------
    star, reference : arrays of int
        Pairs that define it, as indices.
    residual_ra, residual_decl : arrays [arcsec]
        Star minus reference, ra times cos(decl).
    covariance : array, shape (2, 2) [arcsec**2]
        Error of the WCS in (ra cos decl, decl): that of the fit, in the mean over the detector,
        and what the residuals hold for certain beyond the errors of centroids and catalogue.
    """

    wcs: WCS
    star: IntArray
    reference: IntArray
    residual_ra: FloatArray
    residual_decl: FloatArray
    covariance: FloatArray


def solve(
    xy: FloatArray,
    xy_err: FloatArray,
    radec: FloatArray,
    radec_err: FloatArray,
    reference_flux: FloatArray,
    approximate: WCS | Place,
    shape: tuple[int, int],
    name: str,
) -> Solution:
    """Find the reference stars on the image and fit a tangent-plane WCS.

    Parameters
    ----------
    xy, xy_err : array, shape (n, 2) [pixel]
        Stars of the image, brightest first, with the error of their centroids.
    radec : array, shape (m, 2) [deg]
        Reference stars at the time of the visit.
    radec_err : array, shape (m, 2) [arcsec]
        Their errors.
    reference_flux : array, shape (m,)
        Their brightness, to choose those that vote.
    approximate : WCS or Place
        From the header; where it is off by more than 20 arcsec, or there is but a place, the
        stars are found by their pattern, up to 10 arcmin away.
    name : str
        Of the visit, for the error.

    Raises
    ------
    DataRejectedError
        If there is no significant match, fewer than 5 pairs, or the stars say that the frame is
        turned or flipped against its header.
    """
    if len(xy) < _MIN_PAIRS:
        raise DataRejectedError(
            f"{name}: {len(xy)} detected stars on the image; {_MIN_PAIRS} are needed. "
            "Look at the frame"
        )
    if isinstance(approximate, WCS):
        try:
            near, pixels, moved = _by_header(xy, radec, reference_flux, approximate, shape, name)
        except DataRejectedError as error:
            centre = approximate.all_pix2world([[(shape[1] - 1) / 2, (shape[0] - 1) / 2]], 0)[0]
            place = Place(float(centre[0]), float(centre[1]), pixel_scale(approximate))
            found = _by_pattern(xy, radec, reference_flux, place, shape)
            if found is None:
                raise error from None
            _same_way(found, approximate, name)
            approximate = found
            near, pixels = _within(radec, reference_flux, approximate, shape)
            moved = pixels
    else:
        found = _by_pattern(xy, radec, reference_flux, approximate, shape)
        if found is None:
            raise DataRejectedError(
                f"{name} has no WCS, and no pattern of its {len(xy)} stars is that of reference "
                f"stars within {_WIDE / 60:.0f} arcmin of ({approximate.ra:.4f}, "
                f"{approximate.decl:.4f}) at {approximate.scale:.3f} arcsec a pixel. "
                "Correct the header's position"
            )
        approximate = found
        near, pixels = _within(radec, reference_flux, approximate, shape)
        moved = pixels
    # Pixels of the references -> pixels of the stars, first by the vote, then by the pairs.
    star, ref = _pairs(xy, moved, 3.0)
    for reach in (3.0, 1.5, 1.0):
        if len(star) < _MIN_PAIRS:
            break
        design = np.column_stack([np.ones(len(ref)), pixels[ref]])
        fit = np.linalg.lstsq(design, xy[star], rcond=None)[0]
        moved = np.column_stack([np.ones(len(near)), pixels]) @ fit
        star, ref = _pairs(xy, moved, reach)
    if len(star) < _MIN_PAIRS:
        raise DataRejectedError(
            f"{name}: only {len(star)} of {len(near)} reference stars were found on the image, "
            f"{_MIN_PAIRS} are needed. Look at the frame and its header's WCS"
        )
    return fit_tan(xy, xy_err, radec, radec_err, star, near[ref], approximate, shape)


def _within(
    radec: FloatArray, flux: FloatArray, wcs: WCS, shape: tuple[int, int]
) -> tuple[IntArray, FloatArray]:
    """Find reference stars on the image or up to 20 arcsec beside it, brightest first."""
    # Far behind the tangent plane there are no pixels.
    away = sky_offsets(np.broadcast_to(wcs.wcs.crval, radec.shape), radec)
    front = np.abs(away[:, 1]) < 10 * 3600
    pixels = np.full(radec.shape, np.inf)
    pixels[front] = wcs.all_world2pix(radec[front], 0)
    margin = _SEARCH / pixel_scale(wcs)
    ny, nx = shape
    near = np.flatnonzero(
        np.isfinite(pixels).all(axis=1)
        & (pixels > -margin).all(axis=1)
        & (pixels[:, 0] < nx + margin)
        & (pixels[:, 1] < ny + margin)
    )
    near = near[np.argsort(-flux[near], kind="stable")]
    return near, pixels[near]


def _by_header(
    xy: FloatArray,
    radec: FloatArray,
    flux: FloatArray,
    header: WCS,
    shape: tuple[int, int],
    name: str,
) -> tuple[IntArray, FloatArray, FloatArray]:
    """Find reference stars, their pixels by the header, and where on the image they are."""
    near, pixels = _within(radec, flux, header, shape)
    if len(near) < _MIN_PAIRS:
        raise DataRejectedError(
            f"{name}: {len(near)} reference stars on the image by its header; {_MIN_PAIRS} are "
            "needed. Look at the header's WCS and the reference catalogue"
        )
    ny, nx = shape
    middle = np.array([nx - 1, ny - 1]) / 2
    return near, pixels, _vote(xy, pixels, middle, _SEARCH / pixel_scale(header), name)


def _by_pattern(
    xy: FloatArray, radec: FloatArray, flux: FloatArray, place: Place, shape: tuple[int, int]
) -> WCS | None:
    """WCS from the pattern of the stars; None if there is no match."""
    ny, nx = shape
    origin = np.array([place.ra, place.decl])
    away = sky_offsets(np.broadcast_to(origin, radec.shape), radec)
    reach = _WIDE + np.hypot(nx, ny) / 2 * place.scale
    close = np.flatnonzero((np.abs(away) < reach).all(axis=1))
    close = close[np.argsort(-flux[close], kind="stable")]
    plane = _project(radec[close], origin)
    size = place.scale / 3600
    found = patterns.match(xy, plane, 2 * size, (0.95 * size, 1.05 * size))
    if found is None:
        return None
    middle = np.array([(nx - 1) / 2, (ny - 1) / 2])
    crval = _deproject(found.apply(middle[None]), origin)[0]
    return make_tan(crval, middle, found.matrix)


def _same_way(found: WCS, header: WCS, name: str) -> None:
    """Refuse a frame whose stars show it turned by 5 degrees or more, or flipped.

    Flats, defects and the shutter's direction would be those of other pixels.
    """
    turn = found.pixel_scale_matrix @ np.linalg.inv(header.pixel_scale_matrix)
    angle = float(np.degrees(np.arctan2(turn[1, 0] - turn[0, 1], turn[0, 0] + turn[1, 1])))
    if np.linalg.det(turn) < 0:
        raise DataRejectedError(
            f"{name}: by its stars the frame is flipped against its header. Correct the frame"
        )
    if abs(angle) > _MAX_TURN:
        raise DataRejectedError(
            f"{name}: by its stars the frame is turned by {angle:.0f} degrees against its header, "
            f"at most {_MAX_TURN:.0f} are believed. Correct the frame"
        )


def fit_tan(
    xy: FloatArray,
    xy_err: FloatArray,
    radec: FloatArray,
    radec_err: FloatArray,
    star: IntArray,
    reference: IntArray,
    start: WCS,
    shape: tuple[int, int],
) -> Solution:
    """Fit position, scale, rotation and shear of a TAN projection to given pairs.

    The reference pixel is the detector's centre. Pairs beyond 4 standard deviations are left out.
    """
    ny, nx = shape
    centre = np.array([(nx - 1) / 2, (ny - 1) / 2])
    crval = start.all_pix2world(centre[None], 0)[0]
    keep = np.ones(len(star), dtype=bool)
    scale = pixel_scale(start)
    stated = np.hypot(
        np.hypot(xy_err[star].mean(axis=1), _CENTROID_FLOOR) * scale,
        radec_err[reference].mean(axis=1),
    )
    beyond = 0.0
    wcs = start
    residual = np.zeros((len(star), 2))
    error = stated
    for _ in range(8):
        plane = _project(radec[reference], crval)
        design = np.column_stack([np.ones(len(star)), (xy[star] - centre) / max(shape)])
        weight = (keep / error)[:, None]
        fit = np.linalg.lstsq(design * weight, plane * weight, rcond=None)[0]
        crval = _deproject(fit[:1], crval)[0]
        wcs = make_tan(crval, centre, fit[1:].T / max(shape))
        sky = wcs.all_pix2world(xy[star], 0)
        residual = sky_offsets(radec[reference], sky)
        beyond = _beyond(residual[keep], stated[keep])
        error = np.hypot(stated, beyond)
        size = np.hypot(*residual.T) / error
        keep = size < 4 * max(float(np.median(size[keep])) / 1.1774, 1e-9)
    design, weight = design[keep], 1 / error[keep] ** 2
    normal = np.linalg.pinv(design.T @ (weight[:, None] * design))
    # Over the detector 1, x and y have the mean squares 1, nx^2 / 12 and ny^2 / 12.
    mean = normal[0, 0] + (normal[1, 1] * nx**2 + normal[2, 2] * ny**2) / (12 * max(shape) ** 2)
    # Residuals of the fit are smaller than the errors they come from.
    free = 2 * len(weight) - 6
    chi2 = float((weight[:, None] * residual[keep] ** 2).sum()) / max(free, 1)
    covariance = np.eye(2) * (mean * max(chi2, 1.0) + beyond**2 * _SHARED)
    return Solution(
        wcs, star[keep], reference[keep], residual[keep, 0], residual[keep, 1], covariance
    )


def _beyond(residual: FloatArray, stated: FloatArray) -> float:
    """Scatter [arcsec] of a coordinate beyond the stated errors, as far as it is significant.

    The root of chi2(s) = degrees of freedom less one standard deviation, by bisection.
    """
    free = max(2 * len(stated) - 6, 1)
    wanted = free + np.sqrt(2 * free)

    def chi2(extra: float) -> float:
        return float((residual**2 / (stated**2 + extra**2)[:, None]).sum())

    if chi2(0.0) <= wanted:
        return 0.0
    low, high = 0.0, float(np.abs(residual).max()) * 2
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if chi2(middle) > wanted else (low, middle)
    return high


def make_tan(crval: FloatArray, centre: FloatArray, cd: FloatArray) -> WCS:
    """Tangent-plane WCS (ICRS) from its numbers; ``centre`` counts from 0."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.cunit = ["deg", "deg"]
    wcs.wcs.radesys = "ICRS"
    wcs.wcs.crval = [float(crval[0]) % 360, float(crval[1])]
    wcs.wcs.crpix = centre + 1
    wcs.wcs.cd = cd
    wcs.wcs.set()
    return wcs


def has_wcs(header: fits.Header) -> bool:
    """Tell whether a header says anything of a projection."""
    return any(f"CTYPE{axis}" in header for axis in (1, 2))


def tan_from_header(path: Path, header: fits.Header) -> WCS:
    """Tangent-plane WCS of a header; raises DataRejectedError if it has none.

    The keywords of the projection alone are read, so that odd dates or units elsewhere in the
    header do no harm.
    """
    types = [header.get(f"CTYPE{axis}") for axis in (1, 2)]
    if types != ["RA---TAN", "DEC--TAN"]:
        raise DataRejectedError(
            f"{path.name} has no tangent-plane WCS (CTYPE1, CTYPE2 are {types[0]}, {types[1]}); an "
            "approximate one is needed. Correct the header"
        )
    crval, crpix = (
        np.array([number(path, header, f"{key}{axis}") for axis in (1, 2)], dtype=np.float64)
        for key in ("CRVAL", "CRPIX")
    )
    cd = [[number(path, header, f"CD{row}_{column}") for column in (1, 2)] for row in (1, 2)]
    if not abs(np.linalg.det(cd)) > 0:
        raise DataRejectedError(f"{path.name}: its WCS matrix CDi_j is singular; correct it")
    return make_tan(crval, crpix - 1, np.array(cd))


def pixel_scale(wcs: WCS) -> float:
    """Square root of the area of a pixel [arcsec]."""
    return float(np.sqrt(abs(np.linalg.det(wcs.pixel_scale_matrix)))) * 3600


def sky_offsets(origin: FloatArray, target: FloatArray) -> FloatArray:
    """Offsets (ra cos decl, decl) [arcsec] of nearby points, shapes (n, 2) [deg]."""
    dra = (target[:, 0] - origin[:, 0] + 180) % 360 - 180
    return 3600 * np.column_stack(
        [dra * np.cos(np.radians(origin[:, 1])), target[:, 1] - origin[:, 1]]
    )


def _vote(
    xy: FloatArray, pixels: FloatArray, centre: FloatArray, margin: float, name: str
) -> FloatArray:
    """Turn and shift the references so that most of the bright ones lie on stars."""
    stars = xy[:_BRIGHTEST]
    cell = 2.0
    count = int(2 * margin / cell)
    best = (0.0, 0.0, np.zeros(2), 0.0)
    for turn in _TURNS:
        turned = _turned(pixels, centre, turn)[:_BRIGHTEST]
        offset = (stars[:, None, :] - turned[None, :, :]).reshape(-1, 2)
        box, xs, ys = np.histogram2d(
            offset[:, 0], offset[:, 1], bins=count, range=[[-margin, margin]] * 2
        )
        # Four neighbouring cells together: the peak may sit on a border.
        sums = box[:-1, :-1] + box[1:, :-1] + box[:-1, 1:] + box[1:, 1:]
        i, j = np.unravel_index(int(sums.argmax()), sums.shape)
        if sums[i, j] > best[0]:
            best = (float(sums[i, j]), float(turn), np.array([xs[i + 1], ys[j + 1]]), sums.mean())
    votes, turn, shift, chance = best
    needed = max(4.0, chance + 5 * np.sqrt(chance))
    if votes < needed:
        raise DataRejectedError(
            f"{name}: no match with the reference stars: {votes:.0f} of {len(stars)} bright stars "
            f"agree on a shift within {_SEARCH:.0f} arcsec, {needed:.0f} are needed. "
            "Look at the header's WCS"
        )
    return _turned(pixels, centre, turn) + shift


def _turned(pixels: FloatArray, centre: FloatArray, degrees: float) -> FloatArray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.asarray((pixels - centre) @ np.array([[c, s], [-s, c]]) + centre)


def _pairs(xy: FloatArray, moved: FloatArray, reach: float) -> tuple[IntArray, IntArray]:
    """Mutual nearest neighbours within ``reach`` pixels."""
    distance, star = KDTree(xy).query(moved, distance_upper_bound=reach)
    ref = np.flatnonzero(np.isfinite(distance))
    star = star[ref]
    _, back = KDTree(moved).query(xy[star])
    mutual = back == ref
    return star[mutual].astype(np.int64), ref[mutual]


def _project(radec: FloatArray, crval: FloatArray) -> FloatArray:
    """Gnomonic projection onto the plane at ``crval``: degrees East and North."""
    ra, decl = np.radians(radec[:, 0] - crval[0]), np.radians(radec[:, 1])
    decl0 = np.radians(crval[1])
    cosine = np.sin(decl0) * np.sin(decl) + np.cos(decl0) * np.cos(decl) * np.cos(ra)
    east = np.cos(decl) * np.sin(ra) / cosine
    north = (np.cos(decl0) * np.sin(decl) - np.sin(decl0) * np.cos(decl) * np.cos(ra)) / cosine
    return np.asarray(np.degrees(np.column_stack([east, north])))


def _deproject(plane: FloatArray, crval: FloatArray) -> FloatArray:
    """Inverse of :func:`_project`."""
    east, north = np.radians(plane).T
    decl0 = np.radians(crval[1])
    down = np.cos(decl0) - north * np.sin(decl0)
    ra = np.degrees(np.arctan2(east, down)) + crval[0]
    decl = np.degrees(np.arctan2(np.sin(decl0) + north * np.cos(decl0), np.hypot(east, down)))
    return np.column_stack([ra, decl])
