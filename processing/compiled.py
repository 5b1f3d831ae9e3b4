"""Compilation of the hot kernels: one decorator, so that all are built alike.

Kernels are compiled once and kept beside the source, else in the user's cache; where neither can be
written every process compiles for itself. Sums may be re-ordered and
products fused, which lets them use vector units; infinities and NaN keep their meaning.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])

_REWRITES = {"contract", "reassoc", "nsz", "arcp"}


def compiled(function: Function) -> Function:
    """Return ``function`` compiled to machine code at its first call."""
    try:
        return cast("Function", njit(cache=True, fastmath=_REWRITES, nogil=True)(function))
    except RuntimeError as error:
        if "no locator available" not in str(error):
            raise
        return cast("Function", njit(fastmath=_REWRITES, nogil=True)(function))
