"""Write the pages of the reference that show the dictionary: one a table, one for flags, features.

The pages are made anew at each build of the documentation and are not kept in the repository.
"""

import re
from pathlib import Path

from skyledger import dictionary as dd

KINDS = {
    "living": "Living: every change is kept, and the table can be read as of any instant.",
    "static": "Static: belongs to a data release and never changes after it.",
    "ledger": "Ledger: bookkeeping, to which rows are only added.",
    "derived": "Derived: kept by publications to save work, made from the living relations.",
    "service": "Kept by the query service: what can be asked, jobs, the log of queries.",
}
# Of identifiers and errors nobody needs to be told that they are not negative.
OBVIOUS = ("meta.id", "meta.ref", "pos.healpix", "stat.error")
TITLES = {
    "living": "The living database",
    "static": "Data releases",
    "ledger": "The ledger",
    "derived": "Kept to save work",
    "service": "The query service",
}


def _plain(text: str) -> str:
    """Escape what Markdown would take for markup."""
    return re.sub(r"([\\`*_\[\]<>|$~#])", r"\\\1", text)


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"


def _type(column: dd.Column) -> str:
    if column.shape is None:
        return column.type
    return column.type.removesuffix("[]") + "".join(f"[{n}]" for n in column.shape)


def _range(column: dd.Column) -> str:
    low, high = column.minimum, column.maximum
    if low is not None and high is not None:
        return f" Between {low:.10g} and {high:.10g}."
    if low == 0 and (column.ucd or "").startswith(OBVIOUS):
        return ""
    if low is not None:
        return f" At least {low:.10g}."
    return "" if high is None else f" At most {high:.10g}."


def _column_row(column: dd.Column) -> list[str]:
    requirements = f" ({', '.join(column.requirements)})" if column.requirements else ""
    return [
        f"`{column.name}`",
        _plain(column.description + _range(column) + requirements),
        f"`{column.unit}`" if column.unit else "",
        f"`{_type(column)}`",
        "yes" if column.nullable else "no",
        f"{column.row}: `{column.dpdd}`" if column.row is not None else "",
        f"`{column.ucd}`" if column.ucd else "",
    ]


def relation_page(relation: dd.Relation) -> str:
    """Return the page of one relation in Markdown."""
    parts = [
        f"(table-{relation.sql_name})=\n# {relation.name}\n",
        _plain(relation.description) + "\n",
    ]
    facts = [KINDS[relation.kind]]
    if relation.dpdd_table is not None:
        facts.append(f"Table {relation.dpdd_table} of the Data Products Definition Document.")
    facts.append("Key: " + ", ".join(f"`{name}`" for name in relation.key) + ".")
    if relation.spatial:
        facts.append(
            "Indexed on the sky by " + " and ".join(f"`{c}`" for c in relation.spatial) + "."
        )
    facts += [
        "Index on "
        + ", ".join(f"`{name}`" for name in index.columns)
        + (" with " + ", ".join(f"`{c}`" for c in index.include) if index.include else "")
        + "."
        for index in relation.indexes
    ]
    facts += [
        ", ".join(f"`{name}`" for name in foreign.columns)
        + f" leads to [{foreign.relation}]({foreign.relation.lower()}.md)."
        for foreign in relation.foreign_keys
    ]
    facts += [f"Always true: `{check}`." for check in relation.checks]
    if relation.requirements:
        facts.append("Requirements: " + ", ".join(relation.requirements) + ".")
    parts.append("\n".join(f"- {fact}" for fact in facts) + "\n")
    header = ["column", "meaning", "unit", "type", "NULL", "row", "UCD"]
    parts.append(_table(header, [_column_row(column) for column in relation.columns]))
    if any(column.name == "flags" for column in relation.columns):
        parts.append("The bits of `flags` are explained under [flags](flags.md).\n")
    return "\n".join(parts)


def flags_page() -> str:
    """Return the page of all flags in Markdown."""
    parts = ["(table-flags)=\n# Flags\n"]
    flags = dd.flag_definitions()
    for relation in dict.fromkeys(flag.relation for flag in flags):
        parts.append(f"## {relation}\n")
        rows = [
            [f"{flag.bit}", f"`{flag.column}`", f"{flag.mask}", f"`{flag.name}`",
             _plain(flag.description)]
            for flag in flags
            if flag.relation == relation
        ]  # fmt: skip
        parts.append(_table(["bit", "column", "value", "name", "meaning"], rows))
    return "\n".join(parts)


def features_page() -> str:
    """Return the page of the light-curve features in Markdown."""
    parts = ["(table-features)=\n# Light-curve features\n"]
    for kind, column in (("periodic", "lcPeriodic"), ("nonperiodic", "lcNonPeriodic")):
        parts.append(f"## {column}\n")
        rows = [
            [f"{f.index}", f"`{f.name}`", f"`{f.unit}`" if f.unit else "", _plain(f.description)]
            for f in dd.feature_definitions()
            if f.kind == kind
        ]
        parts.append(_table(["element", "name", "unit", "meaning"], rows))
    return "\n".join(parts)


def index_page(dictionary: dd.Dictionary) -> str:
    """Return the page that leads to all others in Markdown."""
    parts = ["(tables)=\n# Tables\n"]
    for kind, title in TITLES.items():
        rows = [
            [f"[{r.name}]({r.sql_name}.md)", str(len(r.columns)),
             _plain(re.split(r"(?<=\.) ", r.description)[0])]
            for r in dictionary.of_kind(kind)
        ]  # fmt: skip
        parts += [f"## {title}\n", KINDS[kind] + "\n", _table(["table", "columns", "holds"], rows)]
    names = [*(r.sql_name for r in dictionary.relations.values()), "flags", "features"]
    listed = "\n".join(names)
    parts.append(f"```{{toctree}}\n:hidden:\n:maxdepth: 1\n\n{listed}\n```\n")
    return "\n".join(parts)


def write(folder: Path) -> list[Path]:
    """Write all pages into ``folder``, which is made if need be; return their paths.

    Pages of relations that are no longer there are removed.
    """
    dictionary = dd.shipped()
    pages = {r.sql_name: relation_page(r) for r in dictionary.relations.values()}
    pages |= {
        "index": index_page(dictionary),
        "flags": flags_page(),
        "features": features_page(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.md"):
        if old.stem not in pages:
            old.unlink()
    paths = []
    for name, text in pages.items():
        path = folder / f"{name}.md"
        # An unchanged page keeps its date, so that a second build has nothing to do.
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
        paths.append(path)
    return paths


if __name__ == "__main__":
    write(Path(__file__).parent / "reference" / "generated" / "tables")
