"""New objects of a simulated survey on the visits before they were found, against the truth."""

import numpy as np
import pytest

FLAG = 1 << 9  # PRECOVERY


def _separation(ra, decl, ra0, decl0):
    """Distance on the sky [arcsec]; the field is small and far from the poles."""
    return 3600 * np.hypot((ra - ra0) * np.cos(np.radians(decl0)), decl - decl0)


@pytest.fixture(scope="module")
def rows(survey):
    return survey.columns(
        "SELECT f.*, v.insertedtai AS imagetai, v.differencepath "
        "FROM prompt_live.diaforcedsource AS f JOIN prompt_live.ccdvisit AS v USING (ccdvisitid) "
        "WHERE f.flags & %s <> 0",
        FLAG,
    )


@pytest.mark.requirement("DIA-20", "PRECOV-01", "PIPE-06")
def test_every_new_object_is_measured_on_every_image_that_was_there(survey, rows):
    """All visits of the survey lie within 30 days: object by image is a complete table."""
    assert len(rows["ra"]) > 15
    known = {(o, c) for o, c in zip(rows["diaobjectid"], rows["ccdvisitid"], strict=True)}
    assert len(known) == len(rows["ra"])
    missing = survey.all(
        "SELECT o.diaobjectid, c.ccdvisitid FROM prompt_live.diaobject AS o "
        "CROSS JOIN LATERAL science.covering_visits(o.ra, o.decl) AS c "
        "JOIN prompt_live.ccdvisit AS v ON v.ccdvisitid = c.ccdvisitid "
        "WHERE c.noise IS NOT NULL AND NOT EXISTS (SELECT FROM prompt_live.diaforcedsource AS f "
        "WHERE f.diaobjectid = o.diaobjectid AND f.ccdvisitid = c.ccdvisitid)"
    )
    # The mask of covering_visits is one of cells, that of the images one of pixels.
    objects = survey.all("SELECT count(*) FROM prompt_live.diaobject")[0][0]
    assert len(missing) <= 0.05 * 4 * objects
    # They came after the images, under epochs of their own, and of new objects alone.
    assert (rows["insertedtai"] > rows["imagetai"]).all()
    epochs = {e for run in survey.runs for e in run.precovered.epochs}
    assert set(rows["insertedtai"]) == epochs
    assert {k for (k,) in survey.all("SELECT DISTINCT kind FROM ledger.epoch")} >= {"precovery"}
    assert survey.all("SELECT * FROM ledger.precovery_due()") == []
    assert survey.all("SELECT * FROM ledger.audit()") == []


@pytest.mark.requirement("DIA-20", "PRECOV-01")
def test_their_fluxes_are_true(survey, rows):
    """What was or was not there at the place of each new object, from the truth of the visit."""
    truth = survey.true("sources")
    changed = np.abs(truth["diffFlux"]) > 30
    pulls, there = [], 0
    for k in np.flatnonzero(np.isfinite(rows["psflux"].astype(float))):
        same = truth["visitId"] == rows["visitid"][k]
        far = _separation(truth["ra"], truth["decl"], rows["ra"][k], rows["decl"][k])
        if (same & (far < 3) & (truth["flux"] > 3000)).any():
            continue  # stars and bright galaxies leave more than noise
        near = same & changed & (far < 0.4)
        if (same & changed & (far < 6) & ~near).any() or near.sum() > 1:
            continue
        true = truth["diffFlux"][near].sum()
        there += bool(near.any())
        # 3 %: the zero point, and the place of the object is known to a tenth of the PSF.
        error = np.hypot(rows["psfluxerr"][k], 0.03 * true)
        pulls.append((rows["psflux"][k] - true) / error)
    assert len(pulls) >= 8
    assert np.abs(pulls).max() < 5
    assert np.median(np.abs(pulls)) < 1.5
