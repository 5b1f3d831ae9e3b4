"""Differential chromatic refraction: false dipoles of stars seen at another airmass.

Raw frames of the simulator, with refraction by each star's spectrum, in u and g: a template season
of visits at airmass up to 1.2 on both sides of the meridian, another near 1.6, and visits at 1.6.
No star varies or moves noticeably; what is detected at a star is false.

``dcr.dipoles``         per 100 stars of S/N > 100, template of airmass up to 1.2 (no bins)
``dcr.dipoles_bins``    the same with bins of airmass: the template is the one of the visit's bin
``dcr.dipoles_plain``   for comparison: template up to 1.2 without its stars' refraction
``dcr.coefficient``     pulls of the coefficients of the stars of the template: standard deviation
``dcr.masked``          share of the difference images that is masked
``dcr.cpu``             CPU seconds of the subtraction with refraction, over that without

CPU seconds are those of a second call: numba has compiled by then.
"""

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from support.figures import cpu, say

from ingest import rows
from ingest.templates import Circumstances, Registered, Source, choose, groups
from processing import calibration_frames, coadd, dia, instrument, reader, reference, single_visit
from processing.difference import Difference, subtract
from processing.exposure import Exposure
from processing.instrument import TemplateSeason
from simulate import camera, frames
from simulate.cadence import Planned, Visit, visit_at
from simulate.effects import Effects
from simulate.geometry import sine_altitude, unit_vector
from simulate.scene import observe
from simulate.spectra import colour
from simulate.survey import Survey, prepare, simulate, snaps
from simulate.tiers import FIELD, FIRST_NIGHT, SMOKE, Tier
from skyledger import ids

FloatArray = NDArray[np.float64]
BANDS = ("u", "g")
INPUTS = 6  # visits of a template
LOW, HIGH = 2.15, (3.2, 3.75)  # hours from the meridian: airmass up to 1.2, 1.47 to 1.65
VISITS = 2  # on either side of the meridian, in a band
HOURS = 3.58  # from the meridian: airmass 1.6
RADIUS = 1.5  # FWHM within which a detection is a star's


def tier(size: int) -> Tier:
    """Stars, galaxies, and no effect of the sky left out but what varies or moves."""
    still = dict.fromkeys(
        ("fast_stars", "near_stars", "rr_lyrae", "eclipsing", "miras", "flares", "agn",
         "microlenses", "supernovae_on_hosts", "supernovae_hostless", "asteroids_per_night"),
        0,
    )  # fmt: skip
    return replace(
        SMOKE,
        name="refraction",
        detector_size=size,
        bands=BANDS,
        cadence=replace(SMOKE.cadence, template_visits=1, nights=(0,), blocks=((("g",),),)),
        sky=replace(SMOKE.sky, stars=90.0, galaxies=20.0, bright=(), **still),
        effects=Effects(chromatic_refraction=True),
    )


def meridian(night: float) -> float:
    """MJD at which the field stands highest in the night after ``night``."""
    times = night - 0.3 + np.arange(0, 1, 1 / 1440)
    return float(times[np.argmax(sine_altitude(unit_vector(*FIELD), times))])


def visits(setup: Tier, seed: int) -> Iterator[Visit]:
    """Plan the visits: of each band low ones, high ones, and those to be searched."""
    rng = np.random.default_rng([seed, 5])
    for b, band in enumerate(BANDS):
        hours = [*np.linspace(-LOW, LOW, INPUTS)]
        hours += [side * rng.uniform(*HIGH) for side in (-1, 1) for _ in range(INPUTS // 2)]
        survey = [side * HOURS for side in (-1, 1) for _ in range(VISITS)]
        for k, hour in enumerate([*hours, *survey]):
            night = FIRST_NIGHT + 2 * k + b + (0 if k >= len(hours) else -90)
            begin = meridian(night) + hour / 24
            number = ids.visit_id(ids.night_of(begin), 7)
            searched = int(k >= len(hours))
            yield visit_at(setup, seed, number, Planned(searched, searched, "", begin, band), k)


@dataclass
class Night:
    """Calibrated visits of one survey, and what is true of it."""

    survey: Survey
    planned: dict[int, Visit]
    images: dict[int, Exposure]

    def of(self, band: str, season: int) -> list[Exposure]:
        """Return images of a band: of the template season (0) or to be searched (1)."""
        return [
            image
            for number, image in self.images.items()
            if (self.planned[number].band, self.planned[number].season) == (band, season)
        ]


def observed(folder: Path, seed: int, size: int) -> Night:
    """Simulate and calibrate; frames that are there are kept."""
    setup = tier(size)
    here = folder / f"dcr-{seed}-{size}"
    simulate(here / "data", here / "truth", setup, seed, nights=(0,))
    survey = prepare(setup, seed)
    detector = survey.detectors[0]
    planned = {v.visit_id: v for v in visits(setup, seed)}
    for visit in planned.values():
        path = here / "data" / "raw" / f"{visit.visit_id}-{detector.number}.fits"
        if not path.exists():
            raw, _ = snaps(survey, visit, detector, observe(survey.sky, visit, detector))
            frames.write_visit(path, visit, detector, raw)
    used = instrument.load("simulated")
    found, problems = reader.scan(here / "data", used)
    if problems:
        raise RuntimeError(f"frames of the simulator cannot be read: {problems}")
    masters = calibration_frames.build(here / "data", used)
    stars = reference.read(here / "data", used)
    images = {
        frame.visit.visit_id: single_visit.process(frame, used, masters, stars).exposure
        for frame in found
        if frame.visit.visit_id in planned
    }
    return Night(survey, planned, images)


def stars_on(night: Night, image: Exposure) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Place [pixel] and S/N of the stars of a visit."""
    visit = night.planned[image.visit.visit_id]
    scene = observe(night.survey.sky, visit, night.survey.detectors[0])
    star = scene.kind == "star"
    sigma = np.sqrt(np.median(image.variance[image.usable()]))
    assert image.psf is not None
    middle = image.psf.image(image.shape[1] / 2, image.shape[0] / 2)
    noise2 = sigma**2 / np.sum(middle**2) + scene.flux[star] / image.electrons_per_unit
    return scene.x[star], scene.y[star], scene.flux[star] / np.sqrt(noise2)


def false_dipoles(night: Night, image: Exposure, made: Difference) -> tuple[int, int]:
    """Stars of S/N > 100 on usable pixels, and how many of them have a detection."""
    x, y, snr = stars_on(night, image)
    ny, nx = image.shape
    on = (snr > 100) & (x > 5) & (x < nx - 6) & (y > 5) & (y < ny - 6)
    x, y = x[on], y[on]
    usable = made.exposure.usable()[np.rint(y).astype(int), np.rint(x).astype(int)]
    x, y = x[usable], y[usable]
    found = dia.detect_and_measure(made, image, None)
    if len(found) == 0:
        return x.size, 0
    reach = RADIUS * float(image.quality["seeing"]) / camera.PIXEL_SCALE
    away = np.hypot(np.subtract.outer(x, found["x"]), np.subtract.outer(y, found["y"]))
    return x.size, int((away.min(axis=1) < reach).sum())


def described(number: int, template: Exposure) -> Registered:
    """Template as the archive knows it."""
    return Registered.of({**rows.template(template), "templateId": number, "path": str(number)}, "")


def binned(images: list[Exposure]) -> list[Exposure]:
    """Templates of a season divided by airmass, as the archive divides it."""
    season = TemplateSeason(keyword="SEASON", value=0, bin_visits=INPUTS)
    listed = []
    for k, image in enumerate(images):
        row = rows.template(replace(image, quality={**image.quality, **_nothing(image)}))
        listed.append(
            Source(image.visit.ccd_visit_id, image.visit.visit_id, str(k), "", image.visit.mid_tai,
                   image.visit.airmass, row["ra"], row["decl"], 0.02)
        )  # fmt: skip
    return [
        coadd.build_template([images[int(s.path)] for s in group])
        for group in groups(listed, season)
    ]


def _nothing(image: Exposure) -> dict[str, Any]:
    tai = image.visit.mid_tai
    return {"inputs": [], "beginTai": tai, "endTai": tai, "meanTai": tai, "airmass": 1.0}


def coefficient_pulls(night: Night, template: Exposure) -> FloatArray:
    """Errors of the stars' coefficients over the quoted ones, about their median."""
    table = template.refraction
    if table is None:
        return np.zeros(0)
    sky = night.survey.sky
    true = colour(sky.spectra(), template.visit.band).shift * np.degrees(3600)
    from_each = np.hypot(
        np.subtract.outer(np.asarray(table["ra"]), sky.ra) * np.cos(np.radians(FIELD[1])),
        np.subtract.outer(np.asarray(table["decl"]), sky.decl),
    )
    nearest = from_each.argmin(axis=1)
    lone = (from_each.min(axis=1) * 3600 < 0.3) & (sky.kind[nearest] == "star")
    off = np.asarray(table["coefficient"])[lone] - true[nearest][lone]
    return np.asarray((off - np.median(off)) / table["coefficientErr"][lone])


def main() -> None:
    """Print the figures as JSON lines."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--surveys", type=int, default=2)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--frames", type=Path)
    options = parser.parse_args()
    counts: dict[tuple[str, str], list[tuple[int, int]]] = {}
    masked, seconds = [], []
    pulls: dict[str, list[FloatArray]] = {band: [] for band in BANDS}
    season = TemplateSeason(keyword="SEASON", value=0, bin_visits=INPUTS)
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(options.surveys):
            night = observed(
                options.frames or Path(scratch), 1000 * options.seed + number, options.size
            )
            for band in BANDS:
                inputs = night.of(band, 0)
                low = coadd.build_template([e for e in inputs if e.visit.airmass < 1.25])
                made = binned(inputs)
                pulls[band].append(coefficient_pulls(night, low))
                known = [described(k, t) for k, t in enumerate(made)]
                for image in night.of(band, 1):
                    ny, nx = image.shape
                    ra, decl = image.wcs.all_pix2world(nx / 2, ny / 2, 0)
                    seen = Circumstances(
                        float(ra), float(decl), image.visit.mid_tai, image.visit.airmass,
                        float(image.quality["seeing"]), "",
                    )  # fmt: skip
                    chosen = choose(known, season, image.visit.ccd_visit_id, seen)
                    assert chosen is not None
                    plain, without = cpu(lambda: subtract(image, replace(low, refraction=None)))  # noqa: B023
                    bent, time = cpu(lambda: subtract(image, low))  # noqa: B023
                    seconds.append((time, without))
                    masked.append(1 - bent.exposure.usable().mean())
                    for name, difference in (
                        ("dipoles", bent),
                        ("dipoles_plain", plain),
                        ("dipoles_bins", subtract(image, made[chosen.template_id])),
                    ):
                        counts.setdefault((name, band), []).append(
                            false_dipoles(night, image, difference)
                        )
    for name in ("dipoles", "dipoles_bins", "dipoles_plain"):
        all_of, found = np.sum([np.sum(counts[name, b], axis=0) for b in BANDS], axis=0)
        each = {b: np.sum(counts[name, b], axis=0).tolist() for b in BANDS}
        say(f"dcr.{name}", 100 * found / all_of, "per 100 stars",
            None if name == "dipoles_plain" else "<= 5", stars=int(all_of), **each)  # fmt: skip
    for band in BANDS:
        each_pull = np.concatenate(pulls[band])
        if each_pull.size:
            spread = 1.4826 * np.median(np.abs(each_pull))
            say("dcr.coefficient", spread, "", "0.8 to 1.25", band=band, stars=each_pull.size)
    say("dcr.masked", float(np.mean(masked)), "", "<= 0.03")
    with_it, without = np.sum(seconds, axis=0)
    say("dcr.cpu", with_it / without, "ratio", seconds=round(with_it / len(seconds), 3))


if __name__ == "__main__":
    main()
