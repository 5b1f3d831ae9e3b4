"""Write the reference page of the denormalised relations from the files that define them."""

import re

from skyledger import dictionary as dd
from skyledger.resources import db_dir

_PUBLISHED = re.compile(r"\bprompt\.(\w+)")


def _plain(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>|$~#])", r"\\\1", text)


def _capital(word: re.Match[str]) -> str:
    return word[0].capitalize()


def display_name(stem: str, text: str) -> str:
    """Spell a relation as the one it is built on: ``diasourcefull`` is DIASourceFull."""
    for base in _PUBLISHED.findall(text):
        if stem.startswith(base.lower()):
            return base + re.sub(r"object|match|full", _capital, stem[len(base) :])
    return stem


def section(stem: str, text: str) -> str:
    """Return the part of the page that describes one file of ``db/views``."""
    own = dd.derived_columns(text)
    lines = [line for line in text.splitlines() if line.startswith("--")]
    said = " ".join(
        line.removeprefix("--").strip() for line in lines if not dd.derived_columns(line)
    )
    rows = [
        f"| `{c.name}` | {f'`{c.unit}`' if c.unit else ''} | {_plain(c.description)} |" for c in own
    ]
    body = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
    tables = {relation.name for relation in dd.shipped().of_kind("living")}
    bases = ", ".join(
        f"[{base}]({f'tables/{base.lower()}.md' if base in tables else f'#{base.lower()}'})"
        for base in dict.fromkeys(_PUBLISHED.findall(body))
    )
    parts = [f"## {display_name(stem, text)}\n", _plain(said) + "\n", f"Built on {bases}.\n"]
    if rows:
        parts.append(
            "Columns of its own:\n\n| column | unit | meaning |\n|---|---|---|\n" + "\n".join(rows)
        )
    parts.append(f"\n```text\n{body.strip()}\n```\n")
    return "\n".join(parts)


def page() -> str:
    """Return the page in Markdown."""
    intro = (
        "(views)=\n# Denormalised tables\n\n"
        "Tables joined with what is asked for most often. Like every table they can be read as of "
        "an instant ([four forms](../../guides/as-of.md#four-ways-to-read-a-table), all but the "
        "history).\n"
    )
    paths = sorted((db_dir() / "views").glob("*.sql"))
    return "\n".join([intro, *(section(p.stem, p.read_text(encoding="utf-8")) for p in paths)])
