"""Flags and light-curve features: bits that fit, names that are unique, counts of the document."""

import pytest
from astropy import units

from skyledger import dictionary
from skyledger.errors import ConfigurationError

FLAGS = dictionary.flag_definitions()
# Bits a flags column has without its sign.
WIDTH = {"bigint": 63, "smallint": 8}
LONG = "description: something long"


@pytest.mark.requirement("GEN-02", "L1DB-08")
def test_every_flags_column_is_explained_and_every_flag_has_a_column() -> None:
    columns = {
        (relation.name, column.name)
        for relation in dictionary.shipped().relations.values()
        for column in relation.columns
        if column.name in {"flags", "flags2"}
    }
    assert {(flag.relation, flag.column) for flag in FLAGS} == columns


@pytest.mark.parametrize("flag", FLAGS, ids=lambda flag: f"{flag.relation}-{flag.name}")
def test_a_bit_fits_its_column(flag: dictionary.FlagDefinition) -> None:
    column = dictionary.shipped()[flag.relation][flag.column]
    assert flag.mask < 1 << WIDTH[column.type]
    assert flag.mask == 1 << flag.bit if flag.column == "flags" else 1 << (flag.bit - 64)
    assert flag.description.endswith(".")
    assert "{" not in flag.name + flag.description
    assert dictionary.flag_bit(flag.relation, flag.name) == flag.bit


@pytest.mark.requirement("L1DB-08", "GEN-25")
def test_the_flags_that_the_document_asks_for_exist() -> None:
    names = {
        relation: {flag.name for flag in FLAGS if flag.relation == relation}
        for relation in ("DIASource", "DIAForcedSource", "DIAObject", "Object")
    }
    assert {
        "PARENT", "DEBLENDED", "SUBTHRESHOLD", "KNOWN_SSOBJECT", "ARTIFACT", "BAD_PIXEL",
        "PSF_FIT_FAILED", "TRAIL_FIT_FAILED", "DIPOLE_FIT_FAILED",
    } <= names["DIASource"]  # fmt: skip
    assert {"ORPHAN_KEPT", "MIXED_TEMPLATE", "FORCED_LIMITED"} <= names["DIAObject"]
    assert {"PRECOVERY", "TOTAL_FLUX_MISSING"} <= names["DIAForcedSource"]
    assert {f"{b.upper()}_BULGE_DISK_FAILED" for b in dictionary.BANDS} <= names["Object"]


# Bits that are stored in published rows. A bit never changes its meaning: this list only grows.
FROZEN = {
    ("DIASource", "PARENT"): 0,
    ("DIASource", "DEBLENDED"): 1,
    ("DIASource", "SUBTHRESHOLD"): 2,
    ("DIASource", "NEGATIVE"): 3,
    ("DIASource", "EDGE"): 6,
    ("DIASource", "CENTROID_FAILED"): 16,
    ("DIASource", "KNOWN_SSOBJECT"): 24,
    ("DIASource", "HIGH_VARIANCE"): 28,
    ("DIAForcedSource", "EDGE"): 0,
    ("DIAForcedSource", "PRECOVERY"): 9,
    ("DIAObject", "ORPHAN_KEPT"): 0,
    ("DIAObject", "INJECTED"): 6,
    ("SSObject", "SLOPE_ASSUMED"): 3,
    ("Object", "U_CENTROID_FAILED"): 16,
    ("Object", "Y_SATURATED"): 57,
    ("Object", "U_EDGE"): 64,
    ("Object", "Y_FEATURES_MISSING"): 93,
    ("Source", "INJECTED"): 19,
    ("ForcedSource", "NOT_DEBLENDED"): 7,
}


def test_bits_keep_their_meaning() -> None:
    for (relation, name), bit in FROZEN.items():
        assert dictionary.flag_bit(relation, name) == bit


@pytest.mark.parametrize(
    ("relation", "name", "words"),
    [
        ("DIASource", "BRIGHT", r"DIASource has no flag 'BRIGHT'; it has PARENT, DEBLENDED"),
        ("DIASource", "negative", "NEGATIVE"),
        ("Visit", "EDGE", "Visit has no flag 'EDGE'; it has no flags"),
    ],
)
def test_an_unknown_flag_is_refused(relation: str, name: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        dictionary.flag_bit(relation, name)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"A: [{{bit: 0, name: B, {LONG}}}, {{bit: 0, name: C, {LONG}}}]", "bit given twice"),
        (f"A: [{{bit: 0, name: B, {LONG}}}, {{bit: 1, name: B, {LONG}}}]", "name given twice"),
        (f"A: [{{bit: 127, name: B, {LONG}}}]", "bit"),
        (f"A: [{{bit: -1, name: B, {LONG}}}]", "bit"),
        (f"A: [{{bit: 1, name: b c, {LONG}}}]", "name"),
        ("A: [{bit: 1, name: B}]", "entry B has no description"),
        ("A: 5", "does not define flags"),
    ],
)  # fmt: skip
def test_wrong_flags_are_refused(text: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        dictionary.parse_flags(text, "flags.yaml")


@pytest.mark.requirement("L1DB-18", "CHAR-10")
def test_features_fill_the_arrays() -> None:
    features = dictionary.feature_definitions()
    for kind, column, count in (
        ("periodic", "lcPeriodic", 32),
        ("nonperiodic", "lcNonPeriodic", 20),
    ):
        assert [f.index for f in features if f.kind == kind] == list(range(1, count + 1))
        assert dictionary.shipped()["DIAObjectFeatures"][column].shape == (count,)
        assert dictionary.shipped()["Object"][column].shape == (6, count)
    assert len({feature.name for feature in features}) == 52


@pytest.mark.requirement("L1DB-18")
def test_features_are_counted_as_in_the_list_of_members() -> None:
    names = [f.name for f in dictionary.feature_definitions() if f.kind == "periodic"]
    assert sum(name in {"freq1", "freq2", "freq3"} for name in names) == 3
    assert sum("Amplitude" in name and "Ratio" not in name for name in names) == 3 * 4
    assert sum("RelPhase" in name for name in names) == 3 * 3
    assert sum("Ratio21" in name or "Ratio31" in name for name in names) == 4
    assert names[28:] == ["freqSignificance", "freqVarianceRatio", "freqYOffset", "linearTrend"]


def test_units_of_features_are_of_the_standard() -> None:
    for feature in dictionary.feature_definitions():
        if feature.unit is not None:
            units.Unit(feature.unit, format="vounit", parse_strict="raise")
            assert "mag" not in feature.unit


@pytest.mark.parametrize(
    "text",
    [
        f"annual: [{{name: a, {LONG}}}]",
        f"periodic: [{{name: a, {LONG}}}, {{name: a, {LONG}}}]",
        f"periodic: [{{name: a, unit: furlongs, {LONG}}}]",
        "periodic: 3",
    ],
)
def test_wrong_features_are_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"features\.yaml does not define features"):
        dictionary.parse_features(text, "features.yaml")
