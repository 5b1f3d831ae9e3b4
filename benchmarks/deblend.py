"""Blends on differences: pairs of points apart by 1 to 3 FWHM, lone points, extended sources.

Pairs of one sign (both rose, or both faded), flux ratio up to 4, the fainter one of S/N 15 to 40
(risen) or 10 to 15 (faded: more light than the sky has cannot go), on sky without light. Figures:

deblend.both: share of pairs of which both children are found within 1 pixel or half their distance;
by distance too. deblend.bias: median of a child's flux over the truth minus 1.
deblend.pull.flux|x|y: standard deviation of the children's pulls. deblend.sum: median of the sum of
the children's fluxes over the parent's light within 3 FWHM (pixels, corrected for what the true
PSF has outside), minus 1; deblend.sum_truth: over the true sum. deblend.alone: share of lone point
sources (S/N 8 to 300, one in six negative) without children. deblend.extendedness: area under the
curve that tells points from exponential disks of half-light radii 0.5 to 1.2 FWHM, S/N 20 to 100.
Bars: both 0.9, bias 0.02, pulls 1.3, sum 0.01, alone 0.995, extendedness 0.98.
"""

import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

sys.path.append(str(Path(__file__).parent))

from support.fakes import (
    BLANK,
    Field,
    beyond,
    filled,
    match,
    options,
    plots_folder,
    width,
)
from support.figures import say

from processing.dia import detect_and_measure
from processing.difference import Difference

Pairs = dict[str, list[Any]]


def lone_places(field: Field, rng: np.random.Generator, n: int, apart: float) -> Any:
    """Positions where the static sky has no light and the mask nothing nearby."""
    place = field.places(rng, n, BLANK, apart, np.zeros((0, 2)))
    columns, rows = np.rint(place).astype(int).T
    return place[field.quiet.light[rows, columns] < 5]


def usable_around(difference: Difference, place: Any, reach: int) -> Any:
    """Whether no pixel within ``reach`` of the places is masked."""
    usable = np.pad(difference.exposure.usable(), reach)
    columns, rows = np.rint(place).astype(int).T
    size = 2 * reach + 1
    return np.array(
        [usable[r : r + size, c : c + size].all() for r, c in zip(rows, columns, strict=True)]
    )


def pairs(field: Field, number: int, found: Pairs) -> None:
    """Add pairs to a visit and collect what became of them."""
    rng = np.random.default_rng([field.seed, 6, number])
    fwhm = field.psf.fwhm
    place = lone_places(field, rng, 220, 50)
    n = len(place)
    apart = rng.uniform(1, 3, n)
    turn = rng.uniform(0, 2 * np.pi, n)
    arm = (apart * fwhm / 2)[:, None] * np.column_stack([np.cos(turn), np.sin(turn)])
    ratio = rng.uniform(1, 4, n)
    negative = rng.random(n) < 0.4
    faint = np.where(negative, rng.uniform(10, 15, n), rng.uniform(15, 40, n))
    faint *= field.sigma(place[:, 0], place[:, 1]) * np.where(negative, -1, 1)
    one, two = np.column_stack([place + arm, faint * ratio]), np.column_stack([place - arm, faint])
    shot = field.visit(number, np.concatenate([one, two]))
    difference = field.difference(shot)
    table = detect_and_measure(difference, shot.exposure)
    clear = usable_around(difference, place, int(3 * fwhm) + 1)
    limit = np.minimum(1.0, apart * fwhm / 2)
    children = table[np.asarray(table["parentIndex"]) >= 0]
    rows = [match(children, truth[:, 0], truth[:, 1], 2.0) for truth in (one, two)]
    near = [
        np.hypot(children["x"][r] - truth[:, 0], children["y"][r] - truth[:, 1]) < limit
        for r, truth in zip(rows, (one, two), strict=True)
    ]
    both = clear & (rows[0] >= 0) & (rows[1] >= 0) & (rows[0] != rows[1]) & near[0] & near[1]
    found["clear"].append(clear)
    found["both"].append(both[clear])
    found["apart"].append(apart[clear])
    found["ratio"].append(ratio[clear])
    found["negative"].append(negative[clear])
    total = np.zeros(n)
    for truth, row in zip((one, two), rows, strict=True):
        t = children[row[both]]
        found["flux"].append(filled((t["psFlux"] - truth[both, 2]) / t["psFluxErr"]))
        found["x"].append(filled((t["x"] - truth[both, 0]) / t["xErr"]))
        found["y"].append(filled((t["y"] - truth[both, 1]) / t["yErr"]))
        found["bias"].append(filled(t["psFlux"] / truth[both, 2] - 1))
        total[both] += filled(t["psFlux"])
    found["truth"].append((total / (one[:, 2] + two[:, 2]))[both] - 1)
    light = np.array([_light(field, difference, a, b) for a, b in zip(one, two, strict=True)])
    found["sum"].append(total[both] / light[both] - 1)


def _light(field: Field, difference: Difference, one: Any, two: Any) -> float:
    """Light within 3 FWHM of a pair, over the share of the pair's that the true PSF puts there."""
    half = int(np.ceil(8 * field.psf.fwhm))
    model = np.zeros((2 * half + 1, 2 * half + 1))
    column, row = (int(np.rint((one[k] + two[k]) / 2)) for k in (0, 1))
    for x, y, flux in (one, two):
        field.psf.draw(
            model, np.array([x - column + half]), np.array([y - row + half]), np.array([flux])
        )
    yy, xx = np.mgrid[-half : half + 1, -half : half + 1]
    inside = np.hypot(xx, yy) < 3 * field.psf.fwhm
    ny, nx = difference.exposure.shape
    r, c = yy[inside] + row, xx[inside] + column
    on = (r >= 0) & (r < ny) & (c >= 0) & (c < nx)
    share = model[inside].sum() / (one[2] + two[2])
    return float(difference.exposure.image[r[on], c[on]].sum() / share)


def alone(field: Field, number: int) -> tuple[int, int]:
    """Count lone point sources that are found, and those of them with children."""
    rng = np.random.default_rng([field.seed, 7, number])
    place = lone_places(field, rng, 450, 32)
    snr = np.exp(rng.uniform(np.log(8), np.log(300), len(place)))
    negative = rng.random(len(place)) < 1 / 6
    snr = np.where(negative, -np.minimum(snr, 40), snr)
    flux = snr * field.sigma(place[:, 0], place[:, 1])
    shot = field.visit(number, np.column_stack([place, flux]))
    difference = field.difference(shot)
    table = detect_and_measure(difference, shot.exposure)
    # A parent lies where its strongest peak is; children do not count here.
    parents = np.unique(np.asarray(table["parentIndex"]))
    heads = np.asarray(table["parentIndex"]) < 0
    row = match(table[heads], place[:, 0], place[:, 1], 2.5)
    clear = usable_around(difference, place, int(3 * field.psf.fwhm) + 1) & (row >= 0)
    index = np.flatnonzero(heads)[row[clear]]
    return int(clear.sum()), int(np.isin(index, parents).sum())


def extendedness(field: Field, number: int) -> tuple[Any, Any]:
    """Extendedness of points and of disks."""
    rng = np.random.default_rng([field.seed, 8, number])
    place = lone_places(field, rng, 250, 45)
    n, fwhm = len(place), field.psf.fwhm
    disk = rng.random(n) < 0.5
    flux = np.exp(rng.uniform(np.log(20), np.log(100), n)) * field.sigma(place[:, 0], place[:, 1])
    # The light of a disk at equal steps of its growth curve, on a spiral.
    light = (np.arange(60) + 0.5) / 60
    table = np.linspace(0, 12, 4000)
    radius = np.interp(light, 1 - np.exp(-table) * (1 + table), table) / 1.678
    angle = np.arange(60) * np.pi * (3 - np.sqrt(5))
    rows = [np.column_stack([place, flux])[~disk]]
    for (x, y), f in zip(place[disk], flux[disk], strict=True):
        size = rng.uniform(0.5, 1.2) * fwhm
        axis, turn = rng.uniform(0.5, 1), rng.uniform(0, np.pi)
        # Its S/N is that of a larger area.
        f *= 1 + (size / fwhm) ** 2  # noqa: PLW2901
        a, b = size * radius * np.cos(angle), axis * size * radius * np.sin(angle)
        c, s = np.cos(turn), np.sin(turn)
        rows.append(np.column_stack([x + a * c - b * s, y + a * s + b * c, np.full(60, f / 60)]))
    shot = field.visit(number, np.concatenate(rows))
    difference = field.difference(shot)
    sources = detect_and_measure(difference, shot.exposure)
    sources = sources[np.asarray(sources["parentIndex"]) < 0]
    row = match(sources, place[:, 0], place[:, 1], 3.0)
    seen = (row >= 0) & usable_around(difference, place, int(2 * fwhm))
    value = np.ma.filled(np.ma.asarray(sources["extendedness"], float), 0.5)[row]
    bright = np.asarray(sources["snr"])[row] > 20
    return value[seen & bright & ~disk], value[seen & bright & disk]


def area_under_curve(low: Any, high: Any) -> float:
    """Probability that a value of ``high`` exceeds one of ``low``."""
    order = np.sort(low)
    below = np.searchsorted(order, high, "left") + np.searchsorted(order, high, "right")
    return float(np.mean(below) / 2 / len(low))


def draw(apart: Any, both: Any, folder: Path) -> None:
    """Draw the share of resolved pairs over their distance."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 (after the choice of what draws)

    edges = np.linspace(1, 3, 9)
    bins = np.digitize(apart, edges) - 1
    share = [both[bins == k].mean() for k in range(8)]
    chart, axis = plt.subplots(figsize=(5, 3.5))
    axis.plot((edges[1:] + edges[:-1]) / 2, share, "o-")
    axis.axhline(0.9, color="k", ls=":")
    axis.set(xlabel="distance [FWHM]", ylabel="both children found", ylim=(0, 1.05))
    chart.savefig(folder / "deblend.png", dpi=120, bbox_inches="tight")


def main() -> None:
    """Run the benchmark."""
    chosen = options(__doc__, fields=2)
    found: Pairs = {key: [] for key in (
        "clear", "both", "apart", "ratio", "negative", "flux", "x", "y", "bias", "truth", "sum"
    )}  # fmt: skip
    lone, split = 0, 0
    points, disks = [], []
    for k in range(chosen.fields):
        field = Field(2000 * chosen.seed + k, chosen.size, bright=3)
        for number in range(2):
            pairs(field, number, found)
            n, with_children = alone(field, 10 + number)
            lone, split = lone + n, split + with_children
        low, high = extendedness(field, 20)
        points.append(low)
        disks.append(high)
    got = {key: np.concatenate(values) for key, values in found.items()}
    told = {"n": len(got["both"]), "masked": float(1 - got["clear"].mean())}
    say("deblend.both", got["both"].mean(), "1", **told)
    for low, high in ((1, 1.3), (1.3, 1.6), (1.6, 2), (2, 3)):
        here = (got["apart"] >= low) & (got["apart"] < high)
        say(
            "deblend.both", got["both"][here].mean(), "1", n=int(here.sum()),
            distance=f"{low}-{high} FWHM",
            equal=float(got["both"][here & (got["ratio"] < 2)].mean()),
            negative=float(got["both"][here & got["negative"]].mean()),
        )  # fmt: skip
    for key in ("flux", "x", "y"):
        say(f"deblend.pull.{key}", width(got[key]), "1", n=len(got[key]),
               median=float(np.nanmedian(got[key])), beyond3=beyond(got[key]))  # fmt: skip
    for name, key in (("bias", "bias"), ("sum", "sum"), ("sum_truth", "truth")):
        error = 1.25 * np.nanstd(got[key]) / np.sqrt(len(got[key]))
        say(f"deblend.{name}", np.nanmedian(got[key]), "1", error=float(error))
    say("deblend.alone", 1 - split / lone, "1", n=lone)
    low, high = np.concatenate(points), np.concatenate(disks)
    say("deblend.extendedness", area_under_curve(low, high), "1", points=len(low),
           disks=len(high))  # fmt: skip
    draw(got["apart"], got["both"], plots_folder(chosen.plots))


if __name__ == "__main__":
    main()
