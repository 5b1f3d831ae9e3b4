"""How many of the point sources that are there are found.

Fakes, half of them on galaxies, are drawn into scenes (`support/scenes.py`) with fluxes known by
their signal-to-noise: that of the flux at the true position, under the true PSF and variance. They
lie anywhere, also on masked pixels. One is found if a DIASource (not a parent) with abs(S/N) >= 5
and its sign lies within 2 pixels.

``completeness.half``   S/N at which half are found: where the error function that fits best passes
                        one half; its height far above is the share of the fakes that do not lie on
                        masked pixels
``completeness.snr5``   share found at 5: of that function
``completeness.snr6``   share found of those from 5.75 to 6.25
``completeness.snr8``   share found of those from 7.75 to 10
``completeness.hosts``  share found on empty sky minus that on galaxies, from 4 to 8
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import norm

from processing.deblend import flag
from processing.dia import detect_and_measure
from processing.difference import subtract

sys.path.append(str(Path(__file__).parent))
from support import scenes
from support.figures import cpu, say

REACH = 2.0  # pixels


def recovered(scene: scenes.Scene, x: NDArray, y: NDArray, sign: NDArray) -> NDArray[np.bool_]:
    """Whether each fake has a source of its sign near it."""
    out = np.zeros(len(scene.truth), bool)
    for k, row in enumerate(scene.truth):
        near = np.hypot(x - row["x"], y - row["y"]) < REACH
        out[k] = (near & (sign == np.sign(row["snr"]))).any()
    return out


def curve(snr: NDArray, found: NDArray[np.bool_], top: float) -> tuple[float, float]:
    """Centre and width of the likeliest error function, ``top`` high."""

    def cost(p: NDArray) -> float:
        share = top * norm.cdf((snr - p[0]) / np.exp(p[1]))
        share = np.clip(share, 1e-3, 1 - 1e-3)
        return float(-np.sum(np.log(np.where(found, share, 1 - share))))

    best = minimize(cost, [5.0, 0.0], method="Nelder-Mead").x
    return float(best[0]), float(np.exp(best[1]))


def main() -> None:
    """Print the figures."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--size", type=int, default=1024)
    options.add_argument("--scenes", type=int, default=8)
    options.add_argument("--fakes", type=int, default=150)
    chosen = options.parse_args()
    snr, found, host, clear, masked, seconds = [], [], [], [], [], []
    scene = None
    for k in range(chosen.scenes):
        seed = 1000 * chosen.seed + k
        if scene is None or k % 4 == 0:
            scene = scenes.make(seed, chosen.size, n_fakes=chosen.fakes, snr=(3.0, 10.0))
        else:
            scene = scenes.again(scene, seed, n_fakes=chosen.fakes, snr=(3.0, 10.0))
        template = scene.template()
        made, spent = cpu(lambda s=scene, t=template: subtract(s.visit, t))
        seconds.append(spent)
        masked.append(1 - made.exposure.usable().mean())
        table = detect_and_measure(made, scene.visit, scene.snap_difference)
        kept = (table["flags"].filled(0) & flag("PARENT")) == 0
        x, y = scene.visit.wcs.all_world2pix(table["ra"][kept], table["decl"][kept], 0)
        snr.append(np.abs(scene.truth["snr"]))
        sign = np.sign(table["psFlux"].filled(0)[kept])
        found.append(recovered(scene, x, y, sign))
        host.append(scene.truth["kind"] == "host")
        at = (
            np.clip(np.rint(scene.truth[axis]).astype(int), 0, size - 1)
            for axis, size in zip("yx", scene.visit.shape, strict=True)
        )
        clear.append(made.exposure.usable()[tuple(at)])
    snr_, found_, host_, clear_ = (np.concatenate(part) for part in (snr, found, host, clear))
    more = {
        "scenes": chosen.scenes,
        "size": chosen.size,
        "fakes": snr_.size,
        "masked": round(float(np.mean(masked)), 4),
        "masked_fakes": round(float(1 - clear_.mean()), 4),
        "cpu_cold": round(seconds[0], 2),
        "cpu_warm": round(seconds[-1], 2),
    }
    top = float(clear_.mean())
    centre, width = curve(snr_, found_, top)
    half = centre + width * norm.ppf(0.5 / top)
    say("completeness.half", half, "S/N", "4.7 to 5.0", width=round(width, 3), **more)
    at5 = top * norm.cdf((5 - centre) / width)
    say("completeness.snr5", at5, "fraction", "0.53 to 0.61", **more)
    for name, lowest, highest, bar in (
        ("snr6", 5.75, 6.25, ">= 0.84"),
        ("snr8", 7.75, 10, ">= 0.99"),
    ):
        here = (snr_ >= lowest) & (snr_ < highest)
        say(
            f"completeness.{name}", found_[here].mean(), "fraction", bar, of=int(here.sum()), **more
        )
    near = (snr_ > 4) & (snr_ < 8)
    lost = found_[near & ~host_].mean() - found_[near & host_].mean()
    say("completeness.hosts", lost, "fraction", "<= 0.03", of=int((near & host_).sum()), **more)


if __name__ == "__main__":
    main()
