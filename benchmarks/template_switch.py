"""Light curves across a change of template: constant and slowly changing stars.

Two templates of one sky, a year apart, each of visits of its own; visits before the change have the
first subtracted, visits after it the second, and forced fluxes are measured at the true places. Of
the stars below 30,000 nJy a sixth brighten and a sixth fade by up to 30 % in a year, so that the
templates differ; the others are constant. Difference fluxes are brought to one zero level as
``science.levelled_fluxes`` does it: moved by the template's flux, the mean of totFlux - psFlux of
its visits.

``template-switch.totFlux``  step: mean after the change minus mean before it, of measured minus
                             true flux, in units of the error of one visit; median over the stars
``template-switch.psFlux``   the same of difference fluxes on one level
``template-switch.plain``    the same of difference fluxes as they are: the root mean square
``template-switch.scatter``  steps on one level over what noise alone makes: standard deviation
``template-switch.same``     the same visits with either template, on one level: root mean square
                             of the difference, in units of the error of one visit; of visits'
                             noise nothing is in it
``template-switch.masked``   share of the difference images that is masked
"""

import argparse
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from support import shots, sky
from support.figures import say
from support.true_psf import TruePsf, random_psf

from processing import coadd, forced
from processing.difference import subtract
from processing.exposure import Exposure

FloatArray = NDArray[np.float64]
INPUTS, VISITS = 6, 4  # of each template; before the change and after it
YEAR = 365.25
BEGIN = 60700.0  # of the season of the first template, MJD
SPACING = 24.0  # pixels from one measured star to the next
APART = 14.0  # from a star to any other light


class Stars:
    """A sky whose stars change, and those of them that are measured."""

    def __init__(self, seed: int, size: int) -> None:
        self.random = np.random.default_rng([seed, 8])
        self.size = size
        wide = int(1.3 * size)
        width = (1.45 * wide + 100) * sky.SCALE / 3600
        area = (width * 3600 / sky.SCALE / 1024) ** 2
        found = sky.make_sky(self.random, round(200 * area), round(100 * area), width)
        self.sky = replace(found, stars=np.concatenate([found.stars, self._lattice()]))
        kind = self.random.choice([-1, 0, 0, 0, 0, 1], len(self.sky.stars))
        # A field whose brightest stars all vary has no common scale.
        kind[self.sky.stars[:, 2] > 3e4] = 0
        self.rate = kind * self.random.uniform(0.05, 0.3, kind.size)  # a year
        x, y = sky.make_wcs((size, size)).all_world2pix(*self.sky.stars[:, :2].T, 0)
        px, py = sky.make_wcs((size, size)).all_world2pix(*self.sky.points[:, :2].T, 0)
        flux = self.sky.stars[:, 2]
        inside = (x > 20) & (x < size - 21) & (y > 20) & (y < size - 21)
        inside &= (flux > 1500) & (flux < 1e5)
        for k in np.flatnonzero(inside):
            near = np.hypot(px - x[k], py - y[k]) < APART
            inside[k] = self.sky.points[near, 2].sum() < 1.01 * flux[k]
        self.measured = np.flatnonzero(inside)

    def _lattice(self) -> FloatArray:
        """Stars to be measured, evenly spread over the detector: ra, decl [deg], flux [nJy]."""
        line = np.arange(28.0, self.size - 28, SPACING)
        x, y = (v.ravel() for v in np.meshgrid(line, line))
        x, y = x + self.random.uniform(-2, 2, x.size), y + self.random.uniform(-2, 2, x.size)
        ra, decl = sky.make_wcs((self.size, self.size)).all_pix2world(x, y, 0)
        return np.column_stack([ra, decl, 10 ** self.random.uniform(3.2, 4.4, x.size)])

    def flux(self, tai: float) -> FloatArray:
        """Fluxes of all stars at a time [nJy]."""
        years = (tai - BEGIN) / YEAR
        return np.asarray(self.sky.stars[:, 2] * (1 + self.rate * years))

    def visit(self, number: int, tai: float, *, turn: float, wide: bool) -> Exposure:
        """Take a visit; those of templates are larger, turned and dithered."""
        rng = self.random
        size = int(1.3 * self.size) if wide else self.size
        dx, dy = rng.uniform(-self.size / 16, self.size / 16, 2) if wide else (0.0, 0.0)
        psf: TruePsf = random_psf(rng, float(rng.uniform(3.3, 4.8)), (size, size))
        points = self.sky.points.copy()
        points[: len(self.sky.stars), 2] = self.flux(tai)
        return shots.shoot(
            rng, number, sky.make_wcs((size, size), turn, float(dx), float(dy)), psf, points,
            effects=("wcs",), psf_from="true", mid_tai=tai, rotation=turn, is_template=wide,
        ).exposure  # fmt: skip

    def template(self, number: int, begin: float) -> Exposure:
        """Template of a season of two months."""
        rng = self.random
        return coadd.build_template(
            [
                self.visit(number + k, begin + 10 * k, turn=float(rng.uniform(0, 360)), wide=True)
                for k in range(INPUTS)
            ]
        )


def levels(total: FloatArray, difference: FloatArray, error: FloatArray) -> FloatArray:
    """Flux of each star in a template: mean over the visits (axis 0) of total - difference."""
    return np.average(total - difference, axis=0, weights=error**-2.0)


def measured(stars: Stars, image: Exposure, template: Exposure) -> tuple[FloatArray, float]:
    """Columns psFlux, totFlux, totFluxErr of the measured stars, shape (3, n), and masked share."""
    made = subtract(image, template)
    ra, decl = stars.sky.stars[stars.measured, :2].T
    table = forced.force(made.exposure, image, ra, decl)
    out = np.full((3, ra.size), np.nan)
    row = np.asarray(table["row"])
    for k, name in enumerate(("psFlux", "totFlux", "totFluxErr")):
        out[k, row] = np.ma.filled(np.ma.asarray(table[name], float), np.nan)
    return out, 1 - float(made.exposure.usable().mean())


def main() -> None:
    """Print the figures as JSON lines."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--size", type=int, default=512)
    options = parser.parse_args()
    stars = Stars(options.seed, options.size)
    old = stars.template(100, BEGIN)
    new = stars.template(200, BEGIN + YEAR)
    times = [BEGIN + YEAR + 90 + 10 * k for k in range(2 * VISITS)]
    found, masked = [], []
    for k, tai in enumerate(times):
        image = stars.visit(k + 1, tai, turn=0.0, wide=False)
        both = [measured(stars, image, template) for template in (old, new)]
        found.append([one for one, _ in both])
        masked += [share for _, share in both]
    # visits, templates, columns, stars
    data = np.array(found)
    keep = np.isfinite(data).all(axis=(0, 1, 2))
    data = data[..., keep]
    true = np.stack([stars.flux(t)[stars.measured][keep] for t in times])
    before, after = np.arange(VISITS), VISITS + np.arange(VISITS)
    ps, total, error = (data[:, :, c] for c in range(3))
    sigma = np.median(error[:, 0], axis=0)
    told = {"stars": int(keep.sum()), "visits": 2 * VISITS}

    def step(flux: FloatArray) -> FloatArray:
        off = flux - true
        return np.asarray((off[after].mean(axis=0) - off[before].mean(axis=0)) / sigma)

    as_is = np.concatenate([ps[before, 0], ps[after, 1]])
    shift = levels(total[before, 0], ps[before, 0], error[before, 0]) - levels(
        total[after, 1], ps[after, 1], error[after, 1]
    )
    level = np.concatenate([ps[before, 0] + shift, ps[after, 1]])
    steps = step(level)
    say("template-switch.totFlux", np.median(step(total[:, 0])), "sigma", "|x| < 0.1", **told)
    say("template-switch.psFlux", np.median(steps), "sigma", "|x| < 0.3", **told)
    say("template-switch.plain", np.sqrt(np.mean(step(as_is) ** 2)), "sigma", **told)
    spread = 1.4826 * np.median(np.abs(steps - np.median(steps)))
    say("template-switch.scatter", spread / np.sqrt(2 / VISITS), "", "0.9 to 1.1", **told)
    either = [
        ps[:, k] + levels(total[:, k], ps[:, k], error[:, k]) for k in range(2)
    ]  # fmt: skip
    same = (either[0] - either[1]) / sigma
    say("template-switch.same", np.sqrt(np.mean(same**2)), "sigma", **told)
    say("template-switch.masked", float(np.mean(masked)), "", "<= 0.03")


if __name__ == "__main__":
    main()
