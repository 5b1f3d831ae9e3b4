"""The dictionary holds every column of the document's Tables 1 to 7, with its type and unit.

The expected columns are typed from the document in ``dpdd_tables.txt``, not derived from the
dictionary.
"""

import itertools
import re
from dataclasses import dataclass
from math import prod
from pathlib import Path

import pytest

from skyledger.dictionary import BANDS, Column, shipped

ROWS = {1: 53, 2: 8, 3: 24, 4: 16, 5: 61, 6: 31, 7: 7}  # as the document counts them
ELEMENTS = {1: 106, 2: 8, 3: 398, 4: 81, 5: 11950, 6: 66, 7: 7}  # scalars a row, its section 22


@dataclass(frozen=True)
class Row:
    table: int
    number: int
    name: str
    relation: str
    columns: tuple[str, ...]
    types: tuple[str, ...]
    units: tuple[str | None, ...]


def _expand(word: str) -> list[str]:
    if "*" in word:
        return [word.replace("*", band) for band in BANDS]
    if found := re.fullmatch(r"(\w+)(\d)\.\.(\d)(\w*)", word):
        stem, first, last, tail = found.groups()
        return [f"{stem}{n}{tail}" for n in range(int(first), int(last) + 1)]
    return [word]


def _spread(items: list[str], count: int) -> tuple[str, ...]:
    return tuple(items * count if len(items) == 1 else items)


def _document() -> list[Row]:
    rows, table, relation, number = [], 0, "", 0
    text = (Path(__file__).parent / "dpdd_tables.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        if line.startswith("Table"):
            _, digit, relation = line.split()
            table, number = int(digit), 0
            continue
        number += 1
        name, names, kinds, units = (part.strip() for part in line.split("|"))
        home, _, words = names.rpartition(": ")
        columns = tuple(itertools.chain.from_iterable(_expand(word) for word in words.split()))
        kinds = kinds.replace("double precision", "double_precision").split()
        types = _spread([kind.replace("_", " ") for kind in kinds], len(columns))
        unit = _spread(units.split(), len(columns))
        rows.append(
            Row(
                table=table,
                number=number,
                name=name,
                relation=home or relation,
                columns=columns,
                types=types,
                units=tuple(None if word == "-" else word for word in unit),
            )
        )
    return rows


DOCUMENT = _document()


def _type_of(column: Column) -> str:
    if column.shape is None:
        return column.type
    return column.type.removesuffix("[]") + f"[{','.join(map(str, column.shape))}]"


def test_the_typed_document_has_its_200_rows() -> None:
    assert {t: sum(row.table == t for row in DOCUMENT) for t in ROWS} == ROWS
    assert len({(row.table, row.name) for row in DOCUMENT}) == 200


@pytest.mark.requirement(
    "GEN-02", "GEN-29", "L1DB-01", "L1DB-06", "L1DB-14", "L1DB-16", "L1DB-21",
    "CAT-01", "CAT-05", "CAT-07",
)  # fmt: skip
@pytest.mark.parametrize("row", DOCUMENT, ids=lambda row: f"{row.table}-{row.name}")
def test_row_of_the_document_is_there(row: Row) -> None:
    relation = shipped()[row.relation]
    assert relation.dpdd_table == row.table
    found = {c.name: c for c in relation.columns if (c.dpdd, c.row) == (row.name, row.number)}
    assert set(found) == set(row.columns)
    assert {n: _type_of(c) for n, c in found.items()} == dict(
        zip(row.columns, row.types, strict=True)
    )
    assert {n: c.unit for n, c in found.items()} == dict(zip(row.columns, row.units, strict=True))


@pytest.mark.requirement("L1DB-01", "CAT-01", "CAT-05", "CAT-07")
@pytest.mark.parametrize("table", ROWS)
def test_nothing_else_claims_to_be_of_the_document(table: int) -> None:
    claimed = {
        (column.dpdd, column.row)
        for relation in shipped().relations.values()
        if relation.dpdd_table == table
        for column in relation.columns
        if column.dpdd is not None
    }
    assert claimed == {(row.name, row.number) for row in DOCUMENT if row.table == table}


@pytest.mark.requirement("L1DB-01", "CAT-01")
def test_columns_beyond_the_document_carry_no_row() -> None:
    for relation in shipped().relations.values():
        for column in relation.columns:
            assert (column.dpdd is None) == (column.row is None), (relation.name, column.name)
            if relation.dpdd_table is None:
                assert column.dpdd is None, (relation.name, column.name)


def _elements(row: Row) -> int:
    """Scalars of one row of the document, with ten annuli as in its sizing."""
    relation = shipped()[row.relation]
    columns = [relation[name] for name in row.columns]
    # The document has one set of moments an Object; ours comes first, then one for each band.
    if row.table == 5 and row.name[0] == "I":
        columns = columns[:1]
    # The six neighbours stand both as an array and as six columns.
    if row.name == "nearbyObj":
        columns = [column for column in columns if column.shape is None]
    # Samples are packed; the document foresees 200 of nine values in six bands.
    if row.name == "bdSamples":
        return 9 * 200 * len(BANDS)
    # A 128-bit mask is one element of the document and two columns of ours.
    if row.table == 5 and row.name == "flags":
        columns = columns[:1]
    sizes = [
        10 if column.type.endswith("[]") and column.shape is None else prod(column.shape or (1,))
        for column in columns
    ]
    # Features have one row a band.
    bands = len(BANDS) if row.relation == "DIAObjectFeatures" else 1
    return sum(sizes) * bands


@pytest.mark.requirement("CAT-01", "L1DB-06", "L1DB-16")
@pytest.mark.parametrize(("table", "expected"), ELEMENTS.items())
def test_scalar_elements_a_row_are_those_of_the_sizing(table: int, expected: int) -> None:
    assert sum(_elements(row) for row in DOCUMENT if row.table == table) == expected
