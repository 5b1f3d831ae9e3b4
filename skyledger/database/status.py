"""What the person who runs the database wants to know every morning (``ledger.status()``)."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One figure: ``ok`` is False where something has to be done, None where no rule exists."""

    topic: str
    item: str
    value: float | None
    unit: str | None
    bound: float | None
    ok: bool | None
    note: str | None

    @property
    def warning(self) -> str | None:
        """What is wrong, in one line; None where nothing is."""
        if self.ok is not False:
            return None
        words = [f"{self.topic} {self.item}: {self.shown}"]
        if self.bound is not None:
            words.append(f"at most {_number(self.bound, self.unit)} is meant")
        if self.topic == "partitions":
            words[1:] = [f"at least {_number(self.bound, self.unit)} is meant"]
        return ", ".join(words) + (f"; {self.note}" if self.note else "")

    @property
    def shown(self) -> str:
        """The value with its unit."""
        return "none" if self.value is None else _number(self.value, self.unit)


def read(connection: Any) -> list[Figure]:
    """Read the figures of a running database; the connection's transaction is ended."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT topic, item, value, unit, bound, ok, note FROM ledger.status()")
        found = [Figure(*row) for row in cursor.fetchall()]
    connection.rollback()
    return found


def _number(value: float | None, unit: str | None) -> str:
    if value is None:
        return "none"
    if unit == "B":
        return f"{value / 1e6:.1f} MB"
    text = f"{value:.0f}" if value == int(value) or abs(value) >= 1000 else f"{value:.3g}"
    return f"{text} {unit}" if unit else text
