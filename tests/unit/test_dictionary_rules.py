"""The naming, unit and design rules that hold for every relation of the dictionary."""

import re

import pytest
from astropy import units
from astropy.io.votable.ucd import check_ucd

from skyledger.dictionary import BANDS, Column, Relation, shipped

RELATIONS = list(shipped().relations.values())
DOCUMENT = [relation for relation in RELATIONS if relation.dpdd_table is not None]
COLUMNS = [(relation, column) for relation in RELATIONS for column in relation.columns]

# Number of parameters of each covariance array (DPDD section 2.2 and its tables).
COVARIANCES = {
    ("DIASource", "psCov"): 3,
    ("DIASource", "trailCov"): 5,
    ("DIASource", "dipCov"): 6,
    ("DIASource", "icov"): 3,
    ("DIAObject", "pmParallaxCov"): 3,
    ("SSObject", "oeCov"): 7,
    ("Object", "psCov"): 11,
    ("Object", "icov"): 3,
    **{("Object", f"{band}Icov"): 3 for band in BANDS},
    **{("Object", f"{band}BdCov"): 8 for band in BANDS},
    ("Source", "psCov"): 3,
    ("Source", "icov"): 3,
}
PAIRS = {"raDeclCov": ("raErr", "declErr"), "xyCov": ("xErr", "yErr")}
PAIRS["astromSysCov"] = ("astromSysRaErr", "astromSysDeclErr")

# Errors of something that is not a column of the same relation.
ERRORS_ALONE = {
    "photoCalibRelErr": "fraction of any flux",
    "photoCalibAbsErr": "fraction of any flux",
    "astromSysRaErr": "every position on the detector",
    "astromSysDeclErr": "every position on the detector",
}

# What each fitted model consists of: values, covariance, and the stem of LnL, Chi2 and Ndata.
MODELS = [
    ("DIASource", ["psFlux", "psRa", "psDecl"], "psCov", "ps"),
    (
        "DIASource",
        ["trailFlux", "trailRa", "trailDecl", "trailLength", "trailAngle"],
        "trailCov",
        "trail",
    ),
    (
        "DIASource",
        ["dipMeanFlux", "dipFluxDiff", "dipRa", "dipDecl", "dipLength", "dipAngle"],
        "dipCov",
        "dip",
    ),
    ("DIAObject", ["pmRa", "pmDecl", "parallax"], "pmParallaxCov", "pmParallax"),
    (
        "SSObject",
        ["q", "e", "inc", "node", "argPeri", "meanAnomaly", "epoch"],
        "oeCov",
        "orbFit",
    ),
    (
        "Object",
        ["psRa", "psDecl", "psPmRa", "psPmDecl", "psParallax", *(f"{b}PsFlux" for b in BANDS)],
        "psCov",
        "ps",
    ),
    *(
        (
            "Object",
            [f"{b}Bd{what}" for what in ("Ra", "Decl", "E1", "E2", "FluxB", "FluxD", "ReB", "ReD")],
            f"{b}BdCov",
            f"{b}Bd",
        )
        for b in BANDS
    ),
    ("Source", ["psFlux", "psRa", "psDecl"], "psCov", "ps"),
]

# Reserved in ADQL 2.1 (its section 2.1.2): SQL-92 and the functions of ADQL.
ADQL_RESERVED = """
    ABSOLUTE ACTION ADD ALL ALLOCATE ALTER AND ANY ARE AS ASC ASSERTION AT AUTHORIZATION AVG
    BEGIN BETWEEN BIT BIT_LENGTH BOTH BY CASCADE CASCADED CASE CAST CATALOG CHAR CHARACTER
    CHAR_LENGTH CHARACTER_LENGTH CHECK CLOSE COALESCE COLLATE COLLATION COLUMN COMMIT CONNECT
    CONNECTION CONSTRAINT CONSTRAINTS CONTINUE CONVERT CORRESPONDING COUNT CREATE CROSS
    CURRENT CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP CURRENT_USER CURSOR DATE DAY
    DEALLOCATE DECIMAL DECLARE DEFAULT DEFERRABLE DEFERRED DELETE DESC DESCRIBE DESCRIPTOR
    DIAGNOSTICS DISCONNECT DISTINCT DOMAIN DOUBLE DROP ELSE END ESCAPE EXCEPT EXCEPTION EXEC
    EXECUTE EXISTS EXTERNAL EXTRACT FALSE FETCH FIRST FLOAT FOR FOREIGN FOUND FROM FULL GET
    GLOBAL GO GOTO GRANT GROUP HAVING HOUR IDENTITY IMMEDIATE IN INDICATOR INITIALLY INNER
    INPUT INSENSITIVE INSERT INT INTEGER INTERSECT INTERVAL INTO IS ISOLATION JOIN KEY
    LANGUAGE LAST LEADING LEFT LEVEL LIKE LOCAL LOWER MATCH MAX MIN MINUTE MODULE MONTH NAMES
    NATIONAL NATURAL NCHAR NEXT NO NOT NULL NULLIF NUMERIC OCTET_LENGTH OF ON ONLY OPEN OPTION
    OR ORDER OUTER OUTPUT OVERLAPS PAD PARTIAL POSITION PRECISION PREPARE PRESERVE PRIMARY
    PRIOR PRIVILEGES PROCEDURE PUBLIC READ REAL REFERENCES RELATIVE RESTRICT REVOKE RIGHT
    ROLLBACK ROWS SCHEMA SCROLL SECOND SECTION SELECT SESSION SESSION_USER SET SIZE SMALLINT
    SOME SPACE SQL SQLCODE SQLERROR SQLSTATE SUBSTRING SUM SYSTEM_USER TABLE TEMPORARY THEN
    TIME TIMESTAMP TIMEZONE_HOUR TIMEZONE_MINUTE TO TRAILING TRANSACTION TRANSLATE TRANSLATION
    TRIM TRUE UNION UNIQUE UNKNOWN UPDATE UPPER USAGE USER USING VALUE VALUES VARCHAR VARYING
    VIEW WHEN WHENEVER WHERE WITH WORK WRITE YEAR ZONE ABS ACOS AREA ASIN ATAN ATAN2 BOX
    CEILING CENTROID CIRCLE CONTAINS COORD1 COORD2 COORDSYS COS DEGREES DISTANCE EXP FLOOR
    ILIKE IN_UNIT INTERSECTS LOG LOG10 MOD PI POINT POLYGON POWER RADIANS RAND REGION ROUND
    SIN SQRT TAN TOP TRUNCATE OFFSET
"""


def _name(item: object) -> str:
    return item.name if isinstance(item, Relation | Column) else str(item)


def _squared(unit: str | None) -> units.UnitBase:
    return units.Unit(unit or "", format="vounit") ** 2


@pytest.mark.requirement("GEN-03")
@pytest.mark.parametrize("relation", RELATIONS, ids=_name)
def test_err_belongs_to_a_value_of_the_same_unit(relation: Relation) -> None:
    for error in (c for c in relation.columns if c.name.endswith("Err")):
        assert error.minimum == 0, error.name
        assert (error.ucd or "").startswith("stat.error"), error.name
        assert "error" in error.description, error.name
        if error.name in ERRORS_ALONE:
            continue
        value = relation[error.name.removesuffix("Err")]
        # Positions are in degrees, their errors in arcsec.
        expected = "arcsec" if value.unit == "deg" else value.unit
        assert error.unit == expected, error.name


@pytest.mark.requirement("GEN-03")
def test_error_in_right_ascension_says_that_it_is_on_the_sky() -> None:
    errors = [c for _, c in COLUMNS if c.name.lower().endswith("raerr")]
    assert len(errors) >= 10
    for error in errors:
        assert error.unit == "arcsec"
        assert "times cos(decl)" in error.description, error.name


@pytest.mark.requirement("GEN-03")
@pytest.mark.parametrize("relation", RELATIONS, ids=_name)
def test_sigma_is_the_width_of_the_distribution_of_a_value(relation: Relation) -> None:
    for width in (c for c in relation.columns if c.name.endswith("Sigma")):
        assert "tandard deviation" in width.description, width.name
        assert "stat.stdev" in (width.ucd or ""), width.name
        stem = width.name.removesuffix("Sigma")
        if stem == "diffPixel":  # of the pixels of an image, which are no column
            continue
        value = relation.by_name.get(stem) or relation[stem + "Mean"]
        assert width.unit == value.unit, width.name


@pytest.mark.requirement("GEN-03", "GEN-04")
def test_covariances_hold_the_lower_triangle() -> None:
    arrays = {
        (r.name, c.name): c.shape
        for r, c in COLUMNS
        if c.name.lower().endswith("cov") and c.type.endswith("[]")
    }
    assert arrays == {key: (n * (n + 1) // 2,) for key, n in COVARIANCES.items()}
    for relation, column in COLUMNS:
        if column.name.lower().endswith("cov") and not column.type.endswith("[]"):
            first, second = (relation[name] for name in PAIRS[column.name])
            assert first.unit == second.unit
            assert units.Unit(column.unit, format="vounit") == _squared(first.unit)
        if column.name.lower().endswith("cov"):
            assert (column.ucd or "").startswith("stat.covariance"), column.name


@pytest.mark.requirement("GEN-04", "GEN-05")
@pytest.mark.parametrize(("name", "values", "covariance", "stem"), MODELS)
def test_every_model_has_values_covariance_and_goodness_of_fit(
    name: str, values: list[str], covariance: str, stem: str
) -> None:
    relation = shipped()[name]
    assert relation[covariance].shape == (len(values) * (len(values) + 1) // 2,)
    for value in values:
        assert relation[value].nullable, "a fit may fail"
    assert relation[f"{stem}LnL"].ucd.startswith("stat.likelihood")
    assert relation[f"{stem}Chi2"].ucd.startswith("stat.fit.chi2")
    assert relation[f"{stem}Ndata"].type == "integer"
    for goodness in ("LnL", "Chi2", "Ndata"):
        assert relation[f"{stem}{goodness}"].unit is None


@pytest.mark.requirement("GEN-05")
@pytest.mark.parametrize(
    ("name", "values", "covariance", "stem"), [m for m in MODELS if m[0] != "SSObject"]
)
def test_no_fit_can_be_loaded_without_its_goodness(
    name: str, values: list[str], covariance: str, stem: str
) -> None:
    found = [
        check
        for check in shipped()[name].checks
        if all(f"{stem}{what} IS NOT NULL" in check for what in ("LnL", "Chi2", "Ndata"))
    ]
    assert len(found) == 1
    assert found[0].split(" IS NULL OR ")[0] in values


@pytest.mark.requirement("GEN-05")
def test_goodness_of_an_orbit_is_there_or_not_as_a_whole() -> None:
    # An orbit may come from an external catalogue, so its elements do not imply a fit.
    assert shipped()["SSObject"].checks[0] == (
        "num_nulls(orbFitLnL, orbFitChi2, orbFitNdata) IN (0, 3)"
    )


def test_checks_name_columns_that_exist() -> None:
    for relation in RELATIONS:
        for check in relation.checks:
            bare = re.sub(r"'[^']*'", "", check)
            words = set(re.findall(r"[a-zA-Z_]\w*", bare))
            sql = {"NOT", "NULL", "IS", "AND", "OR", "IN", "BETWEEN", "cardinality", "num_nulls",
                   "octet_length"}  # fmt: skip
            assert words - sql <= set(relation.by_name), (relation.name, check)


@pytest.mark.requirement("GEN-14")
def test_tables_store_fluxes_and_no_magnitudes() -> None:
    magnitudes = {(r.name, c.name) for r, c in COLUMNS if c.unit is not None and "mag" in c.unit}
    colors = ("UG", "GR", "RI", "IZ", "ZY")
    assert magnitudes == (
        {("SSObject", f"{band}H{tail}") for band in BANDS for tail in ("", "Err")}
        | {("Object", f"stdColor{color}{tail}") for color in colors for tail in ("", "Err")}
        # a property of the image, not a measurement of a source
        | {("CcdVisit", "zeroPoint")}
    )
    for relation, column in COLUMNS:
        if (relation.name, column.name) not in magnitudes:
            assert "phot.mag" not in (column.ucd or ""), (relation.name, column.name)
            assert not re.search("mag", column.name, re.IGNORECASE), (relation.name, column.name)


@pytest.mark.requirement("GEN-14")
def test_no_flux_has_a_lower_limit() -> None:
    fluxes = [c for _, c in COLUMNS if (c.ucd or "").startswith("phot.flux")]
    assert len(fluxes) >= 60
    assert [c.name for c in fluxes if c.minimum is not None] == []


@pytest.mark.requirement("GEN-15")
def test_fluxes_are_in_nanojansky() -> None:
    found = 0
    for relation, column in COLUMNS:
        if re.search(r"(Flux|FluxErr|FluxMean|FluxMeanErr|FluxSigma|FluxB|FluxD|FluxDiff)$",
                     column.name):  # fmt: skip
            assert column.unit == "nJy", (relation.name, column.name)
            found += 1
        if "phot.flux" in (column.ucd or "").split(";") and column.unit is not None:
            assert column.unit == "nJy", (relation.name, column.name)
        if "phot.flux.sb" in (column.ucd or "").split(";"):
            assert column.unit == "nJy/arcsec**2", (relation.name, column.name)
    assert found == 11 + 4 + 8 * 6 + 8 * 6 + 4 + 4 + 1  # Tables 1, 2, 3, 5, 6, 7, Template


@pytest.mark.requirement("GEN-29")
@pytest.mark.parametrize(
    "name", ["DIASource", "DIAForcedSource", "Source", "ForcedSource", "DIAObject", "SSObject"]
)
def test_tables_are_normalised(name: str) -> None:
    assert not {"band", "filterName", "programId", "airmass"} & set(shipped()[name].by_name)


@pytest.mark.requirement("GEN-24", "L1DB-03")
def test_no_key_leads_from_the_prompt_tables_to_objects_of_a_release() -> None:
    for relation in RELATIONS:
        if relation.kind == "living":
            targets = {foreign.relation for foreign in relation.foreign_keys}
            assert not targets & {"Object", "Source", "ForcedSource"}, relation.name
    assert "objectId" not in shipped()["DIASource"].by_name


@pytest.mark.requirement("CHAR-12")
def test_source_has_no_galaxy_models() -> None:
    source = shipped()["Source"]
    assert [
        c.name for c in source.columns if re.match("bd|petro|kron", c.name, re.IGNORECASE)
    ] == []


@pytest.mark.requirement("CAT-07")
def test_forced_source_has_one_row_an_object_and_detector_image() -> None:
    assert shipped()["ForcedSource"].key == ("objectId", "ccdVisitId")


@pytest.mark.requirement("GEN-02")
def test_one_name_has_one_unit_and_meaning_in_all_relations() -> None:
    seen: dict[str, tuple[str, Column]] = {}
    for relation, column in COLUMNS:
        other, first = seen.setdefault(column.sql_name, (relation.name, column))
        where = f"{relation.name} and {other}: {column.name}"
        assert column.name == first.name, where
        assert column.unit == first.unit, where


@pytest.mark.requirement("GEN-02")
def test_all_ids_and_coordinates_are_of_one_type_and_range() -> None:
    for relation, column in COLUMNS:
        where = (relation.name, column.name)
        if re.search(r"(Source|Object|Visit|template|provenance)Id$", column.name):
            assert (column.type, column.minimum) == ("bigint", 0), where
        if column.unit == "deg" and re.search(r"(^ra|[a-z]Ra)$", column.name):
            assert column.type == "double precision", where
            assert (column.minimum, column.maximum) == (0, 360), where
            assert (column.ucd or "").startswith("pos.eq.ra"), where
        if column.unit == "deg" and re.search(r"(^decl|[a-z]Decl)$", column.name):
            assert column.type == "double precision", where
            assert (column.minimum, column.maximum) == (-90, 90), where
            assert (column.ucd or "").startswith("pos.eq.dec"), where
        if column.name.endswith("Tai") and column.type != "timestamp":
            assert (column.type, column.unit) == ("double precision", "d"), where
            assert "TAI" in column.description or "same" in column.description, where


@pytest.mark.requirement("GEN-02")
@pytest.mark.parametrize("relation", DOCUMENT, ids=_name)
def test_columns_of_the_document_have_a_ucd(relation: Relation) -> None:
    assert [column.name for column in relation.columns if column.ucd is None] == []


@pytest.mark.requirement("GEN-02")
def test_units_and_ucds_are_words_of_the_standards() -> None:
    for relation, column in COLUMNS:
        where = (relation.name, column.name)
        if column.unit is not None:
            units.Unit(column.unit, format="vounit", parse_strict="raise")
        if column.ucd is not None:
            assert check_ucd(column.ucd, check_controlled_vocabulary=True), where


@pytest.mark.requirement("GEN-02")
def test_descriptions_are_sentences() -> None:
    for relation, column in COLUMNS:
        where = (relation.name, column.name)
        assert column.description.endswith("."), where
        assert column.description[0].isupper() or column.description[0].isdigit(), where
        assert "  " not in column.description, where
        assert "{b}" not in column.description, where
    for relation in RELATIONS:
        assert relation.description.endswith("."), relation.name


@pytest.mark.requirement("GEN-02")
def test_foreign_keys_join_columns_of_one_type() -> None:
    found = 0
    for relation in RELATIONS:
        for foreign in relation.foreign_keys:
            target = shipped()[foreign.relation]
            assert foreign.references == target.key, (relation.name, foreign)
            for column, reference in zip(foreign.columns, foreign.references, strict=True):
                assert relation[column].type == target[reference].type, (relation.name, column)
                found += 1
    assert found >= 25


@pytest.mark.requirement("L1DB-16", "L1DB-06")
def test_the_columns_read_most_come_first() -> None:
    assert [c.name for c in shipped()["DIASource"].columns][:4] == [
        "diaSourceId", "ccdVisitId", "visitId", "detector",
    ]  # fmt: skip
    for relation in DOCUMENT:
        assert relation.columns[0].name == relation.key[0], relation.name


@pytest.mark.requirement("GEN-01", "GEN-02")
def test_columns_need_no_quotes_in_adql() -> None:
    reserved = set(ADQL_RESERVED.lower().split())
    assert len(reserved) > 250
    for relation, column in COLUMNS:
        if relation.kind not in {"ledger", "service"}:
            assert column.sql_name not in reserved, (relation.name, column.name)
            assert relation.sql_name not in reserved
