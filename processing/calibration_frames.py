"""Master calibration frames: bias, dark, flats and defects (DPDD sections 2.6 and 14; DIA-07)."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray
from scipy import ndimage

from processing import fringes
from processing.compiled import compiled
from processing.exposure import VisitInfo
from processing.instrument import Instrument, Keywords
from processing.raw import RawImage, number, opened, raw_image, value
from processing.readout import Readout, check_gain, crosstalk, dead_amplifiers, linearity, plain
from skyledger.errors import DataRejectedError

FloatImage = NDArray[np.float32]

_CLIP = 4.0  # standard deviations beyond which a value is left out of a mean
_MIN_FLAT = 1000.0  # electrons
_EARLY = 7.0  # days before its first frame from which a series holds
_MIN_FRAMES = 3  # fewer cannot tell a cosmic ray from the truth
_OPTIONAL = ("linearity", "spots")


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
    readout: Readout
    dead: NDArray[np.bool_]  # pixels of amplifiers that see no light
    fringes: dict[str, FloatImage]  # by band, relative to the sky; only where frames are given

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
    """Masters of every detector; empty for instruments whose frames come corrected.

    They hold for visits from ``begin`` to ``end`` [MJD TAI]; ``later`` are those of later series.
    """

    detectors: dict[int, DetectorCalibration]
    begin: float = -np.inf
    end: float = np.inf
    later: "CalibrationFrames | None" = None

    def of(self, visit: VisitInfo) -> DetectorCalibration:
        """Masters for a visit's detector and time; raises DataRejectedError if there are none."""
        spans = []
        series: CalibrationFrames | None = self
        while series is not None:
            spans.append(f"MJD {series.begin:.1f} to {series.end:.1f}")
            if series.begin <= visit.mid_tai < series.end:
                break
            series = series.later
        if series is None:
            raise DataRejectedError(
                f"visit {visit.visit_id} of MJD {visit.mid_tai:.2f}: the calibration frames hold "
                f"for {', '.join(spans)}. Add frames of its time"
            )
        try:
            return series.detectors[visit.detector]
        except KeyError:
            raise DataRejectedError(
                f"visit {visit.visit_id}: detector {visit.detector} has no calibration frames; "
                f"there are some for {sorted(series.detectors)}. Add them to the data set"
            ) from None


@dataclass(frozen=True)
class Series:
    """Calibration frames of one folder, and the times [MJD TAI] for which their masters hold."""

    folder: Path
    begin: float
    end: float
    detectors: tuple[int, ...]
    files: dict[str, list[Path]]  # by kind: bias, dark, linearity, spots, flat-BAND, fringe-BAND

    def of_bands(self, kind: str) -> dict[str, list[Path]]:
        """Files of a kind that is taken through filters, by band."""
        known = {name.partition("-"): paths for name, paths in self.files.items()}
        return {band: paths for (first, _, band), paths in known.items() if first == kind and band}


def build(directory: Path, instrument: Instrument) -> CalibrationFrames:
    """Make and certify the masters of a data set from the frames in its ``calibration`` folder.

    Every master is a mean without the values that are more than 4 standard deviations from the
    median, so that cosmic rays in darks and flats do not show. Defects are the pixels whose flat
    or dark stands out, whole columns where a fifth of the column does, and the instrument's list.

    Series of different times lie in folders of their own within ``calibration``; each holds until
    the next begins, and no longer than the instrument says.

    Raises
    ------
    DataRejectedError
        If biases, darks or flats are missing or fewer than 3, a file cannot be read, or a master
        is not believable: gain unlike the noise, a ramp that is not straight, dark flats.
    """
    if instrument.reader is not None:
        return CalibrationFrames({})
    parts = [read_series(folder, instrument) for folder in folders(directory)]
    held: CalibrationFrames | None = None
    following = np.inf
    for part in sorted(parts, key=lambda part: part.begin, reverse=True):
        made = {number: make(part, number, instrument) for number in part.detectors}
        held = CalibrationFrames(made, part.begin, min(following, part.end), held)
        following = part.begin
    assert held is not None  # noqa: S101 - there is one folder at least
    return held


def folders(directory: Path) -> list[Path]:
    """Folders of the series of a data set; the first is there in any case, perhaps empty."""
    folder = directory / "calibration"
    found = [folder] if any(folder.glob("bias-*.fits")) else []
    return found + sorted(path.parent for path in folder.glob("*/bias-000.fits")) or [folder]


def read_series(folder: Path, instrument: Instrument) -> Series:
    """Find the frames of a series and their times; raises DataRejectedError as :func:`build`."""
    files = {kind: sorted(folder.glob(f"{kind}-*.fits")) for kind in ("bias", "dark", *_OPTIONAL)}
    _enough(folder, "bias", len(files["bias"]))
    _enough(folder, "dark", len(files["dark"]))
    for kind in ("flat", "fringe"):
        by_band = _by_band(sorted(folder.glob(f"{kind}-*.fits")), instrument)
        files |= {f"{kind}-{band}": paths for band, paths in by_band.items()}
        for band, paths in by_band.items():
            _enough(folder, f"{kind}-{band}", len(paths))
        if kind == "flat" and not by_band:
            _enough(folder, kind, 0)
    with opened(files["bias"][0]) as hdus:
        numbers = [int(value(files["bias"][0], hdu.header, "DETECTOR")) for hdu in hdus[1:]]
    times = []
    for path in (path for paths in files.values() for path in paths):
        with opened(path) as hdus:
            times.append(number(path, hdus[0].header, _words(instrument).begin_tai))
    end = max(times) + instrument.calibration_days
    files = {kind: paths for kind, paths in files.items() if paths}
    return Series(folder, min(times) - _EARLY, end, tuple(numbers), files)


def _by_band(paths: list[Path], instrument: Instrument) -> dict[str, list[Path]]:
    by_band: dict[str, list[Path]] = {}
    for path in paths:
        with opened(path) as hdus:
            name = str(value(path, hdus[0].header, _words(instrument).filter))
        if name not in instrument.filters:
            raise DataRejectedError(
                f"{path.name}: filter {name!r} is unknown; {instrument.name} has "
                f"{', '.join(instrument.filters)}"
            )
        by_band.setdefault(instrument.filters[name].band, []).append(path)
    return by_band


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


def _words(instrument: Instrument) -> Keywords:
    assert instrument.keywords is not None  # noqa: S101 - an instrument without reader has them
    return instrument.keywords


def _enough(folder: Path, kind: str, count: int) -> None:
    if count < _MIN_FRAMES:
        raise DataRejectedError(
            f"{folder} has {count} files {kind}-*.fits; at least {_MIN_FRAMES} are needed to tell "
            "cosmic rays from the detector. Add calibration frames"
        )


def _read(paths: list[Path], detector: int, instrument: Instrument) -> list[RawImage]:
    images = []
    for path in paths:
        with opened(path) as hdus:
            hdu = _hdu(path, hdus, detector)
            images.append(raw_image(path, hdu, instrument))
    shapes = {image.shape for image in images}
    if len(shapes) > 1:
        raise DataRejectedError(
            f"{paths[0].parent}: frames of detector {detector} have shapes {sorted(shapes)}; "
            "they must be of one camera"
        )
    return images


def _hdu(path: Path, hdus: fits.HDUList, detector: int) -> fits.ImageHDU:
    for hdu in hdus[1:]:
        if hdu.header.get("DETECTOR") == detector:
            return hdu
    raise DataRejectedError(f"{path.name} has no image of detector {detector}; make it again")


def make(series: Series, detector: int, instrument: Instrument) -> DetectorCalibration:
    """Make the masters of one detector; raises DataRejectedError as :func:`build`."""
    name, files = f"detector {detector}", series.files
    flats, patterned = series.of_bands("flat"), series.of_bands("fringe")
    raws = _read(files["bias"], detector, instrument)
    bias = clipped_mean(np.stack([trim(raw) for raw in raws]))
    amplifiers = raws[0].amplifiers
    gain = gain_map(raws[0])
    read_noise = noise_map(raws[0])

    def electrons(paths: list[Path], how: Readout) -> list[tuple[RawImage, FloatImage]]:
        found = _read(paths, detector, instrument)
        return [(raw, how.apply((trim(raw) - bias) * gain, raw.amplifiers)) for raw in found]

    readout = plain(amplifiers)
    # An amplifier that dies is dead in every flat.
    first_flat = next(iter(flats.values()))[:1]
    dead = dead_amplifiers(electrons(first_flat, readout)[0][1], amplifiers)
    readout = replace(readout, dead=dead)
    if "spots" in files and not dead:
        readout = replace(readout, crosstalk=crosstalk(electrons(files["spots"], readout), name))
    if "linearity" in files:
        ramp = electrons(files["linearity"], readout)
        readout = replace(readout, bend=linearity(ramp, dead, name))
    blind = np.zeros(bias.shape, dtype=bool)
    for k in dead:
        blind[amplifiers[k].data] = True
    frames = electrons(files["dark"], readout)
    dark = clipped_mean(np.stack([image / raw.exposure_time for raw, image in frames]))
    dark_time = frames[0][0].exposure_time
    masters: dict[str, FloatImage] = {}
    flat_variance: dict[str, float] = {}
    odd = _stands_out(dark, relative=False)
    for band, paths in flats.items():
        stack = []
        pairs = electrons(paths, readout)
        counts = tuple(image / gain for _, image in pairs[:2])
        check_gain(amplifiers, counts, f"{name}, flats in {band}")
        for raw, image in pairs:
            lit = image - dark * np.float32(raw.exposure_time)
            level = np.float32(np.median(lit[~blind]))
            if not _MIN_FLAT < level < raw.full_well:
                raise DataRejectedError(
                    f"{name}: a flat in {band} holds {level:.0f} electrons, more than "
                    f"{_MIN_FLAT:.0f} and less than a full well of {raw.full_well:.0f} are needed. "
                    "Remove it"
                )
            stack.append(lit / level)
            flat_variance[band] = 1 / (float(level) * len(paths))
        masters[band] = clipped_mean(np.stack(stack))
        odd |= _stands_out(masters[band], relative=True) & ~blind
    odd[:, odd.mean(axis=0) > 0.2] = True
    for defect in instrument.defects:
        if defect.detector == detector:
            odd[defect.y[0] : defect.y[1] + 1, defect.x[0] : defect.x[1] + 1] = True
    out = odd | blind
    for band, flat in masters.items():
        scaled = flat / np.float32(flat[~out].mean())
        masters[band] = np.where(out, np.float32(1), scaled)
    patterns = {}
    for band, paths in patterned.items():
        stack = []
        for raw, image in electrons(paths, readout):
            sky = (image - dark * np.float32(raw.exposure_time)) / masters[band]
            stack.append(sky / np.float32(np.median(sky[~out])))
        patterns[band] = fringes.master(clipped_mean(np.stack(stack)), out)
    return DetectorCalibration(
        bias=bias,
        dark=dark,
        flats=masters,
        defects=odd & ~blind,
        bias_variance=read_noise**2 / np.float32(len(files["bias"])),
        dark_variance=read_noise**2 / np.float32(len(files["dark"]) * dark_time**2),
        dark_time=dark_time,
        flat_variance=flat_variance,
        readout=readout,
        dead=blind,
        fringes=patterns,
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
