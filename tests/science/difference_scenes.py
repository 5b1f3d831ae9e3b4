"""Simulated visits for the tests of differences: Moffat stars that the pipeline knows nothing of.

Fluxes in nJy, one electron per nJy, 0.2 arcsec pixels; the PSF's width and ellipticity vary over
the detector. Nothing of `processing` but its data classes is used to draw.
"""

from dataclasses import dataclass

import numpy as np
from astropy.wcs import WCS

from processing.exposure import Exposure, VisitInfo
from processing.psf import PsfModel

SCALE = 0.2  # arcsec per pixel
RA, DECL = 150.0, 2.0


def make_wcs(shape, rotation=0.0, dx=0.0, dy=0.0, flip=False):
    """Tangent plane at (RA, DECL) in the middle of the detector, moved by (dx, dy) pixels."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [RA, DECL]
    wcs.wcs.crpix = [(shape[1] + 1) / 2 + dx, (shape[0] + 1) / 2 + dy]
    c, s = np.cos(np.radians(rotation)), np.sin(np.radians(rotation))
    parity = 1 if flip else -1
    wcs.wcs.cd = SCALE / 3600 * np.array([[parity * c, s], [-parity * s, c]])
    wcs.wcs.set()
    return wcs


def make_visit(ccd_visit_id, band="r", mid_tai=61000.0, **changes):
    return VisitInfo(
        **{
            "instrument": "test", "visit_id": ccd_visit_id, "ccd_visit_id": ccd_visit_id,
            "detector": 0, "band": band, "filter_name": band, "program_id": "test",
            "mid_tai": mid_tai, "mid_tai_dx": 0.0, "mid_tai_dy": 0.0, "exposure_time": 30.0,
            "n_snaps": 2, "airmass": 1.1, "boresight_ra": RA, "boresight_decl": DECL,
            "rotation": 0.0, "is_template": False,
        }
        | changes
    )  # fmt: skip


@dataclass
class Moffat:
    """PSF of a varying Moffat profile, beta 3, normalised to 1."""

    fwhm: float  # pixels, in the middle
    shape: tuple[int, int]
    e1: float = 0.03
    swing: float = 0.05  # relative change of the width from the middle to the border

    def stamp(self, x, y, half=20):
        """Values around the pixel nearest to (x, y), not normalised to the stamp."""
        u, v = 2 * x / self.shape[1] - 1, 2 * y / self.shape[0] - 1
        width = self.fwhm * (1 + self.swing * (0.7 * u - 0.5 * v * v))
        e1, e2 = self.e1 * (1 + u), 0.02 * v
        alpha = width / (2 * np.sqrt(2 ** (1 / 3) - 1))
        dy, dx = np.mgrid[-half : half + 1, -half : half + 1].astype(float)
        dx -= x - np.rint(x)
        dy -= y - np.rint(y)
        r2 = ((1 - e1) * dx**2 + (1 + e1) * dy**2 - 2 * e2 * dx * dy) / alpha**2
        return 2 / (np.pi * alpha**2) * np.sqrt(1 - e1**2 - e2**2) * (1 + r2) ** -3

    def image(self, x, y):
        stamp = self.stamp(float(np.rint(x)), float(np.rint(y)), 15)
        return stamp / stamp.sum()


def add_stars(image, psf, x, y, flux, half=20):
    ny, nx = image.shape
    for xi, yi, fi in zip(x, y, flux, strict=True):
        column, row = int(np.rint(xi)), int(np.rint(yi))
        if not (-half < column < nx + half and -half < row < ny + half):
            continue
        stamp = fi * psf.stamp(xi, yi, half)
        y0, y1 = max(0, row - half), min(ny, row + half + 1)
        x0, x1 = max(0, column - half), min(nx, column + half + 1)
        image[y0:y1, x0:x1] += stamp[
            y0 - row + half : y1 - row + half, x0 - column + half : x1 - column + half
        ]


def field_of_stars(rng, n, radius_deg):
    """Positions [deg] and fluxes [nJy]: a faint majority and bright stars for the kernel."""
    ra = RA + rng.uniform(-radius_deg, radius_deg, n) / np.cos(np.radians(DECL))
    decl = DECL + rng.uniform(-radius_deg, radius_deg, n)
    flux = np.minimum(2000 * rng.pareto(0.7, n) + 1000, 3e5)
    return ra, decl, flux


def expose(rng, ccd_visit_id, wcs, shape, fwhm, sky, sources, extra=(), **visit):
    """Draw a visit.

    `sources` are (ra, decl, flux) arrays; `extra` (x, y, flux) arrays in pixels; `sky` is the
    background's standard deviation per pixel.
    """
    psf = Moffat(fwhm, shape)
    model = np.zeros(shape)
    ra, decl, flux = sources
    x, y = wcs.all_world2pix(ra, decl, 0)
    add_stars(model, psf, x, y, flux)
    if len(extra):
        add_stars(model, psf, *extra)
    noise = rng.normal(size=shape) * np.sqrt(np.maximum(sky**2 + model, 0))
    image = (model + noise).astype(np.float32)
    variance = (sky**2 + np.maximum(image, 0)).astype(np.float32)
    return Exposure(
        image=image, variance=variance, mask=np.zeros(shape, np.int32), unit="nJy",
        visit=make_visit(ccd_visit_id, **visit), wcs=wcs,
        psf=PsfModel.sampled(psf, shape), electrons_per_unit=1.0,
    )  # fmt: skip


def robust_sd(values):
    return float(1.4826 * np.median(np.abs(values - np.median(values))))
