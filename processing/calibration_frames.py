"""Master calibration frames: bias, dark, flats and defects (DPDD sections 2.6 and 14; DIA-07)."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray
from scipy import ndimage

from processing.compiled import compiled
from processing.exposure import VisitInfo
from processing.instrument import Instrument
from processing.raw import RawImage, opened, raw_image, value
from skyledger.errors import DataRejectedError

FloatImage = NDArray[np.float32]

_CLIP = 4.0  # standard deviations beyond which a value is left out of a mean
_MIN_FRAMES = 3  # fewer cannot tell a cosmic ray from the truth


@dataclass(frozen=True)
class DetectorCalibration:
    """Masters of one detector, trimmed, shape (ny, nx)."""

    bias: FloatImage  # adu above the overscan
    dark: FloatImage  # electrons per second
    flats: dict[str, FloatImage]  # by band; mean 1 over the good pixels
    defects: NDArray[np.bool_]  # dead, hot or unstable pixels and columns
    bias_variance: FloatImage  # electrons**2: noise of the master bias
    dark_variance: FloatImage  # (electrons/s)**2: of the master dark, its bias not counted
    dark_time: float  # seconds
    flat_variance: dict[str, float]  # of a master flat's pixel of value 1, by band

    def noise_of_masters(self, time: float) -> FloatImage:
        """Variance [electron**2] that bias and dark add to an exposure of ``time`` seconds.

        The master bias enters twice: by itself, and with the other sign through the dark.
        """
        share = np.float32((1 - time / self.dark_time) ** 2)
        variance: FloatImage = self.bias_variance * share + self.dark_variance * np.float32(time**2)
        return variance

    def flat(self, band: str, visit: VisitInfo) -> FloatImage:
        """Flat of a band; raises DataRejectedError if there is none."""
        try:
            return self.flats[band]
        except KeyError:
            raise DataRejectedError(
                f"visit {visit.visit_id} detector {visit.detector}: no flat in band {band}; "
                f"there are flats in {', '.join(self.flats) or 'no band'}. Add calibration frames"
            ) from None


@dataclass(frozen=True)
class CalibrationFrames:
    """Masters of every detector; empty for instruments whose frames come corrected."""

    detectors: dict[int, DetectorCalibration]

    def of(self, visit: VisitInfo) -> DetectorCalibration:
        """Masters for a visit's detector; raises DataRejectedError if there are none."""
        try:
            return self.detectors[visit.detector]
        except KeyError:
            raise DataRejectedError(
                f"visit {visit.visit_id}: detector {visit.detector} has no calibration frames; "
                f"there are some for {sorted(self.detectors)}. Add them to the data set"
            ) from None


def build(directory: Path, instrument: Instrument) -> CalibrationFrames:
    """Make the masters of a data set from the frames in its ``calibration`` folder.

    Every master is a mean without the values that are more than 4 standard deviations from the
    median, so that cosmic rays in darks and flats do not show. Defects are the pixels whose flat
    or dark stands out, whole columns where a fifth of the column does, and the instrument's list.

    Raises
    ------
    DataRejectedError
        If biases, darks or flats are missing or fewer than 3, or a file cannot be read.
    """
    if instrument.reader is not None:
        return CalibrationFrames({})
    folder = directory / "calibration"
    biases, darks, flats = (
        sorted(folder.glob(f"{kind}-*.fits")) for kind in ("bias", "dark", "flat")
    )
    for kind, paths in (("bias", biases), ("dark", darks)):
        _enough(folder, kind, len(paths))
    by_band: dict[str, list[Path]] = {}
    for path in flats:
        with opened(path) as hdus:
            name = str(value(path, hdus[0].header, _words(instrument)))
        if name not in instrument.filters:
            raise DataRejectedError(
                f"{path.name}: filter {name!r} is unknown; {instrument.name} has "
                f"{', '.join(instrument.filters)}"
            )
        by_band.setdefault(instrument.filters[name].band, []).append(path)
    if not by_band:
        _enough(folder, "flat", 0)
    for band, paths in by_band.items():
        _enough(folder, f"flat-{band}", len(paths))
    with opened(biases[0]) as hdus:
        numbers = [int(value(biases[0], hdu.header, "DETECTOR")) for hdu in hdus[1:]]
    return CalibrationFrames(
        {number: _detector(number, biases, darks, by_band, instrument) for number in numbers}
    )


def trim(raw: RawImage) -> FloatImage:
    """Light-sensitive part [adu], each amplifier less its overscan; shape (ny, nx).

    The level drifts during the read-out: a parabola along the rows is fitted to the overscan,
    which adds far less noise than each row's own few pixels would.
    """
    image = np.empty(raw.shape, dtype=np.float32)
    for amplifier in raw.amplifiers:
        overscan = raw.counts[amplifier.overscan].astype(np.float64)
        middle = np.median(overscan)
        spread = 1.4826 * np.median(np.abs(overscan - middle)) + 0.5
        kept = np.abs(overscan - middle) < _CLIP * spread
        count = np.maximum(kept.sum(axis=1), 1e-9)
        mean = np.where(kept, overscan, 0).sum(axis=1) / count
        t = np.linspace(-1, 1, len(mean))
        fit = np.polynomial.polynomial.polyfit(t, mean, 2, w=np.sqrt(kept.sum(axis=1)))
        level = np.polynomial.polynomial.polyval(t, fit)
        image[amplifier.data] = raw.counts[amplifier.data] - level[:, None].astype(np.float32)
    return image


def gain_map(raw: RawImage) -> FloatImage:
    """Gain [electron/adu] of every pixel, shape (ny, nx)."""
    gain = np.empty(raw.shape, dtype=np.float32)
    for amplifier in raw.amplifiers:
        gain[amplifier.data] = amplifier.gain
    return gain


def noise_map(raw: RawImage) -> FloatImage:
    """Read noise [electron] of every pixel, rounding to whole adu included, shape (ny, nx)."""
    noise = np.empty(raw.shape, dtype=np.float32)
    for amplifier in raw.amplifiers:
        # One adu of rounding has a variance of 1/12.
        noise[amplifier.data] = np.sqrt(amplifier.read_noise**2 + amplifier.gain**2 / 12)
    return noise


def clipped_mean(stack: FloatImage) -> FloatImage:
    """Mean over the first axis of (k, ny, nx) without outliers.

    Values farther than 4 standard deviations from their pixel's median are left out; the
    standard deviation is that of a typical pixel.
    """
    spread = 1.4826 * float(np.median(np.abs(stack[0] - stack[1]))) / np.sqrt(2)
    return _clipped_mean(np.ascontiguousarray(stack), _CLIP * max(spread, 1e-6))


@compiled
def _clipped_mean(stack: FloatImage, limit: float) -> FloatImage:
    k, ny, nx = stack.shape
    out = np.empty((ny, nx), dtype=np.float32)
    values = np.empty(k, dtype=np.float32)
    for y in range(ny):
        for x in range(nx):
            for i in range(k):  # insertion sort: k is about ten
                v = stack[i, y, x]
                j = i
                while j > 0 and values[j - 1] > v:
                    values[j] = values[j - 1]
                    j -= 1
                values[j] = v
            median = 0.5 * (values[(k - 1) // 2] + values[k // 2])
            total = 0.0
            count = 0
            for i in range(k):
                if abs(values[i] - median) <= limit:
                    total += values[i]
                    count += 1
            out[y, x] = total / count if count else median
    return out


def _words(instrument: Instrument) -> str:
    assert instrument.keywords is not None  # noqa: S101 - an instrument without reader has them
    return instrument.keywords.filter


def _enough(folder: Path, kind: str, count: int) -> None:
    if count < _MIN_FRAMES:
        raise DataRejectedError(
            f"{folder} has {count} files {kind}-*.fits; at least {_MIN_FRAMES} are needed to tell "
            "cosmic rays from the detector. Add calibration frames"
        )


def _read(paths: list[Path], number: int, instrument: Instrument) -> list[RawImage]:
    images = []
    for path in paths:
        with opened(path) as hdus:
            hdu = _hdu(path, hdus, number)
            images.append(raw_image(path, hdu, instrument))
    shapes = {image.shape for image in images}
    if len(shapes) > 1:
        raise DataRejectedError(
            f"{paths[0].parent}: frames of detector {number} have shapes {sorted(shapes)}; "
            "they must be of one camera"
        )
    return images


def _hdu(path: Path, hdus: fits.HDUList, number: int) -> fits.ImageHDU:
    for hdu in hdus[1:]:
        if hdu.header.get("DETECTOR") == number:
            return hdu
    raise DataRejectedError(f"{path.name} has no image of detector {number}; make it again")


def _detector(
    number: int,
    biases: list[Path],
    darks: list[Path],
    flats: dict[str, list[Path]],
    instrument: Instrument,
) -> DetectorCalibration:
    raws = _read(biases, number, instrument)
    bias = clipped_mean(np.stack([trim(raw) for raw in raws]))
    gain = gain_map(raws[0])
    read_noise = noise_map(raws[0])
    raws = _read(darks, number, instrument)
    dark = clipped_mean(np.stack([(trim(raw) - bias) * gain / raw.exposure_time for raw in raws]))
    dark_time = raws[0].exposure_time
    masters: dict[str, FloatImage] = {}
    flat_variance: dict[str, float] = {}
    odd = _stands_out(dark, relative=False)
    for band, paths in flats.items():
        stack = []
        for raw in _read(paths, number, instrument):
            lit = (trim(raw) - bias) * gain - dark * np.float32(raw.exposure_time)
            level = np.float32(np.median(lit))
            stack.append(lit / level)
            flat_variance[band] = 1 / (float(level) * len(paths))
        flat = clipped_mean(np.stack(stack))
        masters[band] = flat
        odd |= _stands_out(flat, relative=True)
    odd[:, odd.mean(axis=0) > 0.2] = True
    for defect in instrument.defects:
        if defect.detector == number:
            odd[defect.y[0] : defect.y[1] + 1, defect.x[0] : defect.x[1] + 1] = True
    for band, flat in masters.items():
        scaled = flat / np.float32(flat[~odd].mean())
        masters[band] = np.where(odd, np.float32(1), scaled)
    return DetectorCalibration(
        bias=bias,
        dark=dark,
        flats=masters,
        defects=odd,
        bias_variance=read_noise**2 / np.float32(len(biases)),
        dark_variance=read_noise**2 / np.float32(len(darks) * dark_time**2),
        dark_time=dark_time,
        flat_variance=flat_variance,
    )


def _stands_out(image: FloatImage, *, relative: bool) -> NDArray[np.bool_]:
    """Pixels far from the median along their row.

    A row is compared, not a square, so that a group of bad columns does not hide itself.
    """
    smooth = ndimage.median_filter(image, size=(1, 31), mode="nearest")
    residual = image - smooth
    spread = 1.4826 * np.median(np.abs(residual))
    # Flats: a fifth off, whatever the noise; darks: far beyond the noise of the master.
    limit = max(0.2, 8 * spread) if relative else 12 * spread
    odd: NDArray[np.bool_] = np.abs(residual) > limit
    return odd | ~np.isfinite(image)
