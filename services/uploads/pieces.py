"""Many pieces of one array, taken or put at once."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def places(at: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return indices of all elements of pieces that begin at ``at`` and have ``sizes`` elements."""
    ends = np.cumsum(sizes)
    total = int(ends[-1]) if len(ends) else 0
    first: NDArray[np.int64] = np.repeat(at - (ends - sizes), sizes)
    return np.arange(total, dtype=np.int64) + first


def gather(data: NDArray[Any], at: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[Any]:
    """Pieces of ``data``, one after the other."""
    return data[places(at, sizes)]


def windows(data: NDArray[Any], width: int) -> NDArray[Any]:
    """All pieces of one width that ``data`` holds, by where they begin; nothing is copied."""
    return np.lib.stride_tricks.sliding_window_view(data, width)
