"""What a spectrum does to an image within a band: refraction by colour, and seeing by colour.

The six fluxes of an object, joined by straight lines in the logarithm, are its spectrum; filters
have sharp edges.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulate import camera
from skyledger.dictionary import BANDS

FloatArray = NDArray[np.float64]

EDGES = {  # of the filters, micrometres
    "u": (0.33, 0.40),
    "g": (0.40, 0.55),
    "r": (0.55, 0.69),
    "i": (0.69, 0.82),
    "z": (0.82, 0.92),
    "y": (0.95, 1.06),
}
PRESSURE, TEMPERATURE = 738.0, 10.0  # hPa, degrees Celsius at the site
# Magnitudes of the star that defines the pointing, ugrizy relative to r.
_MEAN_STAR = np.array([1.7, 0.6, 0.0, -0.22, -0.34, -0.40])
_STEPS = 32  # wavelengths within a band


def refractivity(wavelength: FloatArray) -> FloatArray:
    """Refractive index of dry air at the site minus one; ``wavelength`` in micrometres.

    Edlen (1953) in the form of Filippenko (1982).
    """
    wave = 1 / np.asarray(wavelength) ** 2
    standard = 64.328 + 29498.1 / (146 - wave) + 255.4 / (41 - wave)
    torr = PRESSURE * 0.750062
    density = torr * (1 + (1.049 - 0.0157 * TEMPERATURE) * 1e-6 * torr)
    return np.asarray(1e-6 * standard * density / (720.883 * (1 + 0.003661 * TEMPERATURE)))


@dataclass(frozen=True)
class Colour:
    """What the spectra of n objects do in one band; arrays of length n.

    ``shift``: refractivity relative to the mean star; ``spread``: its standard deviation over the
    photons; ``width``: of the PSF relative to the mean star's.
    """

    shift: FloatArray
    spread: FloatArray
    width: FloatArray


def colour(flux: FloatArray, band: str) -> Colour:
    """Return what spectra of fluxes of shape (n, 6) in ugrizy do in a band.

    Seeing goes with the wavelength to the power -0.2 (Kolmogorov turbulence).
    """
    mean = 10 ** (-0.4 * _MEAN_STAR)
    centres = np.array([np.mean(EDGES[b]) for b in BANDS])
    wavelength = np.linspace(*EDGES[band], _STEPS)
    logs = np.log(np.maximum(np.concatenate([mean[None], np.atleast_2d(flux)]), 1e-3))
    # straight lines, the outer ones continued
    left = np.clip(np.searchsorted(centres, wavelength) - 1, 0, len(BANDS) - 2)
    part = (wavelength - centres[left]) / (centres[left + 1] - centres[left])
    photons = np.exp(logs[:, left] * (1 - part) + logs[:, left + 1] * part) / wavelength
    photons /= photons.sum(axis=1, keepdims=True)
    index = refractivity(wavelength)
    bent = photons @ index
    spread = np.sqrt(np.maximum(photons @ index**2 - bent**2, 0))
    wide = photons @ (wavelength / camera.PIXEL_SCALE) ** -0.2
    return Colour(bent[1:] - bent[0], spread[1:], wide[1:] / wide[0])
