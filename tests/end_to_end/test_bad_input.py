"""Bad input: a sentence, an exit code, nothing half-published, and the way back."""

import os
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from cli import main as command
from ingest import measure
from processing import instrument, reader
from skyledger import ids


def edit(path, change):
    """Rewrite a FITS file after ``change`` was done to its HDUs."""
    with fits.open(path) as hdus:
        whole = fits.HDUList([hdu.copy() for hdu in hdus])
    change(whole)
    whole.writeto(path, overwrite=True)


def _in_header(**words):
    def change(hdus):
        for word, value in words.items():
            hdus[0].header[word] = value

    return lambda path: edit(path, change)


def _pixels(make):
    def change(hdus):
        for k in (1, 2):
            header = hdus[k].header
            for word in ("BZERO", "BSCALE"):
                header.remove(word, ignore_missing=True)
            hdus[k] = fits.ImageHDU(make(hdus[k].data), header=header)

    return lambda path: edit(path, change)


def _without(extension, *words):
    def change(hdus):
        for word in words:
            del hdus[extension].header[word]

    return lambda path: edit(path, change)


def _without_images(hdus):
    del hdus[1:]


# What is wrong, how to make it so, what is said. The first ones are seen in the header, and the
# file is refused; the others when the pixels are processed, and the visit fails.
UNREADABLE = {
    "cut off": (lambda p: os.truncate(p, p.stat().st_size * 6 // 10), "cannot be read as FITS"),
    "no FITS": (lambda p: p.write_text("not an image\n"), "cannot be read as FITS"),
    "no image": (lambda p: edit(p, _without_images), "no images? after its primary header"),
    "half a WCS": (_without(1, "CTYPE1"), "WCS|CTYPE"),
    "unknown filter": (_in_header(FILTER="SIM-q"), "'SIM-q' is unknown; simulated has SIM-u"),
    "missing keyword": (_without(0, "MJD-AVG"), "keyword MJD-AVG is missing"),
    "keyword of another type": (_in_header(EXPTIME="long"), "EXPTIME is 'long'"),
    "no exposure time": (_in_header(EXPTIME=0.0), "EXPTIME is 0.0 s; it must be above 0"),
    "wrong shape": (_pixels(lambda d: d[:200, :200].copy()), "array of 200 x 200 .* wrong shape"),
    "visit id too large": (
        _in_header(VISITID=1 << 40),
        r"visitId is \d+, but an id holds 0 to 67108863; correct VISITID",
    ),
}
UNUSABLE = {
    "NaN everywhere": (_pixels(lambda d: np.full(d.shape, np.nan, np.float32)), "no finite pixel"),
    "all zero": (
        _pixels(lambda d: np.zeros(d.shape, np.int16)),
        "nothing stands 15 standard deviations above",
    ),
    "all saturated": (
        _pixels(lambda d: np.full(d.shape, 65535, np.float32)),
        "only 0 % of the pixels are usable .SAT",
    ),
    "impossible airmass": (_in_header(AIRMASS=0.2), r"airmass = 0.2 is below"),
    "no template": (
        _in_header(SEASON=1, FILTER="SIM-g"),
        "none of 0 templates of band g covers RA 229.* process visits of the template season",
    ),
}


@pytest.fixture(scope="module")
def frame(simulated):
    """Frame of the template season of which all others here are made."""
    return next(
        path
        for path in sorted((simulated / "data" / "raw").glob("*.fits"))
        if fits.getval(path, "SEASON") == 0 and fits.getval(path, "FILTER") == "SIM-r"
    )


@pytest.fixture
def folder(simulated, tmp_path):
    made = tmp_path / "night of mishaps"
    (made / "raw").mkdir(parents=True)
    for name in ("calibration", "reference.parquet"):
        (made / name).symlink_to(simulated / "data" / name)
    return made


def _copy(frame, folder, number):
    """Copy of a frame as another visit of its night; returns its path and visitId."""
    visit = fits.getval(frame, "VISITID") + 100 + number
    path = folder / "raw" / f"{visit}-0.fits"
    shutil.copyfile(frame, path)
    edit(path, lambda hdus: hdus[0].header.update(VISITID=visit, CCDVISIT=visit << 9))
    return path, visit


def _all(database, statement):
    connection = database.connect()
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()
    finally:
        connection.close()


def _consistent(database):
    """Nothing is there that belongs to no published batch."""
    assert (
        _all(
            database,
            "SELECT epochtai FROM ledger.epoch LEFT JOIN ledger.batch USING (batchid, epochtai) "
            "WHERE epoch.kind = 'visit' AND state IS DISTINCT FROM 'published'",
        )
        == []
    )
    for name in ("visit", "ccdvisit", "diasource", "diaforcedsource", "diaobject", "template"):
        strangers = _all(
            database,
            f"SELECT createdtai FROM prompt_history.{name} WHERE createdtai NOT IN "
            "(SELECT epochtai FROM ledger.batch WHERE state = 'published')",
        )
        assert strangers == [], name
    published = _all(database, "SELECT visitid FROM ledger.delivery WHERE state = 'published'")
    assert sorted(published) == sorted(_all(database, "SELECT visitid FROM prompt_live.ccdvisit"))


@pytest.mark.slow
def test_every_bad_frame_has_its_reason_and_all_others_are_published(
    skyledger, fresh_database, frame, folder, tmp_path
):
    environment = fresh_database.environment | {"SKYLEDGER_HOME": str(tmp_path / "home")}
    bad = {**UNREADABLE, **UNUSABLE}
    paths = {}
    for number, (name, (spoil, _)) in enumerate(bad.items()):
        path, visit = _copy(frame, folder, number)
        paths[name] = (path, visit)
        spoil(path)
    twin = folder / "raw" / "again.fits"
    good, good_visit = _copy(frame, folder, len(bad))
    shutil.copyfile(good, twin)

    process = ("process", folder, "--instrument", "simulated", "--workers", "1")
    done = skyledger(*process, environment=environment)
    assert done.returncode == 5, done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    last = done.stderr.strip().splitlines()[-1]
    assert re.match(r"skyledger: \d+ files or visits could not be published; .* again$", last)

    refused = {
        Path(path).name: reason
        for path, reason in _all(fresh_database, "SELECT path, reason FROM ledger.refusedfile")
    }
    failed = {
        visit: (state, reason)
        for visit, state, reason in _all(
            fresh_database, "SELECT visitid, state, reason FROM ledger.delivery"
        )
    }
    for name, (_, said) in UNREADABLE.items():
        path, visit = paths[name]
        assert re.search(said, refused.pop(path.name)), name
        assert visit not in failed
    # Of two files of one visit the first is taken.
    name, reason = refused.popitem()
    assert {name, Path(reason.split("first time as ")[1].split(";")[0]).name} == {
        twin.name,
        good.name,
    }
    assert f"visit {good_visit} detector 0 is there twice" in reason
    assert refused == {}
    for name, (_, said) in UNUSABLE.items():
        path, visit = paths[name]
        state, reason = failed.pop(visit)
        assert state == "failed", name
        assert re.search(said, reason), (name, reason)
        assert f"visit {visit}" in reason or path.name in reason, (name, reason)
        assert "Traceback" not in reason, (name, reason)
    assert failed == {good_visit: ("published", None)}
    _consistent(fresh_database)

    # Corrected: some files are fetched again, the rest is taken away.
    kept = {}
    for number, name in enumerate(bad):
        path, visit = paths[name]
        if name in ("cut off", "missing keyword", "NaN everywhere", "impossible airmass"):
            kept[name] = visit
            _copy(frame, folder, number)
        else:
            path.unlink()
    twin.unlink()
    done = skyledger(*process, environment=environment)
    assert done.returncode == 0, done.stderr + done.stdout
    published = dict(
        _all(
            fresh_database,
            "SELECT visitid, attempts FROM ledger.delivery WHERE state = 'published'",
        )
    )
    assert published == {
        good_visit: 1,
        kept["cut off"]: 1,
        kept["missing keyword"]: 1,
        kept["NaN everywhere"]: 2,
        kept["impossible airmass"]: 2,
    }
    left = {Path(p).name for (p,) in _all(fresh_database, "SELECT path FROM ledger.refusedfile")}
    assert not left & {paths[name][0].name for name in kept}
    _consistent(fresh_database)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "reference.parquet cannot be read as Parquet: .*The data set needs its reference"),
        (b"stars", "reference.parquet cannot be read as Parquet"),
    ],
)
def test_a_data_set_without_its_reference_stars(frame, folder, content, said):
    (folder / "reference.parquet").unlink()
    if content is not None:
        (folder / "reference.parquet").write_bytes(content)
    _copy(frame, folder, 0)
    frames, problems = reader.scan(folder, instrument.load("simulated"))
    assert problems == []
    found = measure.measure(measure.Job(frames[0], folder, "simulated"))
    assert not found.bug
    assert re.search(said, found.reason)


@pytest.fixture
def words(monkeypatch, capsys):
    """Runs the command line within this process: exit code and what is said on stderr."""

    def call(*arguments, **environment):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["skyledger", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            command.main()
        said = capsys.readouterr().err
        assert "Traceback" not in said
        assert said.count("\n") == 1 or stopped.value.code in (0, 2)
        return stopped.value.code, said

    return call


def test_folders_and_instruments_that_are_not_there(words, fresh_database, tmp_path):
    process = ("process", tmp_path, "--instrument")
    code, said = words(*process, "simulated", **fresh_database.environment)
    assert code == 5
    assert f"{tmp_path} holds no frames" in said
    code, said = words("process", tmp_path / "gone", "--instrument", "simulated")
    assert code == 5
    assert "gone is not a folder; name the folder of the data set" in said
    code, said = words(*process, "hubble")
    assert code == 3
    assert "hubble" in said
    assert "simulated" in said  # what there is instead
    assert _all(fresh_database, "SELECT count(*) FROM ledger.batch") == [(0,)]


def test_databases_that_cannot_be_used(
    words, fresh_database, empty_database, monkeypatch, tmp_path
):
    process = ("process", tmp_path, "--instrument", "simulated")
    code, said = words(*process, SKYLEDGER_HOME=str(tmp_path / "nothing"))
    assert code == 4
    assert "is not running; start it with `skyledger db start`" in said
    code, said = words(*process, **empty_database.environment)
    assert code == 4
    assert "no Skyledger schema" in said
    assert "skyledger db" in said
    connection = fresh_database.connect(autocommit=True)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE ledger.schema_version SET version_num = 'from_the_future'")
    connection.close()
    for line in (process, ("query", "SELECT 1")):
        code, said = words(*line, **fresh_database.environment)
        assert code == 4
        assert "from_the_future" in said


@pytest.mark.requirement("GEN-19", "GEN-21")
@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["SELECT 1", "--db", "prompt@2199-01-01"], 6, "2199-01-01.* is in the future: it is 20"),
        (["SELECT 1", "--db", "prompt@1999-01-01"], 6, "before this database began, at 20"),
        (["SELECT 1", "--db", "dr77"], 6, "there is no database dr77"),
        (["SELECT 1", "--db", "promt"], 2, "'promt' is not a database; write prompt"),
        (["SELECT 1", "--db", "prompt@noon"], 2, "'noon' is not an instant; write 2026"),
        (["SELECT 1", "--format", "xls"], 2, "no format 'xls'; there are votable .*csv .*fits"),
        (["SELEC 1"], 6, 'syntax error at or near "SELEC"'),
        (["SELECT flux FROM DIASource"], 6, 'column "flux" does not exist'),
        (["DELETE FROM ledger.epoch"], 6, "cannot|denied|read-only"),
        (["SELECT psFlux FROM DIASource WHERE psFlux > 'bright'"], 6, "invalid input syntax"),
    ],
)
def test_queries_that_cannot_be_answered(words, fresh_database, arguments, code, said):
    found, line = words("query", *arguments, **fresh_database.environment)
    assert found == code
    assert re.search(said, line), line


def test_visit_ids_of_the_copies_are_of_the_night(frame, folder):
    path, visit = _copy(frame, folder, 3)
    assert visit >> ids.VISIT_BITS == ids.night_of(fits.getval(path, "MJD-AVG"))
