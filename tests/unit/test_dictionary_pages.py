"""The table pages of the documentation show the whole dictionary and nothing stale."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from skyledger import dictionary

SCRIPT = Path(__file__).parents[2] / "docs" / "tables.py"


@pytest.fixture(scope="module")
def tables() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tables", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pages(tables: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages") / "reference" / "tables"
    tables.write(folder)
    return folder


def _rows(text: str) -> list[list[str]]:
    """Cells of all table rows, split where Markdown splits them."""
    return [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in text.splitlines()
        if line.startswith("| ")
    ]


@pytest.mark.requirement("GEN-29")
@pytest.mark.parametrize("relation", dictionary.shipped().relations.values(), ids=lambda r: r.name)
def test_every_column_has_its_row(pages: Path, relation: dictionary.Relation) -> None:
    text = (pages / f"{relation.sql_name}.md").read_text(encoding="utf-8")
    rows = _rows(text)[2:]  # below header and rule
    assert [row[0] for row in rows] == [f"`{column.name}`" for column in relation.columns]
    for row, column in zip(rows, relation.columns, strict=True):
        assert len(row) == 7, column.name
        assert row[2].strip("`") == (column.unit or "")
        assert row[4] == ("yes" if column.nullable else "no")
        assert row[1].replace("\\", "").startswith(column.description), column.name


def test_every_flag_and_feature_has_its_row(pages: Path) -> None:
    flags = _rows((pages / "flags.md").read_text(encoding="utf-8"))
    shown = [row[3].strip("`") for row in flags if row[0].isdigit()]
    assert shown == [flag.name for flag in dictionary.flag_definitions()]
    features = _rows((pages / "features.md").read_text(encoding="utf-8"))
    shown = [row[1].strip("`") for row in features if row[0].isdigit()]
    assert shown == [feature.name for feature in dictionary.feature_definitions()]


def test_links_lead_to_pages(pages: Path) -> None:
    found = 0
    for page in pages.glob("*.md"):
        for target in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
            assert (pages / target).is_file(), (page.name, target)
            found += 1
    assert found > len(dictionary.shipped().relations)


def test_every_page_is_in_the_contents(pages: Path) -> None:
    index = (pages / "index.md").read_text(encoding="utf-8")
    listed = index.split(":maxdepth: 1\n")[1].split("```")[0].split()
    assert sorted(listed) == sorted(p.stem for p in pages.glob("*.md") if p.stem != "index")


def test_a_second_run_touches_nothing_and_removes_what_is_stale(
    tables: ModuleType, tmp_path: Path
) -> None:
    paths = tables.write(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in paths}
    (tmp_path / "gone.md").write_text("# A table that is no more\n", encoding="utf-8")
    tables.write(tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.md")} == before
