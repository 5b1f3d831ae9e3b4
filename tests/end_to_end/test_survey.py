"""From pixels to an answer: what the archive says of a simulated survey, against its truth."""

import numpy as np
import pytest
from astropy.io import fits

from processing.exposure import UNUSABLE
from skyledger import ids

REACH = 8  # px around a source that must be usable for its full measurement


def _separation(ra, decl, ra0, decl0):
    """Distance on the sky [arcsec]; the field is small and far from the poles."""
    return 3600 * np.hypot((ra - ra0) * np.cos(np.radians(decl0)), decl - decl0)


def _expected_error(survey, visit_id, flux):
    """Error of the flux of a point source on the difference [nJy], from the truth alone.

    Sky noise over the effective area 4 pi sigma^2 of a Gaussian PSF; a template of four visits
    like this one adds a quarter; photon noise of the source itself.
    """
    visits = survey.true("visits")
    row = np.flatnonzero(visits["visitId"] == visit_id)[0]
    sigma = visits["seeing"][row] / 2.355 / visits["pixelScale"][row]
    electrons = visits["sky"][row] * 4 * np.pi * sigma**2 * 1.25
    scale = visits["electronsPerNjy"][row]
    return np.sqrt(electrons + np.abs(flux) * scale) / scale


@pytest.fixture(scope="module")
def differences(survey):
    """Mask of each difference image by visitId."""
    found = survey.all(
        "SELECT visitid, differencepath FROM prompt_live.ccdvisit WHERE differencepath IS NOT NULL"
    )
    return {v: fits.getdata(survey.home / "products" / path, "MASK") for v, path in found}


@pytest.fixture(scope="module")
def sources(survey):
    return survey.columns("SELECT * FROM prompt_live.diasource ORDER BY diasourceid")


def _usable(mask, x, y, reach):
    column, row = round(x), round(y)
    ny, nx = mask.shape
    if not (reach <= column < nx - reach and reach <= row < ny - reach):
        return False
    box = mask[row - reach : row + reach + 1, column - reach : column + reach + 1]
    return not (box & int(UNUSABLE)).any()


@pytest.fixture(scope="module")
def transients(survey, differences):
    """True sources that are in no template: (truth row, visitId), isolated and on usable pixels."""
    truth = survey.true("sources")
    changed = np.abs(truth["diffFlux"]) > 100
    new = changed & (truth["templateFlux"] == 0)
    chosen = []
    for i in np.flatnonzero(new):
        visit = int(truth["visitId"][i])
        if visit not in differences:
            continue
        others = changed & (truth["visitId"] == visit) & (np.arange(changed.size) != i)
        far = _separation(truth["ra"], truth["decl"], truth["ra"][i], truth["decl"][i])
        if (far[others] < 4).any():
            continue
        if not _usable(differences[visit], truth["x"][i], truth["y"][i], REACH):
            continue
        snr = truth["diffFlux"][i] / _expected_error(survey, visit, truth["diffFlux"][i])
        if snr > 8:
            chosen.append(({k: v[i] for k, v in truth.items()}, visit))
    assert len(chosen) >= 8
    assert {row["kind"] for row, _ in chosen} >= {"supernova", "asteroid"}
    return chosen


@pytest.mark.requirement("GEN-15", "DIA-08", "DIA-10", "L1DB-07")
def test_every_bright_transient_is_found_where_it_is_and_as_bright_as_it_is(transients, sources):
    for row, visit in transients:
        here = sources["visitid"] == visit
        far = _separation(sources["ra"][here], sources["decl"][here], row["ra"], row["decl"])
        said = f"{row['kind']} {row['objectId']} in visit {visit}"
        assert far.min() < 0.5, said
        best = np.flatnonzero(here)[far.argmin()]
        # 5 sigma of the pixel noise; beside it the zero point is known to 2 %, and a trail of
        # 0.4 arcsec takes 2 % of a point source's flux.
        tolerance = np.hypot(5 * sources["psfluxerr"][best], 0.04 * row["diffFlux"])
        assert sources["psflux"][best] == pytest.approx(row["diffFlux"], abs=tolerance), said
        seconds = (sources["midpointtai"][best] - row["midPointTai"]) * 86400
        assert seconds == pytest.approx(0, abs=0.01), said


@pytest.mark.requirement("DIA-11", "DIA-12")
def test_a_source_has_one_object_and_an_object_one_source_a_visit(survey):
    bits = dict(
        survey.all("SELECT name, bit FROM ledger.flagdefinition WHERE relation = 'DIASource'")
    )
    sources = survey.columns(
        "SELECT diasourceid, parentdiasourceid, diaobjectid, visitid, "
        "flags >> %s & 1 AS parent, flags >> %s & 1 AS weak FROM prompt_live.diasource",
        bits["PARENT"],
        bits["SUBTHRESHOLD"],
    )
    takes_part = (sources["parent"] == 0) & (sources["weak"] == 0)
    linked = np.isfinite(sources["diaobjectid"].astype(float))
    assert linked[takes_part].all()
    assert not linked[~takes_part].any()
    assert takes_part.sum() > 30
    pairs = survey.all(
        "SELECT visitid, diaobjectid FROM prompt_live.diasource WHERE diaobjectid IS NOT NULL"
    )
    assert len(pairs) == len(set(pairs))
    # The objects count what they have, and none is without a source.
    wrong = survey.all(
        "SELECT o.diaobjectid FROM prompt_live.diaobject AS o LEFT JOIN prompt_live.diasource AS s "
        "USING (diaobjectid) GROUP BY o.diaobjectid, o.ndiasources "
        "HAVING count(s.diasourceid) <> o.ndiasources OR count(s.diasourceid) = 0"
    )
    assert wrong == []
    orphans = survey.all(
        "SELECT diasourceid FROM prompt_live.diasource AS s WHERE diaobjectid IS NOT NULL "
        "AND NOT EXISTS (SELECT FROM prompt_live.diaobject AS o "
        "WHERE o.diaobjectid = s.diaobjectid)"
    )
    assert orphans == []


@pytest.mark.requirement("DIA-11")
def test_a_supernova_is_one_object_in_all_its_visits(survey, transients, sources):
    members = {}
    for row, visit in transients:
        if row["kind"] == "supernova":
            here = np.flatnonzero(sources["visitid"] == visit)
            far = _separation(sources["ra"][here], sources["decl"][here], row["ra"], row["decl"])
            source = here[far.argmin()]
            members.setdefault(row["objectId"], []).append(sources["diaobjectid"][source])
    repeated = {k: v for k, v in members.items() if len(v) > 1}
    assert len(repeated) >= 2
    assert all(len(set(v)) == 1 for v in repeated.values()), repeated


@pytest.mark.requirement("DIA-19", "L1DB-14")
def test_forced_photometry_at_every_object_on_usable_pixels(survey, differences):
    """Each visit has one forced row for each object known as of its epoch on a usable pixel."""
    for visit in survey.outcome:
        if visit.visit_id not in differences:
            continue
        path = survey.all(
            "SELECT differencepath FROM prompt_live.ccdvisit WHERE visitid = %s", visit.visit_id
        )[0][0]
        with fits.open(survey.home / "products" / path) as hdus:
            wcs = hdus["IMAGE"].header
            mask = hdus["MASK"].data
        x, y, known = _objects_on(survey, wcs, visit.epoch)
        column, row = np.rint(x).astype(int), np.rint(y).astype(int)
        inside = (column >= 0) & (column < mask.shape[1]) & (row >= 0) & (row < mask.shape[0])
        usable = np.zeros(len(x), bool)
        usable[inside] = (mask[row[inside], column[inside]] & int(UNUSABLE)) == 0
        forced = survey.all(
            "SELECT diaobjectid FROM prompt_live.diaforcedsource WHERE visitid = %s "
            "AND NOT science.has_flag(flags, 9)",  # without those of precovery
            visit.visit_id,
        )
        # A position within a hundredth of a pixel of a pixel's border may fall on either side.
        edge = np.abs(np.abs(x - np.rint(x)) - 0.5) < 0.01
        edge |= np.abs(np.abs(y - np.rint(y)) - 0.5) < 0.01
        wanted = sorted(known[usable & ~edge])
        assert sorted(k for (k,) in forced if k not in set(known[edge])) == wanted
        assert len(forced) == len(set(forced)) == visit.counts["DIAForcedSource"]
        assert len(wanted) > 5  # about ten things change in the smoke survey, a few of them late


def _objects_on(survey, header, epoch):
    """Pixel positions of all objects as of an epoch; astropy reads the file's own WCS."""
    from astropy.wcs import WCS  # noqa: PLC0415 - only here, and it is slow to load

    found = survey.columns("SELECT diaobjectid, ra, decl FROM prompt_at.diaobject(%s)", epoch)
    x, y = WCS(header).all_world2pix(found["ra"], found["decl"], 0)
    return x, y, found["diaobjectid"]


@pytest.mark.requirement("DIA-19")
def test_before_a_transient_appears_its_forced_flux_is_nothing(survey):
    """Visits without the object's light: fluxes scatter about 0 as their errors say.

    Asteroids are the transients that are certainly not there in any other visit.
    """
    truth = survey.true("sources")
    rocks = truth["kind"] == "asteroid"
    forced = survey.columns(
        "SELECT f.visitid, f.psflux, f.psfluxerr, f.ra, f.decl, f.flags "
        "FROM prompt_live.diaforcedsource AS f WHERE f.psflux IS NOT NULL"
    )
    changed = np.abs(truth["diffFlux"]) > 30
    pulls = []
    for k in range(len(forced["ra"])):
        far = _separation(truth["ra"], truth["decl"], forced["ra"][k], forced["decl"][k])
        same = truth["visitId"] == forced["visitid"][k]
        if (rocks & ~same & (far < 0.5)).any() and not (changed & same & (far < 5)).any():
            # A star or galaxy below leaves more than noise; the place must be empty.
            if (same & (far < 2) & (truth["flux"] > 1000)).any():
                continue
            pulls.append(forced["psflux"][k] / forced["psfluxerr"][k])
    assert len(pulls) >= 3
    assert np.abs(pulls).max() < 4.5
    assert abs(np.mean(pulls)) < 4 / np.sqrt(len(pulls))


@pytest.mark.requirement("GEN-29", "L1DB-05")
def test_the_band_is_a_property_of_the_visit(survey):
    has_band = survey.all(
        "SELECT table_name FROM information_schema.columns WHERE table_schema = 'prompt_store' "
        "AND column_name = 'band' AND table_name IN ('diasource', 'diaforcedsource', 'diaobject')"
    )
    assert has_band == []
    per_band = dict(
        survey.all(
            "SELECT v.band, count(*) FROM prompt.DIASource AS s "
            "JOIN prompt.CcdVisit AS v USING (ccdVisitId) GROUP BY v.band"
        )
    )
    assert set(per_band) == {"g", "r"}
    assert sum(per_band.values()) == survey.all("SELECT count(*) FROM prompt.DIASource")[0][0]


@pytest.mark.requirement("GEN-14", "GEN-17")
def test_a_star_that_fades_has_a_negative_flux_and_no_magnitude(survey, sources):
    truth = survey.true("sources")
    faded = 0
    for i in np.flatnonzero((truth["diffFlux"] < -3000) & (truth["kind"] != "asteroid")):
        here = np.flatnonzero(sources["visitid"] == truth["visitId"][i])
        if not here.size:
            continue
        far = _separation(
            sources["ra"][here], sources["decl"][here], truth["ra"][i], truth["decl"][i]
        )
        if far.min() < 0.3 and np.isfinite(sources["psflux"][here[far.argmin()]]):
            assert sources["psflux"][here[far.argmin()]] < 0
            faded += 1
    assert faded >= 2
    magnitudes = survey.all(
        "SELECT science.flux_to_mag(psFlux) FROM prompt.DIASource WHERE psFlux < 0"
    )
    assert len(magnitudes) >= faded
    assert {m for (m,) in magnitudes} == {None}


@pytest.mark.requirement("GEN-18")
def test_ids_tell_their_visit(survey, sources):
    visits = survey.true("visits")
    by_id = {int(v): int(c) for v, c in zip(visits["visitId"], visits["ccdVisitId"], strict=True)}
    forced = survey.columns("SELECT * FROM prompt_live.diaforcedsource")
    for key, table in (("diasourceid", sources), ("diaforcedsourceid", forced)):
        assert len(set(table[key].tolist())) == len(table[key])
        for number, visit, ccd in zip(
            table[key].tolist(),
            table["visitid"].tolist(),
            table["ccdvisitid"].tolist(),
            strict=True,
        ):
            parts = ids.parse_source_id(number)
            assert ids.visit_id(parts.night, parts.sequence) == visit
            assert by_id[visit] == ccd == ids.ccd_visit_id(visit, parts.detector)
    times = survey.all("SELECT visitid, midpointtai FROM prompt_live.visit")
    assert all(v >> ids.VISIT_BITS == ids.night_of(t) for v, t in times)


@pytest.mark.requirement("GEN-05", "GEN-07")
def test_every_fit_tells_how_good_it_is(survey):
    n = survey.columns(
        "SELECT count(psFlux) AS ps, count(trailFlux) AS trail, count(dipMeanFlux) AS dip "
        "FROM prompt.DIASource"
    )
    assert all(n[model][0] > 10 for model in ("ps", "trail", "dip")), n
    bad = survey.all(
        "SELECT diaSourceId FROM prompt.DIASource WHERE "
        "(psFlux IS NOT NULL AND num_nulls(psFluxErr, psLnL, psChi2, psNdata) > 0) OR "
        "(trailFlux IS NOT NULL AND num_nulls(trailLnL, trailChi2, trailNdata) > 0) OR "
        "(dipMeanFlux IS NOT NULL AND num_nulls(dipLnL, dipChi2, dipNdata) > 0)"
    )
    assert bad == []
    # A wider model cannot fit worse: the dipole holds the point source as a special case.
    ratio = survey.columns(
        "SELECT science.ps_chi2_dof(psChi2, psNdata) AS per_dof FROM prompt.DIASource "
        "WHERE psFlux IS NOT NULL AND snr BETWEEN 7 AND 40"
    )["per_dof"]
    assert 0.7 < np.median(ratio) < 1.5


@pytest.mark.requirement("GEN-11", "GEN-10")
def test_what_an_image_is_like_can_be_asked_for_by_its_id(survey):
    visits = survey.true("visits")
    for i, ccd in enumerate(visits["ccdVisitId"].tolist()):
        row = survey.columns(
            "SELECT skyBg, skyNoise, seeing, zeroPoint, photoCalibRelErr, photoCalibAbsErr, "
            "wcsHeader, ra, decl, airmass, midPointTai, usableFraction "
            "FROM prompt.CcdVisit WHERE ccdVisitId = %s",
            ccd,
        )
        true = {k: v[i] for k, v in visits.items()}
        # 3 %: the seeing as a FWHM of the fitted PSF, and its variation over the field.
        assert row["seeing"][0] == pytest.approx(true["seeing"], rel=0.1)
        assert row["airmass"][0] == pytest.approx(true["airmass"], abs=1e-3)
        assert row["midpointtai"][0] == pytest.approx(true["midPointTai"], abs=1e-8)
        assert _separation(row["ra"][0], row["decl"][0], true["ra"], true["decl"]) < 0.2
        area = true["pixelScale"] ** 2
        sky = true["sky"] / true["electronsPerNjy"] / area
        assert row["skybg"][0] == pytest.approx(sky, rel=0.03)
        assert "CRVAL1" in row["wcsheader"][0]
        assert 0 < row["photocalibrelerr"][0] < 0.05
        assert 0.8 < row["usablefraction"][0] <= 1


@pytest.mark.requirement("GEN-12")
def test_every_product_has_image_variance_and_mask_of_one_shape(survey):
    listed = survey.all(
        "SELECT pvipath FROM prompt_live.ccdvisit "
        "UNION ALL SELECT differencepath FROM prompt_live.ccdvisit WHERE templateid IS NOT NULL "
        "UNION ALL SELECT path FROM prompt_live.template"
    )
    on_disk = {
        p.relative_to(survey.home / "products")
        for p in survey.home.rglob("products/**/*.fits")
        if p.parent.name != "masters"
    }
    assert on_disk == {type(next(iter(on_disk)))(path) for (path,) in listed}
    assert len(listed) == 12 + 4 + 2
    for (path,) in listed:
        with fits.open(survey.home / "products" / path) as hdus:
            shapes = {hdus[name].shape for name in ("IMAGE", "VARIANCE", "MASK")}
            assert len(shapes) == 1, path
            assert min(shapes.pop()) >= 512
            good = (hdus["MASK"].data & int(UNUSABLE)) == 0
            assert (hdus["VARIANCE"].data[good] > 0).all(), path
            assert np.isfinite(hdus["IMAGE"].data[good]).all(), path


@pytest.mark.requirement("GEN-03", "GEN-06", "GEN-08", "L1DB-16")
@pytest.mark.parametrize("band", ["g", "r"])
def test_flux_statistics_of_objects_follow_from_their_rows(survey, band):
    """The stored ones equal numpy on the published rows, and the database's own aggregates."""
    rows = survey.columns(
        "SELECT s.diaobjectid, s.psflux, s.psfluxerr FROM prompt_live.diasource AS s "
        "JOIN prompt_live.ccdvisit AS v USING (ccdvisitid) "
        "WHERE v.band = %s AND s.diaobjectid IS NOT NULL AND s.psflux IS NOT NULL",
        band,
    )
    objects = survey.columns(
        f"SELECT diaobjectid, {band}psfluxmean AS mean, {band}psfluxmeanerr AS err, "
        f"{band}psfluxsigma AS sigma, {band}psfluxchi2 AS chi2, {band}psfluxndata AS n "
        f"FROM prompt_live.diaobject WHERE {band}psfluxndata > 0 ORDER BY 1"
    )
    assert set(objects["diaobjectid"]) == set(rows["diaobjectid"])
    assert objects["n"].max() > 1
    rounding = []
    for k, number in enumerate(objects["diaobjectid"]):
        mine = rows["diaobjectid"] == number
        flux, error = rows["psflux"][mine].astype(float), rows["psfluxerr"][mine].astype(float)
        mean = np.average(flux, weights=error**-2)
        # 1e-6: the columns are single precision; of a source that comes and goes the fluxes cancel.
        rounding.append(1e-6 * np.abs(flux).max())
        assert objects["mean"][k] == pytest.approx(mean, rel=2e-6, abs=rounding[-1])
        assert objects["err"][k] == pytest.approx((error**-2).sum() ** -0.5, rel=2e-6)
        assert objects["n"][k] == mine.sum()
        # The mean comes out of sums of single-precision columns: chi2 near 0 keeps few digits.
        chi2 = (((flux - mean) / error) ** 2).sum()
        assert objects["chi2"][k] == pytest.approx(chi2, rel=1e-5, abs=1e-6)
        if mine.sum() > 1:
            # Out of sums, too: a scatter far below the mean keeps fewer digits.
            sigma = flux.std(ddof=1)
            assert objects["sigma"][k] == pytest.approx(sigma, rel=2e-6, abs=2e-7 * abs(mean))
        else:
            assert np.isnan(objects["sigma"][k])
    aggregates = survey.columns(
        "SELECT diaobjectid, science.weighted_mean(psflux, psfluxerr) AS mean, "
        "science.weighted_mean_err(psflux, psfluxerr) AS err, "
        "science.weighted_chi2(psflux, psfluxerr) AS chi2, "
        "science.n_used(psflux, psfluxerr) AS n "
        "FROM prompt_live.diasource AS s JOIN prompt_live.ccdvisit AS v USING (ccdvisitid) "
        "WHERE v.band = %s AND diaobjectid IS NOT NULL AND psflux IS NOT NULL "
        "GROUP BY diaobjectid ORDER BY 1",
        band,
    )
    allowed = np.maximum(2e-6 * np.abs(objects["mean"]), rounding)
    assert (np.abs(aggregates["mean"] - objects["mean"]) <= allowed).all()
    assert aggregates["err"] == pytest.approx(objects["err"], rel=2e-6)
    assert aggregates["chi2"] == pytest.approx(objects["chi2"], rel=1e-5, abs=1e-6)
    assert (aggregates["n"] == objects["n"]).all()
