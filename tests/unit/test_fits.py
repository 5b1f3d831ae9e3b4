"""Exposures survive a trip through FITS (GEN-11, GEN-12)."""

import numpy as np
import pytest
from astropy.io import fits as astropy_fits
from astropy.wcs import WCS

from processing import fits
from processing.exposure import Exposure, Mask, VisitInfo
from processing.psf import PsfModel
from skyledger.errors import DataRejectedError, UsageError


def visit_info(**changes):
    values = {
        "instrument": "simulated",
        "visit_id": 27_000_001,
        "ccd_visit_id": 27_000_001 * 512 + 3,
        "detector": 3,
        "band": "r",
        "filter_name": "r'",
        "program_id": "wide",
        "mid_tai": 61000.123456789012,
        "mid_tai_dx": 1.234567890123456e-9,
        "mid_tai_dy": -1.234567890123456e-10,
        "exposure_time": 30.0,
        "n_snaps": 2,
        "airmass": 1.1,
        "boresight_ra": 150.1,
        "boresight_decl": 2.2,
        "rotation": 12.5,
        "is_template": False,
    }
    return VisitInfo(**values | changes)


def make_exposure(shape=(40, 60)):
    rng = np.random.default_rng(5)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [150.1234567890123456, -0.00012345678901234567]
    wcs.wcs.crpix = [30.123456789012345, 20.5]
    wcs.wcs.cd = rng.normal(0, 1, (2, 2)) * 5.5e-5
    wcs.wcs.set()
    image = rng.normal(0, 1, shape).astype(np.float32)
    image[0, 0] = np.nan
    psf = PsfModel(rng.normal(0, 1, (6, 21, 21)), 2, 29.5, 19.5, 1 / 3)
    quality = {
        "zeroPoint": 31.4 - 1 / 3,
        "nStars": 17,
        "templateId": None,
        "goodSky": True,
        "templateInputs": np.array([2**62, 5]),
        "oneInput": np.array([7]),
        "provenance": "visits 1, 2",
    }
    return Exposure(
        image=image,
        variance=rng.uniform(1, 2, shape).astype(np.float32),
        mask=rng.integers(0, 1 << 12, shape).astype(np.int32),
        unit="nJy",
        visit=visit_info(),
        wcs=wcs,
        psf=psf,
        electrons_per_unit=1 / 7,
        quality=quality,
        noise=rng.normal(0, 1, (25, 25)),
    )


@pytest.mark.requirement("GEN-11", "GEN-12")
def test_round_trip_is_exact(tmp_path):
    exposure = make_exposure()
    path = tmp_path / "a b.fits"
    fits.write(exposure, path)
    back = fits.read(path)
    for plane in ("image", "variance", "mask"):
        before, after = getattr(exposure, plane), getattr(back, plane)
        assert before.dtype == after.dtype
        assert before.tobytes() == after.tobytes()
    assert back.visit == exposure.visit
    assert (back.unit, back.electrons_per_unit) == ("nJy", 1 / 7)
    assert back.psf.coefficients.tobytes() == exposure.psf.coefficients.tobytes()
    assert back.psf.header == exposure.psf.header
    assert back.noise.tobytes() == exposure.noise.tobytes()
    kept = {k: v for k, v in exposure.quality.items() if v is not None}
    assert back.quality.keys() == kept.keys()
    for key, value in kept.items():
        np.testing.assert_array_equal(back.quality[key], value)
        assert np.shape(back.quality[key]) == np.shape(value)
    pixels = np.random.default_rng(1).uniform(0, 60, (50, 2))
    np.testing.assert_array_equal(
        back.wcs.wcs_pix2world(pixels, 0), exposure.wcs.wcs_pix2world(pixels, 0)
    )


@pytest.mark.requirement("GEN-12")
def test_file_is_plain_fits_with_equal_planes_and_named_bits(tmp_path):
    fits.write(make_exposure(), tmp_path / "x.fits")
    with astropy_fits.open(tmp_path / "x.fits") as hdus:
        hdus.verify("exception")
        planes = [hdus[name] for name in ("IMAGE", "VARIANCE", "MASK")]
        assert {hdu.data.shape for hdu in planes} == {(40, 60)}
        for plane in Mask:
            assert hdus["MASK"].header[f"MP{int(plane).bit_length() - 1:02d}"] == plane.name
        wcs = WCS(hdus["MASK"].header)
        assert wcs.wcs.crval[0] == pytest.approx(150.1234567890123, abs=1e-9)
        assert hdus[0].header["FILTER"] == "r'"


def test_two_writes_give_the_same_bytes(tmp_path):
    fits.write(make_exposure(), tmp_path / "1.fits")
    fits.write(make_exposure(), tmp_path / "2.fits")
    assert (tmp_path / "1.fits").read_bytes() == (tmp_path / "2.fits").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["1.fits", "2.fits"]


def test_no_psf_reads_back_as_none(tmp_path):
    exposure = make_exposure()
    exposure.psf = None
    fits.write(exposure, tmp_path / "x.fits")
    assert fits.read(tmp_path / "x.fits").psf is None


def test_a_cut_file_is_refused_by_name(tmp_path):
    path = tmp_path / "cut.fits"
    fits.write(make_exposure((400, 600)), path)
    path.write_bytes(path.read_bytes()[:200_000])
    with pytest.raises(DataRejectedError, match=r"cut\.fits .*process the visit again"):
        fits.read(path)
    with pytest.raises(DataRejectedError, match="absent"):
        fits.read(tmp_path / "absent.fits")


def test_planes_of_unequal_shape_are_refused(tmp_path):
    exposure = make_exposure()
    exposure.mask = exposure.mask[:-1]
    with pytest.raises(UsageError, match="differ in shape"):
        fits.write(exposure, tmp_path / "x.fits")
    assert not list(tmp_path.iterdir())
