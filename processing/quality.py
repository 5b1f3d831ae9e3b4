"""Numbers that characterise a visit image, by the columns of CcdVisit (GEN-10, GEN-11)."""

from typing import Any

import numpy as np
from astropy.wcs import WCS
from numpy.typing import NDArray

from processing.astrometry import pixel_scale
from processing.exposure import Exposure, Mask
from processing.psf import PsfModel, fwhm
from processing.sampling import median

FloatArray = NDArray[np.float64]


def geometry(wcs: WCS, shape: tuple[int, int]) -> dict[str, Any]:
    """Centre, corners, scale, rotation and the WCS itself as text."""
    ny, nx = shape
    x, y = (nx - 1) / 2, (ny - 1) / 2
    corners = np.array([[-0.5, -0.5], [nx - 0.5, -0.5], [nx - 0.5, ny - 0.5], [-0.5, ny - 0.5]])
    sky = wcs.all_pix2world(corners, 0)
    centre = wcs.all_pix2world([[x, y]], 0)[0]
    values: dict[str, Any] = {"ra": float(centre[0]), "decl": float(centre[1])}
    for name, (ra, decl) in zip(("ll", "lr", "ur", "ul"), sky, strict=True):
        values |= {f"{name}Ra": float(ra), f"{name}Decl": float(decl)}
    jacobian = local_jacobian(wcs, x, y)
    return values | {
        "footprint": sky.ravel(),
        "pixelScale": pixel_scale(wcs),
        "rotation": float(np.degrees(np.arctan2(jacobian[0, 1], jacobian[1, 1]))),
        "wcsHeader": "\n".join(
            line.rstrip() for line in wcs.to_header().tostring(sep="\n").splitlines()
        ),
    }


def local_jacobian(wcs: WCS, x: float, y: float) -> FloatArray:
    """Matrix [arcsec / pixel] from (dx, dy) to (East, North) at a pixel, shape (2, 2)."""
    points = wcs.all_pix2world([[x - 0.5, y], [x + 0.5, y], [x, y - 0.5], [x, y + 0.5]], 0)
    decl = np.radians(points[:, 1].mean())
    columns = []
    for low, high in ((0, 1), (2, 3)):
        dra = (points[high, 0] - points[low, 0] + 180) % 360 - 180
        columns.append([dra * np.cos(decl) * 3600, (points[high, 1] - points[low, 1]) * 3600])
    return np.array(columns).T


def psf_numbers(psf: PsfModel, wcs: WCS, shape: tuple[int, int], median: float) -> dict[str, Any]:
    """Seeing [arcsec], FWHM [pixel] and adaptive moments [arcsec**2] of the PSF."""
    ny, nx = shape
    x, y = (nx - 1) / 2, (ny - 1) / 2
    stamp = psf.image(x, y)
    jacobian = local_jacobian(wcs, x, y)
    moments = jacobian @ adaptive_moments(stamp) @ jacobian.T
    return {
        "seeing": median * pixel_scale(wcs),
        "psfFwhm": fwhm(stamp),
        "psfIxx": float(moments[0, 0]),
        "psfIyy": float(moments[1, 1]),
        "psfIxy": float(moments[0, 1]),
    }


def adaptive_moments(stamp: FloatArray) -> FloatArray:
    """Second moments [pixel**2] under a matched elliptical Gaussian; matrix (x, y), shape (2, 2).

    Bernstein & Jarvis (2002), section 3.1: the weight is the Gaussian of the moments themselves.
    """
    n = stamp.shape[0]
    grid = np.arange(n) - n // 2
    x, y = np.meshgrid(grid, grid)
    moments = np.eye(2) * (fwhm(stamp) / 2.355) ** 2
    for _ in range(200):
        inverse = np.linalg.inv(moments)
        weight = np.exp(
            -0.5 * (inverse[0, 0] * x * x + 2 * inverse[0, 1] * x * y + inverse[1, 1] * y * y)
        )
        light = weight * stamp
        xx, yy, xy = ((light * product).sum() for product in (x * x, y * y, x * y))
        new = 2 * np.array([[xx, xy], [xy, yy]]) / light.sum()
        if np.abs(new - moments).max() < 1e-8:
            return np.asarray(new)
        moments = new
    return moments


def sky_numbers(exposure: Exposure, background: float) -> dict[str, Any]:
    """Sky level [nJy/arcsec**2], pixel noise [nJy] and usable share of an image in nJy."""
    usable = exposure.usable()
    empty = usable & (exposure.mask & int(Mask.DETECTED) == 0)
    chosen = empty if empty.any() else usable
    middle = median(exposure.image, chosen)
    return {
        "skyBg": background / pixel_scale(exposure.wcs) ** 2,
        "skyNoise": 1.4826 * median(np.abs(exposure.image - np.float32(middle)), chosen),
        "usableFraction": float(usable.mean()),
    }


def noise_peaks(difference: Exposure, threshold: float) -> float:
    """Predict how many peaks of either sign noise lifts above a threshold (Rice's formula).

    For a white image whose score is its correlation with a PSF p the curvature of the score at
    its peaks is that of p: of a Gaussian, 1 / (2 sigma**2) an axis.
    """
    if difference.psf is None:
        return float("nan")
    ny, nx = difference.shape
    p = difference.psf.image((nx - 1) / 2, (ny - 1) / 2)
    slopes = np.gradient(p)
    power = float((p**2).sum())
    xx, yy, xy = (float((slopes[a] * slopes[b]).sum()) / power for a, b in ((1, 1), (0, 0), (0, 1)))
    curvature = np.sqrt(max(xx * yy - xy * xy, 0.0))
    rate = (2 * np.pi) ** -1.5 * curvature * threshold * np.exp(-(threshold**2) / 2)
    return float(2 * difference.usable().sum() * rate)
