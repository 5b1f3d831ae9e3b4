"""Which points of one set are those of another, whatever the shift, turn and scale between them.

Triangles of neighbours are compared by the ratios of their sides; each pair of like triangles is a
guess at the similarity, and the guess that brings most points together wins. The idea is that of
Groth (1986, AJ 91, 1244) with a vote by verification.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_NEIGHBOURS = 7
_LIKE = 0.015  # ratios of sides of two triangles that may be the same
_MAX_GUESSES = 20_000
_MIN_PAIRS = 7  # five can be found among random points: there are many guesses
_CHANCE = 6.0  # standard deviations above what chance brings together


@dataclass(frozen=True)
class Match:
    """Pairs (``first[i]``, ``second[i]``) and the similarity second = offset + matrix first."""

    first: IntArray
    second: IntArray
    matrix: FloatArray  # shape (2, 2)
    offset: FloatArray

    @property
    def scale(self) -> float:
        """Units of the second set in a unit of the first."""
        return float(np.sqrt(abs(np.linalg.det(self.matrix))))

    @property
    def flipped(self) -> bool:
        """Whether one set is seen in a mirror."""
        return bool(np.linalg.det(self.matrix) < 0)

    def apply(self, points: FloatArray) -> FloatArray:
        """Bring points of the first set, shape (n, 2), into the frame of the second."""
        return np.asarray(points @ self.matrix.T + self.offset)


def match(
    first: FloatArray,
    second: FloatArray,
    tolerance: float,
    scale: tuple[float, float],
    *,
    brightest: int = 60,
) -> Match | None:
    """Match two sets of points, brightest first, shapes (n, 2) and (m, 2).

    Parameters
    ----------
    tolerance : float
        Distance, in units of the second set, within which two points are one.
    scale : (float, float)
        Least and largest scale.
    brightest : int
        Points of the smaller set that are compared; of the other as many as are as dense.

    Returns
    -------
    Match or None
        None if nothing brings together more points than chance would.
    """
    if min(len(first), len(second)) < 4:
        return None
    a = first[:brightest]
    b = second[: _as_dense(first, second, len(a), scale)]
    triangles_a, shape_a = _triangles(a)
    triangles_b, shape_b = _triangles(b)
    if len(shape_a) == 0 or len(shape_b) == 0:
        return None
    tree = KDTree(b)
    likes = KDTree(shape_b).query_ball_point(shape_a, _LIKE)
    guesses = [(i, j) for i, found in enumerate(likes) for j in found]
    if len(guesses) > _MAX_GUESSES:
        step = len(guesses) / _MAX_GUESSES
        guesses = [guesses[int(k * step)] for k in range(_MAX_GUESSES)]
    if not guesses:
        return None
    one, other = (np.array(column) for column in zip(*guesses, strict=True))
    matrices, offsets = _similarities(a[triangles_a[one]], b[triangles_b[other]])
    size = np.sqrt(np.abs(np.linalg.det(matrices)))
    left = np.abs(
        a[triangles_a[one]] @ matrices.transpose(0, 2, 1) + offsets[:, None] - b[triangles_b[other]]
    ).max(axis=(1, 2))
    good = np.flatnonzero((size >= scale[0]) & (size <= scale[1]) & (left < 2 * tolerance))
    best, most = -1, 0
    for k in good:
        moved = a @ matrices[k].T + offsets[k]
        near = int(np.isfinite(tree.query(moved, distance_upper_bound=3 * tolerance)[0]).sum())
        if near > most:
            best, most = int(k), near
            if most > 0.7 * len(a):
                break
    if best < 0:
        return None
    return _refined(first, second, a, matrices[best], offsets[best], tolerance)


def _refined(
    first: FloatArray,
    second: FloatArray,
    bright: FloatArray,
    matrix: FloatArray,
    offset: FloatArray,
    tolerance: float,
) -> Match | None:
    tree = KDTree(second)
    pairs: tuple[IntArray, IntArray] = (np.zeros(0, np.int64), np.zeros(0, np.int64))
    for points, reach in ((bright, 3.0), (bright, 2.0), (first, 1.5), (first, 1.0)):
        moved = points @ matrix.T + offset
        distance, index = tree.query(moved, distance_upper_bound=reach * tolerance)
        ours = np.flatnonzero(np.isfinite(distance))
        back = KDTree(moved).query(second[index[ours]])[1]
        ours = ours[back == ours]
        pairs = (ours, index[ours])
        if len(ours) < 4:
            return None
        design = np.column_stack([np.ones(len(ours)), points[ours]])
        fit = np.linalg.lstsq(design, second[pairs[1]], rcond=None)[0]
        offset, matrix = fit[0], fit[1:].T
    moved = first @ matrix.T + offset
    low, high = second.min(axis=0), second.max(axis=0)
    within = ((moved > low - tolerance) & (moved < high + tolerance)).all(axis=1)
    density = len(second) / max(float(np.prod(high - low)), 1e-30)
    chance = within.sum() * min(density * np.pi * tolerance**2, 1.0)
    if len(pairs[0]) < max(_MIN_PAIRS, chance + _CHANCE * (1 + np.sqrt(chance))):
        return None
    return Match(pairs[0], pairs[1], matrix, offset)


def _as_dense(first: FloatArray, second: FloatArray, count: int, scale: tuple[float, float]) -> int:
    """How many of the second set are as dense on the sky as ``count`` of the first."""
    middle = np.sqrt(scale[0] * scale[1])
    area = float(np.prod(np.ptp(first, axis=0))) * middle**2
    ratio = float(np.prod(np.ptp(second, axis=0))) / max(area, 1e-30)
    return int(np.clip(count * ratio * 1.2, min(count, 20), 600))


def _triangles(points: FloatArray) -> tuple[IntArray, FloatArray]:
    """Triangles of neighbours, vertices in the order of the opposite sides, and two ratios."""
    count = min(_NEIGHBOURS, len(points))
    near = KDTree(points).query(points, k=count)[1]
    found = {tuple(sorted(group)) for row in near for group in combinations(row.tolist(), 3)}
    index = np.array(sorted(found), dtype=np.int64).reshape(-1, 3)
    corner = points[index]
    sides = np.linalg.norm(corner[:, [1, 2, 0]] - corner[:, [2, 0, 1]], axis=2)
    order = np.argsort(sides, axis=1)
    index = np.take_along_axis(index, order, axis=1)
    sides = np.take_along_axis(sides, order, axis=1)
    ratios = np.column_stack([sides[:, 0] / sides[:, 2], sides[:, 1] / sides[:, 2]])
    # Triangles of two like sides say little of which corner is which.
    clear = (ratios[:, 1] < 0.97) & (ratios[:, 0] < 0.97 * ratios[:, 1]) & (sides[:, 0] > 0)
    return index[clear], ratios[clear]


def _similarities(a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Affine maps of triangles onto triangles, shapes (k, 3, 2): matrices and offsets.

    Like triangles have similar sides, so that the map is a similarity within their likeness.
    """
    edges_a = np.stack([a[:, 1] - a[:, 0], a[:, 2] - a[:, 0]], axis=2)
    edges_b = np.stack([b[:, 1] - b[:, 0], b[:, 2] - b[:, 0]], axis=2)
    # Complex numbers fit a similarity with and without a mirror by least squares.
    mirrored = np.linalg.det(edges_a) * np.linalg.det(edges_b) < 0
    za = a[..., 0] + 1j * np.where(mirrored[:, None], -a[..., 1], a[..., 1])
    zb = b[..., 0] + 1j * b[..., 1]
    ma, mb = za.mean(axis=1), zb.mean(axis=1)
    da, db = za - ma[:, None], zb - mb[:, None]
    factor = (np.conj(da) * db).sum(axis=1) / (np.abs(da) ** 2).sum(axis=1)
    sign = np.where(mirrored, -1.0, 1.0)
    matrices = np.empty((len(a), 2, 2))
    matrices[:, 0, 0], matrices[:, 0, 1] = factor.real, -factor.imag * sign
    matrices[:, 1, 0], matrices[:, 1, 1] = factor.imag, factor.real * sign
    move = mb - factor * ma
    return matrices, np.column_stack([move.real, move.imag])
