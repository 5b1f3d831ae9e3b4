"""What a simulated survey is judged by: figures, each with the range it is to lie in."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Columns = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Figure:
    """A figure, the range it is to lie in (None: no bound) and what it was made of."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    note: str = ""

    @property
    def ok(self) -> bool | None:
        """Whether it lies in its range; None where there is no figure or no range."""
        if self.value is None or (self.low is None and self.high is None):
            return None
        above = self.low is None or self.value >= self.low
        return above and (self.high is None or self.value <= self.high)


@dataclass
class Verdict:
    """All figures of a survey, what they are drawn from, and the steps that nobody has built."""

    figures: list[Figure] = field(default_factory=list)
    completeness: list[dict[str, Any]] = field(default_factory=list)
    purity: list[dict[str, Any]] = field(default_factory=list)
    drawn: dict[str, FloatArray] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    def add(
        self,
        name: str,
        value: Any,
        low: float | None = None,
        high: float | None = None,
        n: int = 0,
        note: str = "",
    ) -> None:
        """Add a figure; NaN is none."""
        number = None if value is None or not np.isfinite(value) else float(value)
        self.figures.append(Figure(name, number, low, high, n, note))


def flat(ra: FloatArray, decl: FloatArray, ra0: float, decl0: float) -> tuple[Any, Any]:
    """Offsets [arcsec] towards East and North from a place near by."""
    east = ((ra - ra0 + 180) % 360 - 180) * np.cos(np.radians(decl0))
    return east * 3600, (decl - decl0) * 3600
