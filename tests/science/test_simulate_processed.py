"""Visits with each of the simulator's harder effects go through the pipeline and come out right."""

from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from processing import calibration_frames, instrument, reader, reference, single_visit
from simulate.effects import Effects
from simulate.survey import simulate
from simulate.tiers import SMOKE, Cadence

GROUPS = {
    "detector": ("gain_drift", "brighter_fatter"),
    "stray light": ("satellite_trails", "ghosts", "diffraction_spikes", "cirrus"),
    "colour": ("chromatic_psf", "chromatic_refraction", "distortion"),
}


def processed(folder, effects, band="g"):
    """One visit of a field of bright stars: its processed image and its rows of the truth."""
    tier = replace(
        SMOKE,
        bands=(band,),
        cadence=Cadence(template_visits=1, nights=(0,), blocks=(((band,),),)),
        sky=replace(SMOKE.sky, stars=60.0, bright=(12.5,)),
        biases=3,
        darks=3,
        flats=3,
        effects=replace(Effects(), **dict.fromkeys(effects, True)),
    )
    simulate(folder / "data", folder / "truth", tier, 21, nights=[0, 1])
    used = instrument.load("simulated")
    frame = next(f for f in reader.scan(folder / "data", used)[0] if not f.visit.is_template)
    masters = calibration_frames.build(folder / "data", used)
    single = single_visit.process(frame, used, masters, reference.read(folder / "data", used))
    truth = {}
    for name in ("visits", "sources"):
        rows = pq.read_table(folder / "truth" / f"{name}.parquet").to_pydict()
        columns = {key: np.array(values) for key, values in rows.items()}
        here = columns["visitId"] == frame.visit.visit_id
        truth[name] = {key: values[here] for key, values in columns.items()}
    return single.exposure, truth


@pytest.mark.parametrize("group", GROUPS)
def test_the_pipeline_copes(group, tmp_path):
    """Zero point to 20 mmag, WCS to 30 mas, with some sixty stars of a detector of 512 px.

    Ten mmag are what the reference stars of so small a field allow; the rest is for the effect:
    gains 0.3 % off, wings and rings of bright stars, stars whose colour moves them by some mas.
    """
    image, truth = processed(tmp_path, GROUPS[group])
    quality = image.quality
    visits = truth["visits"]
    true = 31.4 + 2.5 * np.log10(visits["electronsPerNjy"][0] * visits["response"][0])
    assert quality["zeroPoint"] == pytest.approx(true, abs=0.02)
    sources = truth["sources"]
    stars = (sources["kind"] == "star") & (sources["flux"] > 3000)
    sky = image.wcs.all_pix2world(sources["x"][stars], sources["y"][stars], 0)
    east = (sky[0] - sources["ra"][stars]) * np.cos(np.radians(sky[1])) * 3.6e6
    north = (sky[1] - sources["decl"][stars]) * 3.6e6
    assert np.hypot(np.median(east), np.median(north)) < 30
    assert np.median(np.hypot(east, north)) < 60
    assert quality["seeing"] == pytest.approx(visits["seeing"][0], rel=0.1)
    assert image.usable().mean() > 0.85
