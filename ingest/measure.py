"""What a worker process does with one frame: raw snaps to measurements, no database.

Every outcome is a value: measurements, or the reason why there are none.
"""

import os
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

from ingest import rows
from ingest.templates import Circumstances, Registered, choose
from processing import (
    calibration_frames,
    coadd,
    dia,
    difference,
    fits,
    forced,
    inject,
    instrument,
    masters,
    quality,
    reference,
    single_visit,
    source_files,
    sources,
)
from processing.calibration_frames import CalibrationFrames, DetectorCalibration, Series
from processing.exposure import Exposure
from processing.reader import Frame
from skyledger import products
from skyledger.errors import DataRejectedError

SPURIOUS = 0.5  # spuriousness from which a source counts as a probable artifact


@dataclass(frozen=True)
class Job:
    """A frame to be measured against a template (or only calibrated, if there is none)."""

    frame: Frame
    directory: Path
    instrument: str
    templates: tuple[Registered, ...] = ()  # of the frame's band
    below_threshold: bool = False  # measure detections below the threshold, too
    master: str | None = None  # file of certified masters; None: those of the data set's frames
    refused: str | None = None  # why the frame cannot be measured at all


@dataclass(frozen=True)
class Measured:
    """The rows of one detector of a visit, or the reason of its failure."""

    frame: Frame
    ccd_visit: dict[str, Any] | None = None
    detector: dict[str, Any] | None = None
    sources: Table | None = None
    reason: str | None = None
    bug: bool = False  # the reason is a programming error, not bad data


@lru_cache(maxsize=4)
def _context(directory: Path, name: str) -> tuple[Any, Any]:
    """Instrument and reference stars of a data set: read once a worker."""
    used = instrument.load(name)
    return used, reference.read(directory, used)


@lru_cache(maxsize=4)
def _made(directory: Path, name: str) -> CalibrationFrames:
    """Masters of a data set's own frames, made in memory."""
    return calibration_frames.build(directory, instrument.load(name))


@lru_cache(maxsize=4)
def _masters(path: Path) -> DetectorCalibration:
    return masters.read(path)


def make_masters(
    series: Series, detector: int, name: str, frames: dict[str, str], path: str
) -> list[masters.Master]:
    """Make the masters of a detector and write them among the products."""
    made = calibration_frames.make(series, detector, instrument.load(name))
    listed = masters.describe(made, series)
    size = made.bias.nbytes * (len(listed) + 3)
    _write(path, lambda target: masters.write(made, listed, series, frames, target), size)
    return listed


@lru_cache(maxsize=8)
def _template(path: Path) -> Exposure:
    return fits.read(path)


def _calibrate(job: Job) -> single_visit.SingleVisit:
    if job.refused is not None:
        raise DataRejectedError(job.refused)
    used, stars = _context(job.directory, job.instrument)
    if job.master is None:
        return single_visit.process(job.frame, used, _made(job.directory, job.instrument), stars)
    held = {job.frame.visit.detector: _masters(products.root() / job.master)}
    single = single_visit.process(job.frame, used, CalibrationFrames(held), stars)
    single.exposure.quality["masterPath"] = job.master
    return single


def _choose(job: Job, pvi: Exposure) -> Registered:
    """Return the template for a PVI (:func:`ingest.templates.choose`)."""
    ny, nx = pvi.shape
    ra, decl = (float(v) for v in pvi.wcs.all_pix2world((nx - 1) / 2, (ny - 1) / 2, 0))
    visit = job.frame.visit
    season = instrument.load(job.instrument).template
    seen = Circumstances(
        ra, decl, visit.mid_tai, visit.airmass, float(pvi.quality["seeing"]), visit.program_id
    )
    chosen = choose(job.templates, season, visit.ccd_visit_id, seen)
    if chosen is not None:
        return chosen
    raise DataRejectedError(
        f"visit {visit.visit_id} detector {visit.detector}: none of {len(job.templates)} templates "
        f"of band {visit.band} covers RA {ra:.4f} Dec {decl:.4f} without being made of the visit; "
        f"process visits of the template season there first"
    )


def _keep(image: Exposure, path: str) -> None:
    """Write an image among the products."""
    _write(path, lambda target: fits.write(image, target), image.image.nbytes * 3)


def _write(path: str, write: Callable[[Path], None], size: int) -> None:
    """Write a product of about ``size`` bytes; no room for it is a reason, not a bug."""
    try:
        write(products.for_writing(path))
    except OSError as error:
        # What numpy could not write whole has no number.
        reason = os.strerror(error.errno) if error.errno else f"no more room ({error})"
        raise DataRejectedError(
            f"{products.root() / path} cannot be written: {reason}. Make room for images of "
            f"{size // 2**20 + 1} MB there, then run the same command again"
        ) from error


def _find_sources(single: single_visit.SingleVisit) -> dict[str, Any]:
    """Write the Sources of a visit image, and tell where they are, how many, and their cost."""
    begin = time.process_time()
    visit = single.exposure.visit
    table = sources.find_and_measure(single.exposure, single.sky)
    path = products.source_path(visit.instrument, visit.visit_id, visit.ccd_visit_id)
    _write(path, lambda target: source_files.write(table, visit, target), 1000 * len(table))
    return {
        "sourcePath": path,
        "nSources": len(table),
        "sourceTime": time.process_time() - begin,
    }


def _search(
    job: Job, single: single_visit.SingleVisit, pvi: Exposure
) -> tuple[Registered, difference.Difference, Table]:
    """Subtract the template and measure what is left."""
    template = _choose(job, pvi)
    subtracted = difference.subtract(pvi, _template(products.root() / template.path))
    found = dia.detect_and_measure(
        subtracted,
        pvi,
        single.snap_difference,
        sub_threshold_fraction=1.0 if job.below_threshold else 0.0,
    )
    return template, subtracted, found


@dataclass(frozen=True)
class Injected:
    """What was put into an image, what was found in it, and what is found without."""

    frame: Frame
    fakes: Table | None = None
    found: Table | None = None
    without: Table | None = None
    masked: float = 0.0  # share of the difference image
    reason: str | None = None


def inject_and_measure(job: Job, number: int, seed: int) -> Injected:
    """Search a frame with and without artificial sources; neither writes an image nor publishes."""
    visit = job.frame.visit
    try:
        single = _calibrate(job)
        _, clean, without = _search(job, single, single.exposure)
        rng = np.random.default_rng([seed, visit.ccd_visit_id])
        changed, fakes = inject.inject(single.exposure, clean, number, rng)
        _, searched, found = _search(job, single, changed)
        masked = 1 - float(searched.exposure.usable().mean())
        return Injected(job.frame, fakes, found, without, masked)
    except DataRejectedError as error:
        return Injected(job.frame, reason=str(error))
    except Exception:  # noqa: BLE001 - one broken visit must not stop the others; it is told
        return Injected(job.frame, reason=traceback.format_exc(limit=-3))


def measure(job: Job) -> Measured:
    """Process one frame to DIASources; writes the PVI, its Sources and the difference image."""
    visit = job.frame.visit
    try:
        single = _calibrate(job)
        pvi = single.exposure
        kept = _find_sources(single)  # before the PVI is written: its mask shows them
        kept["pviPath"] = products.pvi_path(visit.instrument, visit.visit_id, visit.ccd_visit_id)
        _keep(pvi, kept["pviPath"])
        if visit.is_template:
            return Measured(job.frame, rows.ccd_visit(job.frame, pvi, kept), rows.detector(pvi))
        template, subtracted, found = _search(job, single, pvi)
        kept["differencePath"] = products.difference_path(
            visit.instrument, visit.visit_id, visit.ccd_visit_id
        )
        _keep(subtracted.exposure, kept["differencePath"])
        described = rows.ccd_visit(
            job.frame,
            pvi,
            kept
            | subtracted.exposure.quality
            | {
                "templateId": template.template_id,
                "nDiaSources": len(found),
                "nSpurious": int(np.sum(found["spuriousness"].filled(0) > SPURIOUS)),
                "nNoisePeaks": quality.noise_peaks(subtracted.exposure, dia.THRESHOLD),
                "usableMask": rows.usable_mask(subtracted.exposure),
            },
        )
        return Measured(job.frame, described, rows.detector(pvi), found)
    except DataRejectedError as error:
        return Measured(job.frame, reason=str(error))
    except Exception:  # noqa: BLE001 - one broken visit must not stop the night; it is reported
        return Measured(job.frame, reason=traceback.format_exc(limit=-3), bug=True)


def force(ccd_visit: dict[str, Any], ra: Any, decl: Any) -> Table:
    """Measure forced fluxes at positions [deg] on the images written by :func:`measure`.

    Returns
    -------
    Table
        As :func:`processing.forced.force`: one row a position on usable pixels.
    """
    return forced.force(
        fits.read(products.root() / ccd_visit["differencePath"]),
        fits.read(products.root() / ccd_visit["pviPath"]),
        ra,
        decl,
    )


@dataclass(frozen=True)
class Forced:
    """Forced fluxes on kept images; without them, whether the images are gone or what is wrong."""

    table: Table | None = None
    gone: bool = False
    reason: str | None = None


def force_kept(ccd_visit: dict[str, Any], ra: Any, decl: Any) -> Forced:
    """Measure forced fluxes on images of the past; a difference image may be gone by now.

    Without the visit image the total fluxes are missing.
    """
    path = products.root() / ccd_visit["differencePath"]
    direct = ccd_visit.get("pviPath")
    try:
        if not path.is_file():
            return Forced(gone=True)
        pvi = products.root() / direct if direct else None
        image = fits.read(pvi) if pvi is not None and pvi.is_file() else None
        return Forced(forced.force(fits.read(path), image, ra, decl))
    except DataRejectedError as error:
        return Forced(reason=str(error))
    except Exception:  # noqa: BLE001 - one broken image must not stop the others; it is told
        return Forced(reason=traceback.format_exc(limit=-3))


class _Files(Sequence[Exposure]):
    """Exposures on disk, each read when it is asked for."""

    def __init__(self, paths: Sequence[str]) -> None:
        self._paths = paths

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, k: Any) -> Any:
        return fits.read(products.root() / self._paths[k])


def combine(paths: list[str], target: str) -> dict[str, Any]:
    """Build a template from calibrated visits on disk, write it, and return its row."""
    template = coadd.build_template(_Files(paths))
    _keep(template, target)
    return rows.template(template)
