"""Injection, judgement and quality pictures of a processed survey."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from ingest import injection, measure, templates
from processing import instrument, reader
from processing.exposure import Mask
from services import quality_pictures
from services.quality_pictures import png
from skyledger.virtual import VirtualDatabase


@pytest.fixture(scope="module")
def injected(survey):
    """One frame of the survey with forty artificial sources, searched with and without them."""
    connection = survey.connect()
    used = instrument.load("simulated")
    frames, _ = reader.scan(survey.data, used)
    frame = next(f for f in frames if not f.visit.is_template)
    with connection.cursor() as cursor:
        found = templates.of_band(cursor, "simulated", frame.visit.band)
    connection.close()
    job = measure.Job(frame, survey.data, "simulated", found)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "SKYLEDGER_HOME", str(survey.home))
        before = {p: p.stat().st_mtime_ns for p in Path(survey.home).rglob("*.fits")}
        one = measure.inject_and_measure(job, 40, 5)
        again = measure.inject_and_measure(job, 40, 5)
        after = {p: p.stat().st_mtime_ns for p in Path(survey.home).rglob("*.fits")}
    assert one.reason is None, one.reason
    assert before == after  # no image is written
    assert np.array_equal(one.fakes["flux"], again.fakes["flux"])
    assert np.array_equal(one.found["psFlux"].filled(0), again.found["psFlux"].filled(0))
    return one


def test_artificial_sources_are_found_as_normal_ones_are(injected):
    done = injection.Injection("simulated")
    injection._add(done, injected)
    summary = injection.summary(done)
    assert summary["fakes"] == 40
    assert summary["maskedShare"] < 0.25
    free = (done.where == "blank") & (done.snr > 8)
    assert free.sum() >= 8
    assert done.found[free].mean() > 0.9
    # Flux and place: five standard deviations of a robust spread of some twenty values.
    for name in ("flux", "x", "y"):
        pull = summary["pulls"][name]
        assert pull["n"] >= 8
        assert 0.4 < pull["sd"] < 2.2, name
        assert abs(pull["median"]) < 1.2, name
    assert png(quality_pictures.completeness(summary)).startswith(b"\x89PNG")


@pytest.mark.requirement("GEN-12")
def test_what_is_found_on_artificial_sources_is_flagged(injected):
    flags = np.asarray(injected.found["flags"])
    near = injection.nearest(
        np.asarray(injected.fakes["x"]), np.asarray(injected.fakes["y"]),
        np.asarray(injected.found["x"], float), np.asarray(injected.found["y"], float), 2.5,
    )  # fmt: skip
    assert (near >= 0).sum() > 10
    assert (flags[near[near >= 0]] & (1 << 13) != 0).all()
    assert not (np.asarray(injected.without["flags"]) & (1 << 13)).any()
    assert int(Mask.INJECTED) == 1 << 11


def test_the_command_judges_the_survey_by_its_truth(skyledger, survey, tmp_path):
    done = skyledger("judge", survey.truth, "--output", tmp_path, environment=survey.environment)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in (tmp_path / "judge.jsonl").read_text().splitlines()]
    figures = {line["name"]: line for line in lines if "name" in line}
    missing = {line["missing"] for line in lines if "missing" in line}
    assert "orbits of known asteroids, and the re-link after their fit" in missing
    # The bars of the issue are for larger surveys; these only tell right from wrong.
    assert figures["completeness.bright"]["value"] > 0.6
    assert figures["forced.sd"]["n"] > 10
    # Beside noise there are 2 % of the zero point and what is left of the light below.
    assert 0.7 < figures["forced.sd"]["value"] < 2
    assert 0.5 < figures["forced.precovery"]["value"] < 1.7
    assert figures["calibration.zp_mmag"]["value"] < 25
    assert figures["calibration.wcs_mas"]["value"] < 60
    assert figures["psf.seeing"]["value"] == pytest.approx(1, abs=0.1)
    assert figures["cosmics.found"]["value"] > 0.9
    assert figures["precovery.waiting"]["value"] == 0
    assert (tmp_path / "judge.png").read_bytes().startswith(b"\x89PNG")
    # Without its truth there is no judgement.
    wrong = skyledger("judge", survey.data, environment=survey.environment)
    assert wrong.returncode == 5
    assert "not the truth of a simulated survey" in wrong.stderr


def test_the_quality_of_a_visit_is_rows_and_a_picture(survey):
    numbers = survey.columns(
        "SELECT c.ccdVisitId, c.psfResidual, c.residualFraction, c.nStamps, c.kernelChi2, "
        "c.nSpurious, c.nNoisePeaks, c.nDiaSources, c.psfFwhm, c.usableFraction "
        "FROM prompt_live.ccdvisit AS c WHERE c.templateId IS NOT NULL"
    )
    assert len(numbers["ccdvisitid"]) == 4
    assert (numbers["nspurious"] <= numbers["ndiasources"]).all()
    assert (numbers["nstamps"] >= 3).all()
    # Rice's formula for a Gaussian of that width: both signs, threshold 5.
    sigma2 = (numbers["psffwhm"] / 2.355) ** 2
    rice = 2 * 512**2 * numbers["usablefraction"]
    rice *= (2 * np.pi) ** -1.5 * 5 * np.exp(-12.5) / (2 * sigma2)
    # The PSF of the difference is not quite that of the visit, nor a Gaussian; its edge is cut.
    assert numbers["nnoisepeaks"] == pytest.approx(rice, rel=0.5)
    connection = survey.connect()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "SKYLEDGER_HOME", str(survey.home))
        figure = quality_pictures.draw_visit(
            connection, int(numbers["ccdvisitid"][0]), VirtualDatabase("prompt")
        )
    connection.close()
    titles = {axes.get_title().split(",")[0] for axes in figure.axes}
    assert len(titles - {""}) == 10
    assert png(figure).startswith(b"\x89PNG")
