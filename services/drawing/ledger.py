"""Ledger time as SVG: what was published when, and the versions of one object."""

from collections.abc import Callable, Sequence
from datetime import datetime
from html import escape
from typing import Any

from services.drawing import svg


def share(at: datetime, first: datetime, last: datetime) -> float:
    """Place of an instant between two others, 0 to 1."""
    span = (last - first).total_seconds()
    return (at - first).total_seconds() / span if span > 0 else 1.0


def bars(
    counts: Sequence[tuple[float, int]], releases: Sequence[tuple[str, datetime]],
    first: datetime, last: datetime,
) -> str:  # fmt: skip
    """Draw how much was published when as small bars, and the releases as marks."""
    most = max((n for _, n in counts), default=1)
    parts = []
    for place, n in counts:
        parts.append(svg.line(1000 * place, 24, 1000 * place, 21 - 17 * n / most, "day"))
    for name, at in releases:
        x = 1000 * min(max(share(at, first, last), 0), 1)
        mark = svg.line(x, 0, x, 24, "day")
        parts.append(f'<g class="mark"><title>{escape(name)}</title>{mark}</g>')
    return (
        '<svg class="bars" viewBox="0 0 1000 24" preserveAspectRatio="none" aria-hidden="true">'
        f"{''.join(parts)}</svg>"
    )


def strip(
    versions: Sequence[Any], current: int, address: Callable[[datetime], str], *,
    width: float = 1000,
) -> str:  # fmt: skip
    """Draw the versions of an object, one box each as long as there is room, in order.

    ``versions`` have number, since and cause; ``current`` is the number of the one that is shown.
    """
    count = max(len(versions), 1)
    step = width / min(count, 20)
    shown = list(versions)
    if count > 20:  # the first ones, those around the current, the last one
        keep = {1, 2, count, *range(max(1, current - 8), min(count, current + 8) + 1)}
        shown = [v for v in versions if v.number in keep]
        step = width / len(shown)
    parts = []
    for k, version in enumerate(shown):
        x = k * step
        kind = " ".join(
            w for w, so in (("on", version.number == current), ("last", version.number == count))
            if so
        )  # fmt: skip
        said = f"v{version.number}, {version.since.isoformat(' ', 'seconds')}: {version.cause}"
        box = f'x="{svg.number(x + 1)}" y="4" width="{svg.number(step - 2)}" height="26" rx="4"'
        parts.append(
            f'<a href="{escape(address(version.since))}" class="{kind}"><title>{escape(said)}'
            f"</title><rect {box}/>"
            + svg.text(x + step / 2, 21, f"v{version.number}", "name", anchor="middle")
            + "</a>"
        )
    first = versions[0].since if versions else None
    last = versions[-1].since if versions else None
    if first and last:
        parts += [
            svg.text(2, 50, f"{first.isoformat(' ', 'minutes')}, {versions[0].cause}", "tick"),
            svg.text(
                width - 2, 50, f"{last.isoformat(' ', 'minutes')}, {versions[-1].cause}", "tick",
                anchor="end",
            ),
        ]  # fmt: skip
    return (
        f'<svg class="strip" viewBox="0 0 {svg.number(width)} 56" role="group" '
        f'aria-label="Versions">{"".join(parts)}</svg>'
    )
