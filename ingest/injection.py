"""Completeness and purity of a data set, from artificial sources put into its survey visits.

The frames go through the functions of ``skyledger process``; what is found goes nowhere but into
the summary. No database is asked, so nothing can be published; the database would refuse it.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import ndtr

from ingest import measure
from ingest.measure import Injected, Job
from ingest.templates import Registered, target
from ingest.workers import worker_pool
from processing import instrument as instruments
from processing.reader import Frame, scan
from skyledger.dictionary import flag_bit
from skyledger.errors import DataRejectedError

Progress = Callable[[str, int, int], None]
FloatArray = NDArray[np.float64]
EDGES = (3.0, 4.0, 4.5, 5.0, 5.5, 6.0, 8.0, 12.0, 20.0, 50.0)  # of S/N bins
_NEAR = 2.5  # px within which a source is the artificial one
_BRIGHT = 8.0  # S/N from which pulls are told


@dataclass
class Injection:
    """What was found of artificial sources: arrays of one element a fake or a source."""

    instrument: str
    frames: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)  # (frame or band, reason)
    masked: float = 0.0  # share of the difference images' pixels
    snr: FloatArray = field(default_factory=lambda: np.zeros(0))  # of the fakes, Fisher
    where: NDArray[np.str_] = field(default_factory=lambda: np.zeros(0, "U6"))
    found: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))
    pull: FloatArray = field(default_factory=lambda: np.zeros((0, 3)))  # flux, x, y; NaN if none
    source_snr: FloatArray = field(default_factory=lambda: np.zeros(0))  # of every source found
    source_kind: NDArray[np.str_] = field(default_factory=lambda: np.zeros(0, "U6"))
    # fake, before (found without the fakes, too) or new (neither)


@contextmanager
def _products_in(folder: Path) -> Iterator[None]:
    """Keep images elsewhere than the archive does."""
    before = os.environ.get("SKYLEDGER_HOME")
    os.environ["SKYLEDGER_HOME"] = str(folder.resolve())
    try:
        yield
    finally:
        if before is None:
            del os.environ["SKYLEDGER_HOME"]
        else:
            os.environ["SKYLEDGER_HOME"] = before


def _templates(
    pool: Executor, jobs: Sequence[Job], done: Injection, progress: Progress
) -> dict[str, tuple[Registered, ...]]:
    """Calibrate the template season and build a template a band."""
    calibrated: dict[str, list[str]] = {}
    season = [pool.submit(measure.measure, job) for job in jobs]
    for number, (job, future) in enumerate(zip(jobs, season, strict=True), start=1):
        one = future.result()
        if one.reason is not None:
            done.failures.append((f"visit {job.frame.visit.visit_id}", one.reason))
        else:
            path = (one.ccd_visit or {})["pviPath"]
            calibrated.setdefault(job.frame.visit.band, []).append(path)
        progress("template visits", number, len(jobs))
    waiting: list[tuple[str, int, Future[dict[str, Any]]]] = []
    for number, (band, paths) in enumerate(sorted(calibrated.items())):
        path = target(done.instrument, number)
        waiting.append((band, number, pool.submit(measure.combine, paths, path)))
    made: dict[str, tuple[Registered, ...]] = {}
    program = instruments.load(done.instrument).template.program or ""
    for band, number, built in waiting:
        try:
            row = built.result()
        except DataRejectedError as error:
            done.failures.append((f"template in {band}", str(error)))
        else:
            path = target(done.instrument, number)
            made[band] = (Registered.of({**row, "templateId": number, "path": path}, program),)
        progress("templates", number + 1, len(waiting))
    return made


def run(
    directory: Path,
    instrument: str,
    number: int,
    folder: Path,
    *,
    seed: int = 1,
    workers: int = 2,
    scheduler: str | None = None,
    progress: Progress = lambda _what, _done, _total: None,
) -> Injection:
    """Put artificial sources into the survey visits of a data set and search for them.

    Parameters
    ----------
    directory
        The data set; it needs visits of a template season and others.
    instrument
        Name of an instrument file.
    number
        How many sources, all visits together; a little more, so that each has as many.
    folder
        Gets the images of the template season.
    seed
        The same seed gives the same sources.
    workers, scheduler
        As :func:`ingest.run.process_directory`.
    progress
        Called with a stage, the number done and the total.

    Raises
    ------
    DataRejectedError
        If the data set lacks one of the two seasons, or nothing of it could be searched.
    """
    used = instruments.load(instrument)
    directory = directory.resolve()
    frames, problems = scan(directory, used)
    season = [f for f in frames if f.visit.is_template]
    survey = [f for f in frames if not f.visit.is_template]
    if not season or not survey:
        raise DataRejectedError(
            f"{directory} has {len(season)} frames of a template season and {len(survey)} others; "
            f"both are needed to subtract one from the other"
        )
    done = Injection(instrument, failures=[(p.name, reason) for p, reason in problems])
    each = ceil(number / len(survey))
    with _products_in(folder), worker_pool(workers, scheduler) as pool:
        jobs = [Job(f, directory, instrument) for f in season]
        made = _templates(pool, jobs, done, progress)
        results = [
            pool.submit(
                measure.inject_and_measure,
                Job(f, directory, instrument, made.get(f.visit.band, ())),
                each,
                seed,
            )
            for f in survey
        ]
        shares = []
        for count, (frame, future) in enumerate(zip(survey, results, strict=True), start=1):
            one = future.result()
            if one.reason is None:
                _add(done, one)
                shares.append(one.masked)
            else:
                done.failures.append((_name(frame), one.reason))
            progress("visits", count, len(survey))
    if not done.frames:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in done.failures)
        raise DataRejectedError(f"nothing of {directory} could be searched: {reasons}"[:2000])
    done.masked = float(np.mean(shares))
    return done


def _name(frame: Frame) -> str:
    return f"visit {frame.visit.visit_id} detector {frame.visit.detector}"


def _add(done: Injection, one: Injected) -> None:
    """Match what was found in a frame with what was put into it."""
    assert one.fakes is not None  # noqa: S101 (a result without a reason has all three)
    assert one.found is not None  # noqa: S101
    assert one.without is not None  # noqa: S101
    hidden = (1 << flag_bit("DIASource", "PARENT")) | (1 << flag_bit("DIASource", "SUBTHRESHOLD"))
    found = one.found[(np.asarray(one.found["flags"]) & hidden) == 0]
    without = one.without[(np.asarray(one.without["flags"]) & hidden) == 0]
    x, y = np.asarray(found["x"], float), np.asarray(found["y"], float)
    old = nearest(x, y, np.asarray(without["x"], float), np.asarray(without["y"], float), 1.0)
    new = np.flatnonzero(old < 0)
    near = nearest(np.asarray(one.fakes["x"]), np.asarray(one.fakes["y"]), x[new], y[new], _NEAR)
    matched = near >= 0
    source = new[near[matched]]
    pull = np.full((len(one.fakes), 3), np.nan)
    for k, (name, error) in enumerate((("psFlux", "psFluxErr"), ("x", "xErr"), ("y", "yErr"))):
        true = one.fakes["flux" if k == 0 else name][matched]
        measured = np.ma.filled(found[name][source].astype(float), np.nan)
        sigma = np.ma.filled(found[error][source].astype(float), np.nan)
        pull[matched, k] = (measured - np.asarray(true)) / sigma
    kind = np.where(old >= 0, "before", "new").astype("U6")
    kind[source] = "fake"
    done.frames += 1
    done.snr = np.append(done.snr, np.asarray(one.fakes["snr"], float))
    done.where = np.append(done.where, np.asarray(one.fakes["where"], "U6"))
    done.found = np.append(done.found, matched)
    done.pull = np.concatenate([done.pull, pull])
    done.source_snr = np.append(done.source_snr, np.ma.filled(found["snr"].astype(float), 0))
    done.source_kind = np.append(done.source_kind, kind)


def nearest(
    x: FloatArray, y: FloatArray, other_x: FloatArray, other_y: FloatArray, reach: float
) -> NDArray[np.int64]:
    """Index of the other point that belongs to each, or -1: pairs from the nearest on, each once.

    Distances above ``reach`` make no pair; shapes (n,) and (m,).
    """
    found = np.full(len(x), -1, dtype=np.int64)
    if not len(x) or not len(other_x):
        return found
    distance = np.hypot(x[:, None] - other_x[None], y[:, None] - other_y[None])
    taken = np.zeros(len(other_x), bool)
    for flat in np.argsort(distance, axis=None, kind="stable"):
        i, j = np.unravel_index(flat, distance.shape)
        if distance[i, j] > reach:
            break
        if found[i] < 0 and not taken[j]:
            found[i], taken[j] = j, True
    return found


def half(snr: FloatArray, found: NDArray[np.bool_]) -> float:
    """Signal-to-noise ratio at which half is found: of the best normal ogive; NaN if none fits."""
    if found.all() or not found.any():
        return float("nan")

    def misfit(p: FloatArray) -> float:
        chance = np.clip(ndtr((snr - p[0]) * np.exp(-p[1])), 1e-6, 1 - 1e-6)
        return -float(np.sum(np.log(np.where(found, chance, 1 - chance))))

    best = minimize(misfit, np.array([5.0, 0.0]), method="Nelder-Mead")
    return float(best.x[0]) if snr.min() < best.x[0] < snr.max() else float("nan")


def spread(values: FloatArray) -> dict[str, float | int | None]:
    """Median, robust standard deviation and share beyond 3 of pulls; None without any."""
    good = values[np.isfinite(values)]
    if not len(good):
        return {"n": 0, "median": None, "sd": None, "beyond3": None}
    middle = float(np.median(good))
    return {
        "n": len(good),
        "median": middle,
        "sd": 1.4826 * float(np.median(np.abs(good - middle))),
        "beyond3": float(np.mean(np.abs(good) > 3)),
    }


def binned(
    snr: FloatArray, good: NDArray[np.bool_], edges: Sequence[float] = EDGES
) -> list[dict[str, Any]]:
    """Count, and share of what is good, in bins of the signal-to-noise ratio."""
    rows = []
    for low, high in pairwise(edges):
        inside = (snr >= low) & (snr < high)
        n = int(inside.sum())
        share = float(good[inside].mean()) if n else None
        rows.append({"low": low, "high": high, "n": n, "share": share})
    return rows


def summary(done: Injection) -> dict[str, Any]:
    """Completeness and purity as numbers, ready for JSON.

    ``completeness`` is told for all positions, masked ones included, and for each kind of place;
    ``purity`` is the share of the sources found that are artificial, and ``purityOfNew`` that among
    those that were not found without them: the rest are what the artificial ones have caused.
    """
    bright = done.snr >= _BRIGHT
    kinds = {"all": np.ones(len(done.snr), bool)}
    kinds |= {kind: done.where == kind for kind in ("blank", "host", "star", "masked")}
    fake, new = done.source_kind == "fake", done.source_kind != "before"
    return {
        "instrument": done.instrument,
        "frames": done.frames,
        "fakes": len(done.snr),
        "maskedShare": done.masked,
        "maskedFakes": float(np.mean(done.where == "masked")) if len(done.where) else None,
        "half": {
            kind: half(done.snr[inside], done.found[inside])
            for kind, inside in {
                "usable": done.where != "masked",
                "blank": kinds["blank"],
                "host": kinds["host"],
            }.items()
        },
        "completeness": {
            kind: binned(done.snr[inside], done.found[inside]) for kind, inside in kinds.items()
        },
        "purity": binned(done.source_snr, fake),
        "purityOfNew": binned(done.source_snr[new], fake[new]),
        "sources": {k: int((done.source_kind == k).sum()) for k in ("fake", "before", "new")},
        "pulls": {name: spread(done.pull[bright, k]) for k, name in enumerate(("flux", "x", "y"))},
        "failures": [{"what": what, "reason": reason} for what, reason in done.failures],
    }
