"""Master frames and the removal of the signature, on arrays whose truth is known."""

import numpy as np
import pytest
from astropy.io import fits

from processing import calibration_frames, instrument
from processing.calibration_frames import clipped_mean, trim
from processing.exposure import Mask, VisitInfo
from processing.isr import correct
from processing.raw import Amplifier, RawImage
from skyledger.errors import DataRejectedError

NY, NX, OVER = 200, 120, 16
GAINS, NOISE, LEVELS = (1.5, 1.7), (5.0, 6.0), (1000.0, 1200.0)
AMPLIFIERS = tuple(
    Amplifier(
        data=(slice(0, NY), slice(n * NX // 2, (n + 1) * NX // 2)),
        overscan=(slice(0, NY), slice(NX + n * OVER, NX + (n + 1) * OVER)),
        gain=GAINS[n],
        read_noise=NOISE[n],
    )
    for n in (0, 1)
)
TRUE_FLAT = 1 + 0.05 * np.sin(np.arange(NX) / 15) * np.ones((NY, 1))
TRUE_BIAS = 3 * np.cos(np.arange(NY) / 20)[:, None] * np.ones((1, NX))


def read_out(electrons, rng):
    """Raw counts: bias structure, an overscan that drifts by 20 adu, noise, rounding."""
    raw = np.zeros((NY, NX + 2 * OVER))
    drift = 20 * np.linspace(0, 1, NY)[:, None]
    for n, amplifier in enumerate(AMPLIFIERS):
        for section in (amplifier.data, amplifier.overscan):
            shape = raw[section].shape
            raw[section] = LEVELS[n] + drift + rng.normal(0, NOISE[n] / GAINS[n], shape)
        raw[amplifier.data] += TRUE_BIAS[amplifier.data] + electrons[amplifier.data] / GAINS[n]
    return np.clip(np.rint(raw), 0, 65535)


def raw_image(electrons, rng, time=15.0):
    return RawImage(
        counts=read_out(electrons, rng).astype(np.float32),
        amplifiers=AMPLIFIERS,
        full_well=90_000.0,
        saturation=65535.0,
        exposure_time=time,
        header=fits.Header(),
    )


def visit(band="r"):
    return VisitInfo(
        *("simulated", 7, 7 * 512, 0, band, f"SIM-{band}", "main", 61000.0, 0.0, 0.0, 15.0, 1),
        *(1.1, 10.0, 5.0, 0.0, False),
    )


@pytest.fixture(scope="module")
def data_set(tmp_path_factory):
    """Calibration frames with a dead column, a hot pixel and a cosmic ray."""
    rng = np.random.default_rng(9)
    folder = tmp_path_factory.mktemp("set") / "calibration"
    folder.mkdir()
    camera = instrument.load("simulated")
    response = TRUE_FLAT.copy()
    response[:, 33] *= 0.3
    dark = np.full((NY, NX), 0.05)
    dark[50, 70] = 40.0
    kinds = [("bias", 0.0, 0.0)] * 6 + [("dark", 60.0, 0.0)] * 6 + [("flat-r", 5.0, 45000.0)] * 6
    for number, (kind, time, light) in enumerate(kinds):
        electrons = rng.poisson(response * light + dark * time).astype(float)
        if kind == "dark" and number % 6 == 2:
            electrons[80:90, 20] += 3000
        header = fits.Header({"EXPTIME": time, "DETECTOR": 0, "NAMPS": 2})
        header.update({"FULLWELL": 90000.0, "SATURATE": 65535})
        for n in (1, 2):
            edges = ((n - 1) * NX // 2 + 1, n * NX // 2), (NX + (n - 1) * OVER + 1, NX + n * OVER)
            header[f"GAIN{n}"], header[f"RDNOISE{n}"] = GAINS[n - 1], NOISE[n - 1]
            header[f"DATASEC{n}"] = f"[{edges[0][0]}:{edges[0][1]},1:{NY}]"
            header[f"BIASSEC{n}"] = f"[{edges[1][0]}:{edges[1][1]},1:{NY}]"
        primary = fits.PrimaryHDU(header=fits.Header({"FILTER": "SIM-r", "MJD-BEG": 60999.0}))
        image = fits.ImageHDU(read_out(electrons, rng).astype(np.uint16), header=header)
        fits.HDUList([primary, image]).writeto(folder / f"{kind}-{number % 6:03d}.fits")
    return folder.parent, camera


@pytest.fixture(scope="module")
def masters(data_set):
    return calibration_frames.build(*data_set).detectors[0]


@pytest.mark.requirement("DIA-07")
def test_masters_hold_the_truth(masters):
    good = ~masters.defects
    # Six frames of 3.4 adu noise: 1.4 adu; the mean over the frame is far better.
    assert (masters.bias - TRUE_BIAS).std() < 1.6
    assert abs((masters.bias - TRUE_BIAS).mean()) < 0.05
    flat = TRUE_FLAT / TRUE_FLAT[good].mean()
    assert (masters.flats["r"] / flat - 1)[good].std() < 0.0025  # photons of 6 flats: 0.0019
    assert np.median(masters.dark[good]) == pytest.approx(0.05, abs=0.01)
    assert masters.dark[80:90, 20].max() < 1  # the cosmic ray would be 8 electrons per second


@pytest.mark.requirement("DIA-07")
def test_defects_are_the_dead_column_and_the_hot_pixel(masters):
    assert masters.defects[:, 33].all()
    assert masters.defects[50, 70]
    assert masters.defects.sum() == NY + 1


@pytest.mark.requirement("DIA-07")
def test_corrected_snap_is_flat_electrons_with_the_predicted_noise(masters):
    rng = np.random.default_rng(10)
    light = 800.0
    snap = correct(raw_image(rng.poisson(light * TRUE_FLAT), rng), masters, visit())
    good = snap.mask == 0
    expected = light * TRUE_FLAT[~masters.defects].mean()
    assert snap.image[good].mean() == pytest.approx(expected, rel=0.002)
    total = snap.noise + snap.common + light / snap.flat + snap.flat_variance * light**2
    pull = (snap.image - expected) / np.sqrt(total)
    assert pull[good].var() == pytest.approx(1, abs=0.03)  # 23 800 pixels: 0.009
    assert (snap.mask[:, 33] & int(Mask.BAD)).all()


def test_saturation_is_flagged_with_its_bleed(masters):
    rng = np.random.default_rng(11)
    electrons = np.full((NY, NX), 100.0)
    electrons[100:110, 60] = 90_000
    mask = correct(raw_image(electrons, rng), masters, visit()).mask
    saturated = (mask & int(Mask.SAT)) != 0
    assert saturated[98:112, 59:62].all()
    assert saturated.sum() == 14 * 3


def test_overscan_drift_is_removed():
    rng = np.random.default_rng(12)
    image = trim(raw_image(np.zeros((NY, NX)), rng)) - TRUE_BIAS
    rows = image.mean(axis=1)
    assert abs(np.polyfit(np.linspace(-1, 1, NY), rows, 1)[0]) < 0.2  # of 10 adu


def test_mean_without_outliers_equals_numpy_where_there_are_none():
    rng = np.random.default_rng(13)
    stack = rng.normal(100, 1, (7, 30, 40)).astype(np.float32)
    clean = clipped_mean(stack)
    inside = (np.abs(stack - np.median(stack, axis=0)) < 3).all(axis=0)
    np.testing.assert_allclose(clean[inside], stack.mean(axis=0)[inside], rtol=1e-6)
    stack[3, 5, 5] = 1e5
    others = np.delete(stack[:, 5, 5], 3)
    assert clipped_mean(stack)[5, 5] == pytest.approx(others.mean(), abs=0.5)


def test_missing_frames_are_named(data_set, tmp_path, masters):
    folder, camera = data_set
    with pytest.raises(DataRejectedError, match="has 0 files bias"):
        calibration_frames.build(tmp_path, camera)
    with pytest.raises(DataRejectedError, match="no flat in band g; there are flats in r"):
        correct(raw_image(np.zeros((NY, NX)), np.random.default_rng(0)), masters, visit("g"))
    for path in sorted((folder / "calibration").glob("[bd]*.fits")):
        (tmp_path / "calibration").mkdir(exist_ok=True)
        (tmp_path / "calibration" / path.name).symlink_to(path)
    with pytest.raises(DataRejectedError, match="has 0 files flat"):
        calibration_frames.build(tmp_path, camera)
