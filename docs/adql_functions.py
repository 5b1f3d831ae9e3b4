"""Write the reference page of the functions that ADQL queries may call, from their registry."""

import re

from services.adql.functions import Function, functions


def _plain(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>|$~#])", r"\\\1", text)


def _rows(forms: list[Function]) -> str:
    return "\n".join(f"| `{f.signature}` | {_plain(f.description)} |" for f in forms)


def page() -> str:
    """Return the page in Markdown."""
    forms = sorted((f for several in functions().values() for f in several), key=lambda f: f.name)
    standard = [f for f in forms if f.name.startswith(("ivo_", "scisql_"))]
    ours = [f for f in forms if f not in standard and not f.aggregate]
    aggregates = [f for f in forms if f not in standard and f.aggregate]
    head = "| function | meaning |\n|---|---|\n"
    return (
        "# Functions in ADQL\n\n"
        "Beside those of [ADQL](../adql.md) itself. Names are compared without regard to case.\n\n"
        "## Of IVOA's list, and of Rubin's queries\n\n"
        f"{head}{_rows(standard)}\n\n"
        "## Of the archive\n\nHow they are computed is told with the "
        "[functions of the database](functions.md).\n\n"
        f"{head}{_rows(ours)}\n\n"
        f"## Aggregates of the archive\n\n{head}{_rows(aggregates)}\n"
    )
