"""Whether differences have the noise they say: white, and one sigma of the score where it is 1.

Scenes without transients (`support/scenes.py`): a visit and the template of twelve dithered,
rotated visits. Pixels without light, by the truth, of all scenes together:

``score.sd``       standard deviation of the score image (robust, as a blank sky has no outliers)
``score.white``    that of the difference over the root of its variance plane
``score.lag``      largest absolute correlation of two such pixels at most 10 pixels apart
``score.power``    largest departure from 1 of their power spectrum, in eight bins of frequency
``score.aperture`` scatter of the sum over circles of 3, 6 and 12 pixels, over the variance plane's
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from processing.difference import Difference, subtract

sys.path.append(str(Path(__file__).parent))
from support import scenes
from support.figures import cpu, say

FloatArray = NDArray[np.float64]
LAG = 10


def spread(values: FloatArray) -> float:
    """Robust standard deviation."""
    return float(1.4826 * np.median(np.abs(values - np.median(values))))


def products(image: FloatArray, good: NDArray[np.bool_]) -> tuple[FloatArray, FloatArray]:
    """Sum the products of good pixels, and count them, by lag from -32 to 32."""
    shape = [2 * n for n in image.shape]
    out = []
    for plane in (np.where(good, image, 0), good.astype(float)):
        found = np.fft.irfft2(np.abs(np.fft.rfft2(plane, shape)) ** 2, shape)
        out.append(np.roll(found, (32, 32), (0, 1))[:65, :65])
    return out[0], out[1]


def power(correlation: FloatArray) -> FloatArray:
    """Power spectrum in eight rings of frequency up to Nyquist's, 1 for white noise."""
    taper = np.outer(np.hanning(67)[1:-1], np.hanning(67)[1:-1])
    spectrum = np.fft.fft2(np.roll(correlation * taper, (-32, -32), (0, 1))).real
    k = np.hypot(*np.meshgrid(np.fft.fftfreq(65), np.fft.fftfreq(65)))
    ring = np.minimum((k * 16).astype(int), 7)
    return np.array([spectrum[ring == r].mean() for r in range(8)])


def apertures(made: Difference, blank: NDArray[np.bool_], radius: int) -> FloatArray:
    """Sum over circles on blank pixels, a diameter apart, in units of what the variance says."""
    disk = (np.hypot(*np.mgrid[-radius : radius + 1, -radius : radius + 1]) <= radius).astype(float)
    inside = np.where(blank, made.exposure.image, 0).astype(float)
    variance = np.where(blank, made.exposure.variance, 0).astype(float)
    step = 2 * radius + 1
    whole = ndimage.binary_erosion(blank, disk > 0)[::step, ::step]
    found = ndimage.convolve(inside, disk, mode="constant")[::step, ::step][whole]
    return np.asarray(
        found / np.sqrt(ndimage.convolve(variance, disk, mode="constant")[::step, ::step][whole])
    )


def main() -> None:
    """Print the figures."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--size", type=int, default=1024)
    options.add_argument("--scenes", type=int, default=2)
    chosen = options.parse_args()
    score, pixels, sums, seconds, masked = [], [], {3: [], 6: [], 12: []}, [], []
    up, down = np.zeros((65, 65)), np.zeros((65, 65))
    for k in range(chosen.scenes):
        scene = scenes.make(1000 * chosen.seed + k, chosen.size, n_fakes=0)
        template = scene.template()
        made, spent = cpu(lambda s=scene, t=template: subtract(s.visit, t))
        seconds.append(spent)
        good = made.exposure.usable()
        masked.append(1 - good.mean())
        blank = good & scene.blank
        ratio = np.where(blank, made.exposure.image, 0) / np.sqrt(made.exposure.variance)
        ratio = np.clip(ratio, -6, 6)
        score.append(made.score[blank])
        pixels.append(ratio[blank])
        products_ = products(ratio - np.where(blank, ratio[blank].mean(), 0), blank)
        up, down = up + products_[0], down + products_[1]
        for radius, part in sums.items():
            part.append(apertures(made, blank, radius))
    correlation = up / np.maximum(down, 1)
    correlation /= correlation[32, 32]
    near = correlation[32 - LAG : 33 + LAG, 32 - LAG : 33 + LAG].copy()
    near[LAG, LAG] = 0
    more: dict[str, Any] = {
        "scenes": chosen.scenes,
        "size": chosen.size,
        "pixels": int(sum(p.size for p in pixels)),
        "masked": round(float(np.mean(masked)), 4),
        "cpu_cold": round(seconds[0], 2),
        "cpu_warm": round(seconds[-1], 2),
    }
    say("score.sd", spread(np.concatenate(score)), "sigma", "1.00 +- 0.03", **more)
    say("score.white", float(np.concatenate(pixels).std()), "sigma", "1.00 +- 0.02", **more)
    say("score.lag", float(np.abs(near).max()), "correlation", "< 0.01", **more)
    bins = power(correlation)
    worst = float(np.abs(bins - 1).max())
    say("score.power", worst, "fraction", "< 0.05", bins=bins.round(4).tolist(), **more)
    for radius, found in sums.items():
        values = np.concatenate(found)
        say(
            f"score.aperture.r{radius}", float(values.std()), "sigma", "1.00 +- 0.05",
            apertures=values.size, **more,
        )  # fmt: skip


if __name__ == "__main__":
    main()
