"""Trails of satellites: found whole, with their width, and nothing else taken for one."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits
from scipy import ndimage
from scipy.special import ndtr

from processing import sources, streaks
from processing.exposure import Mask
from simulate.camera import detectors
from simulate.stray_light import Satellite
from skyledger.dictionary import flag_bit

SIZE = 384
SCALE = 0.2  # arcsec per pixel
FWHM = 4.0


def field(seed, density=1.0):
    """Noise of 1 with stars and galaxies of Gaussian shape, and where they are saturated."""
    rng = np.random.default_rng(seed)
    image = rng.standard_normal((SIZE, SIZE)).astype(np.float32)
    v, u = np.mgrid[-24:25, -24:25]
    for _ in range(int(120 * density)):
        width = FWHM / 2.355 * (1 if rng.uniform() < 0.6 else rng.uniform(1.2, 4))
        ratio, angle = (1, 0) if width < 2 else (rng.uniform(0.2, 1), rng.uniform(0, np.pi))
        along, across = u * np.cos(angle) + v * np.sin(angle), v * np.cos(angle) - u * np.sin(angle)
        peak = 10 ** rng.uniform(0, 3.5)
        stamp = peak * np.exp(-0.5 * (along**2 + (across / ratio) ** 2) / width**2)
        y, x = rng.integers(24, SIZE - 24, 2)
        image[y - 24 : y + 25, x - 24 : x + 25] += stamp
    return image, image > 2000


def find(image, lost):
    return streaks.find(image, np.ones_like(image), lost, FWHM, SCALE)


def covered(found):
    taken = np.zeros((SIZE, SIZE), dtype=bool)
    for streak in found:
        taken |= streak.covers(taken.shape)
    return taken


@pytest.mark.requirement("DIA-08")
@pytest.mark.parametrize("light", [20.0, 100.0, 1500.0])  # of a pixel of length; peaks of 4 to 250
def test_trails_are_masked_whole_with_their_width(light):
    detector = detectors(1, SIZE)[0]
    rng = np.random.default_rng(int(light))
    shares, areas = [], []
    for seed in range(8):
        image, lost = field(seed)
        width = np.hypot(FWHM / 2.355, rng.uniform(0.5, 2))
        angle, offset = rng.uniform(0, np.pi), rng.uniform(-0.3, 0.3) * SIZE
        trail = np.zeros((SIZE, SIZE))
        # The simulator draws electrons a second of one snap.
        Satellite(0, angle, offset, 15 * light, width).draw(trail, detector)
        found = find(image + trail.astype(np.float32), lost)
        bright = trail > max(0.3, 0.2 * min(trail.max(), 10))
        taken = covered(found)
        shares.append(taken[bright].mean())
        areas.append(taken.mean() / bright.mean())
    assert np.mean(np.array(shares) > 0.98) >= 7 / 8
    assert np.median(areas) < 2.2  # and not much more is lost


@pytest.mark.requirement("DIA-08")
def test_there_are_no_trails_where_there_are_none():
    """Forty fields, sparse to crowded, and the trails of asteroids up to 15 arcsec."""
    v, u = np.mgrid[-60:61, -60:61]
    for seed in range(40):
        rng = np.random.default_rng(1000 + seed)
        image, lost = field(1000 + seed, density=rng.uniform(0.3, 3))
        for _ in range(3):
            angle, length = rng.uniform(0, np.pi), rng.uniform(2, 15) / SCALE
            y, x = rng.integers(60, SIZE - 60, 2)
            along, across = (
                u * np.cos(angle) + v * np.sin(angle),
                v * np.cos(angle) - u * np.sin(angle),
            )
            ends = ndtr((along + length / 2) / 1.7) - ndtr((along - length / 2) / 1.7)
            trail = rng.uniform(3, 100) * ends * np.exp(-0.5 * (across / 1.7) ** 2)
            image[y - 60 : y + 61, x - 60 : x + 61] += trail
        assert find(image, lost) == [], seed


def test_spikes_and_bleeding_columns_are_no_trails():
    image, lost = field(5)
    y, x = np.mgrid[:SIZE, :SIZE] - 190.0
    for angle in (0.8, 0.8 + np.pi / 2):
        along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        reach = np.maximum(np.abs(along), 3)
        image += (5e4 / reach**2 * np.exp(-0.5 * (across / 1.7) ** 2)).astype(np.float32)
    image[:, 80:84] += 5000
    lost[:, 79:85] = True
    assert find(image, lost | (image > 2000)) == []


def test_an_image_that_is_lost_or_tiny_has_no_trails():
    image, _ = field(1)
    assert find(image, np.ones(image.shape, dtype=bool)) == []
    assert streaks.find(image[:20, :20], np.ones((20, 20), np.float32),
                        np.zeros((20, 20), dtype=bool), FWHM, SCALE) == []  # fmt: skip


@pytest.mark.requirement("DIA-08", "GEN-12")
def test_a_survey_without_satellites_has_no_trails(smoke_survey):
    for frame, single in smoke_survey.processed:
        assert not (single.exposure.mask & int(Mask.STREAK)).any(), frame.visit.visit_id


@pytest.mark.requirement("DIA-08", "GEN-12")
@pytest.mark.parametrize("light", [500.0, 30_000.0])  # electrons a pixel of length, in one snap
def test_a_trail_in_a_raw_snap_is_masked_and_its_sources_are_flagged(smoke_survey, tmp_path, light):
    """Bright ones lose pixels to the search for cosmic rays, and are masked whole all the same."""
    frame, clean = smoke_survey.processed[1]
    size = smoke_survey.survey.detectors[0].size
    trail = np.zeros((size, size))
    # The simulator draws electrons a second of a snap of 15 s.
    Satellite(1, 0.6, 20.0, 15 * light, 2.2).draw(trail, smoke_survey.survey.detectors[0])
    rng = np.random.default_rng(8)
    with fits.open(frame.paths[0]) as opened:
        hdus = fits.HDUList([hdu.copy() for hdu in opened])
    header, raw = hdus[2].header, hdus[2].data.astype(float)
    gain = np.where(np.arange(size) < size // 2, header["GAIN1"], header["GAIN2"])
    raw[:, :size] += rng.poisson(trail) / gain
    hdus[2].data = np.clip(np.rint(raw), 0, header["SATURATE"]).astype(np.uint16)
    hdus.writeto(tmp_path / "raw.fits")
    single = smoke_survey.process(replace(frame, paths=(tmp_path / "raw.fits",)))
    pvi = single.exposure
    seen = trail > 0.3 * pvi.quality["skyNoise"] * pvi.electrons_per_unit
    masked = (pvi.mask & int(Mask.STREAK)) != 0
    assert masked[seen].mean() > 0.99
    assert masked.sum() < 2.5 * seen.sum()
    # The calibration does not notice; what lies on the trail is flagged, what does not is not.
    assert pvi.quality["zeroPoint"] == pytest.approx(clean.exposure.quality["zeroPoint"], abs=0.01)
    table = sources.find_and_measure(pvi, single.sky)
    x, y = (np.clip(np.rint(np.asarray(table[name])).astype(int), 0, size - 1) for name in "xy")
    flagged = (np.asarray(table["flags"]) >> flag_bit("Source", "STREAK")) & 1 == 1
    far = ndimage.distance_transform_edt(~masked)[y, x]
    assert flagged.any()
    assert not flagged[far > 60].any()
    # The trail itself makes no Sources: they are as many as without it, or fewer.
    without = sources.find_and_measure(clean.exposure, clean.sky)
    assert len(table) <= len(without) + 3
