"""Addresses of pages: the instant stays in every link until somebody changes it."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request

from services.portal.instants import Moment


def changed(request: Request, **new: Any) -> str:
    """Address of this page with some parameters set, or taken away (None)."""
    kept = {k: v for k, v in request.query_params.items() if k not in new}
    kept |= {k: str(v) for k, v in new.items() if v is not None}
    return request.url.path + (f"?{urlencode(kept)}" if kept else "")


def at(request: Request) -> Callable[[datetime | None], str]:
    """Return a function: the address of this page at an instant; None stands for now."""
    return lambda instant: changed(request, asof=instant.isoformat() if instant else None)


def keeping(moment: Moment | None) -> Callable[[str], str]:
    """Return a function: what keeps the instant of a page when it is appended to an address."""
    if moment is None or not moment.past:
        return lambda _address: ""
    return lambda _address: f"?{urlencode({'asof': moment.at.isoformat()})}"


def with_query(path: str, given: Mapping[str, Any]) -> str:
    """Address of a path with parameters; those that are None are left out."""
    kept = {k: v for k, v in given.items() if v is not None}
    return path + (f"?{urlencode(kept)}" if kept else "")
