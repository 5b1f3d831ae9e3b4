"""Files of masters: what is read is what was made, and the truth of the simulated detector."""

from dataclasses import fields

import numpy as np
import pytest
from astropy.io import fits

from processing import calibration_frames, masters
from processing.calibration_frames import folders, read_series
from simulate.detector import pattern
from skyledger.errors import DataRejectedError


@pytest.fixture(scope="module")
def written(smoke_survey, tmp_path_factory):
    """Masters of detector 0, their description and their file."""
    series = read_series(folders(smoke_survey.data)[0], smoke_survey.instrument)
    made = smoke_survey.calibration.detectors[0]
    listed = masters.describe(made, series)
    path = tmp_path_factory.mktemp("masters") / "0-v1.fits"
    masters.write(made, listed, series, masters.inputs(series), path)
    return series, made, listed, path


@pytest.mark.requirement("GEN-11", "DIA-07")
def test_masters_are_read_as_they_were_made(written):
    _, made, _, path = written
    found = masters.read(path)

    def same(a, b):
        if isinstance(a, np.ndarray):
            return a.dtype == b.dtype and np.array_equal(a, b)
        if isinstance(a, dict):
            return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
        if hasattr(a, "__dataclass_fields__"):
            return all(same(getattr(a, f.name), getattr(b, f.name)) for f in fields(a))
        return a == b

    for field in fields(made):
        assert same(getattr(made, field.name), getattr(found, field.name)), field.name


@pytest.mark.requirement("DIA-07", "GEN-11")
def test_the_same_frames_make_the_same_file(smoke_survey, written, tmp_path):
    series, _, listed, path = written
    made = calibration_frames.make(series, 0, smoke_survey.instrument)
    again = tmp_path / "again.fits"
    masters.write(made, masters.describe(made, series), series, masters.inputs(series), again)
    assert again.read_bytes() == path.read_bytes()
    assert masters.describe(made, series) == listed


@pytest.mark.requirement("GEN-11", "GEN-13")
def test_any_program_finds_masters_and_their_inputs(smoke_survey, written):
    series, made, listed, path = written
    band = next(iter(made.flats))
    parts = pattern(smoke_survey.survey.seed, smoke_survey.survey.detectors[0], band,
                    smoke_survey.survey.tier.effects)  # fmt: skip
    with fits.open(path) as hdus:
        mask = hdus["MASK"].data
        assert (mask & 1 == 1)[parts.defects == 1].mean() > 0.99  # BAD, as MP00 says
        assert hdus["MASK"].header["MP00"] == "BAD"
        good = parts.defects == 0
        flat = (
            hdus[f"FLAT-{band}"].data[good] / (parts.response / parts.response[good].mean())[good]
        )
        assert abs(np.median(flat) - 1) < 0.002
        assert np.median(hdus["DARK"].data[good]) == pytest.approx(np.median(parts.dark[good]), 0.2)
        assert hdus[0].header["VALIDBEG"] == pytest.approx(series.begin)
        names = list(hdus["INPUTS"].data["file"])
    assert len(names) == sum(len(paths) for paths in series.files.values())
    of_flat = next(m for m in listed if (m.kind, m.band) == ("flat", band))
    assert of_flat.inputs == tuple(p.name for p in series.files[f"flat-{band}"])
    assert of_flat.mean == pytest.approx(1, abs=1e-3)


def test_a_file_that_was_cut_off_is_refused(written, tmp_path):
    whole = written[3].read_bytes()
    broken = tmp_path / "broken.fits"
    broken.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataRejectedError, match=r"no masters .* skyledger masters build"):
        masters.read(broken)
