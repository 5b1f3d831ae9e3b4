"""Whether errors mean what they say: pulls of fluxes, positions, trails and dipoles.

Point sources, trails and dipoles are added to simulated visits (support.fakes), differences are
made, detected and measured by the product, and every value is compared with the truth in units of
its own error. Apart for blank sky, host galaxies, within 10 arcsec of stars of r < 16, and under a
moonlit sky that rises fourfold over the detector. ``value`` of ``*.sd`` is the standard deviation
of what lies within 5 of the median, ``all`` that of all values, ``beyond3`` the share of all that
is farther than 3, ``median`` the median. S/N from 8 to 300, one in six negative (to 40: there is
little light to take away). Positions on masked pixels are left out; ``masked`` is their area.

Figures: pulls.flux|x|y.sd, pulls.chi2 (S/N <= 100), pulls.bias (flux, S/N 20-300), pulls.forced
(flux at the true place, detected or not), pulls.moments.sd (adaptive moments, S/N > 20),
pulls.trail.*, pulls.dipole.*: also the errors' own ellipse, ``covered`` (of flux and length; for
dipoles of flux x length and length^2).
"""

import sys
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

sys.path.append(str(Path(__file__).parent))

from support.fakes import (
    BLANK,
    HOST,
    KINDS,
    NEAR,
    Field,
    beyond,
    filled,
    match,
    options,
    plots_folder,
    width,
)
from support.figures import say
from support.sky import SCALE

from processing.dia import detect_and_measure
from processing.forced import force

DARK = 3 / 33  # of a visit of two snaps of 15 s, 3 s apart
SHORT, LONG = "short", "long"
NORMAL = "0.95 to 1.10, |median| < 0.1, beyond3 <= 0.01"
Values = dict[str, list[Any]]


def point_sources(field: Field, number: int, *, moon: bool, found: dict[str, Values]) -> float:
    """Add point sources to a visit and collect their pulls; return the masked share."""
    rng = np.random.default_rng([field.seed, 3, number])
    # Most pixels so near to bright stars are masked: ask for many.
    near = field.places(rng, 100, NEAR, 25, np.zeros((0, 2)))
    host = field.places(rng, 130, HOST, 30, near)
    blank = field.places(rng, 150, BLANK, 30, np.concatenate([near, host]))
    kind = np.repeat([NEAR, HOST, BLANK], [len(near), len(host), len(blank)])
    place = np.concatenate([near, host, blank])
    snr = np.exp(rng.uniform(np.log(8), np.log(300), len(place)))
    negative = rng.random(len(place)) < 1 / 6
    snr = np.where(negative, -np.minimum(snr, rng.uniform(8, 40, len(place))), snr)
    # A tenth is for the forced fluxes alone: too faint to be detected, or nothing at all.
    faint = rng.random(len(place)) < 0.1
    snr[faint] = rng.uniform(-3, 3, faint.sum())
    sigma = field.sigma(place[:, 0], place[:, 1]) * (2.0 if moon else 1.0)
    x, y, flux = place[:, 0], place[:, 1], snr * sigma
    shot = field.visit(number, np.column_stack([x, y, flux]), moon=moon)
    difference = field.difference(shot)
    usable = difference.exposure.usable()
    inside = usable[np.rint(y).astype(int), np.rint(x).astype(int)]
    table = detect_and_measure(difference, shot.exposure, shot.snap_difference)
    # Everybody is measured where they were linked: parents of blends are not.
    parents = np.isin(np.arange(len(table)), np.asarray(table["parentIndex"]))
    table = table[~parents]
    row = match(table, x, y, 2.5)
    seen = inside & (row >= 0) & ~faint
    t = table[row[seen]]
    values = {
        "flux": filled((t["psFlux"] - flux[seen]) / t["psFluxErr"]),
        "x": filled((t["x"] - x[seen]) / t["xErr"]),
        "y": filled((t["y"] - y[seen]) / t["yErr"]),
        "chi2": filled(t["psChi2"] / (t["psNdata"] - 3)),
        "ratio": filled(t["psFlux"] / flux[seen] - 1),
        "aperture": filled((t["apFlux"] - flux[seen]) / t["apFluxErr"]),
        "snr": snr[seen],
    }
    values |= _moments(t)
    ra, decl = shot.exposure.wcs.all_pix2world(x, y, 0)
    forced = force(difference.exposure, None, ra, decl)
    rows = np.asarray(forced["row"])
    pull = filled((forced["psFlux"] - flux[rows]) / forced["psFluxErr"])
    for k, name in enumerate(KINDS):
        group = found["moon" if moon else name]
        for key, value in values.items():
            group[key].append(value[kind[seen] == k])
        group["lost"].append(~seen[(kind == k) & inside & ~faint])
        group["forced"].append(pull[kind[rows] == k])
        group["forced snr"].append(snr[rows][kind[rows] == k])
    return 1 - float(usable.mean())


def _moments(t: Any) -> dict[str, Any]:
    """Compute pulls of the moments of point sources: the truth is the PSF's."""
    return {
        name: filled((t[name] - t[name + "PSF"]) / np.sqrt(t["icov"][:, k]))
        for name, k in (("ixx", 0), ("iyy", 2), ("ixy", 5))
    }


def lines(field: Field, number: int, kind: str, length: str, found: dict[str, Values]) -> None:
    """Add trails or dipoles to a visit and collect their pulls."""
    rng = np.random.default_rng([field.seed, 4, number])
    fwhm = field.psf.fwhm
    place = field.places(rng, 160, BLANK, 55, np.zeros((0, 2)))
    light = field.quiet.light[np.rint(place[:, 1]).astype(int), np.rint(place[:, 0]).astype(int)]
    place = place[light < 20]
    n = len(place)
    if kind == "trail":
        size = rng.uniform(1, 5, n) if length == LONG else rng.uniform(0.2, 0.9, n)
    else:
        size = rng.uniform(1, 2.5, n) if length == LONG else rng.uniform(0.3, 0.9, n)
    size *= fwhm
    turn = rng.uniform(0, 2 * np.pi, n)
    along = np.column_stack([np.cos(turn), np.sin(turn)])
    sigma = field.sigma(place[:, 0], place[:, 1])
    flux = rng.uniform(25, 60, n) * sigma * np.sqrt(1 + size / fwhm)
    if kind == "trail":
        # Points all along, none where the shutter was closed between the snaps.
        t = (np.arange(40) + 0.5) / 40 * (1 - DARK) + DARK
        t = np.concatenate([-t, t]) / 2
        points = place[:, None, :] + t[None, :, None] * (size[:, None] * along)[:, None, :]
        rows = np.column_stack([points.reshape(-1, 2), np.repeat(flux / t.size, t.size)])
    else:
        flux = rng.uniform(25, 40, n) * sigma
        other = -flux * rng.uniform(0.6, 1, n)
        arm = size[:, None] * along / 2
        rows = np.column_stack(
            [np.concatenate([place + arm, place - arm]), np.concatenate([flux, other])]
        )
    shot = field.visit(number, rows)
    if kind == "trail":
        told = replace(shot.exposure.visit, dark_share=DARK)
        shot = replace(shot, exposure=replace(shot.exposure, visit=told))
    difference = field.difference(shot)
    usable = difference.exposure.usable()
    inside = usable[np.rint(place[:, 1]).astype(int), np.rint(place[:, 0]).astype(int)]
    table = detect_and_measure(difference, shot.exposure)
    # +x is West, +y North.
    bearing = np.degrees(np.arctan2(-along[:, 0], along[:, 1]))
    row = match(table, place[:, 0], place[:, 1], fwhm)
    seen = inside & (row >= 0)
    group = found[f"{kind} {length}"]
    group["lost"].append(~seen[inside])
    t, size, bearing = table[row[seen]], size[seen] * SCALE, bearing[seen]
    if kind == "trail":
        cov, flux, period = t["trailCov"], flux[seen], 180
        value, error = t["trailFlux"], np.sqrt(cov[:, 0])
        at, own, product = 9, t["trailLength"], cov[:, 6]
        off = (t["trailAngle"] - bearing + 90) % period - 90
    else:
        cov, period = t["dipCov"], 360
        flux = ((flux - other) / 2)[seen]
        value, error = t["dipMeanFlux"], np.sqrt(cov[:, 0])
        at, own, product = 14, t["dipLength"], cov[:, 10]
        off = (t["dipAngle"] - bearing + 180) % period - 180
        group["difference"].append(
            filled(t["dipFluxDiff"] - 2 * ((rows[:n, 2] + rows[n:, 2]) / 2)[seen])
            / filled(np.sqrt(cov[:, 2]))
        )
    group["flux"].append(filled((value - flux) / error))
    group["length"].append(filled((own - size) / np.sqrt(cov[:, at])))
    group["angle"].append(filled(off / np.sqrt(cov[:, 14 if kind == "trail" else 20])))
    group["degrees"].append(filled(off))
    spread = np.sqrt(own**2 * cov[:, 0] + value**2 * cov[:, at] + 2 * own * value * product)
    group["product"].append(filled((value * own - flux * size) / spread))
    off = np.stack([filled(value - flux), filled(own - size)], axis=-1)
    errors = np.stack([cov[:, 0], product, product, cov[:, at]], axis=-1)
    errors = filled(errors).reshape(-1, 2, 2)
    if kind == "dipole":
        # A short one tells only flux x length, and the square of the length: there its errors are
        # normal, while those of flux and length themselves follow a bow.
        value, own, zero = filled(value), filled(own), np.zeros(len(off))
        off = np.stack([value * own - flux * size, own**2 - size**2], axis=-1)
        slope = np.stack([own, value, zero, 2 * own], axis=-1).reshape(-1, 2, 2)
        errors = slope @ errors @ np.swapaxes(slope, 1, 2)
    group["covered"].append(_inside_ellipse(off, errors))


def _inside_ellipse(off: Any, errors: Any) -> Any:
    """Whether deviations (n, 2) lie within the ellipse of 68.3 % of covariances (n, 2, 2)."""
    known = np.isfinite(errors).all(axis=(1, 2)) & np.isfinite(off).all(axis=1)
    distance = np.full(len(off), np.inf)
    near = np.linalg.solve(errors[known], off[known][..., None])[..., 0]
    distance[known] = np.sum(off[known] * near, axis=1)
    return distance < -2 * np.log(1 - 0.683)


def report(found: dict[str, Values], masked: float) -> None:
    """Print the figures."""
    for name in ("blank", "hosts", "near", "moon"):
        group = {key: np.concatenate(value) for key, value in found[name].items()}
        told = {"where": name, "masked": masked}
        size = np.abs(group["snr"])
        for key in ("flux", "x", "y"):
            _spread(f"pulls.{key}.sd", group[key], NORMAL, **told, lost=float(group["lost"].mean()))
        _spread("pulls.aperture.sd", group["aperture"], None, **told)
        for key in ("ixx", "iyy", "ixy"):
            _spread(f"pulls.moments.{key}.sd", group[key][size > 20], "0.9 to 1.1", **told)
        faint = size <= 100
        say(
            "pulls.chi2", np.nanmedian(group["chi2"][faint]), "1", "1.00 +- 0.03", **told,
            n=int(faint.sum()), bright=float(np.nanmedian(group["chi2"][~faint])),
        )  # fmt: skip
        bright = size > 20
        ratio = group["ratio"][bright & np.isfinite(group["ratio"])]
        say(
            "pulls.bias", np.median(ratio), "1", "< 0.005", **told, n=len(ratio),
            error=float(1.25 * np.std(np.clip(ratio, -0.2, 0.2)) / np.sqrt(len(ratio))),
        )  # fmt: skip
        snr = group["forced snr"]
        for label, low, high in (("negative", -40, -4), ("faint", -3, 3), ("bright", 8, 300)):
            chosen = group["forced"][(snr > low) & (snr < high)]
            if len(chosen):
                _spread("pulls.forced.sd", chosen, "1.00 +- 0.05", **told, snr=label)
    for kind in ("trail", "dipole"):
        for length in (LONG, SHORT):
            group = {k: np.concatenate(v) for k, v in found[f"{kind} {length}"].items()}
            told = {"length": "1 FWHM and more" if length == LONG else "below 1 FWHM"}
            names = ("flux", "difference", "length", "angle", "product")
            for key in names if length == LONG else ("product", "angle"):
                if key in group:
                    _spread(f"pulls.{kind}.{key}.sd", group[key], "0.9 to 1.1", **told,
                            lost=float(group["lost"].mean()))  # fmt: skip
            say(f"pulls.{kind}.covered", group["covered"].mean(), "1", "0.683", **told)
            worst = np.nanmax(np.abs(group["degrees"]))
            say(f"pulls.{kind}.degrees", np.nanmedian(np.abs(group["degrees"])), "deg",
                   **told, worst=float(worst))  # fmt: skip


def _spread(name: str, values: Any, bar: str | None, **told: Any) -> None:
    seen = values[np.isfinite(values)]
    say(
        name, width(seen), "1", bar, **told, n=len(seen), median=float(np.median(seen)),
        beyond3=beyond(seen), all=float(np.std(seen)),
    )  # fmt: skip


def draw(found: dict[str, Values], folder: Path) -> None:
    """Draw the histograms of the pulls."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 (after the choice of what draws)

    chart, axes = plt.subplots(1, 3, figsize=(11, 3.5), sharey=True)
    edges = np.linspace(-5, 5, 41)
    middle = (edges[1:] + edges[:-1]) / 2
    for axis, key in zip(axes, ("flux", "x", "y"), strict=True):
        for name in ("blank", "hosts", "near", "moon"):
            values = np.concatenate(found[name][key])
            share, _ = np.histogram(values, edges, density=True)
            axis.step(middle, share, where="mid", label=name)
        axis.plot(middle, np.exp(-0.5 * middle**2) / np.sqrt(2 * np.pi), "k:", label="normal")
        axis.set(xlabel=f"pull of {key}")
    axes[0].legend(fontsize=8)
    chart.savefig(folder / "pulls.png", dpi=120, bbox_inches="tight")


def main() -> None:
    """Run the benchmark."""
    chosen = options(__doc__, fields=3)
    found: dict[str, Values] = defaultdict(lambda: defaultdict(list))
    masked = []
    for k in range(chosen.fields):
        field = Field(1000 * chosen.seed + k, chosen.size)
        masked += [
            point_sources(field, number, moon=number == 2, found=found) for number in range(3)
        ]
        number = 10
        for kind in ("trail", "dipole"):
            for length in (LONG, SHORT):
                lines(field, number, kind, length, found)
                number += 1
    report(found, float(np.mean(masked)))
    draw(found, plots_folder(chosen.plots))


if __name__ == "__main__":
    main()
