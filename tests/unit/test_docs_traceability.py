"""The list of demands, the marks that name them, and the page that brings them together."""

import re
import sys
from pathlib import Path

import pytest

from skyledger import dictionary

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def traceability():
    sys.path.insert(0, str(DOCS))
    try:
        import traceability as module  # noqa: PLC0415 - a script of the documentation
    finally:
        sys.path.remove(str(DOCS))
    return module


@pytest.fixture(scope="module")
def areas(traceability):
    return traceability.demands()


def _names(areas) -> list[str]:
    return [row.name for area in areas for row in area.demands]


@pytest.mark.requirement("GEN-26")
def test_all_demands_are_listed_once_and_in_order(areas) -> None:
    names = _names(areas)
    assert len(names) == len(set(names)) == 207
    # Numbered without gaps within each area, from 1 (pipelines from 0, as in the document).
    for area in areas:
        first = 0 if area.name == "PIPE" else 1
        assert [row.name for row in area.demands] == [
            f"{area.name}-{first + k:02d}" for k in range(len(area.demands))
        ]
        for row in area.demands:
            assert 10 <= len(row.demand) <= 130, row.name
            assert not row.demand.endswith("."), row.name
            for number in row.numbers:
                assert re.fullmatch(
                    r"(DMS|OSS|LSR)-REQ-\d{4}|SRD( [\d.]+)?|Document-\d+|[A-Za-z]\w+", number
                ), number


@pytest.mark.requirement("GEN-26")
def test_every_mark_names_a_listed_demand(traceability, areas) -> None:
    found = traceability.proofs()
    assert len(found) > 50
    assert {p.demand for p in found} <= set(_names(areas))


@pytest.mark.requirement("GEN-26")
def test_the_dictionary_names_listed_demands_and_numbers(areas) -> None:
    known = set(_names(areas)) | {n for a in areas for row in a.demands for n in row.numbers}
    for relation in dictionary.shipped().relations.values():
        named = {n for column in relation.columns for n in column.requirements}
        assert named | set(relation.requirements) <= known, relation.name


def test_marks_are_found_wherever_they_stand(traceability, tmp_path: Path) -> None:
    (tmp_path / "unit").mkdir()
    (tmp_path / "unit" / "test_some.py").write_text(
        "import pytest\n"
        'pytestmark = pytest.mark.requirement("A-01")\n'
        '@pytest.mark.requirement("A-02", "A-03")\n'
        "@pytest.mark.slow\n"
        "def test_one(): ...\n"
        '@pytest.mark.requirement("A-04")\n'
        "class TestTwo:\n"
        '    @pytest.mark.parametrize("x", [pytest.param(1, marks=pytest.mark.'
        'requirement("A-05"))])\n'
        "    def test_three(self, x): ...\n",
        encoding="utf-8",
    )
    (tmp_path / "helper.py").write_text('pytest.mark.requirement("A-09")\n', encoding="utf-8")
    found = [(p.demand, p.file, p.test) for p in traceability.proofs(tmp_path)]
    assert found == [
        ("A-01", "unit/test_some.py", "test_some"),
        ("A-02", "unit/test_some.py", "test_one"),
        ("A-03", "unit/test_some.py", "test_one"),
        ("A-04", "unit/test_some.py", "TestTwo"),
        ("A-05", "unit/test_some.py", "TestTwo.test_three"),
    ]


def test_marks_that_cannot_be_read_or_are_unknown_are_refused(
    traceability, areas, tmp_path: Path
) -> None:
    path = tmp_path / "test_some.py"
    path.write_text("@pytest.mark.requirement(*ROWS)\ndef test_one(): ...\n", encoding="utf-8")
    with pytest.raises(TypeError, match=r"test_some.py: line 1: a requirement is named by a plain"):
        traceability.proofs(tmp_path)
    path.write_text('@pytest.mark.requirement("GEN-99")\ndef test_one(): ...\n', encoding="utf-8")
    with pytest.raises(ValueError, match=r"does not list: GEN-99 in test_some.py"):
        traceability.page(areas, traceability.proofs(tmp_path))


@pytest.mark.requirement("GEN-26")
def test_the_page_shows_every_demand_and_every_number(traceability, areas) -> None:
    found = traceability.proofs()
    text = traceability.page(areas, found)
    for name in _names(areas):
        assert f"| {name} | " in text
    for area in areas:
        for row in area.demands:
            for number in row.numbers:
                assert f"| {number} | " in text
    proven = {p.demand for p in found}
    without = text.split("## Without a test\n")[1].split("## By requirement number")[0]
    assert set(without.strip().split(", ")) == set(_names(areas)) - proven
    for proof in found:
        assert f"`{proof.test}`" in text
