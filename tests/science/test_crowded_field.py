"""A crowded field without WCS: frames of one night and of the season before, of a real event."""

import numpy as np
import pytest

from processing import coadd, dia, difference, instrument, reader, single_visit

# Pixel of the event on the reference frame: the centroid of what changed; the notes beside the
# frames have it within 2 pixels, at (287, 216).
EVENT = (288.0, 215.0)
SEASON = ("AKB13475I0020.fits.fz", "AKB13475I0027.fits.fz")
PEAK, NEXT_NIGHT = "AKB13475I0100.fits.fz", "AKB13475I0169.fits.fz"
FALL = -73_800.0  # adu of the peak's frame, from the notes; good to 5 %


@pytest.fixture(scope="module")
def saao():
    return instrument.load("saao")


@pytest.fixture(scope="module")
def frames(shared_data, saao):
    found, problems = reader.scan(shared_data / "images" / "saao_kb13475", saao)
    assert problems == []
    return {frame.paths[0].name: frame for frame in found}


@pytest.fixture(scope="module")
def exposures(frames, saao):
    names = (*SEASON, PEAK, NEXT_NIGHT)
    return {n: single_visit.process(frames[n], saao, None, None).exposure for n in names}


@pytest.fixture(scope="module")
def differences(exposures):
    """Difference and DIASources of the two visits."""
    template = coadd.build_template([exposures[name] for name in SEASON])
    found = {}
    for name in (PEAK, NEXT_NIGHT):
        made = difference.subtract(exposures[name], template)
        found[name] = made, dia.detect_and_measure(made, exposures[name], None)
    return found


@pytest.mark.requirement("L1DB-09")
def test_times_are_tai_and_the_season_is_of_sharp_frames(frames):
    visit = frames[PEAK].visit
    # The header: MJD-OBS 56507.79418 at the start, 200.039 s; TAI was 35 s ahead of UTC.
    assert visit.mid_tai == pytest.approx(56507.79418 + (100.0195 + 35) / 86400, abs=1e-6)
    assert len({f.visit.ccd_visit_id for f in frames.values()}) == len(frames) == 73
    season = [f for f in frames.values() if f.visit.is_template]
    assert len(season) == 7
    assert {frames[name].visit.is_template for name in SEASON} == {True}


@pytest.mark.requirement("GEN-10")
def test_frames_are_brought_onto_the_reference(exposures):
    reference, moved = exposures[PEAK], exposures[SEASON[0]]
    assert reference.quality["fluxScale"] * 1.9 == pytest.approx(1, abs=0.002)  # 1 adu = 1 nJy
    # The frames lie some ten pixels apart, and their stars within a tenth of a pixel.
    apart = reference.wcs.all_world2pix(moved.wcs.all_pix2world([[256, 256]], 0), 0)[0] - 256
    assert 5 < np.hypot(*apart) < 60
    assert moved.quality["nAstromStars"] > 100
    assert moved.quality["astromSysRaErr"] < 0.03
    assert moved.quality["photoCalibAbsErr"] == 1.0  # nothing is known of the zero point


@pytest.mark.requirement("DIA-01", "DIA-08")
def test_the_event_falls_as_the_notes_say(exposures, differences):
    ra, decl = exposures[PEAK].wcs.all_pix2world([EVENT], 0)[0]
    flux = {}
    for name, (made, sources) in differences.items():
        x, y = made.exposure.wcs.all_world2pix([[ra, decl]], 0)[0]
        near = np.hypot(sources["x"] - x, sources["y"] - y)
        row = sources[int(near.argmin())]
        assert near.min() < 1
        assert row["snr"] > 20
        flux[name] = float(row["psFlux"])
    # Notes: 5 %; the zero points of the two frames: 1 % each of 40,000 adu.
    assert flux[NEXT_NIGHT] - flux[PEAK] == pytest.approx(FALL, rel=0.08)
