"""Reduced frames without WCS or zero point: each is brought onto one of them (GEN-10, DIA-07).

The frames come flat and without bias. One of them, ``reference.file`` of the instrument, defines
positions and fluxes: its middle lies at the header's position, North is up, East to the left, the
scale is the instrument's ``pixel_scale``, and 1 adu on it is called 1 nJy. So positions and fluxes
of a data set agree with each other, while the place, turn and zero point of the whole are nominal;
``photoCalibAbsErr`` (``reference.absolute_error``) says so for the fluxes. All else follows from
the stars that a frame has in common with that one, found by their pattern and fitted together, so
that crowded fields do (:mod:`processing.crowd`).

The sky is that between the stars, after all of them are subtracted: cells of a crowded field would
else hold more or less of them with the seeing.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.time import Time
from scipy import ndimage

from processing import astrometry, crowd, detection, patterns, photometry, psf_stars, quality, snaps
from processing.exposure import UNUSABLE, Exposure, FloatImage, Mask, MaskImage, VisitInfo
from processing.instrument import Instrument, ReducedFrames
from processing.isr import interpolate
from processing.psf_core import fit_points, spline_psf
from processing.raw import number, opened, value
from processing.reader import Frame, Problem
from processing.single_visit import SingleVisit, star_table
from skyledger import ids
from skyledger.errors import ConfigurationError, DataRejectedError

_SLOT = 43.0  # seconds: a night has 2048 numbers for its visits, taken from the time
_GROW = 2  # pixels around a saturated one that have its charge
_ROW = 4.0  # standard deviations by which a row is too dark
_SCALE = (0.97, 1.03)  # of a frame against the reference
_SAME = 1.0  # pixel within which two stars are one
_REGISTER = 300  # brightest stars by which a frame is brought onto the reference


@dataclass(frozen=True)
class _Light:
    """A frame in electrons and its stars."""

    image: FloatImage  # with the sky
    noise: FloatImage
    mask: MaskImage
    gain: float
    stars: crowd.CrowdedStars


def scan(directory: Path, instrument: Instrument) -> tuple[list[Frame], list[Problem]]:
    """List the frames of a folder; see :func:`processing.reader.scan`.

    A visit's number within its night is its time since noon UTC in slots of 43 seconds.
    """
    words, reference = _description(instrument)
    paths = sorted(path for path in directory.glob("*.fit*") if path.is_file())
    if not any(path.name == reference for path in paths):
        raise DataRejectedError(
            f"{directory} has no {reference}, the frame that defines positions and fluxes of "
            f"{instrument.name}; add it, or name another one as reference.file"
        )
    frames, problems = [], []
    for path in paths:
        try:
            frames.append(_frame(path, instrument, words, directory / reference))
        except DataRejectedError as error:
            problems.append((path, str(error)))
    return frames, problems


def process(frame: Frame, instrument: Instrument) -> SingleVisit:
    """Bring a frame onto the reference [nJy]; see :func:`processing.single_visit.process`.

    Raises
    ------
    DataRejectedError
        If the frame cannot be read, has too few stars, or no pattern of them is that of the
        reference's.
    """
    words, _ = _description(instrument)
    assert instrument.pixel_scale is not None  # noqa: S101 (the description is whole)
    assert instrument.reference is not None  # noqa: S101
    path, reference = frame.paths
    name = f"visit {frame.visit.visit_id} detector {frame.visit.detector}"
    light = _light(path, words)
    other = light if path == reference else _reference(reference, words)
    shape = (light.image.shape[0], light.image.shape[1])
    stars = light.stars
    xy, standard = np.column_stack([stars.x, stars.y]), _places(other)
    found = patterns.match(xy[:_REGISTER], standard, _SAME, _SCALE)
    if found is None or found.flipped:
        raise DataRejectedError(
            f"{name}: no pattern of its {len(xy)} stars is that of the {len(standard)} on "
            f"{reference.name}. Is it the same field, not turned over?"
        )
    wcs = _nominal(other, frame, instrument.pixel_scale)
    radec = wcs.all_pix2world(standard, 0)
    error = _centroid_errors(stars)
    solution = astrometry.fit_tan(
        xy, np.column_stack([error, error]), radec,
        np.zeros_like(radec) + (_centroid_errors(other.stars) * instrument.pixel_scale)[:, None],
        found.first, found.second, wcs, shape,
    )  # fmt: skip
    star, twin = solution.star, solution.reference
    zero = photometry.zero_point(
        stars.flux[star], stars.flux_err[star],
        other.stars.flux[twin] / other.gain, other.stars.flux_err[twin] / other.gain, name,
    )  # fmt: skip
    scale = np.float32(zero.flux_scale)
    image = light.image - stars.sky
    empty = light.noise + np.maximum(stars.sky, 0)
    flat = np.ones_like(image)
    variance = light.noise + snaps.light_variance(image, stars.sky, flat, np.sqrt(empty))
    usable = (light.mask & int(UNUSABLE)) == 0
    points = fit_points(image, empty, usable, spline_psf(stars.psf, shape), stars.x, stars.y, 1.0)
    seen = detection.detect(image, np.sqrt(empty), light.mask, stars.psf.fwhm(*_middle(shape)))
    mask = light.mask.copy()
    mask[seen.segments > 0] |= int(Mask.DETECTED)
    exposure = Exposure(
        image=image * scale,
        variance=variance * scale**2,
        mask=mask,
        unit="nJy",
        visit=frame.visit,
        wcs=solution.wcs,
        psf=stars.psf,
        electrons_per_unit=float(1 / scale),
    )
    exposure.quality = {
        "beginTai": frame.begin_tai,
        "endTai": frame.end_tai,
        **quality.geometry(solution.wcs, shape),
        **quality.psf_numbers(
            stars.psf, solution.wcs, shape, psf_stars.median_fwhm(stars.psf, shape)
        ),
        **quality.sky_numbers(exposure, float(np.median(stars.sky)) * float(scale)),
        "nPsfStars": stars.n_psf,
        "nAstromStars": len(star),
        "nPhotoStars": len(zero.used),
        "nStars": len(xy),
        "fluxScale": zero.flux_scale,
        "zeroPoint": 31.4 - 2.5 * float(np.log10(zero.flux_scale)),
        "photoCalibRelErr": zero.relative_error,
        "photoCalibAbsErr": instrument.reference.absolute_error,
        "astromSysRaErr": float(np.sqrt(solution.covariance[0, 0])),
        "astromSysDeclErr": float(np.sqrt(solution.covariance[1, 1])),
        "astromSysCov": float(solution.covariance[0, 1]),
    }
    roles = {"forWcs": star, "forZeroPoint": star[zero.used]}
    table = star_table(exposure, points, xy, points.converged, roles)
    return SingleVisit(exposure, None, table)


def _description(instrument: Instrument) -> tuple[ReducedFrames, str]:
    missing = [
        name
        for name in ("reduced", "reference", "pixel_scale")
        if getattr(instrument, name) is None
    ]
    if missing:
        raise ConfigurationError(
            f"instrument {instrument.name}: the reader `reduced` needs {', '.join(missing)}"
        )
    assert instrument.reduced is not None  # noqa: S101 (just checked)
    assert instrument.reference is not None  # noqa: S101
    return instrument.reduced, instrument.reference.file


def _frame(path: Path, instrument: Instrument, words: ReducedFrames, reference: Path) -> Frame:
    header = _header(path)
    filter_name = str(value(path, header, words.filter)).strip()
    if filter_name not in instrument.filters:
        raise DataRejectedError(
            f"{path.name}: filter {filter_name!r} is unknown; {instrument.name} has "
            f"{', '.join(instrument.filters)}. Add it to the instrument's file"
        )
    exposure_time = number(path, header, words.exposure_time)
    if exposure_time <= 0:
        raise DataRejectedError(
            f"{path.name}: {words.exposure_time} is {exposure_time} s; it must be above 0"
        )
    begin = number(path, header, words.begin_utc)
    if not 47892 < begin < 80000:
        raise DataRejectedError(
            f"{path.name}: {words.begin_utc} is {begin}, no MJD between 47892 (1990) and 80000; "
            "correct the header or the instrument's file"
        )
    begin_tai = float(Time(begin, format="mjd", scale="utc").tai.mjd)
    half = exposure_time / 2 / 86400
    mid_tai = begin_tai + half
    visit_id = ids.visit_id(ids.night_of(mid_tai), int((mid_tai + 0.5) % 1 * 86400 / _SLOT))
    visit = VisitInfo(
        instrument=instrument.name,
        visit_id=visit_id,
        ccd_visit_id=ids.ccd_visit_id(visit_id, 0),
        detector=0,
        band=instrument.filters[filter_name].band,
        filter_name=filter_name,
        program_id=str(value(path, header, words.program)).strip(),
        mid_tai=mid_tai,
        mid_tai_dx=0.0,
        mid_tai_dy=0.0,
        exposure_time=exposure_time,
        n_snaps=1,
        airmass=number(path, header, words.airmass),
        boresight_ra=number(path, header, words.ra),
        boresight_decl=number(path, header, words.decl),
        rotation=0.0,
        is_template=instrument.template.lasts_at(mid_tai)
        and number(path, header, words.fwhm) <= words.template_fwhm,
    )
    return Frame((path, reference), visit, begin_tai, mid_tai + half)


def _header(path: Path) -> fits.Header:
    with opened(path) as hdus:
        for hdu in hdus:
            if hdu.header.get("NAXIS") == 2 and hdu.is_image:
                return hdu.header
    raise DataRejectedError(f"{path.name} holds no image of two axes; remove it from the folder")


def _light(path: Path, words: ReducedFrames) -> _Light:
    """Read a frame, mask what is saturated, missing or hit, and fit its stars."""
    with opened(path) as hdus:
        hdu = next(hdu for hdu in hdus if hdu.header.get("NAXIS") == 2 and hdu.is_image)
        header = hdu.header
        counts = np.asarray(hdu.data, dtype=np.float32)
    gain, read_noise = number(path, header, words.gain), number(path, header, words.read_noise)
    if not (gain > 0 and read_noise >= 0):
        raise DataRejectedError(
            f"{path.name}: {words.gain} {gain}, {words.read_noise} {read_noise}: the gain must be "
            "above 0, the noise not below; correct the header"
        )
    mask = np.zeros(counts.shape, dtype=np.int32)
    lost = ~np.isfinite(counts) | (counts == 0)
    mask[lost] |= int(Mask.NO_DATA)
    full = counts > words.saturation
    mask[ndimage.binary_dilation(full, iterations=_GROW)] |= int(Mask.SAT)
    usable = (mask & int(UNUSABLE)) == 0
    if usable.mean() < 0.2:
        raise DataRejectedError(
            f"{path.name}: only {100 * usable.mean():.0f} % of the pixels are usable, 20 % are "
            f"needed ({100 * full.mean():.0f} % are above {words.saturation:.0f} adu). Look at it"
        )
    electrons = np.where(lost, np.median(counts[usable]), counts) * np.float32(gain)
    try:
        width = detection.coarse_fwhm(electrons, ~usable)
    except DataRejectedError as error:
        raise DataRejectedError(f"{path.name}: {error}") from None
    electrons -= _shifted_rows(electrons)
    noise = np.full_like(electrons, read_noise**2)
    stars = crowd.fit(electrons, noise, mask, width, path.name)
    mask[stars.hit] |= int(Mask.CR)
    interpolate(electrons, mask, Mask.CR)
    return _Light(electrons, noise, mask, gain, stars)


def _shifted_rows(image: FloatImage) -> FloatImage:
    """Level of rows that are too dark, shape (ny, 1): reading a saturated star lowers its own."""
    level = np.percentile(image, 20, axis=1)
    level -= ndimage.median_filter(level, min(61, 2 * (len(level) // 4) + 1), mode="nearest")
    spread = 1.4826 * float(np.median(np.abs(level)))
    level[level > -_ROW * spread] = 0
    return np.asarray(level[:, None], dtype=np.float32)


@lru_cache(maxsize=1)
def _reference(path: Path, words: ReducedFrames) -> _Light:
    return _light(path, words)


def _places(light: _Light) -> Any:
    return np.column_stack([light.stars.x, light.stars.y])


def _middle(shape: tuple[int, int]) -> tuple[float, float]:
    return (shape[1] - 1) / 2, (shape[0] - 1) / 2


def _nominal(other: _Light, frame: Frame, scale: float) -> Any:
    """Nominal WCS of the reference frame: North up, the header's position in the middle."""
    visit, size = frame.visit, scale / 3600
    centre = np.array(_middle((other.image.shape[0], other.image.shape[1])))
    return astrometry.make_tan(
        np.array([visit.boresight_ra, visit.boresight_decl]), centre,
        np.array([[-size, 0.0], [0.0, size]]),
    )  # fmt: skip


def _centroid_errors(stars: crowd.CrowdedStars) -> Any:
    """Error of places [pixel], from the width of the PSF and the S/N."""
    sigma = stars.psf.fwhm(256, 256) / 2.3548
    return np.hypot(0.02, sigma * stars.flux_err / np.maximum(stars.flux, 1e-9))
