"""Differences of two epochs of SDSS Stripe 82 in five bands, and what is left in them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table
from support.figures import say

from processing import coadd, instrument, reader, single_visit
from processing.deblend import flag
from processing.dia import detect_and_measure
from processing.difference import subtract
from processing.exposure import Exposure

_BRIGHT, _FAINT = 16.0, 20.0  # magnitude in r of the stars that are counted
_MOVED = 5.0  # significance of a motion between the epochs


@dataclass(frozen=True)
class Pair:
    """DIASources of one band and the stars of both epochs."""

    band: str
    sources: Table
    old: Table
    new: Table
    visit: Exposure


def difference(directory: Path, band: str) -> Pair:
    """Subtract the first epoch from the second, and measure."""
    used = instrument.load("sdss")
    frames, _ = reader.scan(directory, used)
    epochs = [
        single_visit.process(frame, used, None, None)
        for template in (True, False)
        for frame in frames
        if frame.visit.band == band and frame.visit.is_template == template
    ]
    old, new = epochs
    made = subtract(new.exposure, coadd.build_template([old.exposure]))
    return Pair(band, detect_and_measure(made, new.exposure), old.stars, new.stars,
                new.exposure)  # fmt: skip


def moved(pair: Pair) -> np.ndarray:
    """Whether each DIASource lies within 3 arcsec of a star that moved between the epochs."""
    old, new = (
        np.column_stack([t["ra"] * np.cos(np.radians(t["decl"])), t["decl"]]) * 3600
        for t in (pair.old, pair.new)
    )
    at = np.column_stack(
        [pair.sources["ra"] * np.cos(np.radians(pair.sources["decl"])), pair.sources["decl"]]
    )
    out = np.zeros(len(at), bool)
    if not len(old) or not len(new):
        return out
    apart = np.hypot(*(new[:, None] - old[None]).transpose(2, 0, 1))
    shift = (new - old[apart.argmin(axis=1)])[apart.min(axis=1) < 3]
    stars = new[apart.min(axis=1) < 3]
    # Most stars stay: what is common is the registration, what is usual its error.
    shift = shift - np.median(shift, axis=0)
    error = 1.4826 * np.median(np.abs(shift), axis=0)
    fast = stars[np.hypot(*(shift / error).T) > _MOVED]
    for k, place in enumerate(np.asarray(at) * 3600):
        out[k] = len(fast) > 0 and np.hypot(*(fast - place).T).min() < 3
    return out


def stars(directory: Path, visit: Exposure) -> int:
    """Count the catalogued stars of 16 < r < 20 on a visit."""
    known = fits.getdata(directory / "refcat_s82_stars.fits.gz")
    ra, decl = np.asarray(known["ra"], float) % 360, np.asarray(known["dec"], float)
    near = np.hypot((ra - visit.wcs.wcs.crval[0] + 180) % 360 - 180, decl) < 2
    near &= (known["r"] > _BRIGHT) & (known["r"] < _FAINT)
    x, y = visit.wcs.all_world2pix(ra[near], decl[near], 0)
    ny, nx = visit.shape
    return int(np.sum((x > 0) & (x < nx) & (y > 0) & (y < ny)))


def report(directory: Path) -> None:
    """Print what is left of the DIASources of each band for 100 stars."""
    for band in "ugriz":
        pair = difference(directory, band)
        rows = pair.sources
        strong = (rows["snr"] >= 6) & ((rows["flags"] & flag("PARENT")) == 0)
        fast = moved(pair)
        credible = np.asarray(rows["spuriousness"] < 0.5)
        n = stars(directory, pair.visit)
        for name, kept in (("all", ~fast & (rows["flags"] & flag("PARENT") == 0)),
                           ("S/N >= 6", ~fast & strong)):  # fmt: skip
            say("spurious.sdss", 100 * np.sum(kept & credible) / n, "DIASources for 100 stars",
                "<= 1", band=band, which=name, stars=n, before=int(np.sum(kept)),
                left=int(np.sum(kept & credible)), set_aside=int(fast.sum()))  # fmt: skip
