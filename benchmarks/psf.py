"""The PSF model of simulated visits against the true PSF and against stars held back.

    ./run bench psf [--seed N] [--visits N] [--size PIXELS] [--frames DIR] [--plots DIR]

``residual``: largest deviation of the model from the true PSF over the peak, at the places of all
reserved stars; the median over them, ``residual_90`` the 90th percentile. ``size`` and ``shape``:
median deviation of the size (trace of the adaptive moments, relative) and of the ellipticities.
``stars``: median number that a model rests on. By default detectors have 1024 pixels a side: how
well a PSF is known depends on the number of stars, at 512 pixels some 20.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parent))
from support.raw_visits import Processed, asked, masked, processed, say, true_psf

from processing.quality import adaptive_moments


def deviations(visit: Processed) -> list[tuple[float, float, float]]:
    """Residual over peak, relative size and ellipticity error at each reserved star.

    Where stars are so few that none is held back, at every true star of S/N above 30 instead that
    had no part in the model.
    """
    exposure = visit.result.exposure
    stars = visit.result.stars
    if stars["reserved"].any():
        stars = stars[stars["reserved"]]
    else:
        stars = stars[~stars["psFlux"].mask & ~stars["forPsf"]]
        stars = stars[stars["psFlux"] > 30 * stars["psFluxErr"]]
    out = []
    for x, y in zip(stars["x"], stars["y"], strict=True):
        model = exposure.psf.image(float(x), float(y))
        truth = true_psf(visit.truth, float(x), float(y), exposure.psf.size, exposure.shape)
        found, real = (adaptive_moments(stamp) for stamp in (model, truth))
        size = np.trace(found) / np.trace(real) - 1
        turned = (found - real) / np.trace(real)
        shape = np.hypot(turned[0, 0] - turned[1, 1], 2 * turned[0, 1])
        out.append((np.abs(model - truth).max() / truth.max(), size, shape))
    return out


def main() -> None:
    """Print the figures as JSON lines."""
    with asked(__doc__, size=1024, visits=39) as options:
        visits = list(processed(options))
    parts = [deviations(v) for v in visits]
    every = np.array([row for part in parts for row in part])
    residual, size, shape = every.T
    more = {"visits": len(visits), "stars": len(every), "masked": round(masked(visits), 4)}
    say("psf.residual", np.median(residual), "of the peak", against=0.01, **more)
    say("psf.residual_90", np.percentile(residual, 90), "of the peak", against=0.01)
    say("psf.size", np.median(np.abs(size)), "relative", against=0.005)
    say("psf.size_bias", np.median(size), "relative", against=0.005)
    say("psf.shape", np.median(shape), "", against=0.005)
    used = [float(v.result.exposure.quality["nPsfStars"]) for v in visits]
    say("psf.stars", np.median(used), "a visit")
    if options.plots is not None:
        import matplotlib as mpl  # noqa: PLC0415 - only where pictures are asked for

        mpl.use("Agg")
        from matplotlib import pyplot as plt  # noqa: PLC0415

        figure, axes = plt.subplots(1, 3, figsize=(12, 3.6))
        for axis, values, label in zip(
            axes, every.T, ("residual / peak", "size error", "ellipticity error"), strict=True
        ):
            axis.hist(values, bins=40)
            axis.set_xlabel(label)
        figure.tight_layout()
        options.plots.mkdir(parents=True, exist_ok=True)
        figure.savefig(options.plots / "psf.png")


if __name__ == "__main__":
    main()
