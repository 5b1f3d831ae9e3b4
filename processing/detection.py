"""Bright sources of a visit image, for PSF, astrometry and zero point (GEN-10)."""

from dataclasses import dataclass

import numpy as np
import sep
from numpy.typing import NDArray

from processing.exposure import FloatImage, Mask, MaskImage
from skyledger.errors import DataRejectedError

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Detections:
    """Sources of one image, arrays of n, brightest first.

    Attributes
    ----------
    x, y : array [pixel]
        Centroids under a Gaussian window.
    flux, flux_err : array [unit of the image]
        Within a circle of ``radius``.
    half_light : array [pixel]
        Radius of half of that flux.
    clean : array of bool
        Not blended, not cut by the border, no saturated, bad or lost pixel in the core.
    radius : float [pixel]
    segments : array of int, shape (ny, nx)
        0 is sky, i + 1 belongs to source ``label[i]``.
    """

    x: FloatArray
    y: FloatArray
    flux: FloatArray
    flux_err: FloatArray
    half_light: FloatArray
    clean: NDArray[np.bool_]
    radius: float
    segments: NDArray[np.int32]
    label: NDArray[np.int64]

    def __len__(self) -> int:
        return int(self.x.size)


def coarse_fwhm(image: FloatImage, bad: NDArray[np.bool_]) -> float:
    """Width of the PSF [pixel] to a tenth, from the sizes of bright sources.

    Raises
    ------
    DataRejectedError
        If nothing on the image is bright and whole.
    """
    image, bad = np.ascontiguousarray(image), np.ascontiguousarray(bad)  # parts of larger ones
    background = sep.Background(image, mask=bad)
    plain = image - background.back()
    sep.set_extract_pixstack(max(image.size, 300_000))
    found = sep.extract(plain, 15.0, err=background.globalrms, mask=bad, minarea=8)
    found = found[(found["flag"] == 0) & (found["npix"] > 8)]
    if len(found) == 0:
        raise DataRejectedError(
            "nothing stands 15 standard deviations above the sky; "
            "look at the frame: shutter closed, clouds, or wrong calibration frames"
        )
    found = np.sort(found, order="flux")[::-1][:100]
    half, flags = sep.flux_radius(
        plain, found["x"], found["y"], np.full(len(found), 12.0), 0.5, subpix=5
    )
    # Half of the light of a Gaussian lies within half of its FWHM; stars are the smallest
    # sources, a quarter of the way up leaves out cosmic rays and galaxies.
    widths = 2 * half[(flags == 0) & (half > 0.6)]
    return float(np.percentile(widths, 25)) if widths.size else 4.0


def detect(
    image: FloatImage, noise: FloatImage, mask: MaskImage, fwhm: float, threshold: float = 10.0
) -> Detections:
    """Detect sources whose peak stands ``threshold`` times the noise above the background.

    Parameters
    ----------
    image : array, shape (ny, nx)
        Less the background.
    noise : array
        Standard deviation of a pixel.
    fwhm : float [pixel]
        Width of the PSF, to a tenth.
    threshold : float
        In units of the noise of a pixel.
    """
    image = np.ascontiguousarray(image)
    lost = (mask & int(Mask.BAD | Mask.NO_DATA)) != 0
    # Room for every pixel to belong to a source, in place of an error on crowded frames.
    sep.set_extract_pixstack(max(image.size, 300_000))
    found, segments = sep.extract(
        image,
        threshold / 3,
        err=np.ascontiguousarray(noise),
        mask=lost,
        minarea=5,
        deblend_cont=0.005,
        segmentation_map=True,
    )
    label = np.arange(1, len(found) + 1)
    keep = found["peak"] > threshold * noise[found["ypeak"], found["xpeak"]]
    found, label = found[keep], label[keep]
    order = np.argsort(found["flux"])[::-1]
    found, label = found[order], label[order]
    x, y, _ = sep.winpos(
        image, found["x"], found["y"], np.full(len(found), fwhm / 2.355), mask=lost
    )
    moved = (np.hypot(x - found["x"], y - found["y"]) > fwhm) | ~np.isfinite(x + y)
    x, y = np.where(moved, found["x"], x), np.where(moved, found["y"], y)
    radius = 1.5 * fwhm
    flux, flux_err, _ = sep.sum_circle(image, x, y, radius, err=noise, mask=lost, subpix=5)
    half, half_flags = sep.flux_radius(
        image, x, y, np.full(len(x), 3 * fwhm), 0.5, normflux=flux, subpix=5, mask=lost
    )
    harmed = Mask.SAT | Mask.BAD | Mask.NO_DATA | Mask.CR | Mask.STREAK
    core = ((mask & int(harmed)) != 0).astype(np.float32)
    hits, _, _ = sep.sum_circle(np.ascontiguousarray(core), x, y, fwhm, subpix=1)
    border = 2 * fwhm
    ny, nx = image.shape
    inside = (x > border) & (y > border) & (x < nx - 1 - border) & (y < ny - 1 - border)
    clean = (
        ((found["flag"] & ~np.int64(sep.OBJ_MERGED)) == 0)
        & (hits == 0)
        & inside
        & ~moved
        & ((half_flags & (sep.APER_ALLMASKED | sep.APER_NONPOSITIVE)) == 0)
        & (flux > 0)
    )
    return Detections(
        x=x.astype(np.float64),
        y=y.astype(np.float64),
        flux=flux.astype(np.float64),
        flux_err=flux_err.astype(np.float64),
        half_light=half.astype(np.float64),
        clean=clean,
        radius=radius,
        segments=segments,
        label=label,
    )


def star_like(found: Detections, min_snr: float) -> NDArray[np.bool_]:
    """Clean sources on the ridge of stars: one size whatever the flux.

    The ridge is where most clean bright sources share a half-light radius within 10 %; galaxies
    are larger and spread, cosmic rays smaller and few.
    """
    bright = found.clean & (found.flux > min_snr * found.flux_err)
    sizes = np.sort(found.half_light[bright])
    if sizes.size == 0:
        return bright
    counts = np.searchsorted(sizes, sizes * 1.10, side="right") - np.arange(sizes.size)
    start = sizes[int(np.argmax(counts))]
    ridge = sizes[(sizes >= start) & (sizes <= 1.10 * start)]
    middle = float(np.median(ridge))
    spread = max(1.4826 * float(np.median(np.abs(ridge - middle))), 0.01 * middle)
    reach = min(4 * spread, 0.12 * middle)
    on_ridge: NDArray[np.bool_] = bright & (np.abs(found.half_light - middle) < reach)
    return on_ridge
