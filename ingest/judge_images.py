"""The images of a simulated survey against its truth: zero points, WCS, PSFs, cosmic rays."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from astropy.io import fits as astropy_fits
from astropy.wcs import WCS

from ingest.injection import spread
from ingest.verdict import Columns, Verdict, flat
from processing import fits
from processing.exposure import Mask
from skyledger import products


def calibration(verdict: Verdict, frames: Columns, truth: dict[str, Columns]) -> None:
    """Zero points, astrometric solutions and PSFs against the truth."""
    visits, sources = truth["visits"], truth["sources"]
    index = {int(c): k for k, c in enumerate(visits["ccdVisitId"])}
    off, pull, wcs, wcs_pull, width = [], [], [], [], []
    for k, ccd_visit in enumerate(frames["ccdvisitid"]):
        if int(ccd_visit) not in index:
            continue
        row = index[int(ccd_visit)]
        # Flats are 1 in the mean: images count electrons of a pixel of mean response.
        scale = visits["electronsPerNjy"][row] * visits["response"][row]
        true = 31.4 + 2.5 * np.log10(scale)
        off.append(1000 * (frames["zeropoint"][k] - true))
        error = 1000 * 2.5 / np.log(10) * frames["photocalibrelerr"][k]
        pull.append(off[-1] / error)
        width.append(frames["seeing"][k] / visits["seeing"][row])
        here = (sources["visitId"] == frames["visitid"][k]) & (
            sources["detector"] == frames["detector"][k]
        )
        here &= np.isin(sources["kind"], ["star", "galaxy"])
        header = astropy_fits.Header.fromstring(str(frames["wcsheader"][k]), sep="\n")
        solution = WCS(header)
        ra, decl = solution.all_pix2world(sources["x"][here], sources["y"][here], 0)
        east, north = flat(ra, decl, sources["ra"][here], sources["decl"][here])
        wcs.append(1000 * float(np.sqrt(np.median(east**2 + north**2))))
        wcs_pull += [
            float(np.median(east)) / frames["astromsysraerr"][k],
            float(np.median(north)) / frames["astromsysdeclerr"][k],
        ]
    n = len(off)
    if not n:
        return
    verdict.add("calibration.zp_mmag", np.sqrt(np.mean(np.square(off))), None, 5, n, "rms")
    verdict.add("calibration.zp_pull", spread(np.array(pull))["sd"], 0.8, 1.25, n)
    verdict.add("calibration.wcs_mas", np.median(wcs), None, 50, n, "median over the field")
    verdict.add("calibration.wcs_pull", spread(np.array(wcs_pull))["sd"], 0.8, 1.25, 2 * n)
    verdict.add("psf.seeing", np.median(width), None, None, n, "of the true one, with pixels")
    residual = frames["psfresidual"].astype(float)
    residual = residual[np.isfinite(residual)]
    if len(residual):
        verdict.add(
            "psf.residual", np.median(residual), None, 0.01, len(residual), "reserved stars"
        )
    score = frames["scoresd"].astype(float)
    score = score[np.isfinite(score)]
    if len(score):
        verdict.add("score.sd", np.median(score), 0.97, 1.03, len(score), "before it is scaled")
    differenced = np.isfinite(frames["templateid"].astype(float))
    masked = 1 - frames["usablefraction"].astype(float)[differenced]
    if len(masked):
        verdict.add("noise.masked", np.mean(masked), None, 0.03, len(masked), "of the visit image")
    verdict.drawn["zero point [mmag]"] = np.array(off)
    verdict.drawn["WCS [mas]"] = np.array(wcs)


def cosmics(verdict: Verdict, frames: Columns, folder: Path) -> None:
    """Cosmic rays of the truth that the kept visit images have masked."""
    unusable = int(Mask.CR | Mask.SAT | Mask.BAD)
    hit = masked = files = 0
    for k in range(len(frames["ccdvisitid"])):
        path = products.root() / str(frames["pvipath"][k])
        name = f"{int(frames['visitid'][k])}-{int(frames['detector'][k])}.parquet"
        rays = folder / "cosmic_rays" / name
        if not path.is_file() or not rays.is_file():
            continue
        pvi = fits.read(path)
        table = pq.read_table(rays).to_pydict()
        charge, pixel = np.array(table["charge"]), np.array(table["pixel"], dtype=int)
        noise = pvi.quality.get("skyNoise")
        if noise is None or not len(pixel):
            continue
        visible = charge > 5 * noise * pvi.electrons_per_unit
        files += 1
        hit += int(visible.sum())
        masked += int(((pvi.mask.ravel()[pixel[visible]] & unusable) != 0).sum())
    share = masked / hit if hit else None
    verdict.add(
        "cosmics.found", share, 0.99, None, hit, f"pixels hit above 5 sigma, {files} images"
    )
