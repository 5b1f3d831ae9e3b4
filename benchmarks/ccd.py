"""What one 4096 x 4096 CCD costs: the difference, its sources, and the memory of both.

A scene (`support/scenes.py`) is made and its template built in one process, and written to files as
the archive does; another process, whose memory is measured, reads them and subtracts twice, the
first time with compiled kernels still to be read (cold).

``ccd.difference``  CPU seconds of the difference (warm)
``ccd.measure``     CPU seconds of detection and measurement of its DIASources (warm)
``ccd.memory``      most memory that process held
"""

import argparse
import multiprocessing
import resource
import sys
import tempfile
from pathlib import Path

from processing import fits
from processing.dia import detect_and_measure
from processing.difference import subtract

sys.path.append(str(Path(__file__).parent))
from support import scenes
from support.figures import cpu, say


def prepare(folder: Path, seed: int, size: int, visits: int) -> None:
    """Write the visit, its difference of snaps, and its template."""
    scene = scenes.make(seed, size, visits_in_template=visits, n_fakes=size // 8)
    fits.write(scene.visit, folder / "visit.fits")
    fits.write(scene.snap_difference, folder / "snaps.fits")
    fits.write(scene.template(), folder / "template.fits")


def measure(folder: Path, size: int, visits: int) -> None:
    """Subtract and measure; print the figures."""
    visit, snaps, template = (
        fits.read(folder / f"{name}.fits") for name in ("visit", "snaps", "template")
    )
    _, cold = cpu(lambda: subtract(visit, template))
    made, warm = cpu(lambda: subtract(visit, template))
    _, first = cpu(lambda: detect_and_measure(made, visit, snaps))
    table, second = cpu(lambda: detect_and_measure(made, visit, snaps))
    more = {
        "size": size,
        "visits_in_template": visits,
        "masked": round(1 - float(made.exposure.usable().mean()), 4),
        "sources": len(table),
    }
    say("ccd.difference", warm, "CPU s", "<= 5", cpu_cold=round(cold, 2), **more)
    say("ccd.measure", second, "CPU s", "", cpu_cold=round(first, 2), **more)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    say("ccd.memory", peak, "GiB", "<= 2", **more)


def main() -> None:
    """Print the figures."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--size", type=int, default=4096)
    options.add_argument("--visits", type=int, default=1, help="in the template")
    chosen = options.parse_args()
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="skyledger-ccd-") as name:
        folder = Path(name)
        for work, values in (
            (prepare, (folder, chosen.seed, chosen.size, chosen.visits)),
            (measure, (folder, chosen.size, chosen.visits)),
        ):
            process = context.Process(target=work, args=values)
            process.start()
            process.join()
            if process.exitcode:
                raise SystemExit(process.exitcode)


if __name__ == "__main__":
    main()
