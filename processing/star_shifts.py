"""How far refraction displaces each star of a template, from where its visits show it.

A visit shows a star displaced by c times its :func:`processing.refraction.pull`. The coefficient c
of each star follows from the displacements in all visits, with an error that holds what the visits
disagree by; what is too uncertain is drawn towards the mean of all stars. DIA-08.
"""

import numpy as np
from astropy.table import Table
from astropy.wcs import WCS
from numpy.typing import NDArray

from processing.compiled import compiled

FloatArray = NDArray[np.float64]
FloatImage = NDArray[np.float32]
_STARS = 5  # that tell how much coefficients differ
_WILD = 5.0  # standard deviations of all from which a coefficient is something else
_BRIGHT = 30.0  # S/N of a star whose coefficient is worth finding
_STEADY = 0.03  # pixels of noise below which a star tells what else displaces stars
_FINEST = 0.003  # pixels: stars are nowhere known better
_SHOWN = 0.9  # of a star's squared light that a visit must show


class Evidence:
    """What the visits of a template tell about its stars, collected block by block.

    Parameters
    ----------
    pulls : array, shape (n, 2)
        :func:`pull` of each visit.
    weight, sky, gains : array, shape (n,)
        Weight in the template, variance of the sky, electrons per unit.
    axes : array, shape (2, 2)
        :func:`towards_sky` of the template.
    width : float [pixel]
        Gaussian width of its PSF.
    """

    def __init__(
        self, pulls: FloatArray, weight: FloatArray, sky: FloatArray, gains: FloatArray,
        axes: FloatArray, width: float,
    ) -> None:  # fmt: skip
        # Visits that hardly count in the template are too wide to be compared with it.
        self._weight = np.where(weight > 0.01 * weight.max(), weight, 0)
        self._pulls, self._sky, self._gains, self._axes = pulls, sky, gains, axes
        self.half = int(np.ceil(2.5 * width))
        self._width = width
        self._stars: list[tuple[float, float, float]] = []  # x, y, flux
        self._found: list[FloatArray] = []

    def collect(
        self,
        image: FloatImage,
        usable: NDArray[np.bool_],
        mean: FloatImage,
        inner: tuple[slice, slice],
        corner: tuple[int, int],
    ) -> None:
        """Look at the stars of a block.

        Parameters
        ----------
        image, usable : array, shape (n, ny, nx)
            Visits with one PSF.
        mean : array, shape (ny, nx)
            Their average.
        inner : pair of slices
            Where stars are looked for; around are ``half`` pixels or the border.
        corner : pair of int
            Row and column of the block in the template.
        """
        deepest = 1 / np.sum(np.where(self._sky > 0, 1 / np.where(self._sky > 0, self._sky, 1), 0))
        lowest = _BRIGHT * np.sqrt(deepest) / (2 * np.sqrt(np.pi) * self._width)
        for row, column in _peaks(mean, float(lowest), self.half):
            if not all(c.start <= at < c.stop for c, at in zip(inner, (row, column), strict=True)):
                continue
            found = _displacements(
                image, usable, mean, row, column, self.half, self._weight, self._sky, self._gains
            )
            flux = float(mean[row, column]) * 2 * np.pi * self._width**2
            self._stars.append((float(column + corner[1]), float(row + corner[0]), flux))
            self._found.append(found)

    def stars(self, wcs: WCS) -> Table | None:
        """Stars with their coefficients; None if there are too few or they do not differ.

        Returns
        -------
        Table
            ``ra``, ``decl`` [deg], ``flux`` [nJy], ``coefficient``, ``coefficientErr`` [arcsec]:
            displacement towards the zenith per unit of tan(z); ``pullEast``, ``pullNorth``: mean
            :func:`pull` of the visits that show the star.
        """
        if len(self._stars) < _STARS:
            return None
        x, y, flux = np.array(self._stars).T
        found = np.stack(self._found)
        weight = self._weight * (found[:, :, 0] > 0)
        weight[weight.sum(axis=1) == 0] = self._weight
        mean = weight @ self._pulls / weight.sum(axis=1, keepdims=True)
        moved = (self._pulls - mean[:, None]) @ self._axes.T  # pixels an arcsecond moves a star
        value, error = _coefficients(np.column_stack([x, y]), found, moved)
        middle, spread = _population(value[error < 1], error[error < 1])
        if spread == 0:
            return None
        # One far from all others moves, or is a blend; one that no visit shows is like the others.
        wild = np.abs(value - middle) > _WILD * np.hypot(spread, error)
        share = np.where(wild, 0.0, spread**2 / (spread**2 + error**2))
        ra, decl = wcs.all_pix2world(x, y, 0)
        return Table(
            {
                "ra": ra, "decl": decl, "flux": flux,
                "coefficient": middle + share * (value - middle),
                "coefficientErr": spread * np.sqrt(1 - share),
                "pullEast": mean[:, 0], "pullNorth": mean[:, 1],
            },
            units={"ra": "deg", "decl": "deg", "flux": "nJy", "coefficient": "arcsec",
                   "coefficientErr": "arcsec"},
        )  # fmt: skip


def _coefficients(
    place: FloatArray, found: FloatArray, moved: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Coefficient of each star and its error [arcsec].

    Parameters
    ----------
    place : array, shape (stars, 2) [pixel]
    found : array, shape (stars, n, 5)
        From :func:`_displacements`.
    moved : array, shape (stars, n, 2)
        Displacement by a coefficient of 1 [pixel].

    Notes
    -----
    The WCS of each visit has errors, linear in the position, and all displacements have an error
    beside that by noise, since PSFs have; both are found from the stars themselves.
    """
    seen = found[:, :, 0] > 0
    covariance = np.zeros((*seen.shape, 2, 2))
    one = np.where(seen, found[:, :, 0], 1), np.where(seen, found[:, :, 2], 1)
    det = one[0] * one[1] - found[:, :, 1] ** 2
    seen &= det > 0
    det = np.where(seen, det, 1)
    covariance[..., 0, 0], covariance[..., 1, 1] = one[1] / det, one[0] / det
    covariance[..., 0, 1] = covariance[..., 1, 0] = -found[:, :, 1] / det
    displaced = np.einsum("skij,skj->ski", covariance, found[:, :, 3:])
    noise = np.trace(covariance, axis1=2, axis2=3) / 2
    offset, value = np.zeros_like(displaced), np.zeros(len(seen))
    error, extra = np.ones(len(seen)), _STEADY**2
    design = np.column_stack([np.ones(len(place)), (place - place.mean(axis=0)) / 1000])
    for _ in range(12):
        off = displaced - offset - value[:, None, None] * moved
        good = seen & (np.sum(off**2, axis=-1) < _WILD**2 * (noise + extra))
        weight = good / (noise + extra)
        down = np.sum(weight[..., None] * moved**2, axis=(1, 2)) + 1e-12
        value += np.sum(weight[..., None] * moved * off, axis=(1, 2)) / down
        error = 1 / np.sqrt(down)
        left = displaced - value[:, None, None] * moved
        for k in range(seen.shape[1]):
            terms = design if good[:, k].sum() > 2 * _STARS else design[:, :1]
            root = np.sqrt(weight[:, k, None])
            solution = np.linalg.lstsq(root * terms, root * left[:, k], rcond=None)[0]
            offset[:, k] = terms @ solution
        # The extra error for which chi-square is its number of degrees of freedom: of each star
        # one coefficient is known, of each visit six numbers.
        bright = good & (noise < _STEADY**2)
        free = 2 * bright.sum() - bright.any(axis=1).sum() - 6 * bright.any(axis=0).sum()
        if free > _STARS:
            each = np.sum((left - offset) ** 2, axis=-1) - free / bright.sum() * noise
            extra = max(float(np.sum(each[bright])) / free, _FINEST**2)
    return value, error


def _population(value: FloatArray, error: FloatArray) -> tuple[float, float]:
    """Mean and standard deviation of what was measured with errors; 0 if these explain it."""
    if value.size < _STARS:
        return 0.0, 0.0
    if np.sum((value - np.median(value)) ** 2 / error**2) < value.size + 5 * np.sqrt(
        2 * value.size
    ):
        return float(np.median(value)), 0.0
    middle, spread = float(np.median(value)), 0.0
    for _ in range(20):
        wide, off = np.hypot(spread, error), np.abs(value - middle)
        good = off < _WILD * np.maximum(wide, 1.4826 * np.median(off))
        weight = good / wide**2
        middle = float(np.sum(weight * value) / np.sum(weight))
        # The spread for which chi-square is its number of degrees of freedom.
        weight = weight / wide**2
        excess = np.sum(weight * ((value - middle) ** 2 - wide**2)) / np.sum(weight)
        spread = float(np.sqrt(max(spread**2 + excess, 0.0)))
    return middle, spread


@compiled
def _peaks(image: FloatImage, lowest: float, apart: int) -> NDArray[np.int64]:
    """Pixels (row, column) above a value that no other within a distance exceeds, shape (n, 2)."""
    ny, nx = image.shape
    out = np.empty((ny * nx // 16 + 1, 2), np.int64)
    count = 0
    for i in range(1, ny - 1):
        for j in range(1, nx - 1):
            value = image[i, j]
            if value < lowest:
                continue
            top = True
            for r in range(max(0, i - apart), min(ny, i + apart + 1)):
                for c in range(max(0, j - apart), min(nx, j + apart + 1)):
                    if image[r, c] > value:
                        top = False
                        break
                if not top:
                    break
            if top and count < out.shape[0]:
                out[count, 0], out[count, 1] = i, j
                count += 1
    return out[:count]


@compiled
def _displacements(
    image: FloatImage, usable: NDArray[np.bool_], mean: FloatImage, row: int, column: int,
    half: int, weight: FloatArray, sky: FloatArray, gains: FloatArray,
) -> FloatArray:  # fmt: skip
    """Set up normal equations for where a star stands in each visit, relative to the mean.

    Least squares for image = (1 + e) mean - displacement . gradient + b, with e and b free in each
    visit: stars vary, and skies are not perfect. Shape (n, 5): matrix xx, xy, yy, right side x, y;
    0 where a visit does not show most of the star.
    """
    n, ny, nx = image.shape
    out = np.zeros((n, 5))
    i0, i1 = max(1, row - half), min(ny - 1, row + half + 1)
    j0, j1 = max(1, column - half), min(nx - 1, column + half + 1)
    normal = np.zeros((4, 4))
    right = np.zeros(4)
    term = np.zeros(4)
    for k in range(n):
        if weight[k] <= 0:
            continue
        whole, part = 0.0, 0.0
        normal[:] = 0
        right[:] = 0
        for i in range(i0, i1):
            for j in range(j0, j1):
                if (i - row) ** 2 + (j - column) ** 2 > half * half:
                    continue
                whole += mean[i, j] ** 2
                if not usable[k, i, j]:
                    continue
                part += mean[i, j] ** 2
                term[0], term[1] = mean[i, j], 1.0
                term[2] = -(mean[i, j + 1] - mean[i, j - 1]) / 2
                term[3] = -(mean[i + 1, j] - mean[i - 1, j]) / 2
                noise = sky[k] + max(mean[i, j], 0) / gains[k]
                for a in range(4):
                    right[a] += term[a] * (image[k, i, j] - mean[i, j]) / noise
                    for b in range(4):
                        normal[a, b] += term[a] * term[b] / noise
        det = normal[0, 0] * normal[1, 1] - normal[0, 1] * normal[0, 1]
        if part < _SHOWN * whole or det <= 0:
            continue
        # Without the first two: what they explain is taken off.
        for a in range(2, 4):
            e0 = (normal[1, 1] * normal[0, a] - normal[0, 1] * normal[1, a]) / det
            e1 = (normal[0, 0] * normal[1, a] - normal[0, 1] * normal[0, a]) / det
            out[k, a + 1] = right[a] - e0 * right[0] - e1 * right[1]
            for b in range(a, 4):
                out[k, a + b - 4] = normal[a, b] - e0 * normal[0, b] - e1 * normal[1, b]
    return out
