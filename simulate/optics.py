"""The point-spread function: a Kolmogorov profile whose size and shape vary over the field.

Not a Moffat and not round: FWHM and shear are second-order polynomials of the focal plane, a part
of the telescope that stays and a part of the visit that changes. Known in closed form in Fourier
space, so that stars are drawn without interpolation.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulate.randomness import generator

FloatArray = NDArray[np.float64]

# FWHM = 0.97586 lambda / r0 and exp(-3.44 (lambda k / 2 pi r0)^(5/3)): Fried 1966
_FWHM_R0 = 0.9758634299
_STRUCTURE = 3.4420


def kolmogorov(k_squared: FloatArray, fwhm: FloatArray) -> FloatArray:
    """Fourier transform of a Kolmogorov profile of unit flux.

    ``k_squared`` in (rad/px)^2, ``fwhm`` in px.
    """
    scale = fwhm / (_FWHM_R0 * 2 * np.pi)
    return np.asarray(np.exp(-_STRUCTURE * (k_squared * scale**2) ** (5 / 6)))


def _terms(u: FloatArray, v: FloatArray) -> FloatArray:
    return np.stack([u, v, u * u - 1 / 3, u * v, v * v - 1 / 3], axis=-1)


@dataclass(frozen=True)
class PsfField:
    """PSF of a visit over the focal plane.

    ``fwhm`` [px] at the mean of the field; ``size``, ``g1``, ``g2``: six polynomial coefficients
    each (constant and u, v, u^2 - 1/3, uv, v^2 - 1/3), the constant of ``size`` being 1; u, v are
    focal-plane positions over ``half_width`` [px].
    """

    fwhm: float
    size: FloatArray
    g1: FloatArray
    g2: FloatArray
    half_width: float

    def at(self, x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """FWHM [px] of the round profile and shear (g1, g2) at focal-plane positions [px]."""
        terms = _terms(x / self.half_width, y / self.half_width)
        fwhm = self.fwhm * (self.size[0] + terms @ self.size[1:])
        return fwhm, self.g1[0] + terms @ self.g1[1:], self.g2[0] + terms @ self.g2[1:]


def psf_field(seed: int, visit_id: int, fwhm: float, half_width: float, varies: bool) -> PsfField:
    """Draw the PSF of a visit.

    Parameters
    ----------
    fwhm : float
        Mean FWHM [px].
    half_width : float
        Half the width of the focal plane [px].
    varies : bool
        False gives a round PSF that is the same everywhere.
    """
    if not varies:
        return PsfField(fwhm, np.eye(6)[0], np.zeros(6), np.zeros(6), half_width)
    telescope = generator(seed, "telescope optics")
    visit = generator(seed, "visit optics", visit_id)
    # per coefficient: spread of the part that stays, spread of the part of the visit
    parts = {
        "size": ([0.0, 0.01, 0.01, 0.02, 0.01, 0.02], [0.0, 0.01, 0.01, 0.01, 0.01, 0.01]),
        "g1": ([0.01, 0.005, 0.005, 0.01, 0.005, 0.01], [0.015, 0.004, 0.004, 0.004, 0.004, 0.004]),
        "g2": ([0.01, 0.005, 0.005, 0.01, 0.005, 0.01], [0.015, 0.004, 0.004, 0.004, 0.004, 0.004]),
    }
    drawn = {
        name: np.clip(telescope.standard_normal(6), -2, 2) * np.array(stays)
        + np.clip(visit.standard_normal(6), -2, 2) * np.array(changes)
        for name, (stays, changes) in parts.items()
    }
    drawn["size"][0] = 1.0
    return PsfField(fwhm, drawn["size"], drawn["g1"], drawn["g2"], half_width)
