"""What is seen at first sight of an image."""

import numpy as np

from processing.detection import coarse_fwhm

FWHM = 4.0


def test_the_width_is_that_of_the_stars_on_a_part_of_an_image_too():
    """Large detectors are judged by their middle, which is a part of the image in memory."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:400, :400].astype(np.float32)
    image = rng.normal(100, 3, x.shape).astype(np.float32)
    for cx, cy in rng.uniform(110, 290, (40, 2)):
        image += 2000 * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) * 4 * np.log(2) / FWHM**2)
    bad = np.zeros(image.shape, bool)
    bad[200] = True
    middle = (slice(100, 300), slice(100, 300))
    found = coarse_fwhm(image[middle], bad[middle])
    # Half of the light lies within half of the FWHM of a Gaussian; blends make it a little wider.
    assert 0.9 * FWHM < found < 1.25 * FWHM
    assert found == coarse_fwhm(image[middle].copy(), bad[middle].copy())
