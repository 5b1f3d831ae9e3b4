"""Zero point and WCS of simulated visits against the truth, and whether their errors are right.

117 ccdVisits of 9 small surveys, each with its own reference catalogue of Gaia-like errors.

    ./run bench calibration [--seed N] [--visits N] [--size PIXELS] [--frames DIR] [--plots DIR]

``zp_mmag``: standard deviation of the zero points' errors; ``zp_offset`` their median;
``zp_worst`` the largest. ``wcs_mas``: 95th percentile over visits of the largest error on the
detector. ``*_pull``: standard deviation of error over quoted error. ``aperture``: aperture over
PSF flux of stars, corrected by the energy that the visit's PSF model has in the aperture of 1.5
FWHM; the worst of nine parts of the field and of five classes of seeing.
"""

import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import sep
from numpy.typing import NDArray

sys.path.append(str(Path(__file__).parent))
from support.raw_visits import Processed, asked, masked, processed, say

from processing.exposure import UNUSABLE
from simulate.geometry import from_tangent_plane, pixel_axes, ra_decl

Floats = NDArray[np.float64]
_GRID = (0.05, 0.275, 0.5, 0.725, 0.95)
_ALONE = 12.0  # pixels to the next source that has a fiftieth of the star's flux


def positions_error(visit: Processed) -> Floats:
    """Error of the WCS on a grid over the detector, shape (25, 2): East, North [mas]."""
    truth, exposure = visit.truth, visit.result.exposure
    ny, nx = exposure.shape
    x, y = (axis.ravel() for axis in np.meshgrid(np.array(_GRID) * nx, np.array(_GRID) * ny))
    offset = np.stack([x + 1 - truth["crpix1"], y + 1 - truth["crpix2"]]) * truth["pixelScale"]
    xi, eta = np.linalg.inv(pixel_axes(truth["rotation"])) @ offset
    ra, decl = ra_decl(from_tangent_plane(xi, eta, truth["ra"], truth["decl"]))
    found = exposure.wcs.all_pix2world(np.column_stack([x, y]), 0)
    turn = (found[:, 0] - ra + 180) % 360 - 180
    return np.column_stack([turn * np.cos(np.radians(decl)), found[:, 1] - decl]) * 3.6e6


def zero_point_error(visit: Processed) -> float:
    """Relative error of the flux of 1 electron: of a star's light to infinity."""
    electrons = visit.truth["electronsPerNjy"] * visit.truth["response"]
    return float(visit.result.exposure.quality["fluxScale"] * electrons - 1)


def star_fluxes(visit: Processed) -> dict[str, Floats]:
    """PSF and aperture fluxes of steady, lonely stars, relative to the truth.

    The aperture has a radius of 1.5 FWHM and is divided by the PSF model's share in it; ``wide``
    has 4 FWHM and is not.
    """
    exposure, sources = visit.result.exposure, visit.sources
    stars = visit.result.stars
    stars = stars[~stars["psFlux"].mask]
    bad = (exposure.mask & int(UNUSABLE)) != 0
    psf = exposure.psf
    out: dict[str, list[float]] = {k: [] for k in ("x", "y", "psf", "aperture", "wide", "snr")}
    flux = np.asarray(sources["flux"])
    for star in stars:
        x, y = float(star["x"]), float(star["y"])
        distance = np.hypot(sources["x"] - x, sources["y"] - y)
        nearest = int(distance.argmin())
        if distance[nearest] > 0.5 or sources["kind"][nearest] != "star":
            continue
        near = (distance < 24) & (flux > 0.01 * flux[nearest])
        snr = float(star["psFlux"] / star["psFluxErr"])
        if near.sum() > 1 or snr < 50:
            continue
        size = psf.fwhm(x, y)
        stamp = np.ascontiguousarray(psf.image(x, y))
        middle = float(psf.size // 2)
        share = sep.sum_circle(stamp, [middle], [middle], [1.5 * size], subpix=0)[0][0]
        image = np.ascontiguousarray(exposure.image)
        small, _, cut = sep.sum_circle(image, [x], [y], [1.5 * size], mask=bad, subpix=0)
        wide, _, cut_wide = sep.sum_circle(image, [x], [y], [4 * size], mask=bad, subpix=0)
        if cut[0] or cut_wide[0]:
            continue
        truth = flux[nearest]
        values = (x, y, float(star["psFlux"]) / truth, small[0] / share / truth, wide[0] / truth)
        for key, value in zip(out, (*values, snr), strict=True):
            out[key].append(float(value))
    return {key: np.array(values) for key, values in out.items()}


def figures(visits: list[Processed]) -> dict[str, Any]:
    """Compute all figures of the benchmark from processed visits."""
    zero = np.array([zero_point_error(v) for v in visits])
    quoted = np.array([v.result.exposure.quality["photoCalibRelErr"] for v in visits])
    wcs = np.stack([positions_error(v) for v in visits])
    errors = np.array(
        [
            [v.result.exposure.quality[f"astromSys{axis}Err"] * 1000 for axis in ("Ra", "Decl")]
            for v in visits
        ]
    )
    size = np.hypot(wcs[..., 0], wcs[..., 1])
    found = {
        "zp": 1085.7 * zero,
        "zp_pull": zero / quoted,
        "wcs": size.max(axis=1),
        "wcs_pull": (wcs / errors[:, None, :]).reshape(len(visits), -1),
    }
    stars = [star_fluxes(v) for v in visits]
    seeing = np.array([v.truth["seeing"] for v in visits])
    size_px = np.array([v.result.exposure.shape[1] for v in visits])
    rows = []
    for fluxes, width, nx in zip(stars, seeing, size_px, strict=True):
        for k in range(fluxes["x"].size):
            part = 3 * int(3 * fluxes["y"][k] / nx) + int(3 * fluxes["x"][k] / nx)
            rows.append(
                (part, width, fluxes["aperture"][k], fluxes["wide"][k], fluxes["psf"][k],
                 fluxes["snr"][k])
            )  # fmt: skip
    found["stars"] = np.array(rows)
    return found


def main() -> None:
    """Print the figures as JSON lines."""
    with asked(__doc__, size=512, visits=117) as options:
        visits = list(processed(options))
    found = figures(visits)
    more = {"visits": len(visits), "masked": round(masked(visits), 4)}
    say("calibration.zp_mmag", found["zp"].std(), "mmag", against=5, **more)
    say("calibration.zp_offset", np.median(found["zp"]), "mmag", against=5)
    say("calibration.zp_worst", np.abs(found["zp"]).max(), "mmag")
    say("calibration.zp_pull", found["zp_pull"].std(), "", against=[0.8, 1.25])
    say("calibration.wcs_mas", np.percentile(found["wcs"], 95), "mas", against=50, goal=10)
    say("calibration.wcs_worst", found["wcs"].max(), "mas")
    say("calibration.wcs_pull", found["wcs_pull"].std(), "", against=[0.8, 1.25])
    part, width, aperture, wide, psf, _ = found["stars"].T
    ratio = aperture / psf
    ninths = [float(np.median(ratio[part == k])) for k in range(9)]
    edges = np.percentile(width, [0, 20, 40, 60, 80, 100])
    classes = [
        float(np.median(ratio[(width >= low) & (width <= high)])) for low, high in pairwise(edges)
    ]
    worst = max([*ninths, *classes], key=lambda value: abs(value - 1))
    say("calibration.aperture", worst, "", against=[0.995, 1.005], stars=len(ratio),
        ninths=np.round(ninths, 4).tolist(), seeing=np.round(classes, 4).tolist())  # fmt: skip
    say("calibration.wide", np.median(wide / psf), "", stars=len(ratio))
    say("calibration.psf_flux", np.median(psf), "", against=1)
    say("calibration.cpu", np.median([v.cpu for v in visits]), "s")
    if options.plots is not None:
        plot(found, options.plots)


def plot(found: dict[str, Any], folder: Path) -> None:
    """Draw histograms of errors and pulls."""
    import matplotlib as mpl  # noqa: PLC0415 - only where pictures are asked for

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, axes = plt.subplots(2, 2, figsize=(9, 7))
    names = {"zp": "zero point [mmag]", "zp_pull": "zero point, pull", "wcs": "WCS, worst [mas]",
             "wcs_pull": "WCS, pull"}  # fmt: skip
    for axis, (key, label) in zip(axes.ravel(), names.items(), strict=True):
        axis.hist(found[key].ravel(), bins=30)
        axis.set_xlabel(label)
    figure.tight_layout()
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "calibration.png")


if __name__ == "__main__":
    main()
