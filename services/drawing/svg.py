"""What every drawing is made of: numbers, text, axes, the marks and colours of the bands.

A drawing has no colours of its own: classes name what a mark is, and `style` holds what they look
like on light and dark paper. On a page the stylesheet says it; a file carries it in itself.
"""

import math
from dataclasses import dataclass
from html import escape

# Shape and colour together, so that no kind of colour vision, nor grey, loses a band. The pairs
# were searched: Oklab distance at least 0.107 in every simulated vision. Light paper, dark paper.
BANDS: dict[str, tuple[str, str]] = {
    "u": ("#9b51f6", "#9767f7"),
    "g": ("#2fa29b", "#8fc9ab"),
    "r": ("#c80139", "#fc3a2f"),
    "i": ("#be8913", "#f6af0f"),
    "z": ("#a02b84", "#d361a6"),
    "y": ("#392001", "#fbeee5"),
}
# Paths within a circle of about 4.5 around the origin.
SHAPES: dict[str, str] = {
    "u": "M4 0A4 4 0 1 1 -4 0A4 4 0 1 1 4 0Z",
    "g": "M0 -4.6L4.4 3.4L-4.4 3.4Z",
    "r": "M-3.6 -3.6H3.6V3.6H-3.6Z",
    "i": "M0 -4.8L4.2 0L0 4.8L-4.2 0Z",
    "z": "M0 -5L1.2 -1.6L4.8 -1.5L1.9 0.6L2.9 4L0 2L-2.9 4L-1.9 0.6L-4.8 -1.5L-1.2 -1.6Z",
    "y": "M-1.5 -4.5H1.5V-1.5H4.5V1.5H1.5V4.5H-1.5V1.5H-4.5V-1.5H-1.5Z",
}
LIMIT = "M-4 0H4M0 0V7M-2.4 4.4L0 7L2.4 4.4"
MINUS = "\u2212"


def number(value: float, digits: int = 2) -> str:
    """Write a coordinate: the same value gives the same characters, without useless zeros."""
    text = f"{value:.{digits}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def figure(value: float, digits: int) -> str:
    """Write a value for people: thousands by comma, a true minus."""
    text = f"{value:,.{digits}f}"
    return text.lstrip("-") if not text.strip("-0.,") else text.replace("-", MINUS)


def text(x: float, y: float, said: str, kind: str, *, anchor: str = "start") -> str:
    """Make a label."""
    return (
        f'<text x="{number(x)}" y="{number(y)}" class="{kind}" text-anchor="{anchor}">'
        f"{escape(said)}</text>"
    )


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    """Make a straight line."""
    return (
        f'<line x1="{number(x1)}" y1="{number(y1)}" x2="{number(x2)}" y2="{number(y2)}" '
        f'class="{kind}"/>'
    )


@dataclass(frozen=True)
class Axis:
    """A straight scale from values ``low`` to ``high`` to pixels ``start`` to ``end``."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Pixel of a value."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self, wanted: int) -> tuple[list[float], int]:
        """Round values within the scale, about ``wanted``, and the decimals they need."""
        span = abs(self.high - self.low)
        raw = span / max(wanted, 1)
        power = 10.0 ** math.floor(math.log10(raw))
        step = power * min(f for f in (1, 2, 2.5, 5, 10) if f * power >= raw * (1 - 1e-9))
        first = math.ceil(min(self.low, self.high) / step - 1e-9)
        last = math.floor(max(self.low, self.high) / step + 1e-9)
        decimals = max(0, -math.floor(math.log10(step) + 1e-9))
        if abs(step * 10**decimals - round(step * 10**decimals)) > 1e-6:
            decimals += 1  # 2.5 and 0.25
        return [k * step for k in range(first, last + 1)], decimals


def around(values: list[float], margin: float = 0.06) -> tuple[float, float]:
    """Limits that hold all values, with a margin; something sensible for one value or none."""
    if not values:
        return -1.0, 1.0
    low, high = min(values), max(values)
    if high - low <= 1e-12 * max(abs(low), abs(high), 1e-300):
        half = max(abs(low) * 0.1, 0.5)
        return low - half, high + half
    return low - margin * (high - low), high + margin * (high - low)


def symbols(bands: list[str]) -> str:
    """Define the marks of the bands, to be placed with ``<use>``."""
    marks = "".join(f'<path id="m-{b}" d="{SHAPES[b]}"/>' for b in bands if b in SHAPES)
    return f'<defs>{marks}<path id="m-limit" d="{LIMIT}"/></defs>'


def style() -> str:
    """Look of the classes for a drawing that stands alone, on light and on dark paper."""
    light = {
        "card": "#ffffff", "quiet": "#eef1f5", "line": "#d8dee6", "axis": "#b6c0cc",
        "text": "#17202c", "muted": "#556072", "accent": "#1f5fae", "past": "#8a4b00",
    }  # fmt: skip
    dark = {
        "card": "#151b23", "quiet": "#1d2530", "line": "#2b3542", "axis": "#46525f",
        "text": "#e7ecf2", "muted": "#9caabb", "accent": "#85b4f5", "past": "#ffc977",
    }  # fmt: skip

    def told(tokens: dict[str, str], which: int) -> str:
        bands = {f"band-{b}": colours[which] for b, colours in BANDS.items()}
        return "".join(f"--{n}:{c};" for n, c in (tokens | bands).items())

    return (
        f"<style>svg{{{told(light, 0)}background:var(--card);"
        "font-family:Inter,system-ui,sans-serif}"
        f"@media(prefers-color-scheme:dark){{svg{{{told(dark, 1)}}}}}{RULES}</style>"
    )


# What the classes mean, whatever the colours; the stylesheet of the pages holds the same rules.
RULES = "".join(f".b-{b}{{color:var(--band-{b})}}" for b in BANDS) + (
    ".grid{stroke:var(--line)}.axis,.zero{stroke:var(--axis)}.zero{stroke-width:1.5}"
    ".tick,.label{fill:var(--muted);font-size:12px}.name{fill:var(--text);font-size:12px}"
    ".bar{stroke:currentColor;stroke-width:1.2;opacity:.55}"
    ".s{fill:currentColor;stroke:var(--card);stroke-width:.8}"
    ".f{fill:var(--card);stroke:currentColor;stroke-width:1.5}"
    ".l{fill:none;stroke:currentColor;stroke-width:1.4;opacity:.8}"
    ".sel{fill:none;stroke:var(--accent);stroke-width:2}"
    ".at{stroke:var(--accent);stroke-dasharray:3 3}"
    ".span{fill:var(--quiet)}.frame{fill:none;stroke:var(--line)}"
    ".ring{fill:none;stroke:var(--axis);stroke-dasharray:3 3}"
    ".star{fill:var(--muted)}.galaxy{fill:none;stroke:var(--muted);stroke-width:1.3}"
    ".here{stroke:var(--accent);stroke-width:2.5;fill:none}"
    ".change{stroke:var(--past);stroke-dasharray:2 4}"
)


def document(
    width: float, height: float, title: str, summary: str, body: str, *, alone: bool
) -> str:
    """Make a drawing; ``title`` and ``summary`` say in words what it shows."""
    space = ' xmlns="http://www.w3.org/2000/svg"' if alone else ""
    return (
        f'<svg{space} viewBox="0 0 {number(width)} {number(height)}" role="img" class="drawing">'
        f"<title>{escape(title)}</title><desc>{escape(summary)}</desc>"
        f"{style() if alone else ''}{body}</svg>"
    )
