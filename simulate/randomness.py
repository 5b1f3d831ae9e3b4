"""Random numbers: one generator a stage, so that no stage shifts the numbers of another."""

from hashlib import sha256

import numpy as np


def generator(seed: int, stage: str, *keys: int) -> np.random.Generator:
    """Return the generator of a stage.

    Parameters
    ----------
    seed : int
        Seed of the whole survey, not negative.
    stage : str
        Name of the stage, such as ``"stars"`` or ``"noise"``.
    keys : int
        What tells calls of the same stage apart: visit, detector, snap.

    Notes
    -----
    The same arguments give the same numbers, whatever was drawn elsewhere.
    """
    name = int.from_bytes(sha256(stage.encode()).digest()[:8], "big")
    return np.random.default_rng(np.random.SeedSequence(entropy=seed, spawn_key=(name, *keys)))
