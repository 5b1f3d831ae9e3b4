"""What one CCD of 4096 x 4096 pixels costs, from two raw snaps to measured DIASources.

A detector's raw frames are simulated; its master frames and the template, of two visits of the
template season, are made in a process of their own. Another process reads the raw frame of the
survey night and does the rest three times: cold, with compiled kernels still to be read, warm,
and under a profiler, which makes it slower. A third one, for its memory, only subtracts and
measures. One core each.

``ccd.cpu``         CPU seconds from the raw file to the table of DIASources (warm)
``ccd.visit``       of these: raw snaps to the visit image; ``stages`` by module that is called,
                    as the profiler has it
``ccd.difference``  of these: the difference
``ccd.measure``     of these: detection and measurement of its DIASources
``ccd.memory``      most memory that a process with visit, template and difference held
``ccd.memory.all``  that of the process which began with the raw frame and the masters
"""

import argparse
import cProfile
import multiprocessing
import pickle
import pstats
import resource
import sys
import tempfile
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from processing import calibration_frames, fits, instrument, reader, reference, single_visit
from processing.coadd import build_template
from processing.dia import detect_and_measure
from processing.difference import Difference, subtract
from simulate.survey import simulate
from simulate.tiers import DEMO, Cadence, Tier

sys.path.append(str(Path(__file__).parent))
from support.figures import say


def tier(size: int) -> Tier:
    """One detector in r: the survey's density of stars and galaxies, several hundred transients."""
    area = (size * 0.2 / 60) ** 2
    return replace(
        DEMO,
        name=f"a CCD of {size}",
        detector_size=size,
        bands=("r",),
        cadence=Cadence(template_visits=2, nights=(0,), blocks=((("r",),),)),
        sky=replace(
            DEMO.sky,
            stars=14.3,
            supernovae_on_hosts=max(4, round(area)),
            supernovae_hostless=max(2, round(area)),
            asteroids_per_night=10,
        ),
        biases=5,
        darks=5,
        flats=5,
    )


def prepare(folder: Path, seed: int, size: int) -> None:
    """Simulate; write what the measured processes read: the inputs, the visit and its template."""
    if (folder / "template.fits").exists():
        return
    simulate(folder / "data", folder / "truth", tier(size), seed)
    camera = instrument.load("simulated")
    frames, _ = reader.scan(folder / "data", camera)
    masters = calibration_frames.build(folder / "data", camera)
    stars = reference.read(folder / "data", camera)
    (frame,) = (f for f in frames if not f.visit.is_template)
    with (folder / "inputs.pickle").open("wb") as file:
        pickle.dump((frame, camera, masters, stars), file)
    done = single_visit.process(frame, camera, masters, stars)
    fits.write(done.exposure, folder / "visit.fits")
    assert done.snap_difference is not None  # visits of the simulator have two snaps
    fits.write(done.snap_difference, folder / "snaps.fits")
    season = [f for f in frames if f.visit.is_template]
    inputs = [single_visit.process(f, camera, masters, stars).exposure for f in season]
    fits.write(build_template(inputs), folder / "template.fits")


def from_raw(folder: Path, size: int) -> None:
    """Raw snaps to DIASources, again and again; print the figures of CPU time."""
    with (folder / "inputs.pickle").open("rb") as file:
        frame, camera, masters, stars = pickle.load(file)  # noqa: S301 (written by this program)
    template = fits.read(folder / "template.fits")

    def work() -> tuple[list[float], Difference, int]:
        at = [time.process_time()]
        done = single_visit.process(frame, camera, masters, stars)
        at.append(time.process_time())
        made = subtract(done.exposure, template)
        at.append(time.process_time())
        table = detect_and_measure(made, done.exposure, done.snap_difference)
        at.append(time.process_time())
        return [b - a for a, b in pairwise(at)], made, len(table)

    cold, _, _ = work()
    warm, made, sources = work()
    profile = cProfile.Profile(time.process_time)
    profile.runcall(work)
    more = {
        "size": size,
        "masked": round(1 - float(made.exposure.usable().mean()), 4),
        "sources": sources,
    }
    say("ccd.cpu", sum(warm), "CPU s", "<= 15", cpu_cold=round(sum(cold), 2), **more)
    names = ("ccd.visit", "ccd.difference", "ccd.measure")
    callers = (single_visit, sys.modules[subtract.__module__],
               sys.modules[detect_and_measure.__module__])  # fmt: skip
    for name, seconds, first, caller in zip(names, warm, cold, callers, strict=True):
        bar = "<= 5" if name == "ccd.difference" else ""
        parts = stages(profile, str(caller.__file__))
        say(name, seconds, "CPU s", bar, cpu_cold=round(first, 2), stages=parts, **more)
    say("ccd.memory.all", peak(), "GiB", "", **more)


def stages(profile: cProfile.Profile, file: str) -> dict[str, float]:
    """CPU seconds that a module spent, by the module of this project it called."""
    seconds: dict[str, float] = {}
    statistics: Any = pstats.Stats(profile)
    folder = str(Path(file).parent)
    for (path, _, _), (_, _, own, _, callers) in statistics.stats.items():
        if path == file:
            name = "itself"
            seconds[name] = seconds.get(name, 0) + own
            continue
        for (caller, _, _), (_, _, _, spent) in callers.items():
            if caller == file:
                name = Path(path).stem if path.startswith(folder) else "itself"
                seconds[name] = seconds.get(name, 0) + spent
    ranked = sorted(seconds.items(), key=lambda item: -item[1])
    return {name: round(spent, 2) for name, spent in ranked if spent >= 0.01}


def from_visit(folder: Path, size: int) -> None:
    """Visit image to DIASources; print the memory this took."""
    visit, snaps, template = (
        fits.read(folder / f"{name}.fits") for name in ("visit", "snaps", "template")
    )
    detect_and_measure(subtract(visit, template), visit, snaps)
    say("ccd.memory", peak(), "GiB", "<= 2", size=size)


def peak() -> float:
    """Most memory this process held [GiB]."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    """Print the figures."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--size", type=int, default=4096)
    options.add_argument("--data", type=Path, help="keep frames and template here, or find them")
    chosen = options.parse_args()
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="skyledger-ccd-") as name:
        folder = chosen.data or Path(name)
        for work, values in (
            (prepare, (folder, chosen.seed, chosen.size)),
            (from_raw, (folder, chosen.size)),
            (from_visit, (folder, chosen.size)),
        ):
            process = context.Process(target=work, args=values)
            process.start()
            process.join()
            if process.exitcode:
                raise SystemExit(process.exitcode)


if __name__ == "__main__":
    main()
