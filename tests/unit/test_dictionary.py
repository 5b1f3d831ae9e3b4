"""Reading the dictionary: what it accepts, what it refuses, and with which words."""

import contextlib
import textwrap
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from skyledger import dictionary
from skyledger.errors import ConfigurationError

GOOD = """
name: Star
kind: living
description: Stars that serve as an example.
key: [starId]
spatial: [ra, decl]
indexes:
  - {columns: [ra], include: [decl]}
checks:
  - ra <> decl
  - "{b}Flux <> 0"
columns:
  - {name: starId, type: bigint, nullable: false, description: Identifier of the star.}
  - {name: ra, type: double precision, unit: deg, ucd: pos.eq.ra, description: Right ascension.}
  - {name: decl, type: double precision, unit: deg, ucd: pos.eq.dec, description: A declination.}
  - {name: "{b}Flux", type: real, unit: nJy, ucd: "phot.flux;em.opt.{b}",
     description: "Flux in the {b} band."}
  - {name: cov, type: "real[]", shape: [6], description: A covariance matrix.}
"""


def _with(old: str, new: str) -> str:
    assert GOOD.count(old) == 1
    return GOOD.replace(old, new)


def test_a_relation_is_read_and_expanded_over_the_bands() -> None:
    star = dictionary.parse(GOOD, "star.yaml")
    assert [c.name for c in star.columns] == [
        "starId", "ra", "decl", "uFlux", "gFlux", "rFlux", "iFlux", "zFlux", "yFlux", "cov",
    ]  # fmt: skip
    assert star.checks == ("ra <> decl", *(f"{band}Flux <> 0" for band in "ugrizy"))
    assert star["gFlux"].description == "Flux in the g band."
    assert star["gFlux"].ucd == "phot.flux;em.opt.B"
    assert star["gFlux"].sql_name == "gflux"
    assert star["cov"].shape == (6,)
    assert not star["starId"].nullable


REFUSED = {
    "unknown key of a relation": (_with("kind: living", "kind: living\ncolour: red"), "colour"),
    "unknown key of a column": (_with("unit: nJy", "units: nJy"), "uFlux.units"),
    "unknown kind": (_with("kind: living", "kind: eternal"), "kind"),
    "unknown type": (_with("type: bigint", "type: uint64"), "starId.type"),
    "unit of no standard": (_with("unit: nJy", "unit: nanojansky"), "nanojansky"),
    "magnitude misspelt": (_with("unit: nJy", "unit: magnitude"), "uFlux.unit"),
    "unit that is a number": (_with("unit: nJy", "unit: 5"), "uFlux.unit"),
    "unknown word in a UCD": (_with("ucd: pos.eq.ra", "ucd: pos.eq.right"), "pos.eq.right"),
    "UCD with a primary word second": (_with("ucd: pos.eq.ra", "ucd: pos.eq;meta.id"), "ra.ucd"),
    "column twice": (_with("name: decl,", "name: RA,").replace("[ra, decl]", "[ra, ra]"), "RA"),
    "column twice in SQL": (_with("name: cov", "name: uFLUX"), "appear twice"),
    "name that needs quotes": (_with("name: cov", "name: 'a b'"), "columns.a b.name"),
    "name with SQL in it": (_with("name: cov", "name: 'x); DROP TABLE y'"), "name"),
    "name that is a number": (_with("name: cov", "name: 5"), "entry 5 has no name"),
    "no name": (_with("name: cov, ", ""), "entry 5 has no name"),
    "no columns": (
        GOOD.split("columns:\n  - {name: starId", maxsplit=1)[0],
        "'columns' is missing",
    ),
    "columns of another kind": ("name: Star\ncolumns: 7", "should be a list"),
    "columns that are text": ("name: Star\ncolumns: abc", "should be a list"),
    "a column that is text": ("name: Star\ncolumns: [abc]", "entry 1 should have keys"),
    "no description": (
        _with(", description: A covariance matrix.", ""),
        "entry cov has no description",
    ),
    "empty description": (_with("A covariance matrix.", "''"), "cov.description"),
    "key that does not exist": (_with("key: [starId]", "key: [galaxyId]"), "galaxyId"),
    "key that may be NULL": (_with("nullable: false, ", ""), "may be NULL"),
    "no key": (_with("key: [starId]", "key: []"), "key"),
    "index on nothing": (_with("include: [decl]", "include: [hpx]"), "hpx"),
    "checks that are text": (
        _with("checks:\n  - ra <> decl", "checks: ra <> decl").replace('  - "{b}Flux <> 0"\n', ""),
        "checks",
    ),
    "a check that is a number": (_with("- ra <> decl", "- 5"), "checks"),
    "shape without array": (_with('"real[]"', "real"), "shape"),
    "shape with a hole": (_with("shape: [6]", "shape: [0]"), "cov.shape"),
    "array without measure": (_with("shape: [6]", "shape: [1000000000000]"), "cov.shape"),
    "limits of text": (_with("type: bigint", "type: text, minimum: 0"), "minimum"),
    "limits the wrong way": (_with("unit: nJy", "unit: nJy, minimum: 2, maximum: 1"), "maximum"),
    "limit without limit": (_with("unit: nJy", "unit: nJy, minimum: .nan"), "uFlux.minimum"),
    "key of YAML twice": (_with("kind: living", "kind: living\nkind: static"), "stands twice"),
    "no YAML": ("name: [", "expected the node content"),
    "tabs": ("name:\tStar\n\tkind: living", "cannot start any token"),
    "nothing": ("", "found NoneType"),
    "a list": ("- 1\n- 2", "found list"),
    "control characters": ("name: \x00", "special characters are not allowed"),
    "too deep": ("[" * 1_000, "nested too deeply"),
    "object of Python": (
        _with("A covariance matrix.", "!!python/object/apply:os.getcwd []"),
        "could not determine a constructor",
    ),
    "name of Python": ("!!python/name:os.system", "could not determine a constructor"),
    "alias": ("a: &x [1]\nb: *x\ncolumns: []", "aliases are not allowed"),
}


@pytest.mark.requirement("GEN-02")
@pytest.mark.parametrize(("text", "words"), REFUSED.values(), ids=REFUSED)
def test_wrong_entries_are_refused_with_file_and_fault(text: str, words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        dictionary.parse(text, "star.yaml")
    message = str(caught.value)
    assert message.startswith("star.yaml is not a valid dictionary entry: ")
    assert words in message
    assert "\n" not in message
    assert "://" not in message


def test_an_array_bomb_is_refused_before_it_grows() -> None:
    levels = ["l0: &l0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 12)]
    with pytest.raises(ConfigurationError, match="aliases are not allowed"):
        dictionary.parse("\n".join([*levels, "columns: []"]), "bomb.yaml")


_KEYS = st.sampled_from(
    [*dictionary.Relation.model_fields, *dictionary.Column.model_fields, "spam"]
)
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["{b}Flux", "real", "nJy", "DIASource", "living"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=6),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None)
@given(_VALUES)
def test_whatever_is_in_the_file_the_error_is_ours(value: object) -> None:
    text = yaml.safe_dump(value)
    for read in (dictionary.parse, dictionary.parse_flags, dictionary.parse_features):
        with contextlib.suppress(ConfigurationError):  # anything else fails the test
            read(text, "any.yaml")


def _write(folder: Path, name: str, text: str) -> None:
    (folder / "relations").mkdir(exist_ok=True)
    (folder / "relations" / name).write_text(textwrap.dedent(text), encoding="utf-8")


def test_a_file_is_named_after_its_relation(tmp_path: Path) -> None:
    _write(tmp_path, "stars.yaml", GOOD)
    with pytest.raises(ConfigurationError, match=r"name the file star\.yaml"):
        dictionary.load(tmp_path)


def test_an_empty_folder_is_no_dictionary(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no dictionary found"):
        dictionary.load(tmp_path)


@pytest.mark.parametrize(
    "reference",
    [
        "{columns: [starId], relation: Galaxy, references: [galaxyId]}",
        "{columns: [starId], relation: Star, references: [galaxyId]}",
        "{columns: [starId], relation: Star, references: [starId, ra]}",
    ],
)
def test_a_foreign_key_leads_somewhere(tmp_path: Path, reference: str) -> None:
    _write(tmp_path, "star.yaml", _with("indexes:", f"foreign_keys: [{reference}]\nindexes:"))
    with pytest.raises(ConfigurationError, match=r"foreign key .* does not exist"):
        dictionary.load(tmp_path)


def test_a_relation_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(ConfigurationError, match=r"no relation 'Star'; it has .*DIASource"):
        dictionary.shipped()["Star"]


def test_relations_by_kind() -> None:
    living = [relation.name for relation in dictionary.shipped().of_kind("living")]
    assert {"DIASource", "DIAForcedSource", "DIAObject", "SSObject", "CcdVisit"} <= set(living)
    assert "Object" not in living
