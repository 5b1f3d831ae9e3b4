"""Write the reference page of the relations in Rubin's names from db/dictionary/rubin.yaml."""

import re

from skyledger.database import rubin


def _plain(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>|$~#])", r"\\\1", text)


def section(relation: rubin.RubinRelation) -> str:
    """Return the part of the page that describes one relation."""
    rows = []
    for column in relation.columns:
        said, unit = relation.described(column)
        ours = relation.expression(column)
        rows.append(
            f"| `{column.name}` | {_plain(said)} | {f'`{unit}`' if unit else ''} | `{ours}` |"
        )
    parts = [
        f"## {relation.name.replace('_', chr(92) + '_')}\n",
        _plain(relation.description) + f" Read from `{relation.body}`.\n",
        "| column | meaning | unit | ours |\n|---|---|---|---|\n" + "\n".join(rows) + "\n",
    ]
    if relation.missing:
        parts.append(
            "Rubin's columns without an equivalent:\n\n"
            + "\n".join(
                f"- {', '.join(f'`{n}`' for n in names.split(', '))}: {_plain(why)}"
                for names, why in relation.missing.items()
            )
            + "\n"
        )
    return "\n".join(parts)


def page() -> str:
    """Return the page in Markdown."""
    intro = (
        "(rubin)=\n# Rubin's names\n\n"
        "Queries written for the catalogues of the Rubin Observatory name other tables and columns "
        "than the Data Products Definition Document. The schema `rubin` has the living database "
        "under those names and in those units: `rubin.DiaSource` follows the session's instant, "
        "`rubin_live.DiaSource` shows the rows of now, `rubin_at.DiaSource(T)` those of instant T "
        "([as of an instant](../../guides/as-of.md)). In the table, `{b}` stands for each of u, g, "
        "r, i, z, y; fluxes are in nanojansky on both sides. Tables of Rubin's that are not here "
        "(`mpc_orbits`, `VisitDetector`, tables of data releases) have no equivalent yet.\n"
    )
    return "\n".join([intro, *(section(r) for r in rubin.relations())])
