"""The network of spuriousness is trained: samples of several skies, gradient descent."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from support import artifacts

from processing.cutouts import NAMES, features
from processing.spuriousness import CLIP, Network

VERSION = "1"
SEEDS = (90_000_001, 90_000_002, 90_000_003, 90_000_004, 90_000_005)
SIZE, VISITS = 768, 4  # of each of them
_HIDDEN, _STEPS, _RATE, _RIDGE = 24, 1500, 0.01, 1e-3
# What no kind looks like is strange, too: real sources of which one to three groups of features are
# exchanged, or drawn from the whole range, count as artifacts. Not those of which real sources have
# any value: signal, light, change between the snaps.
_STRANGE = 0.3  # their weight among the artifacts
_GROUPS = (
    ("core misfit", "ring misfit", "outer misfit"), ("ring light", "outer light"),
    ("core most", "core least", "outside most", "wide most"), ("columns", "rows"), ("peak",),
    ("size", "size in errors"), ("trail gain", "length"), ("dipole gain", "arm", "balance"),
    ("moved",),
)  # fmt: skip
FloatArray = NDArray[np.float64]


def collect(seeds: Any, size: int, visits: int) -> artifacts.Sample:
    """Cutouts and kinds of all additions over several skies, each with its own template."""
    parts = []
    for seed in seeds:
        field = artifacts.make_field(seed, size)
        parts += [artifacts.sample(field, number) for number in range(visits)]
    return artifacts.Sample(
        [cutout for part in parts for cutout in part.cutouts],
        np.concatenate([part.kind for part in parts]),
        np.concatenate([part.snr for part in parts]),
    )


def described(sample: artifacts.Sample) -> FloatArray:
    """Features of a sample, shape (n, k); every third as from a visit of one snap."""
    return np.array(
        [
            features(cutout if k % 3 else replace(cutout, snaps=None))
            for k, cutout in enumerate(sample.cutouts)
        ]
    )


def weights(kind: NDArray[np.int64]) -> FloatArray:
    """Real and false weigh the same, and so do their kinds (as the root of their numbers)."""
    count = np.bincount(kind, minlength=len(artifacts.KINDS))
    weight = 1 / np.sqrt(np.maximum(count[kind], 1.0))
    real = kind < len(artifacts.REAL)
    return np.where(real, 0.5 * weight / weight[real].sum(), 0.5 * weight / weight[~real].sum())


def spread(values: FloatArray) -> FloatArray:
    """Scale of each feature."""
    return np.asarray(values.std(axis=0) + 0.05)


def strangers(values: FloatArray, real: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Make examples, two for each of ``values``, whose features do not belong together."""
    n = 2 * len(values)
    out = real[rng.integers(len(real), size=n)]
    count = rng.integers(1, 4, n)
    rank = rng.random((n, len(_GROUPS))).argsort(axis=1).argsort(axis=1)
    for k, names in enumerate(_GROUPS):
        columns = [NAMES.index(name) for name in names]
        chosen = np.flatnonzero(rank[:, k] < count)
        drawn = chosen[rng.random(len(chosen)) < 0.5]
        out[np.ix_(chosen, columns)] = values[rng.integers(len(values), size=len(chosen))][
            :, columns
        ]
        # Also where nothing was seen: up to where the network's input is cut.
        middle, reach = values[:, columns].mean(axis=0), CLIP * spread(values[:, columns])
        size = (len(drawn), len(columns))
        out[np.ix_(drawn, columns)] = rng.uniform(middle - reach, middle + reach, size)
    return out


@dataclass(frozen=True)
class Examples:
    """What a network learns from: features (n, k), kinds, and which are held back.

    The last sky is held back: 0.5 is what 98.5 % of its real sources stay below.
    """

    values: FloatArray
    kind: NDArray[np.int64]
    held: NDArray[np.bool_]

    def without(self, kind: int) -> "Examples":
        """All but one kind."""
        keep = self.kind != kind
        return Examples(self.values[keep], self.kind[keep], self.held[keep])


def examples() -> Examples:
    """Make the examples from which the network that is shipped has learned."""
    parts = [collect([seed], SIZE, VISITS) for seed in SEEDS]
    held = [np.full(len(part.kind), k == len(parts) - 1) for k, part in enumerate(parts)]
    return Examples(
        np.concatenate([described(part) for part in parts]),
        np.concatenate([part.kind for part in parts]),
        np.concatenate(held),
    )


def train(given: Examples, seed: int = 0) -> Network:
    """Fit a network; the same examples give the same weights."""
    learned = ~given.held
    network = _descend(given.values[learned], given.kind[learned], seed)
    real = given.held & (given.kind < len(artifacts.REAL))
    score = np.clip(network.judge(given.values[real]), 1e-12, 1 - 1e-12)
    limit = float(np.quantile(np.log(score / (1 - score)), 0.985))
    return replace(network, b2=network.b2 - limit)


def _descend(values: FloatArray, kind: NDArray[np.int64], seed: int) -> Network:
    """Gradient descent (Adam)."""
    rng = np.random.default_rng(seed)
    middle, scale = values.mean(axis=0), spread(values)
    artifact = kind >= len(artifacts.REAL)
    strange = strangers(values, values[~artifact], rng)
    inputs = np.clip((np.concatenate([values, strange]) - middle) / scale, -CLIP, CLIP)
    false = np.append(artifact, np.ones(len(strange))).astype(float)
    known = weights(kind) * np.where(artifact, 1 - _STRANGE, 1)
    weight = np.append(known, np.full(len(strange), 0.5 * _STRANGE / len(strange)))
    shapes = ((_HIDDEN, inputs.shape[1]), _HIDDEN, _HIDDEN, 1)
    p = [rng.normal(0, 0.3, shape) for shape in shapes]
    m, v = [np.zeros(a.shape) for a in p], [np.zeros(a.shape) for a in p]
    for step in range(1, _STEPS + 1):
        hidden = np.tanh(inputs @ p[0].T + p[1])
        out = 1 / (1 + np.exp(-(hidden @ p[2] + p[3])))
        error = weight * (out - false)
        back = np.outer(error, p[2]) * (1 - hidden**2)
        slopes = [back.T @ inputs, back.sum(axis=0), hidden.T @ error, error.sum(keepdims=True)]
        for k in range(4):
            slope = slopes[k] + (_RIDGE * p[k] if k in (0, 2) else 0)
            m[k] = 0.9 * m[k] + 0.1 * slope
            v[k] = 0.999 * v[k] + 0.001 * slope**2
            size = _RATE * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
            p[k] = p[k] - size * m[k] / (np.sqrt(v[k]) + 1e-8)
    return Network(VERSION, middle, scale, p[0], p[1], p[2], float(p[3][0]))


def write(network: Network, path: Path) -> None:
    """Write weights as the package ships them."""
    rounded = {
        key: np.round(np.asarray(getattr(network, key), float), 5).tolist()
        for key in ("middle", "scale", "w1", "b1", "w2", "b2")
    }
    head = {"version": network.version, "features": list(NAMES)}
    path.write_text(json.dumps(head | rounded) + "\n", "utf-8")
