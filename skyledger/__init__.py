"""The shared vocabulary of Skyledger, and what a Python user imports.

``skyledger.connect("prompt@2026-01-01")`` and ``skyledger.query("SELECT ...")`` are those of
`skyledger.client`, loaded when first used: pixels need neither a database driver nor its time.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
_ASKING = ("connect", "query")


def __getattr__(name: str) -> Any:
    if name in _ASKING:
        return getattr(import_module("skyledger.client"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_ASKING])
