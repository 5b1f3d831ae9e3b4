"""How many real sources are kept at how many artifacts, at S/N >= 6.

Real sources and artifacts of known kinds are added to simulated visits (`support/artifacts.py`)
with the simulation's own PSF (Kolmogorov) and photons; the fitted PSF has no part in it. The skies,
templates and visits are not those of the training, which has seeds of its own.

``spurious.kept``      share of the real sources below the spuriousness that 5 % of all artifacts
                       stay below; for each kind of real source, too
``spurious.dipoles``   the same for dipoles of stars that moved by 0.3 to 2 arcsec
``spurious.unseen``    the same as ``kept`` for each kind of artifact alone, with a network that was
                       trained without that kind; ``caught``: share of it above 0.5
``spurious.half``      share of the real sources below 0.5, the limit of nSpurious; ``passed``: of
                       the artifacts
``spurious.sdss``      with ``--sdss DIRECTORY``: DIASources of SDSS Stripe 82 (two epochs, five
                       bands) for 100 stars of 16 < r < 20, before and after the limit of 0.5

``--train FILE`` writes the weights that the package ships; the same command gives the same file.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.append(str(Path(__file__).parent))
from support import spurious_training, stripe82
from support.artifacts import FALSE, KINDS, REAL
from support.figures import cpu, say
from support.spurious_training import Examples

from processing.spuriousness import Network, shipped

FloatArray = NDArray[np.float64]
_PASSED = 0.05  # of the artifacts
_FEWEST = 8  # of a kind, to speak of a share


def report(network: Network, values: FloatArray, kind: NDArray[np.int64]) -> None:
    """Print how the shipped network does."""
    score, real = network.judge(values), kind < len(REAL)
    limit = float(np.quantile(score[~real], _PASSED))
    more = {"limit": round(limit, 4), "version": network.version, "artifacts": int((~real).sum())}
    say("spurious.kept", np.mean(score[real] < limit), "fraction", ">= 0.98",
        of=int(real.sum()), **more)  # fmt: skip
    for k, name in enumerate(REAL):
        mine = kind == k
        if mine.sum() >= _FEWEST:
            say("spurious.dipoles" if name == "dipole" else "spurious.kept",
                np.mean(score[mine] < limit), "fraction", ">= 0.95" if name == "dipole" else "",
                kind=name, of=int(mine.sum()), **more)  # fmt: skip
    passed = {name: round(float(np.mean(score[kind == KINDS.index(name)] < 0.5)), 3)
              for name in FALSE if (kind == KINDS.index(name)).sum() >= _FEWEST}  # fmt: skip
    say("spurious.half", np.mean(score[real] < 0.5), "fraction", "",
        passed=round(float(np.mean(score[~real] < 0.5)), 4), by_kind=passed)  # fmt: skip


def unseen(training: Examples, values: FloatArray, kind: NDArray[np.int64]) -> None:
    """Print, for each kind of artifact, how a network does that never saw it."""
    for k, name in enumerate(KINDS):
        mine = kind == k
        if k < len(REAL) or mine.sum() < _FEWEST:
            continue
        score = spurious_training.train(training.without(k)).judge(values)
        limit = float(np.quantile(score[mine], _PASSED))
        say(
            "spurious.unseen", np.mean(score[kind < len(REAL)] < limit), "fraction", ">= 0.98",
            kind=name, caught=round(float(np.mean(score[mine] > 0.5)), 3), of=int(mine.sum()),
        )  # fmt: skip


def main() -> None:
    """Print the figures, or train."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--size", type=int, default=768)
    options.add_argument("--fields", type=int, default=3)
    options.add_argument("--visits", type=int, default=4, help="of each field")
    options.add_argument("--train", type=Path)
    options.add_argument("--sdss", type=Path)
    chosen = options.parse_args()
    if chosen.sdss:
        stripe82.report(chosen.sdss)
        return
    training = spurious_training.examples()
    if chosen.train:
        network, spent = cpu(lambda: spurious_training.train(training))
        spurious_training.write(network, chosen.train)
        print(f"{len(training.kind)} examples, {spent:.0f} CPU s of descent", file=sys.stderr)
        return
    seeds = [5000 * chosen.seed + k for k in range(chosen.fields)]
    judged = spurious_training.collect(seeds, chosen.size, chosen.visits)
    described = spurious_training.described(judged)
    report(shipped(), described, judged.kind)
    unseen(training, described, judged.kind)


if __name__ == "__main__":
    main()
