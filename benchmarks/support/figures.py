"""One JSON line a figure of image processing."""

import json
import time
from collections.abc import Callable
from typing import Any


def say(name: str, value: float, unit: str, bar: str | None = None, **more: Any) -> None:
    """Print a figure beside what it is measured against."""
    line = {"name": name, "value": round(float(value), 5), "unit": unit, "ratio": None}
    told = {key: round(item, 5) if isinstance(item, float) else item for key, item in more.items()}
    print(json.dumps({**line, "against": bar, **told}), flush=True)


def cpu(work: Callable[[], Any]) -> tuple[Any, float]:
    """Do ``work()``; return its result and the CPU seconds it took."""
    before = time.process_time()
    result = work()
    return result, time.process_time() - before
