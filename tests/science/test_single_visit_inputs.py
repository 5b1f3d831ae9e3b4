"""Frames that are wrong in one thing: rejected with the reason, or right all the same."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits

from processing import calibration_frames, instrument, reader, single_visit
from processing.exposure import Mask
from processing.patterns import match
from processing.reference import ReferenceStars
from simulate import camera
from simulate.detector import FRINGES, pattern
from simulate.effects import Effects
from simulate.survey import simulate
from simulate.tiers import SMOKE
from skyledger.errors import DataRejectedError

HALF = 256  # columns of an amplifier


def rewritten(frame, folder, change, primary=None):
    """Copy a frame with other pixels or headers: change(counts, header) of each snap."""
    path = folder / "raw" / frame.paths[0].name
    path.parent.mkdir(exist_ok=True)
    with fits.open(frame.paths[0]) as hdus:
        for k, hdu in enumerate(hdus[1:], start=1):
            counts, header = hdu.data.astype(np.float64), hdu.header.copy()
            counts = change(counts, header) if change else counts
            for word in ("BZERO", "BSCALE"):
                header.remove(word, ignore_missing=True)
            counts = np.clip(np.rint(counts), 0, 65535).astype(np.uint16)
            hdus[k] = fits.ImageHDU(counts, header=header, name=hdu.name)
        for key, value in (primary or {}).items():
            hdus[0].header[key] = value
        hdus.writeto(path)
    return replace(frame, paths=(path,))


def light(counts):
    """Light-sensitive part of a raw array."""
    return counts[:, : 2 * HALF]


def flipped(counts, header):
    light(counts)[:] = light(counts)[::-1]  # rows, so that amplifiers keep theirs
    return counts


def upside_down(counts, header):
    light(counts)[:] = light(counts)[::-1, ::-1]
    return counts


def one_star(counts, header):
    # Sky as it is, and nothing but what a circle about one star holds.
    image = light(counts)
    y, x = np.unravel_index(np.argmax(image), image.shape)
    rows, columns = np.mgrid[0 : image.shape[0], 0 : image.shape[1]]
    rng = np.random.default_rng(1)
    far = np.hypot(rows - y, columns - x) > 12
    noise = rng.normal(0, 12, image.shape)
    for columns in (slice(0, HALF), slice(HALF, 2 * HALF)):
        quiet = np.median(image[:, columns]) + noise[:, columns]
        image[:, columns] = np.where(far[:, columns], quiet, image[:, columns])
    return counts


def mostly_saturated(counts, header):
    light(counts)[:, : int(1.8 * HALF)] = 65535
    return counts


def wrong_gain(counts, header):
    header["GAIN2"] = 2.5
    return counts


def half_as_sensitive(counts, header):
    bias = np.median(counts[:, 2 * HALF + 32 :])
    counts[:, HALF : 2 * HALF] = bias + 0.5 * (counts[:, HALF : 2 * HALF] - bias)
    return counts


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (flipped, "flipped against its header"),
        (upside_down, "amplifiers show skies of .* a wrong gain"),
        (one_star, "no star for the PSF|detected stars|stands 15|reference stars"),
        (mostly_saturated, "10 % of the pixels are usable .SAT 90 %"),
        (wrong_gain, r"amplifier 2 has gain 2.5 electron/adu, in the calibration frames 1.98"),
        (half_as_sensitive, "amplifiers show skies of .* a wrong gain"),
    ],
)
def test_wrong_frames_are_rejected_with_the_reason(smoke_survey, tmp_path, change, said):
    frame = rewritten(smoke_survey.frames[2], tmp_path, change)
    with pytest.raises(DataRejectedError, match=said) as caught:
        smoke_survey.process(frame)
    assert str(frame.visit.visit_id) in str(caught.value)


@pytest.mark.parametrize(
    ("primary", "said"),
    [
        ({"NSNAPS": 1}, "NSNAPS is 1, but the file has 2 snaps"),
        ({"EXPTIME": 60.0}, "EXPTIME is 60.0 s, its snaps have 30.0 s together"),
        ({"MJD-END": 50000.0}, "are not in this order"),
        ({"DETECTOR": 3}, "DETECTOR is 3 in the primary header and 0 in a snap's"),
        ({"DEC": 95.0}, "no position in degrees"),
    ],
)
def test_contradictory_headers_are_refused(smoke_survey, tmp_path, primary, said):
    rewritten(smoke_survey.frames[2], tmp_path, None, primary)
    frames, problems = reader.scan(tmp_path, smoke_survey.instrument)
    assert frames == []
    assert len(problems) == 1
    assert said in problems[0][1]


def without_wcs(counts, header):
    for key in [
        k for k in header if k[:5] in ("CTYPE", "CRVAL", "CRPIX", "CUNIT") or k[:2] == "CD"
    ]:
        del header[key]
    return counts


def far_off(counts, header):
    header["CRVAL1"] += 0.02
    header["CRVAL2"] -= 0.02
    return counts


@pytest.mark.requirement("GEN-10")
@pytest.mark.parametrize("change", [without_wcs, far_off])
def test_frames_are_found_by_the_pattern_of_their_stars(smoke_survey, tmp_path, change):
    # The WCS is that of the frame as it was: the same stars are matched, to a few mas.
    original = smoke_survey.processed[2][1].exposure
    rewritten(smoke_survey.frames[2], tmp_path, change)
    frames, problems = reader.scan(tmp_path, smoke_survey.instrument)
    assert problems == []
    found = smoke_survey.process(frames[0]).exposure
    corners = np.array([[0.0, 0.0], [511, 0], [0, 511], [511, 511]])
    here, there = (e.wcs.all_pix2world(corners, 0) for e in (found, original))
    assert np.abs(here - there).max() * 3600 < 0.005
    assert found.quality["fluxScale"] == pytest.approx(original.quality["fluxScale"], rel=1e-3)


def test_random_points_are_not_matched_and_real_ones_are():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        first = rng.uniform(0, 1000, (90, 2))
        assert match(first, rng.uniform(0, 1000, (120, 2)), 1.5, (0.9, 1.1)) is None
        angle, mirror = rng.uniform(0, 2 * np.pi), rng.choice([-1, 1])
        c, s = np.cos(angle), np.sin(angle)
        turned = first * [1, mirror] @ np.array([[c, -s], [s, c]]).T * 0.4 + [300, -80]
        some = turned[rng.permutation(90)[:60]] + rng.normal(0, 0.1, (60, 2))
        others = np.concatenate([some, rng.uniform(turned.min(0), turned.max(0), (20, 2))])
        found = match(first, others, 0.6, (0.38, 0.42))
        assert found is not None
        assert found.flipped == (mirror < 0)
        assert np.abs(found.apply(first) - turned).max() < 0.3
        assert len(found.first) >= 50


def dead(counts, header):
    rng = np.random.default_rng(2)
    overscan = counts[:, 2 * HALF + 32 :]
    counts[:, HALF : 2 * HALF] = overscan.mean() + rng.normal(
        0, overscan.std(), (overscan.shape[0], HALF)
    )
    return counts


def test_an_amplifier_that_dies_is_no_data_and_the_other_is_right(smoke_survey, tmp_path):
    frame, whole = smoke_survey.processed[2]
    result = smoke_survey.process(rewritten(frame, tmp_path, dead))
    exposure = result.exposure
    assert ((exposure.mask[:, HALF:] & int(Mask.NO_DATA)) != 0).all()
    assert ((exposure.mask[:, :HALF] & int(Mask.NO_DATA)) == 0).all()
    assert exposure.quality["usableFraction"] < 0.5
    # Half of the stars: twice the error of the whole frame's zero point at most.
    error = np.hypot(
        exposure.quality["photoCalibRelErr"], whole.exposure.quality["photoCalibRelErr"]
    )
    ratio = exposure.quality["fluxScale"] / whole.exposure.quality["fluxScale"]
    assert abs(ratio - 1) < 3 * error


@pytest.mark.requirement("GEN-22")
def test_colour_terms_are_undone(smoke_survey):
    # A catalogue whose r is bluer by 0.1 (g - r) is put right by the filter's term.
    stars = smoke_survey.reference
    frame, result = next(p for p in smoke_survey.processed if p[0].visit.band == "r")
    g, r = stars.columns["gFlux"], stars.columns["rFlux"]
    columns = stars.columns | {"rFlux": r * 10 ** (0.4 * 0.1 * -2.5 * np.log10(g / r))}
    own = smoke_survey.instrument.filters["SIM-r"]
    # The colour is now g - r' with r' = r - 0.1 (g - r): (g - r) = (g - r') / 1.1.
    wanted = own.model_copy(update={"colour": "g-r", "colour_term": 0.1 / 1.1})
    filters = smoke_survey.instrument.filters | {"SIM-r": wanted}
    camera_ = smoke_survey.instrument.model_copy(update={"filters": filters})
    again = single_visit.process(
        frame, camera_, smoke_survey.calibration, ReferenceStars(columns, 0.005)
    )
    ratio = again.exposure.quality["fluxScale"] / result.exposure.quality["fluxScale"]
    assert ratio == pytest.approx(1, abs=0.001)


@pytest.fixture(scope="module")
def effects_survey(tmp_path_factory):
    """One visit in z with everything that readout and fringes do; its seed."""
    folder = tmp_path_factory.mktemp("effects")
    tier = replace(
        SMOKE,
        bands=("z",),
        cadence=replace(SMOKE.cadence, template_visits=1, nights=(0,), blocks=((("z",),),)),
        effects=Effects(nonlinearity=True, crosstalk=True, fringing=True),
    )
    simulate(folder / "data", folder / "truth", tier, 5)
    return folder, tier


@pytest.mark.requirement("DIA-07")
def test_readout_and_fringes_are_measured_and_removed(effects_survey):
    folder, tier = effects_survey
    used = instrument.load("simulated")
    masters = calibration_frames.build(folder / "data", used)
    master = masters.detectors[0]
    # Truth of the simulator: a full well q is reported as q (1 - lost); 5 % of the loss.
    for lost, bend in zip((0.015, 0.025), master.readout.bend, strict=True):
        seen = camera.FULL_WELL * (1 - lost)
        assert bend[0] * seen + bend[1] * seen**2 == pytest.approx(lost, rel=0.05)
    assert master.readout.crosstalk[0, 1] == pytest.approx(4e-4, rel=0.1)
    assert master.readout.crosstalk[1, 0] == pytest.approx(2.5e-4, rel=0.1)
    true = pattern(5, camera.detectors(1, 512)[0], "z", tier.effects).fringe
    good = ~master.defects
    assert FRINGES["z"] * 0.6 < true.std() < FRINGES["z"]
    assert (master.fringes["z"] - true)[good].std() < 0.3 * true.std()
    frames, _ = reader.scan(folder / "data", used)
    stars = smoke_reference(folder / "data", used)
    exposure = single_visit.process(frames[0], used, masters, stars).exposure
    empty = exposure.usable() & ((exposure.mask & int(Mask.DETECTED)) == 0)
    sky = exposure.quality["skyBg"] * exposure.quality["pixelScale"] ** 2
    left = np.cov(exposure.image[empty] / sky, true[empty])
    # What is left of the fringes: a tenth of them.
    assert abs(left[0, 1] / left[1, 1]) < 0.1


def smoke_reference(folder, used):
    from processing import reference  # noqa: PLC0415 - the name is used for fixtures

    return reference.read(folder, used)


@pytest.mark.requirement("DIA-07")
def test_masters_hold_for_their_time_only(smoke_survey):
    frame = smoke_survey.frames[0]
    late = replace(frame.visit, mid_tai=frame.visit.mid_tai + 500)
    with pytest.raises(DataRejectedError, match=r"hold for MJD 61075.* Add frames of its time"):
        smoke_survey.process(replace(frame, visit=late))
