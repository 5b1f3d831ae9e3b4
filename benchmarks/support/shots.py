"""Single simulated visits, calibrated, and their truth.

Electrons are counted: sky, sources and read noise of two snaps; bright stars saturate and bleed.
Fluxes in nJy. The sky is that of 30 s in r: a point source of about 100 nJy has S/N 1.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
from astropy.wcs import WCS
from numpy.typing import NDArray
from scipy import ndimage
from support.sky import DECL, RA, SCALE
from support.true_psf import TruePsf

from processing import detection, psf_stars
from processing.exposure import Exposure, Mask, VisitInfo
from processing.psf import PsfModel

FloatArray = NDArray[np.float64]

GAIN = 1.9  # electrons per nJy
SKY = 900.0  # electrons per pixel
READ = 9.0  # electrons, of each of two snaps
FULL = 1.0e5  # electrons at which a pixel is full
EFFECTS = ("wcs", "zero point")


@dataclass
class Shot:
    """One simulated visit and its truth, all arrays (ny, nx)."""

    exposure: Exposure
    psf: TruePsf
    light: FloatArray  # static sources without noise [nJy]
    sky: FloatArray  # electrons of the background
    snap_difference: Exposure

    @property
    def variance(self) -> FloatArray:
        """True variance of each pixel without the fakes [nJy^2]."""
        return np.asarray((self.sky + 2 * READ**2 + np.maximum(self.light, 0) * GAIN) / GAIN**2)


def shoot(
    rng: np.random.Generator, ccd_visit_id: int, wcs: WCS, psf: TruePsf, points: FloatArray,
    fakes: FloatArray | None = None, *, effects: Collection[str] = EFFECTS, psf_from: str = "stars",
    level: float = SKY, mid_tai: float = 61000.0, rotation: float = 0.0,
    is_template: bool = False,
) -> Shot:  # fmt: skip
    """Take a visit.

    Parameters
    ----------
    points : array, shape (n, 3)
        ra, decl [deg], flux [nJy] of what does not change.
    fakes : array, shape (n, 3)
        x, y [pixel], flux [nJy] of what was added (or, negative, went away).
    effects : collection of str
        ``"wcs"``: 10 mas of error; ``"zero point"``: 0.5 %; ``"moon"``: a sky that rises
        fourfold across the detector.
    psf_from : str
        ``"stars"`` (measured) or ``"true"``: of the PSF that the exposure carries.
    level : float
        Electrons of the sky in a pixel.
    """
    shape = psf.shape
    x, y = wcs.all_world2pix(points[:, 0], points[:, 1], 0)
    reach = 250
    near = (x > -reach) & (x < shape[1] + reach) & (y > -reach) & (y < shape[0] + reach)
    light = np.zeros(shape)
    psf.draw(light, x[near], y[near], points[near, 2])
    added = np.zeros(shape)
    if fakes is not None and len(fakes):
        psf.draw(added, *np.ascontiguousarray(fakes.T))
    sky = np.full(shape, level)
    if "moon" in effects:
        sky *= 1 + 3 * np.arange(shape[1]) / shape[1]
    expected = np.maximum(sky + (light + added) * GAIN, 1) / 2
    snaps = [rng.poisson(expected) + READ * rng.normal(size=shape) for _ in range(2)]
    electrons = snaps[0] + snaps[1]
    full = _bleed(electrons)
    electrons[full] = FULL
    net = (electrons - sky).astype(np.float32)
    gain = GAIN * (1 + (0.005 * rng.normal() if "zero point" in effects else 0.0))
    said = wcs.deepcopy()
    if "wcs" in effects:
        said.wcs.crpix = said.wcs.crpix + rng.normal(0, 0.010 / SCALE, 2)
        said.wcs.set()
    mask = np.where(full, int(Mask.SAT), 0).astype(np.int32)
    empty = (sky + 2 * READ**2).astype(np.float32)
    smooth = np.maximum(ndimage.gaussian_filter(net, 1), 0)
    visit = VisitInfo(
        instrument="scene", visit_id=ccd_visit_id, ccd_visit_id=ccd_visit_id, detector=0, band="r",
        filter_name="r", program_id="scene", mid_tai=mid_tai, mid_tai_dx=0.0, mid_tai_dy=0.0,
        exposure_time=30.0, n_snaps=2, airmass=1.1, boresight_ra=RA, boresight_decl=DECL,
        rotation=rotation, is_template=is_template,
    )  # fmt: skip
    exposure = Exposure(
        image=(net / gain).astype(np.float32),
        variance=((empty + smooth) / gain**2).astype(np.float32),
        mask=mask, unit="nJy", visit=visit, wcs=said, electrons_per_unit=gain,
    )  # fmt: skip
    exposure.psf = _measured(exposure) if psf_from == "stars" else PsfModel.sampled(psf, shape)
    difference = ((snaps[1] - snaps[0]) * 2 / gain).astype(np.float32)
    snap_difference = replace(
        exposure,
        image=difference,
        variance=((empty + smooth) * 4 / gain**2).astype(np.float32),
        mask=mask.copy(),
        electrons_per_unit=gain / 2,
    )
    return Shot(exposure, psf, light, sky, snap_difference)


def _bleed(electrons: FloatArray) -> NDArray[np.bool_]:
    """Full pixels, their neighbours, and what their excess fills along the columns."""
    full = electrons > FULL
    parts, n = ndimage.label(full)
    out = full.copy()
    for label, (rows, columns) in enumerate(ndimage.find_objects(parts), start=1):
        for column in range(columns.start, columns.stop):
            mine = np.flatnonzero(parts[rows, column] == label) + rows.start
            if mine.size:
                more = int(np.sum(electrons[mine, column] - FULL) / FULL / 2) + 1
                out[max(0, mine[0] - more) : mine[-1] + more + 1, column] = True
    return np.asarray(ndimage.binary_dilation(out) if n else out)


def _measured(exposure: Exposure) -> PsfModel:
    usable = exposure.usable()
    image = np.where(usable, exposure.image, np.float32(0))
    width = detection.coarse_fwhm(image, ~usable)
    sigma = np.sqrt(exposure.variance)
    found = detection.detect(exposure.image, sigma, exposure.mask, width)
    return psf_stars.fit(exposure.image, exposure.variance, exposure.mask, found, width).model
