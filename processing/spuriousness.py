"""How probably a source is an artifact, from the image alone (DIA-09, L1DB-13; DPDD Table 1).

Numbers that describe a cutout of the image around the source (:mod:`processing.cutouts`) go into a
small network: one layer of tanh, then a logistic. Nothing else enters, no measured column, no place
on sky or detector, no history: the same cutout has the same score to the last bit. The weights are
data with a version, ``spuriousness.json``, and come from simulated sources and artifacts:
``python -m benchmarks.spurious --train processing/spuriousness.json``.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np

from processing.cutouts import NAMES, cut, features
from processing.deblend import Source
from processing.difference import Difference
from processing.exposure import Exposure
from processing.plane import FloatArray, Plane

CLIP = 4.0  # scales by which a feature may be off


@dataclass(frozen=True)
class Network:
    """Weights: features shifted and scaled, then tanh(W1 f + b1), then a logistic of w2 h + b2."""

    version: str
    middle: FloatArray
    scale: FloatArray
    w1: FloatArray
    b1: FloatArray
    w2: FloatArray
    b2: float

    def judge(self, values: FloatArray) -> FloatArray:
        """Return the probability of an artifact, shape (n,), of features (n, k)."""
        normal = np.clip((values - self.middle) / self.scale, -CLIP, CLIP)
        # Not a matrix product, whose order of summation depends on the number of rows.
        hidden = np.tanh((normal[:, None, :] * self.w1).sum(axis=-1) + self.b1)
        return np.asarray(1 / (1 + np.exp(-((hidden * self.w2).sum(axis=-1) + self.b2))))


@cache
def shipped() -> Network:
    """Read the weights that come with this version."""
    text = resources.files("processing").joinpath("spuriousness.json").read_text("utf-8")
    data = json.loads(text)
    arrays = {k: np.array(data[k], float) for k in ("middle", "scale", "w1", "b1", "w2")}
    return Network(version=data["version"], b2=float(data["b2"]), **arrays)


def judge(
    sources: Sequence[Source], plane: Plane, difference: Difference, snaps: Exposure | None
) -> FloatArray:
    """Judge the sources of a difference image, shape (n,): 0 astrophysical, 1 artifact.

    A parent is as credible as the most credible of its children.
    """
    described = [features(cut(source, plane, difference, snaps)) for source in sources]
    score = shipped().judge(np.array(described).reshape(-1, len(NAMES)))
    for parent in {source.parent for source in sources} - {-1}:
        score[parent] = min(score[k] for k, s in enumerate(sources) if s.parent == parent)
    return score
