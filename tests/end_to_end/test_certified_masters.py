"""Masters in the database: certified once, chosen by time, replaced but never lost."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from ingest import masters
from ingest.run import process_directory
from processing import instrument, reader, source_files
from processing.exposure import Mask
from processing.fits import read as read_image
from skyledger import provenance
from skyledger.dictionary import flag_bit
from skyledger.errors import DataRejectedError

CAMERA = instrument.load("simulated")


@pytest.fixture
def archive(fresh_database, tmp_path, monkeypatch):
    monkeypatch.setenv("SKYLEDGER_HOME", str(tmp_path / "home"))
    connection = fresh_database.connect()
    yield connection
    connection.close()


def certify(connection, directory, **options):
    with connection.cursor() as cursor:
        number = provenance.record(cursor, "masters", CAMERA.name, {})
    connection.commit()
    with ThreadPoolExecutor(1) as pool:
        return masters.certify(connection, pool, directory, CAMERA, number, **options)


def linked(simulated, folder, *names):
    """Data set whose parts are those of another."""
    folder.mkdir()
    for name in names:
        (folder / name).symlink_to(simulated / "data" / name)
    return folder


@pytest.mark.requirement("DIA-07", "RET-03")
def test_masters_are_made_once_and_replaced_when_their_frames_change(simulated, archive, tmp_path):
    folder = tmp_path / "set"
    (folder / "calibration").mkdir(parents=True)
    frames = sorted((simulated / "data" / "calibration").glob("*.fits"))
    for path in frames:
        (folder / "calibration" / path.name).symlink_to(path)
    first = certify(archive, folder)
    assert (first.made, first.failed) == (["simulated/masters/0-v1.fits"], [])
    assert certify(archive, folder).made == []  # they hold
    held = masters.current(archive.cursor(), "simulated")
    found, _ = reader.scan(simulated / "data", CAMERA)
    visit = found[0].visit
    assert masters.choose(held, visit).path == first.made[0]
    with pytest.raises(DataRejectedError, match=r"MJD 1\.00: no certified .* there are some for"):
        masters.choose(held, replace(visit, mid_tai=1.0))
    with pytest.raises(DataRejectedError, match="the detector has none"):
        masters.choose(held, replace(visit, detector=7))

    before = (tmp_path / "home" / "products" / first.made[0]).read_bytes()
    next(path for path in (folder / "calibration").glob("bias-*.fits")).unlink()
    assert certify(archive, folder).made == ["simulated/masters/0-v2.fits"]
    assert certify(archive, folder, again=True).made == ["simulated/masters/0-v3.fits"]
    assert [one.path for one in masters.current(archive.cursor(), "simulated")] == [
        "simulated/masters/0-v3.fits"
    ]
    # Nothing is lost: the file and its rows stay.
    assert (tmp_path / "home" / "products" / first.made[0]).read_bytes() == before
    cursor = archive.cursor()
    cursor.execute(
        "SELECT version, kind, band, cardinality(inputs), replacedtai IS NULL FROM ledger.master "
        "WHERE kind = 'bias' OR band = 'r' ORDER BY 1, 2"
    )
    biases = sum(path.name.startswith("bias") for path in frames)
    flats = sum(path.name.startswith("flat-r") for path in frames)
    assert cursor.fetchall() == [
        (1, "bias", None, biases, False), (1, "flat", "r", flats, False),
        (2, "bias", None, biases - 1, False), (2, "flat", "r", flats, False),
        (3, "bias", None, biases - 1, True), (3, "flat", "r", flats, True),
    ]  # fmt: skip


@pytest.mark.requirement("DIA-07")
def test_frames_that_make_no_masters_are_named_and_others_serve(simulated, archive, tmp_path):
    spoilt = tmp_path / "set"
    (spoilt / "calibration").mkdir(parents=True)
    for path in sorted((simulated / "data" / "calibration").glob("*.fits")):
        if not path.name.startswith("dark"):
            (spoilt / "calibration" / path.name).symlink_to(path)
    ((folder, reason),) = certify(archive, spoilt).failed
    assert folder == spoilt / "calibration"
    assert "has 0 files dark" in reason
    assert masters.current(archive.cursor(), "simulated") == []


@pytest.mark.requirement("DIA-07", "GEN-10", "GEN-11")
def test_a_data_set_without_calibration_frames_takes_certified_masters(
    simulated, survey, archive, tmp_path
):
    """And from the same raw frames come the same files as in another archive."""
    bare = linked(simulated, tmp_path / "bare", "reference.parquet")
    (bare / "raw").mkdir()
    path = min((simulated / "data" / "raw").glob("*.fits"))
    (bare / "raw" / path.name).symlink_to(path)
    refused = process_directory(archive, bare, "simulated", workers=1)
    ((_, _, reason),) = refused.failures
    assert re.search(r"no certified masters hold then; the detector has none", reason)
    certify(archive, simulated / "data")
    done = process_directory(archive, bare, "simulated", workers=1)
    assert done.failures == []
    cursor = archive.cursor()
    cursor.execute("SELECT masterpath FROM prompt_live.ccdvisit")
    assert cursor.fetchall() == [("simulated/masters/0-v1.fits",)]
    home = tmp_path / "home" / "products"
    made = [file for file in home.rglob("*.*") if file.is_file() and "templates" not in file.parts]
    assert {file.suffix for file in made} == {".fits", ".parquet"}
    assert len(made) == 3  # masters, visit image, Sources
    for file in made:
        twin = survey.home / "products" / file.relative_to(home)
        assert file.read_bytes() == twin.read_bytes(), file.name


@pytest.mark.requirement("DR-01", "CAT-05", "GEN-11")
def test_every_visit_has_its_sources_and_names_its_masters(survey):
    rows = survey.all(
        "SELECT ccdvisitid, pvipath, sourcepath, nsources, sourcetime, masterpath, nstars "
        "FROM prompt_live.ccdvisit"
    )
    assert len(rows) == len(survey.outcome)
    for number, pvi, path, count, seconds, master, stars in rows:
        table = source_files.read(survey.home / "products" / path)
        assert len(table) == count > stars
        assert set(table["ccdVisitId"]) == {number}
        assert str(table["psFlux"].unit) == "nJy"
        assert 0 < seconds < 60
        image = read_image(survey.home / "products" / pvi)
        assert image.quality["masterPath"] == master
        assert (survey.home / "products" / master).is_file()
        # The mask shows what was found.
        single = table[(table["flags"] >> flag_bit("Source", "PARENT")) & 1 == 0]
        x, y = (np.rint(np.asarray(single[name])).astype(int) for name in ("x", "y"))
        inside = (x >= 0) & (y >= 0) & (x < image.shape[1]) & (y < image.shape[0])
        assert (image.mask[y[inside], x[inside]] & int(Mask.DETECTED) != 0).mean() > 0.9
