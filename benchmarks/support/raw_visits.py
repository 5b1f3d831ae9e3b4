"""Raw visits of small detectors, processed, with their truth: for psf, calibration and cosmics.

Several surveys of one detector each, every one with its own sky, detector, reference catalogue and
calibration frames, so that errors which the visits of one survey share do not pass for small.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import galsim
import numpy as np
import pyarrow.parquet as pq
from astropy.io import fits

from processing import calibration_frames, instrument, reader, reference, single_visit
from processing.reader import Frame
from processing.single_visit import SingleVisit
from simulate.camera import detectors
from simulate.detector import pattern
from simulate.effects import Effects
from simulate.survey import simulate
from simulate.tiers import SMOKE, Tier
from skyledger.errors import DataRejectedError

Table = dict[str, Any]
PAIRS = (("g", "r"), ("i", "z"), ("r", "y"), ("u", "i"))  # bands of the surveys, in turn
VISITS = 12  # of one survey, its one night's not counted


@dataclass(frozen=True)
class Asked:
    """What a benchmark of raw visits was asked for on its command line."""

    seed: int
    visits: int
    size: int
    frames: Path
    plots: Path | None


@contextmanager
def asked(description: str | None, size: int, visits: int) -> Iterator[Asked]:
    """Read the command line; frames go to a temporary directory unless one is named.

    ``description``: the module's docstring; ``size`` [pixel] and ``visits``: what is taken where
    nothing is said.
    """
    parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--visits", type=int, default=visits)
    parser.add_argument("--size", type=int, default=size)
    parser.add_argument("--frames", type=Path, help="directory for the simulated frames")
    parser.add_argument("--plots", type=Path, help="directory for pictures")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        frames = options.frames or Path(scratch)
        yield Asked(options.seed, options.visits, options.size, frames, options.plots)


@dataclass(frozen=True)
class Processed:
    """One ccdVisit: what was made of it and what is true.

    ``truth`` is its row of the true visits, with ``response``: the mean response of the good
    pixels, to which flats are normalised; ``sources`` and ``rays`` (pixels hit by cosmic rays)
    are its true tables; ``cpu`` the seconds of CPU its processing took.
    """

    frame: Frame
    result: SingleVisit
    truth: Table
    sources: Table
    rays: Table
    cpu: float


def tier(number: int, size: int, effects: Effects | None = None) -> Tier:
    """Survey ``number``: two bands, 6 visits each in one season of changing seeing and airmass."""
    bands = PAIRS[number % len(PAIRS)]
    cadence = replace(
        SMOKE.cadence, template_visits=VISITS // len(bands), nights=(0,), blocks=(((bands[0],),),)
    )
    return replace(
        SMOKE,
        name=f"raw visits {number}",
        detector_size=size,
        bands=bands,
        cadence=cadence,
        effects=effects or Effects(),
    )


def processed(
    options: Asked, *, effects: Effects | None = None, snaps: int = 2
) -> Iterator[Processed]:
    """Simulate and process at least as many ccdVisits as asked for.

    Of ``snaps`` 1 only the first snap of a visit is used. Frames that are there are not made
    again. A visit that is rejected is printed as a JSON
    line and left out.
    """
    size = options.size
    for number in range(-(-options.visits // (VISITS + 1))):
        here = options.frames / f"{options.seed}-{number}-{size}"
        setup, own = tier(number, size, effects), 1000 * options.seed + number
        simulate(here / "data", here / "truth", setup, own)
        response = {}
        for band in setup.bands:
            parts = pattern(own, detectors(1, size)[0], band, setup.effects)
            response[band] = float(parts.response[parts.defects == 0].mean())
        camera = instrument.load("simulated")
        frames, problems = reader.scan(here / "data", camera)
        if problems:
            raise RuntimeError(f"frames of the simulator cannot be read: {problems}")
        masters = calibration_frames.build(here / "data", camera)
        stars = reference.read(here / "data", camera)
        visits, sources = (table(here / "truth", name) for name in ("visits", "sources"))
        for full in frames:
            frame = full if snaps == 2 else _first_snap(full, here)
            start = time.process_time()
            try:
                result = single_visit.process(frame, camera, masters, stars)
            except DataRejectedError as error:
                print(json.dumps({"name": "rejected", "value": str(error)}), flush=True)
                continue
            cpu = time.process_time() - start
            visit = frame.visit
            yield Processed(
                frame=frame,
                result=result,
                truth=rows(visits, visits["ccdVisitId"] == visit.ccd_visit_id, one=True)
                | {"response": response[visit.band]},
                sources=rows(sources, sources["visitId"] == visit.visit_id),
                rays=table(here / "truth", f"cosmic_rays/{visit.visit_id}-{visit.detector}"),
                cpu=cpu,
            )


def _first_snap(frame: Frame, folder: Path) -> Frame:
    """Return a frame without its second snap, written beside the data set."""
    path = folder / "single" / frame.paths[0].name
    path.parent.mkdir(exist_ok=True)
    with fits.open(frame.paths[0]) as hdus:
        time = hdus[1].header["EXPTIME"]
        fits.HDUList(hdus[:2]).writeto(path, overwrite=True)
    return replace(frame, paths=(path,), visit=replace(frame.visit, n_snaps=1, exposure_time=time))


def true_psf(truth: Table, x: float, y: float, size: int, shape: tuple[int, int]) -> Any:
    """PSF by galsim, pixel included, from the truth's polynomials; shape (size, size).

    The sum is what of a star's light falls on the stamp.
    """
    ny, nx = shape
    u, v = (x - (nx - 1) / 2) / (nx / 2), (y - (ny - 1) / 2) / (ny / 2)
    terms = np.array([1, u, v, u * u - 1 / 3, u * v, v * v - 1 / 3])
    width = truth["seeing"] / truth["pixelScale"] * (terms @ truth["psfSize"])
    profile = galsim.Kolmogorov(fwhm=width).shear(
        g1=terms @ truth["psfG1"], g2=terms @ truth["psfG2"]
    )
    return profile.drawImage(nx=size, ny=size, scale=1).array.astype(np.float64)


def table(folder: Path, name: str) -> Table:
    """Return a table of the truth as arrays."""
    columns = pq.read_table(folder / f"{name}.parquet").to_pydict()
    return {key: np.array(values) for key, values in columns.items()}


def rows(columns: Table, chosen: Any, *, one: bool = False) -> Table:
    """Return some rows of a table; of ``one`` row the values themselves."""
    found = {key: values[chosen] for key, values in columns.items()}
    return {key: values[0] for key, values in found.items()} if one else found


def say(name: str, value: float, unit: str, **more: Any) -> None:
    """Print one figure as a JSON line."""
    line = {"name": name, "value": round(float(value), 5), "unit": unit} | more
    print(json.dumps(line), flush=True)


def masked(visits: list[Processed]) -> float:
    """Share of pixels that cannot be used."""
    return float(np.mean([1 - v.result.exposure.usable().mean() for v in visits]))
