"""A simulated survey of the smallest tier, made and reduced once a test process."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from processing import calibration_frames, instrument, reader, reference, single_visit
from simulate import scene
from simulate.survey import prepare, simulate

SEED = 7


@dataclass
class SmokeSurvey:
    """Data set, truth, and what processing makes of it."""

    data: Path
    truth: Path

    @cached_property
    def instrument(self):
        return instrument.load("simulated")

    @cached_property
    def frames(self):
        frames, problems = reader.scan(self.data, self.instrument)
        assert problems == []
        return frames

    @cached_property
    def calibration(self):
        return calibration_frames.build(self.data, self.instrument)

    @cached_property
    def reference(self):
        return reference.read(self.data, self.instrument)

    def process(self, frame):
        return single_visit.process(frame, self.instrument, self.calibration, self.reference)

    @cached_property
    def processed(self):
        """(frame, SingleVisit) of every frame, in the order of time."""
        return [(frame, self.process(frame)) for frame in self.frames]

    def table(self, name):
        """Truth table as a dictionary of arrays."""
        columns = pq.read_table(self.truth / f"{name}.parquet").to_pydict()
        return {key: np.array(values) for key, values in columns.items()}

    def true_visit(self, visit):
        """Row of the truth of a visit, as a dictionary."""
        table = self.table("visits")
        row = int(np.flatnonzero(table["ccdVisitId"] == visit.ccd_visit_id)[0])
        return {key: values[row] for key, values in table.items()}

    @cached_property
    def survey(self):
        return prepare("smoke", SEED)

    def true_light(self, visit):
        """Flux in each pixel without noise [nJy]: all sources, and the sky alone."""
        planned = next(v for v in self.survey.visits if v.visit_id == visit.visit_id)
        detector = self.survey.detectors[visit.detector]
        objects = scene.observe(self.survey.sky, planned, detector)
        images = scene.light(self.survey.sky, planned, detector, objects)
        sky = scene.background(planned, detector) / planned.rate_per_njy
        return np.mean(images, axis=0) / planned.rate_per_njy - sky, sky


@pytest.fixture(scope="session")
def smoke_survey(tmp_path_factory):
    folder = tmp_path_factory.mktemp("smoke survey")
    simulate(folder / "data", folder / "truth", "smoke", SEED)
    return SmokeSurvey(folder / "data", folder / "truth")
