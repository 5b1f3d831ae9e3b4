"""Corrected drift-scan frames of the SDSS imaging camera (DIA-07, GEN-10; classic SDSS formats).

A (run, camcol, field, band) has four files: ``fpC`` pixels, ``fpM`` masks, ``psField`` PSF and
noise, ``tsField`` calibration. Frames come bias-subtracted and flat; what is done here is sky,
variance, mask planes, PSF, and the frames' *own* astrometric and photometric calibration.

The five bands of a field are read 71.7 s apart by five detectors; each is a visit of its own.
A visit's number within its night is 5 (field mod 400) + band (u 0 ... z 4): unique as long as a
night has fewer than 400 fields of one camera column in one run; others are reported as duplicates.

The scan runs along the rows: row y is read ``C_OBS`` µs after row y - 1, and what is read at one
instant was exposed during the ``EXPTIME`` seconds before (``TAI`` is the reading of row 0), so
that mid-exposure depends on the row.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from processing import background, detection, psf_stars, quality, snaps
from processing.astrometry import tan_from_header
from processing.exposure import UNUSABLE, Exposure, FloatImage, Mask, MaskImage, VisitInfo
from processing.instrument import Instrument
from processing.psf import PsfModel, fwhm
from processing.psf_core import fit_points, spline_psf
from processing.raw import number, opened
from processing.reader import Frame, Problem
from processing.single_visit import SingleVisit, star_table
from skyledger import ids
from skyledger.errors import DataRejectedError

_BANDS = "ugriz"  # order of every array in psField and tsField
_CAMERA_ROWS = "riuzg"  # order in which the sky crosses the detectors
_FRAME = re.compile(r"fpC-(\d{6})-([ugriz])(\d)-(\d{4})\.fit(\.gz)?$")
_PLANES = {  # HDU of fpM -> our planes; interpolated pixels are bad columns, mostly
    1: Mask.BAD | Mask.INTRP,
    2: Mask.SAT,
    10: Mask.CR | Mask.INTRP,
}
_AB_FLUX = 3.631e12  # nJy of AB magnitude 0
_ABSOLUTE_ERROR = 0.01  # of the SDSS flux scale against AB
_SHAPE = (1489, 2048)
_MIN_PSF_STARS = 15


@dataclass(frozen=True)
class _Field:
    """What psField and tsField say of one band."""

    gain: float  # electrons per DN
    dark_variance: float  # DN**2, read-out included
    flux_per_count: float  # nJy per DN
    flux_error: float  # of it, a fraction
    position_error: tuple[float, float]  # arcsec along the scan and across
    n_psf_stars: int
    n_astrom_stars: int


def scan(directory: Path, instrument: Instrument) -> tuple[list[Frame], list[Problem]]:
    """List the frames of a folder, in any order; see :func:`processing.reader.scan`."""
    paths = sorted(path for path in directory.iterdir() if path.name.startswith("fpC-"))
    if not paths:
        raise DataRejectedError(
            f"{directory} holds no SDSS frames: no file fpC-RUN-BANDCAMCOL-FIELD.fit or .fit.gz; "
            "name the folder they are in"
        )
    frames, problems = [], []
    for path in paths:
        try:
            frames.append(_frame(path, instrument))
        except DataRejectedError as error:
            problems.append((path, str(error)))
    return frames, problems


def process(frame: Frame, instrument: Instrument) -> SingleVisit:
    """Turn a frame into a calibrated image [nJy]; see :func:`processing.single_visit.process`.

    Raises
    ------
    DataRejectedError
        If a file cannot be read, has the wrong shape or no finite pixel, or nothing is on it.
    """
    visit = frame.visit
    pixels, masks, ps_field, ts_field = frame.paths
    band = _BANDS.index(visit.band)
    with opened(pixels) as hdus:
        header = hdus[0].header
        if hdus[0].data is None or hdus[0].data.shape != _SHAPE:
            found = None if hdus[0].data is None else hdus[0].data.shape
            raise DataRejectedError(
                f"{pixels.name} has shape {found}, a frame has {_SHAPE}; fetch the file again"
            )
        counts = hdus[0].data.astype(np.float32)
        counts -= np.float32(number(pixels, header, "SOFTBIAS"))
    wcs = tan_from_header(pixels, header)
    field = _field(ps_field, ts_field, band, visit, instrument)
    mask = _mask(masks, counts.shape)
    electrons = counts * np.float32(field.gain)
    sky = background.estimate(electrons, mask)
    image = electrons - sky
    noise = np.full_like(image, field.dark_variance * field.gain**2)
    empty = noise + np.maximum(sky, 0)
    flat = np.ones_like(image)
    variance = noise + snaps.light_variance(image, sky, flat, np.sqrt(empty))
    scale = field.flux_per_count / field.gain
    usable = (mask & int(UNUSABLE)) == 0
    given = _psf(ps_field, band, _SHAPE)
    width = given.fwhm(_SHAPE[1] / 2, _SHAPE[0] / 2)
    found = detection.detect(image, np.sqrt(empty), mask, width)
    if len(found) == 0:
        raise DataRejectedError(f"{pixels.name}: no source on the frame; look at it")
    psf, n_psf_stars = _own_psf(image, variance, mask, found, width)
    if psf is None:
        psf, n_psf_stars = given, field.n_psf_stars
    points = fit_points(image, empty, usable, spline_psf(psf, _SHAPE), found.x, found.y, 1.0)
    good = points.converged & found.clean
    mask[found.segments > 0] |= int(Mask.DETECTED)
    exposure = Exposure(
        image=image * np.float32(scale),
        variance=variance * np.float32(scale) ** 2,
        mask=mask,
        unit="nJy",
        visit=visit,
        wcs=wcs,
        psf=psf,
        electrons_per_unit=1 / scale,
    )
    along, across = field.position_error
    exposure.quality = {
        "beginTai": frame.begin_tai,
        "endTai": frame.end_tai,
        **quality.geometry(wcs, _SHAPE),
        **quality.psf_numbers(psf, wcs, _SHAPE, psf_stars.median_fwhm(psf, _SHAPE)),
        **quality.sky_numbers(exposure, float(np.median(sky)) * scale),
        "nPsfStars": n_psf_stars,
        "nAstromStars": field.n_astrom_stars,
        "nStars": int(good.sum()),
        "fluxScale": scale,
        "zeroPoint": 31.4 - 2.5 * float(np.log10(scale)),
        "photoCalibRelErr": field.flux_error,
        "photoCalibAbsErr": _ABSOLUTE_ERROR,
        "astromSysRaErr": along,
        "astromSysDeclErr": across,
        "astromSysCov": 0.0,
    }
    xy = np.column_stack([np.where(good, points.x, found.x), np.where(good, points.y, found.y)])
    return SingleVisit(exposure, None, star_table(exposure, points, xy, good, {}))


def _frame(path: Path, instrument: Instrument) -> Frame:
    match = _FRAME.match(path.name)
    if match is None:
        raise DataRejectedError(
            f"{path.name} is not named fpC-RRRRRR-BC-FFFF.fit (run, band, camcol, field); rename it"
        )
    run, band, camcol, field = match[1], match[2], match[3], match[4]
    companions = (
        _companion(path, f"fpM-{run}-{band}{camcol}-{field}.fit*"),
        _companion(path, f"psField-{run}-{camcol}-{field}.fit*"),
        _companion(path, f"tsField-{run}-{camcol}-*-{field}.fit*"),
    )
    with opened(path) as hdus:
        header = hdus[0].header
    filter_name = str(header.get("FILTER", "")).strip()
    if filter_name != band or filter_name not in instrument.filters:
        raise DataRejectedError(
            f"{path.name}: filter {filter_name!r} in the header, {band!r} in the name; "
            f"{instrument.name} has {', '.join(instrument.filters)}. Correct one of them"
        )
    with opened(companions[2]) as hdus:
        airmass = float(hdus[1].data["airmass"][0][_BANDS.index(band)])
    if "EXPTIME" not in header:
        raise DataRejectedError(f"{path.name}: keyword EXPTIME is missing; correct the header")
    exposure_time = float(header["EXPTIME"])  # written as text
    row_time = number(path, header, "C_OBS") * 1e-6 / 86400
    half = exposure_time / 2 / 86400
    mid_first = number(path, header, "TAI") / 86400 - half
    mid_tai = mid_first + row_time * (_SHAPE[0] - 1) / 2
    detector = 6 * _CAMERA_ROWS.index(band) + int(camcol) - 1
    visit_id = ids.visit_id(ids.night_of(mid_tai), 5 * (int(field) % 400) + _BANDS.index(band))
    visit = VisitInfo(
        instrument=instrument.name,
        visit_id=visit_id,
        ccd_visit_id=ids.ccd_visit_id(visit_id, detector),
        detector=detector,
        band=instrument.filters[filter_name].band,
        filter_name=filter_name,
        program_id=f"stripe {header.get('STRIPE', 'unknown')}",
        mid_tai=mid_tai,
        mid_tai_dx=0.0,
        mid_tai_dy=row_time,
        exposure_time=exposure_time,
        n_snaps=1,
        airmass=airmass,
        boresight_ra=float(number(path, header, "RA")),
        boresight_decl=float(number(path, header, "DEC")),
        rotation=float(number(path, header, "SPA")),
        is_template=instrument.template.lasts_at(mid_tai),
    )
    return Frame((path, *companions), visit, mid_tai - half, mid_tai + half)


def _companion(path: Path, pattern: str) -> Path:
    found = sorted(path.parent.glob(pattern))
    if not found:
        raise DataRejectedError(f"{path.name}: its file {pattern} is missing; add it to the folder")
    return found[0]


def _field(
    ps_field: Path, ts_field: Path, band: int, visit: VisitInfo, instrument: Instrument
) -> _Field:
    with opened(ps_field) as hdus:
        noise = hdus[6].data[0]
        gain, dark = float(noise["gain"][band]), float(noise["dark_variance"][band])
        n_psf_stars = int(noise["psf_nstar"][band])
    with opened(ts_field) as hdus:
        row = hdus[1].data[0]
        zero, extinction = float(row["aa"][band]), float(row["kk"][band])
        # Other bands are tied to r, and r to the sky.
        errors = [
            float(np.hypot(row[name][band], row[name][2] if band != 2 else 0.0))
            for name in ("muErr", "nuErr")
        ]
        error = float(row["aaErr"][band])
        n_astrom_stars = int(row["numStars"][band])
    if not (gain > 0 and dark >= 0 and -30 < zero < -15):
        raise DataRejectedError(
            f"{ps_field.name}, {ts_field.name}: gain {gain}, dark variance {dark}, zero point "
            f"{zero} in {visit.band} are not those of a calibrated frame; fetch the files again"
        )
    # f / f0 = counts / time * 10^(0.4 (aa + kk airmass)), f0 at magnitude 0 of the SDSS system.
    magnitude = zero + extinction * visit.airmass - instrument.filters[visit.filter_name].ab_offset
    return _Field(
        gain=gain,
        dark_variance=dark,
        flux_per_count=_AB_FLUX * 10 ** (0.4 * magnitude) / visit.exposure_time,
        flux_error=float(error / 1.0857),
        position_error=(errors[0], errors[1]),
        n_psf_stars=n_psf_stars,
        n_astrom_stars=n_astrom_stars,
    )


def _mask(path: Path, shape: tuple[int, ...]) -> NDArray[np.int32]:
    """Mask planes from the spans (row, first and last column) of fpM."""
    mask = np.zeros(shape, dtype=np.int32)
    with opened(path) as hdus:
        for index, planes in _PLANES.items():
            for spans in hdus[index].data["s"]:
                # 16-bit numbers, kept as bytes: row, first column, last column.
                numbers = np.frombuffer(np.ascontiguousarray(spans).tobytes(), dtype=">i2")
                for row, first, last in numbers.reshape(-1, 3):
                    mask[row, first : last + 1] |= int(planes)
    return mask


def _own_psf(
    image: FloatImage,
    variance: FloatImage,
    mask: MaskImage,
    found: detection.Detections,
    width: float,
) -> tuple[PsfModel | None, int]:
    """PSF from the frame's own stars; None if there are fewer than 15.

    That of psField leaves up to twice the residuals, and fluxes that drift along the scan.
    """
    try:
        stars = psf_stars.fit(image, variance, mask, found, width)
    except DataRejectedError:
        return None, 0
    if len(stars.used) < _MIN_PSF_STARS:
        return None, 0
    return stars.model, len(stars.used)


def _psf(path: Path, band: int, shape: tuple[int, int]) -> PsfModel:
    """Polynomial PSF from the eigenimages (Karhunen-Loeve) of psField."""
    with opened(path) as hdus:
        table = hdus[band + 1].data
        model = _Eigenimages([_component(row) for row in table])
    sampled = PsfModel.sampled(model, shape, order=2)
    planes = sampled.coefficients / sampled.coefficients[0].sum()
    centred = psf_stars.centred(planes, fwhm(planes[0]))
    return PsfModel(centred, sampled.order, sampled.x0, sampled.y0, sampled.scale)


def _component(row: fits.FITS_record) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    size = int(row["RNROW"]), int(row["RNCOL"])
    image = np.asarray(row["RROWS"], dtype=np.float64).reshape(size)
    powers = np.asarray(row["c"], dtype=np.float64)[: int(row["nrow_b"]), : int(row["ncol_b"])]
    return image, powers


@dataclass(frozen=True)
class _Eigenimages:
    """Sum of eigenimages, each times sum_ij c_ij (row / 1000)^i (column / 1000)^j."""

    components: list[tuple[NDArray[np.float64], NDArray[np.float64]]]

    def image(self, x: float, y: float) -> NDArray[np.float64]:
        total = np.zeros_like(self.components[0][0])
        for image, powers in self.components:
            rows = (0.001 * (y + 0.5)) ** np.arange(powers.shape[0])
            columns = (0.001 * (x + 0.5)) ** np.arange(powers.shape[1])
            total += image * float(rows @ powers @ columns)
        total /= total.sum()
        return total
