"""One detector of one visit: from raw snaps to the processed visit image (DPDD section 4 step 1).

Signature removed, snaps combined, background subtracted, PSF, WCS and zero point determined
(GEN-10, GEN-12, GEN-15; DIA-07). Everything that goes wrong is a DataRejectedError with its
reason; there is no image of which some number is only guessed.
"""

import importlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from astropy import units as u
from astropy.io import fits
from astropy.table import MaskedColumn, Table
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_scales
from numpy.typing import NDArray

from processing import (
    astrometry,
    background,
    detection,
    photometry,
    psf_stars,
    quality,
    snaps,
    streaks,
)
from processing.astrometry import Place, has_wcs, tan_from_header
from processing.calibration_frames import CalibrationFrames
from processing.exposure import UNUSABLE, Exposure, FloatImage, Mask
from processing.instrument import Filter, Instrument
from processing.isr import Snap, correct
from processing.psf import PsfModel
from processing.psf_core import PointFits, fit_points, spline_psf
from processing.reader import Frame, read_snaps
from processing.reference import ReferenceStars
from processing.sampling import median
from skyledger.errors import DataRejectedError

FloatArray = NDArray[np.float64]

ROLES = ("forPsf", "reserved", "forWcs", "forZeroPoint")
_MIN_USABLE = 0.2  # of the pixels
_MIDDLE = 2048  # pixels


@dataclass
class SingleVisit:
    """What comes of a frame.

    Attributes
    ----------
    exposure : Exposure
        The processed visit image [nJy].
    snap_difference : Exposure or None
        Second snap minus first, as flux [nJy]; None if the visit has one snap.
    stars : Table
        Detected bright sources: x, y [pixel], ra, decl [deg], psFlux, psFluxErr [nJy], and
        whether they define the PSF, the WCS or the zero point.
    sky : array, shape (ny, nx), or None [nJy/pixel]
        The background that was subtracted; None where a frame comes without it.
    """

    exposure: Exposure
    snap_difference: Exposure | None
    stars: Table
    sky: FloatImage | None = None


def process(
    frame: Frame,
    instrument: Instrument,
    calibration: CalibrationFrames,
    reference: ReferenceStars | None,
) -> SingleVisit:
    """Turn a frame into a calibrated image.

    Parameters
    ----------
    frame : Frame
        From :func:`processing.reader.scan`.
    instrument : Instrument
    calibration : CalibrationFrames
        From :func:`processing.calibration_frames.build`.
    reference : ReferenceStars or None
        From :func:`processing.reference.read`; not used by instruments with a reader of their
        own.

    Raises
    ------
    DataRejectedError
        If the frame cannot be read or calibrated; the message says why.
    """
    if instrument.reader is not None:
        module = importlib.import_module(f"processing.instruments.{instrument.reader}")
        result: SingleVisit = module.process(frame, instrument)
        return result
    visit = frame.visit
    name = f"visit {visit.visit_id} detector {visit.detector}"
    if reference is None or len(reference) == 0:
        raise DataRejectedError(f"{name}: no reference stars; the data set needs a catalogue")
    raws = read_snaps(frame, instrument)
    masters = calibration.of(visit)
    corrected = [correct(raw, masters, visit) for raw in raws]
    _enough_pixels(corrected[0].mask, name)
    width = _width(corrected, name)
    combined = snaps.combine(corrected, width)
    return _calibrate(
        frame,
        combined,
        width,
        _approximate(frame, instrument, raws[0].header),
        reference,
        instrument.filters[visit.filter_name],
        name,
    )


def _approximate(frame: Frame, instrument: Instrument, header: fits.Header) -> WCS | Place:
    """WCS of the header, or what else is known of the place."""
    visit = frame.visit
    if has_wcs(header) or instrument.pixel_scale is None:
        return tan_from_header(frame.paths[0], header)
    return Place(visit.boresight_ra, visit.boresight_decl, instrument.pixel_scale)


def _width(corrected: list[Snap], name: str) -> float:
    """Coarse PSF width; the lower of two snaps has no cosmic rays."""
    lowest, bad = corrected[0].image, (corrected[0].mask & int(UNUSABLE)) != 0
    ny, nx = lowest.shape
    # The middle of a large detector has stars enough.
    inner = tuple(slice(max(0, (n - _MIDDLE) // 2), (n + _MIDDLE) // 2) for n in (ny, nx))
    for snap in corrected[1:]:
        lowest = np.minimum(lowest, snap.image)
    try:
        return detection.coarse_fwhm(lowest[inner], bad[inner])
    except DataRejectedError:
        pass
    try:
        return detection.coarse_fwhm(lowest, bad)
    except DataRejectedError as error:
        raise DataRejectedError(f"{name}: {error}") from None


def _calibrate(
    frame: Frame,
    combined: snaps.Combined,
    width: float,
    approximate: WCS | Place,
    reference: ReferenceStars,
    used: Filter,
    name: str,
) -> SingleVisit:
    visit = frame.visit
    sky = background.estimate(combined.image, combined.mask)
    image = combined.image - sky
    image[(combined.mask & int(Mask.NO_DATA)) != 0] = 0
    steady = combined.noise + np.float32(combined.flat_variance) * sky**2
    empty = steady + combined.light_weight * np.maximum(sky, 0) / combined.flat
    light = snaps.light_variance(image, sky, combined.flat, np.sqrt(empty))
    variance = steady + combined.light_weight * light
    shape = (image.shape[0], image.shape[1])
    if combined.difference is None:
        # A single snap is now without its cosmic rays.
        lowest = np.where(combined.mask & int(Mask.SAT), np.float32(0), image)
        width = detection.coarse_fwhm(lowest, (combined.mask & int(UNUSABLE)) != 0)
    for trail in _trails(combined, image, np.sqrt(empty), light, width, _scale(approximate)):
        combined.mask[trail.covers(shape)] |= int(Mask.STREAK)
    usable = (combined.mask & int(UNUSABLE)) == 0
    found = detection.detect(image, np.sqrt(empty), combined.mask, width)
    try:
        psf = psf_stars.fit(image, variance, combined.mask, found, width)
    except DataRejectedError as error:
        raise DataRejectedError(f"{name}: {error}") from None
    points = fit_points(image, empty, usable, spline_psf(psf.model, shape), found.x, found.y, 1.0)
    # Sources that the PSF does not describe (saturated, blended) keep their window centroids.
    good = points.converged & found.clean
    xy = np.column_stack([np.where(good, points.x, found.x), np.where(good, points.y, found.y)])
    centroid_err = np.sqrt(np.maximum(points.covariance[:, [2, 5]], 0))
    xy_err = np.where(good[:, None], centroid_err, 0.3)
    radec = np.column_stack(reference.positions(visit.mid_tai))
    ref_flux, ref_err = reference.fluxes(used)
    radec_err = reference.position_errors(visit.mid_tai)
    solution = astrometry.solve(xy, xy_err, radec, radec_err, ref_flux, approximate, shape, name)
    flux_err = np.sqrt(np.maximum(points.covariance[:, 0], 0))
    pairs = good[solution.star]
    star, ref = solution.star[pairs], solution.reference[pairs]
    zero = photometry.zero_point(
        points.flux[star], flux_err[star], ref_flux[ref], ref_err[ref], name
    )
    mask = combined.mask
    mask[found.segments > 0] |= int(Mask.DETECTED)
    exposure = _exposure(frame, image, variance, mask, solution.wcs, psf.model, zero.flux_scale)
    exposure.quality = {
        "beginTai": frame.begin_tai,
        "endTai": frame.end_tai,
        **quality.geometry(solution.wcs, shape),
        **quality.psf_numbers(
            psf.model, solution.wcs, shape, psf_stars.median_fwhm(psf.model, shape)
        ),
        **quality.sky_numbers(exposure, median(sky) * zero.flux_scale),
        "nPsfStars": len(psf.used),
        "nAstromStars": len(solution.star),
        "nPhotoStars": len(zero.used),
        "nStars": int(good.sum()),
        "psfResidual": psf.max_residual,
        "fluxScale": zero.flux_scale,
        "zeroPoint": 31.4 - 2.5 * float(np.log10(zero.flux_scale)),
        "photoCalibRelErr": zero.relative_error,
        "photoCalibAbsErr": reference.absolute_error,
        "astromSysRaErr": float(np.sqrt(solution.covariance[0, 0])),
        "astromSysDeclErr": float(np.sqrt(solution.covariance[1, 1])),
        "astromSysCov": float(solution.covariance[0, 1]),
    }
    roles = {
        "forPsf": psf.used,
        "reserved": psf.reserved,
        "forWcs": solution.star,
        "forZeroPoint": star[zero.used],
    }
    matched = np.full(len(xy), -1)
    matched[solution.star] = solution.reference
    return SingleVisit(
        exposure=exposure,
        snap_difference=_snap_difference(exposure, combined, light),
        stars=star_table(exposure, points, xy, good, roles, matched),
        sky=sky * np.float32(zero.flux_scale),
    )


def _scale(approximate: WCS | Place) -> float:
    """Size of a pixel [arcsec], roughly."""
    if isinstance(approximate, Place):
        return approximate.scale
    return float(np.mean(proj_plane_pixel_scales(approximate))) * 3600


def _trails(
    combined: snaps.Combined,
    image: FloatImage,
    noise: FloatImage,
    light: FloatImage,
    width: float,
    scale: float,
) -> list[streaks.Streak]:
    """Find trails of satellites: in the difference of two snaps, where stars are not, or the image.

    A satellite crosses the image in a fraction of one snap. In the sum the pixels of a bright trail
    may have been taken for cosmic rays; the difference holds them as they were.
    """
    lost = (combined.mask & int(Mask.SAT | Mask.BAD | Mask.NO_DATA)) != 0
    if combined.difference is None or combined.difference_noise is None:
        lost |= (combined.mask & int(Mask.CR)) != 0
        return streaks.find(image, noise, lost, width, scale)
    difference = combined.difference - np.float32(np.median(combined.difference[~lost]))
    spread = np.sqrt(combined.difference_noise + light)
    return streaks.find(difference, spread, lost, width, scale, both_signs=True)


def _enough_pixels(mask: NDArray[np.int32], name: str) -> None:
    share = float(((mask & int(UNUSABLE)) == 0).mean())
    if share < _MIN_USABLE:
        parts = ", ".join(
            f"{plane.name} {100 * ((mask & int(plane)) != 0).mean():.0f} %"
            for plane in (Mask.SAT, Mask.BAD, Mask.NO_DATA)
        )
        raise DataRejectedError(
            f"{name}: only {100 * share:.0f} % of the pixels are usable ({parts}), "
            f"{100 * _MIN_USABLE:.0f} % are needed. Look at the frame and the calibration frames"
        )


def _exposure(
    frame: Frame,
    image: NDArray[np.float32],
    variance: NDArray[np.float32],
    mask: NDArray[np.int32],
    wcs: WCS,
    psf: PsfModel,
    scale: float,
) -> Exposure:
    factor = np.float32(scale)
    return Exposure(
        image=image * factor,
        variance=variance * factor**2,
        mask=mask,
        unit="nJy",
        visit=frame.visit,
        wcs=wcs,
        psf=psf,
        electrons_per_unit=1 / scale,
    )


def _snap_difference(
    exposure: Exposure, combined: snaps.Combined, light: NDArray[np.float32]
) -> Exposure | None:
    if combined.difference is None or combined.difference_noise is None:
        return None
    # A steady source gives each snap half of the visit's electrons: flux needs twice the scale.
    factor = np.float32(combined.exposure_time / combined.snap_time / exposure.electrons_per_unit)
    difference = combined.difference - np.float32(median(combined.difference, exposure.usable()))
    # Both snaps together hold the light of the visit.
    variance = combined.difference_noise + light
    return replace(
        exposure,
        image=difference * factor,
        variance=variance * factor**2,
        mask=exposure.mask & ~int(Mask.DETECTED),
        electrons_per_unit=float(1 / factor),
        quality={},
    )


def star_table(
    exposure: Exposure,
    points: PointFits,
    xy: FloatArray,
    good: NDArray[np.bool_],
    roles: dict[str, NDArray[np.int64]],
    reference: NDArray[np.int64] | None = None,
) -> Table:
    """Table of the bright sources; fluxes are masked where the PSF fit does not hold.

    ``roles`` lists, by column, the sources that define something; ``reference`` is the number of
    the star in the reference catalogue, -1 for none.
    """
    per_electron = 1 / exposure.electrons_per_unit
    sky = exposure.wcs.all_pix2world(xy, 0)

    def flag(index: NDArray[np.int64]) -> NDArray[np.bool_]:
        flags = np.zeros(len(xy), dtype=bool)
        flags[index] = True
        return flags

    def flux(values: FloatArray, unit: Any = u.nJy) -> MaskedColumn:
        return MaskedColumn(np.where(good, values, 0), mask=~good, unit=unit)

    if reference is None:
        reference = np.full(len(xy), -1)
    none = np.zeros(0, dtype=np.int64)
    chi2 = points.chi2 / np.maximum(points.n_data - 3, 1)
    return Table(
        {
            "x": xy[:, 0] * u.pix,
            "y": xy[:, 1] * u.pix,
            "ra": sky[:, 0] * u.deg,
            "decl": sky[:, 1] * u.deg,
            "psFlux": flux(points.flux * per_electron),
            "psFluxErr": flux(np.sqrt(np.abs(points.covariance[:, 0])) * per_electron),
            "psChi2PerDof": flux(chi2, None),
            **{name: flag(roles.get(name, none)) for name in ROLES},
            "reference": MaskedColumn(reference, mask=reference < 0),
        }
    )
