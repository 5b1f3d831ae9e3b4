"""What the noise alone makes, and how much is masked.

Scenes without transients (`support/scenes.py`). On pixels without light, by the truth, the maxima
of the score above nu, and its minima below -nu, are counted as detection counts them, with their
height between the pixels, and compared with the density of peaks of a Gaussian field (Rice 1945;
Adler 1981) whose correlation is that of the true PSF: (2 pi)^-1.5 lambda nu exp(-nu^2 / 2) a pixel,
lambda the curvature of the correlation at its top.

``noise.rate``       peaks above 3.5 over the expected ones, a line for each sign
``noise.step``       how many times fewer peaks there are above nu than above nu - 0.5, over what
                     is expected, at nu = 4
``noise.unmatched``  DIASources with abs(S/N) >= 6, anywhere, for 4096 x 4096 pixels
``noise.masked``     share of the pixels that are masked
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from processing.dia import detect_and_measure
from processing.difference import subtract
from processing.footprints import find_peaks

sys.path.append(str(Path(__file__).parent))
from support import scenes
from support.figures import cpu, say

LOWEST = 3.5


def density(scene: scenes.Scene, level: float) -> float:
    """Peaks above ``level`` to expect in a pixel."""
    ny, nx = scene.visit.shape
    transform = np.abs(np.fft.fft2(scene.true_psf(nx / 2, ny / 2), (128, 128))) ** 2
    k = 2 * np.pi * np.fft.fftfreq(128)
    total = transform.sum()
    curvature = [np.sum(transform * a**2) / total for a in (k[None, :], k[:, None])]
    width = np.sqrt(curvature[0] * curvature[1])
    return float((2 * np.pi) ** -1.5 * width * level * np.exp(-(level**2) / 2))


def main() -> None:
    """Print the figures."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--size", type=int, default=1024)
    options.add_argument("--scenes", type=int, default=6)
    chosen = options.parse_args()
    levels = (LOWEST, LOWEST + 0.5)
    found, expected = np.zeros((2, 2)), np.zeros(2)
    unmatched, masked, pixels, seconds = 0, 0, 0, []
    for k in range(chosen.scenes):
        if k % 3 == 0:
            scene = scenes.make(1000 * chosen.seed + k, chosen.size, n_fakes=0)
        else:
            scene = scenes.again(scene, 1000 * chosen.seed + k, n_fakes=0)
        template = scene.template()
        made, spent = cpu(lambda s=scene, t=template: subtract(s.visit, t))
        seconds.append(spent)
        good = made.exposure.usable()
        masked += int((~good).sum())
        pixels += good.size
        blank = good & scene.blank
        _, _, height = find_peaks(made.score, blank, LOWEST)
        for s, sign in enumerate((1, -1)):
            found[s] += [(sign * height >= level).sum() for level in levels]
        expected += [blank.sum() * density(scene, level) for level in levels]
        table = detect_and_measure(made, scene.visit, scene.snap_difference)
        unmatched += int((np.abs(table["snr"].filled(0)) >= 6).sum())
    share = masked / pixels
    more = {
        "scenes": chosen.scenes,
        "size": chosen.size,
        "masked": round(share, 4),
        "cpu_cold": round(seconds[0], 2),
        "cpu_warm": round(seconds[-1], 2),
    }
    for s, sign in enumerate(("positive", "negative")):
        say(
            "noise.rate", found[s, 0] / expected[0], "ratio to Rice", "0.7 to 1.1", sign=sign,
            peaks=int(found[s, 0]), expected=round(expected[0], 1), **more,
        )  # fmt: skip
    step = (found[:, 0].sum() / found[:, 1].sum()) / (expected[0] / expected[1])
    say(
        "noise.step", step, "ratio to Rice", "1", factor=round(expected[0] / expected[1], 2), **more
    )
    say(
        "noise.unmatched",
        unmatched * 4096**2 / pixels,
        "DIASources",
        "<= 2",
        found=unmatched,
        **more,
    )
    say("noise.masked", share, "fraction", "<= 0.03", **more)


if __name__ == "__main__":
    main()
