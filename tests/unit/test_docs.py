"""The documentation builds without warnings and mentions everything there is."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer

from cli import main
from processing import fits
from processing.exposure import UNUSABLE, Mask
from processing.instrument import (
    AmplifierKeywords,
    Defect,
    Filter,
    Instrument,
    Keywords,
    Reference,
    Site,
    TemplateSeason,
)
from skyledger import dictionary, errors, settings
from skyledger.database import rubin

REPOSITORY = Path(__file__).resolve().parents[2]
DOCS = REPOSITORY / "docs"
PACKAGES = ("skyledger", "simulate", "processing", "ingest", "services", "cli")


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def written_pages() -> dict[str, str]:
    """Text of the pages that are written by hand, README and CHANGELOG among them."""
    paths = [REPOSITORY / "README.md", REPOSITORY / "CHANGELOG.md"]
    paths += [p for p in DOCS.rglob("*.md") if not {"generated", "_build"} & set(p.parts)]
    return {str(p.relative_to(REPOSITORY)): p.read_text(encoding="utf-8") for p in paths}


def generated(script: str) -> ModuleType:
    """Load a script of the documentation that writes pages."""
    spec = importlib.util.spec_from_file_location(f"docs_{script}", DOCS / f"{script}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def build(folder: Path) -> Path:
    """Build the documentation from a copy of its sources; return where the pages are."""
    # A copy, so that two test processes never write the same generated page.
    for name in ("docs", "tests"):
        shutil.copytree(
            REPOSITORY / name,
            folder / name,
            ignore=shutil.ignore_patterns("_build", "generated", "__pycache__"),
        )
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html",
         str(folder / "docs"), str(folder / "html")],
        check=False,
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return folder / "html"


@pytest.mark.slow
def test_it_builds_without_warnings_fetches_nothing_and_links_well(tmp_path: Path) -> None:
    html = build(tmp_path)
    pages = list(html.rglob("*.html"))
    assert len(pages) > 40
    fetched = re.compile(
        r"""(?:<(?:script|img|source|iframe)[^>]*\ssrc|<link[^>]*\shref)="http[^"]*"""
    )
    for path in pages:
        text = path.read_text(encoding="utf-8")
        assert not fetched.search(text), path.name
        # A reference that led nowhere is left as its own text.
        assert 'class="xref' not in re.sub(r'<a class="[^"]*reference[^>]*>.*?</a>', "", text)
    for style in html.rglob("*.css"):
        assert not re.search(r"url\(['\"]?http|@import", style.read_text(encoding="utf-8")), style

    _links_lead_somewhere(html)


def _links_lead_somewhere(html: Path) -> None:
    ids: dict[Path, set[str]] = {}

    def names(path: Path) -> set[str]:
        if path not in ids:
            ids[path] = set(re.findall(r'\sid="([^"]+)"', path.read_text(encoding="utf-8")))
        return ids[path]

    checked = 0
    for path in html.rglob("*.html"):
        article = path.read_text(encoding="utf-8").split('<article role="main"')
        if len(article) < 2:
            continue
        for target in re.findall(r'<a [^>]*href="([^"]+)"', article[1].split("</article>")[0]):
            if target.startswith("http") or target == "#":
                continue
            file, _, anchor = target.partition("#")
            other = (path.parent / file).resolve() if file else path
            assert other.is_file(), (path.name, target)
            if anchor:
                assert anchor in names(other), (path.name, target)
            checked += 1
    assert checked > 200


def _commands(words: tuple[str, ...], command: Any) -> list[tuple[str, Any]]:
    below = getattr(command, "commands", {})
    if not below:
        return [(" ".join(words), command)]
    return [found for name, c in below.items() for found in _commands((*words, name), c)]


@pytest.fixture(scope="module")
def commands() -> dict[str, Any]:
    return dict(_commands(("skyledger",), typer.main.get_command(main.build(None))))


def test_every_command_and_option_is_in_the_reference(commands) -> None:
    text = generated("commands").page()
    assert len(commands) > 8
    for words, command in commands.items():
        section = text.split(f"# `{words}`\n")[1].split("\n#")[0]
        assert " ".join((command.help or "").split())[:30].replace("_", "\\_") in section
        for parameter in command.params:
            for option in parameter.opts:
                assert (
                    option in section
                    or option.upper() in section
                    or (parameter.metavar and parameter.metavar in section)
                ), (words, option)


def test_commands_named_on_the_pages_exist(commands) -> None:
    groups = {" ".join(words.split()[:2]) for words in commands}
    found = 0
    for name, text in written_pages().items():
        calls = re.findall(
            r"(?:^|`|\./run )(skyledger [a-z]+(?: [a-z]+)?)[^\n]*", text, re.MULTILINE
        )
        for call in calls:
            first = " ".join(call.split()[:2])
            assert first in groups, (name, call)
            if first not in commands and len(call.split()) > 2:
                assert any(f"{c} ".startswith(f"{call} ") for c in commands), (name, call)
            found += 1
        for line in re.findall(r"skyledger (?:db|process|query|simulate|plot|demo)[^`\n]*", text):
            words = next(w for w in sorted(commands, key=len, reverse=True)
                         if line.startswith(w) or w.startswith(line.split(" -")[0]))  # fmt: skip
            known = {o for c in commands.values() for p in c.params for o in p.opts}
            for option in re.findall(r"(?<!\S)--[a-z]+", line):
                assert option in known, (name, words, option)
    assert found > 20


def test_commands_of_run_named_on_the_pages_exist() -> None:
    listed = set(
        re.findall(r"^  \./run (\w+)", (REPOSITORY / "run").read_text("utf-8"), re.MULTILINE)
    )
    for name, text in written_pages().items():
        assert set(re.findall(r"\./run ([a-z]+)", text)) <= listed, name


def test_every_function_is_in_the_reference() -> None:
    text = generated("functions").page()
    files = sorted((REPOSITORY / "db/functions").rglob("*.sql"))
    assert len(files) > 60
    for path in files:
        made = re.findall(
            r"^CREATE OR REPLACE (?:FUNCTION|AGGREGATE|PROCEDURE) (\w+\.\w+)",
            path.read_text(encoding="utf-8"),
            re.MULTILINE,
        )
        assert made
        for name in made:
            assert f"\n{name}(" in text, name
            assert f"# {name.split('.')[1]}\n".replace("_", "\\_") in text, name


def test_every_denormalised_table_is_in_the_reference() -> None:
    text = generated("views").page()
    files = sorted((REPOSITORY / "db/views").glob("*.sql"))
    assert files
    headings = [h.lower() for h in re.findall(r"^## (\w+)$", text, re.MULTILINE)]
    assert headings == [path.stem for path in files]
    for column in dictionary.all_derived().values():
        assert f"| `{column.name}` |" in text


@pytest.mark.requirement("L1DB-05")
def test_every_column_of_rubins_and_what_is_missing_is_in_the_reference() -> None:
    text = generated("rubin").page()
    for relation in rubin.relations():
        assert f"\n## {relation.name}\n" in text.replace("\\_", "_")
        for column in relation.columns:
            assert f"| `{column.name}` | " in text
        for name in (n for names in relation.missing for n in names.split(", ")):
            assert f"`{name}`" in text
    assert "| `{b}" not in text


def test_a_function_without_a_comment_is_refused() -> None:
    functions = generated("functions")
    text = (
        "-- f: nothing.\nCREATE OR REPLACE FUNCTION science.f(x integer)\n"
        "RETURNS integer\nRETURN x;\n"
    )
    with pytest.raises(ValueError, match="without COMMENT ON: -- f: nothing"):
        functions.parse(text)
    (found,) = functions.parse(
        text + "\nCOMMENT ON FUNCTION science.f(integer)\nIS 'It''s x [m], '\n   'unchanged.';\n"
    )
    assert found.signature == "science.f(x integer) → integer"
    assert found.comment == "It's x [m], unchanged."


def test_every_exit_code_is_explained() -> None:
    rows = dict(
        re.findall(r"^\| (\d+) \| ([^|]+) \|", page("reference/exit-codes.md"), re.MULTILINE)
    )
    classes = [errors.SkyledgerError, *errors.SkyledgerError.__subclasses__()]
    assert len(classes) > 5
    assert set(map(int, rows)) == {0, 130} | {c.exit_code for c in classes}
    words = {2: "usage", 3: "configuration", 4: "database", 5: "data rejected", 6: "query refused"}
    for code, word in words.items():
        assert rows[str(code)].startswith(word)


def test_every_setting_is_explained() -> None:
    read = set(settings.SERVER_VARIABLES)
    for package in PACKAGES:
        for path in (REPOSITORY / package).rglob("*.py"):
            read |= set(
                re.findall(
                    r"environ(?:ment)?(?:\.get\(|\[)[\"'](\w+)[\"']",
                    path.read_text(encoding="utf-8"),
                )
            )
    assert {"SKYLEDGER_HOME", "SKYLEDGER_DATABASE_URL"} <= read
    text = page("reference/settings.md")
    for name in read:
        assert f"`{name}`" in text, name
    in_sql = {
        setting
        for path in (REPOSITORY / "db/functions").rglob("*.sql")
        for setting in re.findall(r"current_setting\('(skyledger\.\w+)'", path.read_text("utf-8"))
    }
    for name in in_sql:
        assert f"`{name}`" in text, name


@pytest.mark.parametrize(
    ("heading", "model"),
    [
        (None, Instrument), ("[site]", Site), ("[filters]", Filter),
        ("[template]", TemplateSeason), ("[reference]", Reference), ("[keywords]", Keywords),
        ("[amplifiers]", AmplifierKeywords), ("[[defects]]", Defect),
    ],
)  # fmt: skip
def test_every_key_of_an_instrument_is_explained(heading: str | None, model: type) -> None:
    sections = re.split(r"^## ", page("reference/instrument.md"), flags=re.MULTILINE)
    section = next(
        s for s in sections if (s.startswith(f"`{heading}`") if heading else s.startswith("# "))
    )
    keys = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    if heading is None:
        keys += re.findall(r"^`\[+(\w+)\]+`", "\n".join(sections), re.MULTILINE)
    assert set(keys) == set(model.model_fields)


@pytest.mark.requirement("GEN-11")
def test_every_mask_plane_and_keyword_of_images_is_explained() -> None:
    text = page("reference/fits.md")
    planes = re.findall(r"^\| (\d+) \| `(\w+)` \|", text, re.MULTILINE)
    assert planes == [(str(int(p).bit_length() - 1), p.name) for p in Mask]
    (unusable,) = re.findall(r"^Pixels with (.*) carry no usable flux", text, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", unusable)) == {p.name for p in Mask if p & UNUSABLE}
    for keyword in fits._KEYWORDS.values():
        assert f"`{keyword}`" in text, keyword


def test_tables_and_columns_named_on_the_pages_exist() -> None:
    relations = dictionary.shipped().relations
    columns = {c.name for r in relations.values() for c in r.columns}
    columns |= {c.name for c in dictionary.all_derived().values()}
    columns |= {"insertedTai", "createdTai", "deletedTai", "epochTai", "parentIndex", "nJy"}
    columns |= {"fpC", "fpM", "psField", "tsField"}  # files of SDSS
    columns |= {"fluxErr", "levelErr"}  # of science.light_curve and levelled_fluxes
    columns |= {"coefficientErr", "pullEast", "pullNorth"}  # of REFRACTION in a template's file
    columns |= {"diaCharacterizationCutoff"}  # a parameter of the DPDD
    columns |= {"unicodeChar", "unsignedByte"}  # types of VOTable
    columns |= {"sinceTai", "untilTai"}  # of prompt_changes
    camel = re.compile(r"`([a-z]+(?:[A-Z][A-Za-z0-9]*)+)`")
    for name, text in written_pages().items():
        if name.endswith(("dataset.md", "truth.md", "house.md", "reference-catalogue.md")):
            continue  # columns of files and of data in memory
        assert set(camel.findall(text)) <= columns, name
        for schema, relation in re.findall(r"\b(prompt\w*|ledger)\.([A-Z]\w+)\b", text):
            assert relation in {*relations, "X", "X_history"}, (name, schema, relation)


def test_the_picture_is_whole_and_alone() -> None:
    path = DOCS / "_static/flow.svg"
    tree = ET.parse(path).getroot()
    assert tree.tag.endswith("svg")
    text = path.read_text(encoding="utf-8")
    assert "prefers-color-scheme: dark" in text
    assert not re.findall(r"(?:href|src)=|url\((?!#)", text)
    assert "docs/_static/flow.svg" in (REPOSITORY / "README.md").read_text(encoding="utf-8")


def test_the_readme_leads_to_files_that_are_there() -> None:
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#]+)\)", text)
    assert len(targets) > 5
    for target in targets:
        assert target.startswith("https://ls.st/") or (REPOSITORY / target).is_file(), target


def test_the_changelog_names_the_version_of_the_software() -> None:
    version = re.search(
        r'^version = "([^"]+)"', (REPOSITORY / "pyproject.toml").read_text("utf-8"), re.MULTILINE
    )
    assert version
    assert f"## {version[1]}" in (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
