"""Cosmic rays in simulated visits: how many are masked, how many stars are harmed.

    ./run bench cosmics [--seed N] [--visits N] [--size PIXELS] [--frames DIR]

``found``: share of the pixels that a ray raised by more than 5 times the noise of their snap and
that carry CR (saturated and bad pixels apart); ``hits``: share of the rays with such a pixel, most
of whose such pixels carry it. ``harmed``: share of the true stars of S/N above 10 with a pixel
flagged CR within one FWHM of the centre where no ray fell within 2 pixels. ``single.``: the same
for visits of which only the first snap is used.
"""

import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import ndimage

sys.path.append(str(Path(__file__).parent))
from support.raw_visits import Processed, asked, processed, say

from processing.exposure import Mask

_OTHER = int(Mask.SAT | Mask.BAD | Mask.NO_DATA)


def count(visit: Processed) -> Counter[str]:
    """Count pixels, rays and stars, and those found or harmed."""
    exposure = visit.result.exposure
    flagged = (exposure.mask & int(Mask.CR)) != 0
    snaps = exposure.visit.n_snaps
    noise = np.sqrt(exposure.variance / snaps) * exposure.electrons_per_unit
    charge = np.zeros(exposure.shape)
    seen = visit.rays["snap"] < snaps
    # Two rays of different snaps may meet in a pixel: the stronger counts.
    np.maximum.at(charge.ravel(), visit.rays["pixel"][seen], visit.rays["charge"][seen])
    real = (charge > 5 * noise) & ((exposure.mask & _OTHER) == 0)
    labels, number = ndimage.label(charge > 0, np.ones((3, 3)))
    index = np.arange(1, number + 1)
    strong = np.atleast_1d(ndimage.sum(real, labels, index))
    caught = np.atleast_1d(ndimage.sum(real & flagged, labels, index))
    near = ndimage.binary_dilation(charge > 0, iterations=2)
    false = flagged & ~near
    total: Counter[str] = Counter(
        pixels=int(real.sum()),
        found=int((real & flagged).sum()),
        rays=int((strong > 0).sum()),
        rays_found=int(((strong > 0) & (caught > 0.5 * strong)).sum()),
        false=int(false.sum()),
        area=false.size,
    )
    width = visit.truth["seeing"] / visit.truth["pixelScale"]
    reach = int(np.ceil(width))
    grid = np.hypot(*np.mgrid[-reach : reach + 1, -reach : reach + 1]) <= width
    sky = exposure.quality["skyNoise"] * np.sqrt(2.266 * 1.4) * width
    steady = ~np.isin(visit.sources["kind"], ["galaxy", "asteroid"])
    ny, nx = exposure.shape
    for x, y, flux in zip(
        *(visit.sources[name][steady] for name in ("x", "y", "flux")), strict=True
    ):
        column, row = int(np.rint(x)), int(np.rint(y))
        inside = reach <= column < nx - reach and reach <= row < ny - reach
        if flux < 10 * sky or not inside:
            continue
        box = (slice(row - reach, row + reach + 1), slice(column - reach, column + reach + 1))
        total["stars"] += 1
        total["harmed"] += bool((false[box] & grid).any())
    return total


def main() -> None:
    """Print the figures as JSON lines."""
    with asked(__doc__, size=512, visits=117) as options:
        for prefix, share, snaps in (("", 1.0, 2), ("single.", 0.25, 1)):
            total: Counter[str] = Counter()
            part = replace(options, visits=int(options.visits * share))
            for visit in processed(part, snaps=snaps):
                total += count(visit) + Counter(visits=1)
            say(f"cosmics.{prefix}found", total["found"] / total["pixels"], "of the pixels hit",
                against=0.99, pixels=total["pixels"], visits=total["visits"])  # fmt: skip
            say(f"cosmics.{prefix}hits", total["rays_found"] / total["rays"], "of the rays",
                against=0.99, rays=total["rays"])  # fmt: skip
            say(f"cosmics.{prefix}harmed", total["harmed"] / total["stars"], "of the stars",
                against=0.001, stars=total["stars"])  # fmt: skip
            say(f"cosmics.{prefix}lost", total["false"] / total["area"], "of the other pixels")


if __name__ == "__main__":
    main()
