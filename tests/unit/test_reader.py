"""Files that cannot be used are listed with their reason, and never stop the others."""

import numpy as np
import pytest
from astropy.io import fits

from processing import instrument, reader
from skyledger import ids
from skyledger.errors import DataRejectedError

NX, NY, OVER = 40, 30, 8
VISIT = ids.visit_id(13000, 5)


@pytest.fixture(scope="module")
def camera():
    return instrument.load("simulated")


def headers(visit=VISIT, mjd=61000.3):
    primary = fits.Header(
        {
            "VISITID": visit,
            "DETECTOR": 2,
            "FILTER": "SIM-r",
            "PROGRAM": "main",
            "SEASON": 1,
            "MJD-BEG": mjd,
            "MJD-END": mjd + 34 / 86400,
            "MJD-AVG": mjd + 17 / 86400,
            "EXPTIME": 30.0,
            "NSNAPS": 2,
            "AIRMASS": 1.2,
            "RA": 10.0,
            "DEC": -5.0,
            "ROTPA": 30.0,
            "SHUTTRAV": 1.0,
            "SHUTDIR": "-Y",
        }
    )
    snap = fits.Header(
        {
            "EXPTIME": 15.0,
            "NAMPS": 2,
            "FULLWELL": 90000.0,
            "SATURATE": 65535,
            "GAIN1": 1.5,
            "GAIN2": 1.6,
            "RDNOISE1": 5.0,
            "RDNOISE2": 6.0,
            "DATASEC1": f"[1:{NX // 2},1:{NY}]",
            "DATASEC2": f"[{NX // 2 + 1}:{NX},1:{NY}]",
            "BIASSEC1": f"[{NX + 1}:{NX + OVER},1:{NY}]",
            "BIASSEC2": f"[{NX + OVER + 1}:{NX + 2 * OVER},1:{NY}]",
            "CTYPE1": "RA---TAN",
            "CTYPE2": "DEC--TAN",
            "CRVAL1": 10.0,
            "CRVAL2": -5.0,
            "CRPIX1": 20.0,
            "CRPIX2": 15.0,
            "CD1_1": -5e-5,
            "CD1_2": 0.0,
            "CD2_1": 0.0,
            "CD2_2": 5e-5,
        }
    )
    return primary, snap


def write(folder, name="a.fits", snaps=2, change=None, data=None, visit=VISIT, mjd=61000.3):
    primary, snap = headers(visit, mjd)
    if change:
        change(primary, snap)
    if data is None:
        data = np.full((NY, NX + 2 * OVER), 1000, dtype=np.uint16)
    hdus = [fits.PrimaryHDU(header=primary)]
    hdus += [fits.ImageHDU(data, header=snap) for _ in range(snaps)]
    (folder / "raw").mkdir(exist_ok=True)
    fits.HDUList(hdus).writeto(folder / "raw" / name)
    return folder / "raw" / name


def test_a_good_frame(tmp_path, camera):
    write(tmp_path)
    frames, problems = reader.scan(tmp_path, camera)
    assert problems == []
    visit = frames[0].visit
    assert (visit.visit_id, visit.detector, visit.band) == (VISIT, 2, "r")
    assert visit.ccd_visit_id == ids.ccd_visit_id(VISIT, 2)
    assert (visit.n_snaps, visit.exposure_time, visit.is_template) == (2, 30.0, False)
    # The shutter moves down and takes a second from the first row to the last.
    assert visit.mid_tai_dy == pytest.approx(-1 / 86400 / NY)
    assert frames[0].begin_tai == pytest.approx(61000.3 + 0.5 / 86400, abs=1e-10)
    raws = reader.read_snaps(frames[0], camera)
    assert [raw.shape for raw in raws] == [(NY, NX), (NY, NX)]
    assert raws[0].amplifiers[1].gain == 1.6
    assert raws[0].amplifiers[1].data == (slice(0, NY), slice(NX // 2, NX))


def test_frames_are_sorted_by_time(tmp_path, camera):
    write(tmp_path, "a.fits", visit=VISIT + 1, mjd=61000.4)
    write(tmp_path, "b.fits", mjd=61000.3)
    frames, _ = reader.scan(tmp_path, camera)
    assert [f.paths[0].name for f in frames] == ["b.fits", "a.fits"]


def test_nothing_there(tmp_path, camera):
    with pytest.raises(DataRejectedError, match="is not a folder"):
        reader.scan(tmp_path / "absent", camera)
    with pytest.raises(DataRejectedError, match="holds no frames"):
        reader.scan(tmp_path, camera)
    with pytest.raises(DataRejectedError, match="holds no SDSS frames"):
        reader.scan(tmp_path, instrument.load("sdss"))


def remove(key):
    def change(primary, snap):
        header = primary if key in primary else snap
        del header[key]

    return change


def put(key, value):
    def change(primary, snap):
        header = primary if key in primary else snap
        header[key] = value

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (put("FILTER", "H-alpha"), "filter 'H-alpha' is unknown; simulated has SIM-u"),
        (remove("MJD-AVG"), "keyword MJD-AVG is missing"),
        (put("AIRMASS", "low"), "AIRMASS is 'low', not a number"),
        (put("EXPTIME", 0.0), "EXPTIME is 0.0 s; it must be above 0"),
        (put("SHUTDIR", "up"), "SHUTDIR is 'up'"),
        (remove("CTYPE1"), "no tangent-plane WCS"),
        (remove("CD1_1"), "keyword CD1_1 is missing"),
        (put("CD1_1", 0.0), "singular"),
        (put("DATASEC2", "[21:400,1:30]"), "does not lie in the array of 56 x 30"),
        (put("DATASEC2", "[21:40,1:20]"), "must cover the detector once"),
        (put("DATASEC1", "left"), "not \\[x1:x2,y1:y2\\]"),
        (put("GAIN1", 0.0), "gain 0.0"),
    ],
)
def test_wrong_headers_are_named(tmp_path, camera, change, said):
    write(tmp_path, "bad.fits", change=change)
    write(tmp_path, "good.fits", visit=VISIT + 1)
    frames, problems = reader.scan(tmp_path, camera)
    assert [f.paths[0].name for f in frames] == ["good.fits"]
    assert [path.name for path, _ in problems] == ["bad.fits"]
    with pytest.raises(AssertionError, match=said):
        raise AssertionError(problems[0][1])
    assert "bad.fits" in problems[0][1]


def test_files_that_are_no_frames(tmp_path, camera):
    path = write(tmp_path, "cut.fits")
    path.write_bytes(path.read_bytes()[:-4000])
    (tmp_path / "raw" / "text.fits").write_text("not FITS at all")
    (tmp_path / "raw" / "empty.fits").write_bytes(b"")
    write(tmp_path, "header_only.fits", snaps=0)
    write(tmp_path, "cube.fits", data=np.zeros((2, NY, NX), dtype=np.uint16))
    frames, problems = reader.scan(tmp_path, camera)
    assert frames == []
    reasons = {path.name: reason for path, reason in problems}
    assert "cannot be read as FITS" in reasons["cut.fits"]
    assert "truncated" in reasons["cut.fits"]
    assert "cannot be read as FITS" in reasons["text.fits"]
    assert "cannot be read as FITS" in reasons["empty.fits"]
    assert "no images after its primary header" in reasons["header_only.fits"]
    assert "has 3 axes" in reasons["cube.fits"]


def test_duplicate_visit_is_a_problem(tmp_path, camera):
    write(tmp_path, "a.fits")
    write(tmp_path, "b.fits")
    frames, problems = reader.scan(tmp_path, camera)
    assert [f.paths[0].name for f in frames] == ["a.fits"]
    assert "there twice, the first time as a.fits" in problems[0][1]


def test_pixels_that_are_all_nan(tmp_path, camera):
    write(tmp_path, data=np.full((NY, NX + 2 * OVER), np.nan, dtype=np.float32))
    frames, _ = reader.scan(tmp_path, camera)
    with pytest.raises(DataRejectedError, match="no finite pixel"):
        reader.read_snaps(frames[0], camera)
