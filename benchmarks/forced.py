"""Forced photometry: noise at blank positions, truth at known ones, and speed.

On differences of simulated visits and templates of dithered, rotated visits (support.fakes).
forced.sd: standard deviation of flux over error at 5,000 positions without light, and apart beside
bright galaxies (within 5 arcsec of galaxies of r < 21.5) and where the difference's template is of
several depths (all of it here); with ``median`` and ``beyond3``. forced.bias: mean of flux minus
truth over error at fakes of either sign, by S/N. Bars: sd 1.00 +- 0.05.

forced.rate: positions a second of one core, CPU time, for one flux on one image; forced.table:
the whole table (difference and visit image, flags, times); forced.fits: point-source fits of flux
and position, of sources of S/N 5 to 50. ``cold`` is the first call of the process, which loads or
compiles the kernels.
"""

import sys
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from scipy import ndimage

sys.path.append(str(Path(__file__).parent))

from support.fakes import BLANK, Field, beyond, filled, options, plots_folder
from support.figures import say
from support.shots import GAIN, SKY
from support.sky import SCALE

from processing.forced import force
from processing.psf_core import fit_points, forced_flux, spline_psf


def blank(field: Field, number: int, n: int) -> dict[str, Any]:
    """Measure pulls at positions without light, and beside bright galaxies."""
    rng = np.random.default_rng([field.seed, 9, number])
    shot = field.visit(number, np.zeros((0, 3)))
    difference = field.difference(shot)
    light = ndimage.maximum_filter(shot.light, 7) * GAIN < 0.05 * np.sqrt(SKY)
    usable = ndimage.binary_erosion(difference.exposure.usable(), iterations=12)
    sky = field.sky.galaxies[field.sky.galaxies[:, 2] > 10 ** (-0.4 * (21.5 - 31.4))]
    gx, gy = field.wcs.all_world2pix(sky[:, 0], sky[:, 1], 0)
    beside = np.zeros(field.shape, bool)
    on = (gx > 0) & (gx < field.size - 1) & (gy > 0) & (gy < field.size - 1)
    beside[np.rint(gy[on]).astype(int), np.rint(gx[on]).astype(int)] = True
    near = ndimage.distance_transform_edt(~beside) < 5 / SCALE
    found = {}
    for name, chosen in (("blank", light & usable & ~near), ("galaxies", near & usable)):
        rows, columns = np.nonzero(chosen)
        k = rng.integers(0, len(rows), n)
        x, y = columns[k] + rng.uniform(-0.5, 0.5, n), rows[k] + rng.uniform(-0.5, 0.5, n)
        ra, decl = difference.exposure.wcs.all_pix2world(x, y, 0)
        table = force(difference.exposure, shot.exposure, ra, decl)
        found[name] = filled(table["psFlux"] / table["psFluxErr"])
    return found


def known(field: Field, number: int) -> tuple[Any, Any]:
    """S/N and pulls at fakes too faint to be detected, and brighter."""
    rng = np.random.default_rng([field.seed, 10, number])
    place = field.places(rng, 500, BLANK, 28, np.zeros((0, 2)))
    snr = rng.uniform(-12, 12, len(place))
    flux = snr * field.sigma(place[:, 0], place[:, 1])
    shot = field.visit(number, np.column_stack([place, flux]))
    difference = field.difference(shot)
    ra, decl = difference.exposure.wcs.all_pix2world(place[:, 0], place[:, 1], 0)
    table = force(difference.exposure, None, ra, decl)
    row = np.asarray(table["row"])
    return snr[row], filled((table["psFlux"] - flux[row]) / table["psFluxErr"])


def timed(work: Callable[[], Any], n: int) -> dict[str, float]:
    """Rates of the first call and the median of five more."""
    spent = []
    for _ in range(6):
        before = time.process_time()
        work()
        spent.append(time.process_time() - before)
    return {"cold": n / spent[0], "value": n / float(np.median(spent[1:]))}


def speed(field: Field, number: int) -> None:
    """Print the rates."""
    rng = np.random.default_rng(number)
    at = field.places(rng, 300, BLANK, 25, np.zeros((0, 2)))
    flux = rng.uniform(5, 50, len(at)) * field.sigma(at[:, 0], at[:, 1])
    shot = field.visit(number, np.column_stack([at, flux]))
    exposure = field.difference(shot).exposure
    usable = exposure.usable()
    image = np.where(usable, exposure.image, 0)
    variance = np.where(usable, exposure.variance, 1)
    assert exposure.psf is not None
    psf = spline_psf(exposure.psf, exposure.shape)
    n = 100_000
    x, y = rng.uniform(0, field.size - 1, (2, n))
    ra, decl = exposure.wcs.all_pix2world(x, y, 0)
    chosen = rng.integers(0, len(at), 20_000)
    x_fit, y_fit = np.rint(at[chosen]).T  # from the pixel of the peak
    told = {"radius": psf.radius, "order": psf.order}
    for name, count, work in (
        ("rate", n, lambda: forced_flux(image, variance, 1 / variance, psf, x, y)),
        ("table", n, lambda: force(exposure, shot.exposure, ra, decl)),
        (
            "fits",
            len(x_fit),
            lambda: fit_points(
                image, variance, usable, psf, x_fit, y_fit, exposure.electrons_per_unit
            ),
        ),
    ):  # fmt: skip
        rates = timed(work, count)
        say(f"forced.{name}", rates["value"], "1/s", cold=rates["cold"], n=count, **told)


def main() -> None:
    """Run the benchmark."""
    chosen = options(__doc__, fields=1)
    fields = [Field(3000 * chosen.seed + k, chosen.size, bright=3) for k in range(chosen.fields)]
    found: dict[str, list[Any]] = {"blank": [], "galaxies": []}
    snr, pull = [], []
    for field, number in product(fields, range(2)):
        for name, values in blank(field, number, 2500).items():
            found[name].append(values)
        size, values = known(field, 10 + number)
        snr.append(size)
        pull.append(values)
    got = {name: np.concatenate(values) for name, values in found.items()}
    for name, values in got.items():
        seen = values[np.isfinite(values)]
        say("forced.sd", np.std(seen), "1", where=name, n=len(seen),
               median=float(np.median(seen)), beyond3=beyond(seen))  # fmt: skip
    size, values = np.concatenate(snr), np.concatenate(pull)
    for low, high in ((-12, -5), (-5, 0), (0, 5), (5, 12)):
        here = values[(size >= low) & (size < high) & np.isfinite(values)]
        say("forced.bias", np.mean(here), "sigma", snr=f"{low} to {high}", n=len(here),
               error=float(np.std(here) / np.sqrt(len(here))),
               sd=float(np.std(here)))  # fmt: skip
    speed(fields[0], 20)
    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 (after the choice of what draws)

    chart, axis = plt.subplots(figsize=(5, 3.5))
    edges = np.linspace(-5, 5, 51)
    for name, values in got.items():
        axis.hist(values, edges, density=True, histtype="step", label=name)
    axis.plot(edges, np.exp(-0.5 * edges**2) / np.sqrt(2 * np.pi), "k:", label="normal")
    axis.set(xlabel="forced flux over its error")
    axis.legend()
    chart.savefig(plots_folder(chosen.plots) / "forced.png", dpi=120, bbox_inches="tight")


if __name__ == "__main__":
    main()
