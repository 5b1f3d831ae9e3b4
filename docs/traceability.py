"""Write the page that says which test proves which demand, and which demands nothing proves yet.

The demands are listed in ``requirements.yaml``; tests name them in their marks, which are read
from the source without running anything: ``@pytest.mark.requirement("GEN-19")``.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from skyledger import dictionary as dd

HERE = Path(__file__).resolve().parent
TESTS = HERE.parent / "tests"


@dataclass(frozen=True)
class Demand:
    """One row of the requirements."""

    name: str
    demand: str
    numbers: tuple[str, ...]


@dataclass(frozen=True)
class Area:
    """Demands about one subject, with the sections of the document they come from."""

    name: str
    title: str
    sections: str
    demands: tuple[Demand, ...]


@dataclass(frozen=True)
class Proof:
    """A test and a demand that it names."""

    demand: str
    file: str  # relative to the folder of the tests
    test: str  # the module itself where the mark is the module's


def demands(path: Path = HERE / "requirements.yaml") -> list[Area]:
    """Read the list of demands."""
    return [
        Area(
            area["area"],
            area["title"],
            area["sections"],
            tuple(
                Demand(name, row["demand"], tuple(row.get("numbers", ())))
                for name, row in area["rows"].items()
            ),
        )
        for area in yaml.safe_load(path.read_text(encoding="utf-8"))
    ]


def _marks(node: ast.AST, owner: str) -> Iterator[tuple[str, str]]:
    """Yield (demand, test) of every mark at or below a node."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        owner = node.name if owner == "" else f"{owner}.{node.name}"
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("mark.requirement"):
        for argument in node.args:
            if not isinstance(argument, ast.Constant) or not isinstance(argument.value, str):
                raise TypeError(f"line {node.lineno}: a requirement is named by a plain string")
            yield argument.value, owner
    for child in ast.iter_child_nodes(node):
        yield from _marks(child, owner)


def proofs(folder: Path = TESTS) -> list[Proof]:
    """Collect the marks of all tests, by demand, file and test.

    Raises
    ------
    TypeError
        If a mark names something else than plain strings.
    """
    found = set()
    for path in sorted(folder.rglob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"), path.name)
        file = path.relative_to(folder).as_posix()
        try:
            found |= {Proof(name, file, test or path.stem) for name, test in _marks(tree, "")}
        except TypeError as error:
            raise TypeError(f"{file}: {error}") from error
    return sorted(found, key=lambda p: (p.demand, p.file, p.test))


def _tests(listed: list[Proof]) -> str:
    """List the tests of one demand, by file."""
    parts = []
    for file in dict.fromkeys(p.file for p in listed):
        names = ", ".join(f"`{p.test}`" for p in listed if p.file == file)
        parts.append(f"{file}: {names}")
    return "<br>".join(parts) or "—"


def _numbers(areas: list[Area], proven: set[str]) -> list[str]:
    """Table of the document's requirement numbers: rows, and tables of the dictionary."""
    rows_of: dict[str, list[str]] = {}
    for area in areas:
        for row in area.demands:
            for number in row.numbers:
                rows_of.setdefault(number, []).append(row.name)
    tables_of: dict[str, set[str]] = {}
    for relation in dd.shipped().relations.values():
        named = {n for column in relation.columns for n in column.requirements}
        for number in named | set(relation.requirements):
            tables_of.setdefault(number, set()).add(relation.name)
    lines = ["| number | demands (proven in bold) | tables |", "|---|---|---|"]
    for number in sorted(rows_of):
        rows = ", ".join(f"**{n}**" if n in proven else n for n in rows_of[number])
        tables = ", ".join(
            f"[{t}](tables/{t.lower()}.md)" for t in sorted(tables_of.get(number, set()))
        )
        lines.append(f"| {number} | {rows} | {tables} |")
    return lines


def page(areas: list[Area], found: list[Proof]) -> str:
    """Return the page in Markdown.

    Raises
    ------
    ValueError
        If a test names a demand that is not in the list.
    """
    known = {row.name for area in areas for row in area.demands}
    unknown = sorted({f"{p.demand} in {p.file}" for p in found if p.demand not in known})
    if unknown:
        raise ValueError(
            f"tests name demands that docs/requirements.yaml does not list: {', '.join(unknown)}"
        )
    proven = {p.demand for p in found}
    open_rows = [row.name for area in areas for row in area.demands if row.name not in proven]
    intro = (
        "(traceability)=\n# Traceability\n\n"
        "The [Data Products Definition Document](https://ls.st/dpdd) makes "
        f"{len(known)} demands, counted one by one. Tests name {len(proven)} of them; for "
        f"{len(open_rows)} there is no test yet. A test in this list proves *something* of its "
        "demand, not always all of it: what it compares and how closely is written in the test. "
        "What is not built is also said in words under "
        "[what it does not do](../../what-it-does-not-do.md).\n"
    )
    parts = [intro, "## Demands and their tests\n"]
    for area in areas:
        count = sum(row.name in proven for row in area.demands)
        parts.append(f"### {area.title} ({area.sections}): {count} of {len(area.demands)}\n")
        lines = ["| demand | in our words | tests |", "|---|---|---|"]
        for row in area.demands:
            tests = _tests([p for p in found if p.demand == row.name])
            words = re.sub(r"([*_|$~])", r"\\\1", row.demand)
            lines.append(f"| {row.name} | {words} | {tests} |")
        parts.append("\n".join(lines) + "\n")
    parts += [
        "## Without a test\n",
        ", ".join(open_rows) + "\n",
        "## By requirement number\n",
        "\n".join(_numbers(areas, proven)) + "\n",
    ]
    return "\n".join(parts)
