"""Sources added to simulated visits, and what the figures of measurement need around them.

The sky, the PSF and the noise are those of :mod:`support.shots`; more bright stars are added,
since few fall on a small detector. Visits are brought to the flux scale of their PSF's stars, as
the zero point of a calibrated visit is: what is judged is the difference, not the calibration.
"""

import argparse
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray
from support.shots import GAIN, Shot, shoot
from support.sky import DECL, RA, SCALE, make_sky, make_wcs
from support.true_psf import TruePsf, random_psf

from processing import coadd
from processing.difference import Difference, subtract
from processing.exposure import Exposure
from processing.psf_core import fit_points, spline_psf

FloatArray = NDArray[np.float64]
BLANK, HOST, NEAR = 0, 1, 2
KINDS = ("blank", "hosts", "near")
_BRIGHT = 10 ** (-0.4 * (16 - 31.4))  # nJy of r = 16
_MARGIN = 20  # pixels from the border


@dataclass
class Field:
    """A static sky, its template, and the PSF of the visits to come."""

    seed: int
    size: int
    bright: int = 20
    inputs: int = 10
    _without: dict[bool, Exposure] = dataclass_field(default_factory=dict)

    def __post_init__(self) -> None:
        rng = np.random.default_rng([self.seed, 1])
        wide = int(1.25 * self.size)
        width = (1.45 * wide + 100) * SCALE / 3600
        area = (width * 3600 / SCALE / 1024) ** 2
        self.sky = make_sky(rng, round(300 * area), round(500 * area), width)
        n = round(self.bright * area)
        stars = np.column_stack(
            [
                rng.uniform(RA - width / 2, RA + width / 2, n),
                rng.uniform(DECL - width / 2, DECL + width / 2, n),
                _BRIGHT * 10 ** (0.4 * rng.uniform(0, 1, n)),
            ]
        )
        self.sky = replace(self.sky, stars=np.concatenate([self.sky.stars, stars]))
        self.shape = (self.size, self.size)
        self.wcs = make_wcs(self.shape)
        self.psf = random_psf(rng, float(rng.uniform(3.4, 4.8)), self.shape)
        self.random = rng

    @cached_property
    def template(self) -> Exposure:
        """Template of dithered and rotated visits."""
        rng, wide = self.random, int(1.25 * self.size)
        exposures = []
        for k in range(self.inputs):
            turn, fwhm = float(rng.uniform(0, 360)), float(rng.uniform(3.2, 5.2))
            dx, dy = rng.uniform(-self.size / 12, self.size / 12, 2)
            wcs = make_wcs((wide, wide), turn, float(dx), float(dy))
            psf = random_psf(rng, fwhm, (wide, wide))
            shot = shoot(
                rng, 100 + k, wcs, psf, self.sky.points, mid_tai=60700.0 + 5 * k, rotation=turn,
                effects=("wcs",), is_template=True,
            )  # fmt: skip
            exposures.append(self._calibrated(shot.exposure, psf))
        return coadd.build_template(exposures)

    @cached_property
    def quiet(self) -> Shot:
        """A visit without fakes and its truth: variance and static light."""
        return shoot(
            np.random.default_rng(0), 1, self.wcs, self.psf, self.sky.points, psf_from="true"
        )

    def visit(self, number: int, fakes: FloatArray, *, moon: bool = False) -> Shot:
        """Take a visit with ``fakes`` (n, 3): x, y [pixel], flux [nJy]."""
        shot = shoot(
            np.random.default_rng([self.seed, 2, number]), 1 + number, self.wcs, self.psf,
            self.sky.points, fakes, effects=("wcs", "moon") if moon else ("wcs",), psf_from="true",
        )  # fmt: skip
        # Measured where there are no fakes: hundreds of trails would pass for stars.
        exposure = replace(shot.exposure, psf=self._measured(moon).psf)
        exposure = self._calibrated(exposure, self.psf)
        scale = shot.exposure.electrons_per_unit / exposure.electrons_per_unit
        snaps = _scaled(shot.snap_difference, 1 / scale)
        return replace(shot, exposure=exposure, snap_difference=snaps)

    def _measured(self, moon: bool) -> Exposure:
        """Visit without fakes under the same sky, with its PSF measured."""
        if moon not in self._without:
            self._without[moon] = shoot(
                np.random.default_rng([self.seed, 5, int(moon)]), 1, self.wcs, self.psf,
                self.sky.points, effects=("wcs", "moon") if moon else ("wcs",),
            ).exposure  # fmt: skip
        return self._without[moon]

    def difference(self, shot: Shot) -> Difference:
        """Difference of a visit and the template."""
        return subtract(shot.exposure, self.template)

    def _calibrated(self, exposure: Exposure, psf: TruePsf) -> Exposure:
        """Bring PSF fluxes of lone stars to the true ones: an exact zero point."""
        assert exposure.psf is not None
        ny, nx = exposure.shape
        x, y = (a.ravel() for a in np.meshgrid(np.linspace(0.1, 0.9, 5), np.linspace(0.1, 0.9, 5)))
        x, y = x * nx + 0.3, y * ny - 0.2
        flux = np.full(x.size, 1e4)
        light = np.zeros(exposure.shape)
        psf.draw(light, x, y, flux)
        fits = fit_points(
            light, np.ones(exposure.shape, np.float32), np.ones(exposure.shape, bool),
            spline_psf(exposure.psf, exposure.shape), x, y,
            np.inf,  # pixels weigh as they do for faint sources
        )  # fmt: skip
        gain = exposure.electrons_per_unit / GAIN  # its error is undone too
        return _scaled(exposure, gain / float(np.median(fits.flux / flux)))

    def places(
        self, rng: np.random.Generator, n: int, kind: int, apart: float, taken: FloatArray
    ) -> FloatArray:
        """Up to n positions (x, y), ``apart`` pixels from each other and from ``taken`` (m, 2).

        On galaxies, within 10 arcsec of stars of r < 16, or anywhere.
        """
        found = [tuple(place) for place in taken]
        sources = (
            self.sky.galaxies if kind == HOST else self.sky.stars[self.sky.stars[:, 2] > _BRIGHT]
        )
        x, y = self.wcs.all_world2pix(sources[:, 0], sources[:, 1], 0)
        on = (x > 0) & (x < self.size) & (y > 0) & (y < self.size)
        x, y = x[on], y[on]
        for _ in range(30 * n):
            if len(found) == len(taken) + n:
                break
            if kind == BLANK:
                place = rng.uniform(_MARGIN, self.size - _MARGIN, 2)
            else:
                k = rng.integers(len(x))
                radius = abs(rng.normal(0, 2)) if kind == HOST else rng.uniform(5, 10 / SCALE)
                turn = rng.uniform(0, 2 * np.pi)
                place = np.array([x[k] + radius * np.cos(turn), y[k] + radius * np.sin(turn)])
            if place.min() < _MARGIN or place.max() > self.size - _MARGIN:
                continue
            if all(np.hypot(place[0] - a, place[1] - b) > apart for a, b in found):
                found.append((float(place[0]), float(place[1])))
        return np.array(found[len(taken) :]).reshape(-1, 2)

    def sigma(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Error of a faint point source's flux (Fisher, true PSF, the visit's true variance)."""
        half = 20
        variance = np.pad(self.quiet.variance, half, mode="edge")
        out = []
        for a, b in zip(x, y, strict=True):
            row, column = int(np.rint(b)), int(np.rint(a))
            local = variance[row : row + 2 * half + 1, column : column + 2 * half + 1]
            out.append(np.sum(self.psf.stamp(float(a), float(b), half) ** 2 / local) ** -0.5)
        return np.array(out)


def _scaled(exposure: Exposure, factor: float) -> Exposure:
    return replace(
        exposure,
        image=(exposure.image * factor).astype(np.float32),
        variance=(exposure.variance * factor**2).astype(np.float32),
        electrons_per_unit=exposure.electrons_per_unit / factor,
    )


def match(table: Table, x: FloatArray, y: FloatArray, radius: float) -> NDArray[np.int64]:
    """Row of the nearest source of a table within ``radius`` of each place, or -1."""
    if len(table) == 0:
        return np.full(len(x), -1)
    distance = np.hypot(
        np.subtract.outer(x, np.asarray(table["x"])), np.subtract.outer(y, np.asarray(table["y"]))
    )
    return np.where(distance.min(axis=1) < radius, distance.argmin(axis=1), -1)


def filled(values: Any) -> FloatArray:
    """Values with NaN where they are missing."""
    return np.asarray(np.ma.filled(np.ma.asarray(values, float), np.nan))


def width(values: FloatArray) -> float:
    """Compute the standard deviation of what lies within five of the median."""
    seen = values[np.isfinite(values)]
    return float(np.std(seen[np.abs(seen - np.median(seen)) < 5]))


def beyond(values: FloatArray, limit: float = 3.0) -> float:
    """Share of values beyond ``limit``."""
    seen = values[np.isfinite(values)]
    return float(np.mean(np.abs(seen) > limit))


def options(description: str | None, fields: int) -> argparse.Namespace:
    """Read the command line: seed, size of a field, number of fields, folder for plots."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--fields", type=int, default=fields)
    parser.add_argument("--plots")
    return parser.parse_args()


def plots_folder(argument: str | None) -> Path:
    """Folder for plots: as told, else beside the caller."""
    folder = Path(argument) if argument else Path.cwd()
    folder.mkdir(parents=True, exist_ok=True)
    return folder
