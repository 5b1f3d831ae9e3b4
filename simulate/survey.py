"""The simulation of a survey: plan, sky, frames, truth."""

import json
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulate import camera, frames, truth
from simulate.cadence import Visit, plan
from simulate.camera import Detector
from simulate.detector import (
    FRINGES,
    Pattern,
    cosmic_rays,
    expose,
    gain_drift,
    pattern,
    read,
    spots,
)
from simulate.randomness import generator
from simulate.render import Sources, draw, points
from simulate.scene import Scene, background, light, observe
from simulate.sky import Catalogue, build
from simulate.tiers import FIRST_NIGHT, TEMPLATE_BEFORE, Tier, tier_named
from simulate.upsets import befall
from skyledger.errors import UsageError

Progress = Callable[[int, int, str], None]

_RECORD, _SOURCES = "simulation.json", "sources.parquet"


@dataclass(frozen=True)
class Summary:
    """What a call of :func:`simulate` did."""

    tier: str
    seed: int
    visits: int  # of the whole survey
    frames_written: int
    frames_kept: int  # were there already, from the same seed
    calibration_frames: int
    reference_stars: int
    objects: dict[str, int]  # of the whole survey, by kind
    true_sources: int
    cpu_seconds: float


@dataclass(frozen=True)
class Survey:
    """Everything known of a survey before its first pixel."""

    tier: Tier
    seed: int
    detectors: tuple[Detector, ...]
    visits: list[Visit]
    sky: Catalogue


def prepare(tier: Tier | str, seed: int) -> Survey:
    """Plan a survey and draw its sky.

    Raises
    ------
    UsageError
        If there is no such tier, or the seed is negative.
    """
    if isinstance(tier, str):
        tier = tier_named(tier)
    if seed < 0:
        raise UsageError(f"the seed is {seed}; give a whole number from 0 on")
    visits = befall(plan(tier, seed), tier)
    return Survey(
        tier=tier,
        seed=seed,
        detectors=camera.detectors(tier.detectors_a_side, tier.detector_size),
        visits=visits,
        sky=build(tier, seed, visits),
    )


@lru_cache(maxsize=1)
def prepared(tier: Tier, seed: int) -> Survey:
    """Plan a survey as :func:`prepare` does; the last one is kept."""
    return prepare(tier, seed)


def _write_frame(
    tier: Tier, seed: int, place: tuple[int, int], dataset: Path, truth_directory: Path
) -> None:
    """Write the raw frame and the cosmic rays of a visit (its place in the plan) and detector.

    Everything random is drawn by seed and visit, so it is all one which process does it.
    """
    survey = prepared(tier, seed)
    visit, detector = survey.visits[place[0]], survey.detectors[place[1]]
    raw, hits = snaps(survey, visit, detector, observe(survey.sky, visit, detector))
    name = f"{visit.visit_id}-{detector.number}"
    if visit.upset == "duplicate":
        frames.write_visit(dataset / "raw" / f"{name}-again.fits", visit, detector, raw)
    truth.write_pixels(truth_directory / "cosmic_rays" / f"{name}.parquet", hits)
    frames.write_visit(dataset / "raw" / f"{name}.fits", visit, detector, raw)


@lru_cache(maxsize=8)
def _pattern(seed: int, detector: Detector, band: str, tier: Tier) -> Pattern:
    return pattern(seed, detector, band, tier.effects)


def _drift(survey: Survey, detector: Detector, mjd: float) -> NDArray[np.float64]:
    if survey.tier.effects.gain_drift:
        return gain_drift(survey.seed, detector, mjd)
    return np.ones(len(camera.AMPLIFIERS))


def snaps(
    survey: Survey, visit: Visit, detector: Detector, scene: Scene
) -> tuple[list[NDArray[np.uint16]], dict[str, NDArray[Any]]]:
    """Raw arrays of a visit, and the pixels hit by cosmic rays (snap, index, charge)."""
    effects, seed = visit.effects, survey.seed
    parts = _pattern(seed, detector, visit.band, survey.tier)
    raw, hits = [], []
    fringes = background(visit, detector) * parts.fringe if effects.fringing else 0.0
    for number, image in enumerate(light(survey.sky, visit, detector, scene)):
        key = (visit.visit_id, detector.number, number)
        charge = None
        if effects.cosmic_rays:
            charge = cosmic_rays(
                generator(seed, "cosmic rays", *key), image.shape, camera.SNAP_TIME
            )
            index = np.flatnonzero(charge)
            hits.append((np.full(index.size, number, np.int8), index, charge.ravel()[index]))
        electrons = expose(
            generator(seed, "photons", *key),
            image + fringes,
            parts,
            camera.SNAP_TIME,
            effects,
            charge,
        )
        drift = _drift(survey, detector, visit.begin)
        rng = generator(seed, "readout", *key)
        raw.append(read(rng, detector, electrons, parts, effects, drift))
    nothing = (np.zeros(0), np.zeros(0), np.zeros(0))
    snap, pixel, electrons = (np.concatenate(c) for c in zip(nothing, *hits, strict=True))
    return raw, {
        "snap": snap.astype(np.int8),
        "pixel": pixel.astype(np.int32),
        "charge": electrons.astype(np.float32),
    }


def _blank_sky(rng: np.random.Generator, size: int) -> Sources:
    """Faint stars of a field without bright ones, round and 3.5 px wide."""
    n = round(60 * (size / 512) ** 2)
    x, y = rng.uniform(0, size, (2, n))
    shape = (np.full(n, 3.5), np.zeros(n), np.zeros(n))
    return points(x, y, 10 ** rng.uniform(1, 3, n), shape)


def _calibration(survey: Survey, directory: Path, advance: Callable[[str], None]) -> int:
    """Write the calibration frames that are not there yet; return how many were written."""
    tier, effects, seed = survey.tier, survey.tier.effects, survey.seed
    # kind, band, number, exposure time, light on a detector of response 1 [electron/s]
    plan_: list[tuple[str, str, int, float, float]] = []
    plan_ += [("bias", "", k, 0.0, 0.0) for k in range(tier.biases)]
    plan_ += [("dark", "", k, camera.DARK_TIME, 0.0) for k in range(tier.darks)]
    plan_ += [
        ("flat", band, k, 5.0, camera.FLAT_LEVEL / 5)
        for band in tier.bands
        for k in range(tier.flats)
    ]
    if effects.nonlinearity:  # the lamp of the flats, longer and longer, to nine tenths of the well
        longest = 4.5 * camera.FULL_WELL / camera.FLAT_LEVEL
        times = np.linspace(longest / 10, longest, 10).round(2)
        plan_ += [
            ("linearity", "", k, float(time), camera.FLAT_LEVEL / 5) for k, time in enumerate(times)
        ]
    if effects.crosstalk:
        plan_ += [("spots", "", k, 5.0, 0.0) for k in range(2 * len(camera.AMPLIFIERS))]
    if effects.fringing:
        plan_ += [
            ("fringe", band, k, 60.0, 2 * camera.sky_rate(band))
            for band in tier.bands
            if band in FRINGES
            for k in range(tier.flats)
        ]
    written = 0
    begin = FIRST_NIGHT - TEMPLATE_BEFORE[0] - 3.3
    for order, (kind, band, number, seconds, level) in enumerate(plan_):
        path = directory / f"{'-'.join(filter(None, (kind, band)))}-{number:03d}.fits"
        advance(f"calibration {path.stem}")
        if path.exists():
            continue
        images = []
        for detector in survey.detectors:
            key = (detector.number, order)
            parts = _pattern(seed, detector, band or tier.bands[0], tier)
            image = np.full((detector.size, detector.size), level)
            if kind == "spots":
                image = spots(detector, number % len(camera.AMPLIFIERS), number)
            elif kind == "fringe":
                image = image * (1 + parts.fringe)
                draw(image, _blank_sky(generator(seed, "blank sky", *key), detector.size))
            hits = None
            if effects.cosmic_rays and seconds > 0:
                rng = generator(seed, "cosmic rays in calibration", *key)
                hits = cosmic_rays(rng, image.shape, seconds)
            rng = generator(seed, "calibration", *key)
            electrons = expose(rng, image, parts, seconds, effects, hits)
            drift = _drift(survey, detector, begin + order * 90 / 86400)
            images.append((detector, read(rng, detector, electrons, parts, effects, drift)))
        name = camera.FILTERS[band].name if band else None
        frames.write_calibration(path, kind, name, begin + order * 90 / 86400, seconds, images)
        written += 1
    return written


def _claim(dataset: Path, truth_directory: Path, survey: Survey) -> None:
    """Refuse to mix surveys; record which one lives here."""
    record = truth_directory / _RECORD
    description = {"seed": survey.seed, "tier": json.loads(json.dumps(asdict(survey.tier)))}
    if record.exists():
        found = json.loads(record.read_text(encoding="utf-8"))
        if found != description:
            raise UsageError(
                f"{truth_directory} holds the truth of tier {found['tier']['name']} with seed "
                f"{found['seed']}, but tier {survey.tier.name} with seed {survey.seed} was asked "
                "for; choose other directories or remove both"
            )
    elif any((dataset / "raw").glob("*.fits")):
        raise UsageError(
            f"{dataset}/raw holds frames, but {truth_directory} does not say which survey they "
            "belong to; choose an empty directory, or the right one with --truth"
        )
    else:
        with frames.written_whole(record) as temporary:
            temporary.write_text(json.dumps(description, indent=1), encoding="utf-8")


def simulate(
    dataset: Path,
    truth_directory: Path,
    tier: Tier | str,
    seed: int,
    progress: Progress | None = None,
    nights: Collection[int] | None = None,
    workers: int = 1,
) -> Summary:
    """Simulate a survey into a data set, with its truth elsewhere.

    Parameters
    ----------
    dataset : Path
        Gets ``raw/``, ``calibration/`` and ``reference.parquet``.
    truth_directory : Path
        Gets the truth of the whole survey, whatever ``nights`` says.
    tier : Tier or str
        ``smoke``, ``demo`` or ``year``, or a configuration of one's own.
    seed : int
        The same seed gives the same bytes.
    progress : callable, optional
        Called with steps done, steps in all, and what is done next.
    nights : collection of int, optional
        Which nights to write: 0 is the template season with the calibration frames, the nights of
        the survey count from 1; a visit that comes late is written in the night it arrives.
        Default: all. Frames that are there are kept, so that a survey can
        be written night by night, and a broken run be continued.
    workers : int
        Processes that write frames.

    Raises
    ------
    UsageError
        If the directories hold another survey, or the survey has no such night.
    """
    start = time.process_time()
    survey = prepared(tier_named(tier) if isinstance(tier, str) else tier, seed)
    known = {v.arrives for v in survey.visits}
    wanted = known if nights is None else set(nights)
    if not wanted <= known:
        raise UsageError(
            f"nights {sorted(wanted - known)} are not in tier {survey.tier.name}, "
            f"which has nights 0 (template season) to {max(known)}"
        )
    _claim(dataset, truth_directory, survey)
    pairs = [(v, d) for v in survey.visits for d in survey.detectors]
    count = survey.tier.biases + survey.tier.darks + survey.tier.flats * len(survey.tier.bands)
    total = sum(v.arrives in wanted for v, _ in pairs) + (count if 0 in wanted else 0)
    done = 0

    def advance(what: str) -> None:
        nonlocal done
        if progress is not None:
            progress(done, total, what)
        done += 1

    known_truth = (truth_directory / _SOURCES).exists()  # written last, of the whole survey
    if not (known_truth and (dataset / "reference.parquet").exists()):
        _write_truth(survey, dataset, truth_directory, pairs)
    calibration = _calibration(survey, dataset / "calibration", advance) if 0 in wanted else 0
    todo = []
    kept = 0
    for number, visit in enumerate(survey.visits):
        for place, detector in enumerate(survey.detectors):
            if visit.arrives not in wanted:
                continue
            if (dataset / "raw" / f"{visit.visit_id}-{detector.number}.fits").exists():
                advance(f"visit {visit.visit_id} {visit.band}")
                kept += 1
            else:
                todo.append((number, place))
    for number, _ in _written(survey, todo, dataset, truth_directory, workers):
        advance(f"visit {survey.visits[number].visit_id} {survey.visits[number].band}")
    if progress is not None:
        progress(total, total, "done")
    kinds, numbers = np.unique(survey.sky.kind, return_counts=True)
    objects = dict(zip(kinds.tolist(), numbers.tolist(), strict=True))
    return Summary(
        tier=survey.tier.name,
        seed=seed,
        visits=len(survey.visits),
        frames_written=len(todo),
        frames_kept=kept,
        calibration_frames=calibration,
        reference_stars=truth.rows(dataset / "reference.parquet"),
        objects=objects | {"asteroid": len(survey.sky.asteroids)},
        true_sources=truth.rows(truth_directory / _SOURCES),
        cpu_seconds=time.process_time() - start,
    )


def _written(
    survey: Survey,
    todo: list[tuple[int, int]],
    dataset: Path,
    truth_directory: Path,
    workers: int,
) -> Iterator[tuple[int, int]]:
    """Write frames, here or in other processes; yields each once it is written or in work."""
    fixed = survey.tier, survey.seed
    if workers == 1:
        for place in todo:
            yield place
            _write_frame(*fixed, place, dataset, truth_directory)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        work = [pool.submit(_write_frame, *fixed, p, dataset, truth_directory) for p in todo]
        for place, future in zip(todo, work, strict=True):
            future.result()
            yield place


def _write_truth(
    survey: Survey,
    dataset: Path,
    directory: Path,
    pairs: list[tuple[Visit, Detector]],
) -> None:
    """Write reference stars and truth."""
    sky = survey.sky
    truth.write_reference(dataset / "reference.parquet", sky, survey.seed)
    truth.write_objects(directory / "objects.parquet", sky)
    truth.write_light_curves(directory / "light_curves.parquet", sky)
    truth.write_asteroids(directory / "asteroids.parquet", sky)
    mean: dict[tuple[int, str], float] = {}

    def response(visit: Visit, detector: Detector) -> float:
        key = detector.number, visit.band
        if key not in mean:
            parts = _pattern(survey.seed, detector, visit.band, survey.tier)
            mean[key] = float(parts.response[parts.defects == 0].mean())
        return mean[key]

    truth.write_visits(directory / "visits.parquet", survey.visits, survey.detectors, response)
    truth.write_satellites(directory / "satellites.parquet", survey.visits, survey.detectors)
    template: dict[tuple[str, int], NDArray[np.float64]] = {}

    def on_template(visit: Visit) -> NDArray[np.float64]:
        """Mean and spread over the template visits of a band up to the last before a visit."""
        made = [v for v in survey.visits if v.season == 0 and v.band == visit.band]
        ready = [v for v in made if v.night == 0 or v.night < visit.night]
        key = visit.band, len(ready)
        if key not in template:
            index = camera.band_index(visit.band)
            fluxes = [
                sky.flux_at(index, np.full(sky.object_id.size, v.begin + 16.5 / 86400))
                for v in ready
            ]
            template[key] = np.stack([np.mean(fluxes, axis=0), np.std(fluxes, axis=0)])
        return template[key]

    for detector in survey.detectors:
        defects = _pattern(survey.seed, detector, survey.tier.bands[0], survey.tier).defects
        index_ = np.flatnonzero(defects)
        truth.write_pixels(
            directory / f"defects-{detector.number}.parquet",
            {"pixel": index_.astype(np.int32), "kind": defects.ravel()[index_]},
        )
    scenes = ((v, d, observe(sky, v, d)) for v, d in pairs)
    truth.write_sources(directory / _SOURCES, scenes, on_template)
