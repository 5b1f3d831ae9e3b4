"""What a translation says of its answer, and how it is spelled."""

import re
from datetime import datetime

import pytest
from adql_sets import MINE, archive, samples

from services.adql import AdqlError, Catalogue, Column, Table, translate
from services.adql.features import features
from services.adql.functions import functions
from skyledger import dictionary as dd
from skyledger.database.offered import catalogue

CATALOGUE = archive()
THEN = datetime(2026, 1, 2, 3, 4, 5, 600)  # noqa: DTZ001 - ledger time is TAI, without zone


def columns(text, **options):
    return translate(text, CATALOGUE, **options).columns


def column(value, table="DIASource"):
    (found,) = columns(f"SELECT {value} FROM {table}")
    return found


@pytest.mark.requirement("GEN-02")
def test_a_column_is_described_as_in_the_dictionary():
    found = column("psflux")
    there = dd.shipped()["DIASource"]["psFlux"]
    assert (found.name, found.type) == ("psFlux", there.type)
    assert (found.unit, found.ucd, found.description) == (there.unit, there.ucd, there.description)


@pytest.mark.parametrize("relation", ["DIAObject", "DIASource", "CcdVisit", "SSSource"])
def test_star_is_all_columns_in_order(relation):
    shown = [c.name for c in columns(f"SELECT * FROM {relation}")]
    names = [c.name for c in dd.shipped()[relation].columns]
    assert shown[: len(names)] == names
    assert "insertedTai" in shown


@pytest.mark.parametrize(
    ("value", "name", "kind", "unit", "ucd"),
    [
        ("psFlux AS f", "f", "real", "nJy", "phot.flux"),
        ('psFlux AS "My Flux"', "My Flux", "real", "nJy", "phot.flux"),
        ("2 * psFlux", "col1", "double precision", "nJy", None),
        ("psFlux / 1000.0", "col1", "double precision", "nJy", None),
        ("psFlux - totFlux", "col1", "real", "nJy", None),
        ("psFlux + ra", "col1", "double precision", None, None),
        ("psFlux * totFlux", "col1", "real", None, None),
        ("midPointTai - 60000", "col1", "double precision", "d", None),
        ("-psFlux", "col1", "real", "nJy", None),
        ("ABS(psFlux)", "abs", "real", "nJy", None),
        ("ROUND(ra, 2)", "round", "double precision", "deg", None),
        ("RADIANS(ra)", "radians", "double precision", "rad", None),
        ("AVG(psFlux)", "avg", "double precision", "nJy", "phot.flux;stat.mean"),
        ("MAX(psFlux)", "max", "real", "nJy", "phot.flux;stat.max"),
        ("COUNT(*)", "count", "bigint", None, "meta.number"),
        ("SUM(detector)", "sum", "bigint", None, None),
        ("SUM(diaSourceId)", "sum", "bigint", None, None),
        ("IN_UNIT(psFlux, 'uJy')", "in_unit", "double precision", "uJy", "phot.flux"),
        ("IN_UNIT(psFlux, 'nJy')", "in_unit", "real", "nJy", "phot.flux"),
        ("COALESCE(psFlux, 0)", "coalesce", "real", "nJy", "phot.flux"),
        ("flux_to_mag(psFlux)", "flux_to_mag", "double precision", "mag", None),
        ("DISTANCE(ra, decl, 1, 2)", "distance", "double precision", "deg", "pos.angDistance"),
        ("POINT(ra, decl)", "col1", "double precision[]", "deg", "pos.eq"),
        ("AREA(CIRCLE(ra, decl, 1))", "area", "double precision", "deg**2", "phys.angArea"),
        ("CAST(ra AS REAL)", "col1", "real", "deg", None),
        ("CAST(ra AS VARCHAR)", "col1", "text", None, None),
        ("detector + 1", "col1", "integer", None, None),
        ("detector * diaSourceId", "col1", "bigint", None, None),
        ("1", "col1", "integer", None, None),
        ("4294967296", "col1", "bigint", None, None),
        ("1.0", "col1", "double precision", None, None),
        ("'a'", "col1", "text", None, None),
        ("flags & 8", "col1", "bigint", None, None),
    ],
)  # fmt: skip
def test_values_are_described(value, name, kind, unit, ucd):
    found = column(value)
    assert (found.name, found.type, found.unit, found.ucd) == (name, kind, unit, ucd)


def test_geometries_are_arrays_with_a_meaning():
    point, circle, polygon = columns(
        "SELECT POINT(ra, decl), CIRCLE(ra, decl, 1), POLYGON(ra, decl, 1, 2, 3, 4) FROM DIAObject"
    )
    assert [c.xtype for c in (point, circle, polygon)] == ["point", "circle", "polygon"]
    assert [c.arraysize for c in (point, circle, polygon)] == ["2", "3", None]
    (through,) = columns("SELECT q.p FROM (SELECT POINT(ra, decl) AS p FROM DIAObject) AS q")
    assert (through.xtype, through.arraysize, through.name) == ("point", "2", "p")


def test_names_of_the_answer_differ():
    names = [
        c.name for c in columns("SELECT o.ra, s.ra, s.RA, 1 AS Ra_2 FROM DIAObject o, DIASource s")
    ]
    assert names == ["ra", "ra_2", "ra_3", "Ra_2_2"]
    everything = [c.name.lower() for c in columns("SELECT * FROM DIAObject, DIASource")]
    assert len(set(everything)) == len(everything)


def test_set_operations_are_described_by_what_their_queries_have_in_common():
    (found,) = columns("SELECT psFlux AS f FROM DIASource UNION SELECT ra FROM DIAObject")
    assert (found.name, found.unit, found.type) == ("f", None, "double precision")
    (found,) = columns("SELECT ra AS x FROM DIASource UNION SELECT ra FROM DIAObject")
    assert (found.name, found.unit, found.ucd) == ("x", "deg", "pos.eq.ra;meta.main")


def test_description_goes_through_subqueries():
    (found,) = columns(
        "WITH w AS (SELECT psFlux AS f FROM DIASource) SELECT q.f FROM (SELECT f FROM w) AS q"
    )
    assert (found.unit, found.ucd) == ("nJy", "phot.flux")


@pytest.mark.requirement("GEN-19", "GEN-21")
def test_one_instant_holds_for_all_living_tables():
    text = (
        "SELECT o.ra FROM DIAObject AS o JOIN rubin.DiaSource AS s USING (diaObjectId), dr1.Object,"
        " prompt_history.Visit WHERE o.ra IN (SELECT ra FROM DIASourceFull) AND EXISTS "
        "(WITH w AS (SELECT * FROM LightCurve WHERE diaObjectId = 5) SELECT * FROM w)"
    )
    live, then = translate(text, CATALOGUE), translate(text, CATALOGUE, THEN)
    assert "_at." not in live.sql
    assert "timestamp" not in live.sql
    assert "_live." not in then.sql
    instant = "timestamp '2026-01-02T03:04:05.000600'"
    for name in ("prompt_at.diaobject", "rubin_at.diasource", "prompt_at.diasourcefull"):
        assert f"{name}({instant})" in then.sql
    assert f"createdtai <= {instant}" in then.sql
    assert f"instant => {instant}" in then.sql
    assert "dr1.object AS" in then.sql
    assert live.living
    assert then.living
    assert not translate("SELECT ra FROM dr1.Object", CATALOGUE, THEN).living
    assert {t.full_name for t in then.tables} == {
        *("prompt.DIAObject", "rubin.DiaSource", "dr1.Object", "prompt_history.Visit"),
        *("prompt.DIASourceFull", "prompt.LightCurve"),
    }


@pytest.mark.requirement("GEN-29")
def test_positions_are_spelled_as_the_index_is():
    for position in ("POINT(ra, decl)", "POINT('ICRS', DIAObject.ra, prompt.diaobject.DECL)"):
        sql = translate(
            f"SELECT ra FROM DIAObject WHERE 1 = CONTAINS({position}, CIRCLE(1, 2, 3))", CATALOGUE
        ).sql
        assert 'spoint(radians(t1."ra"), radians(t1."decl")) <@ scircle(' in sql


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("SELECT TOP 5 ra FROM DIAObject", 't1."diaobjectid"'),
        ("SELECT TOP 5 ra FROM DIAObject ORDER BY decl", 't1."decl", t1."diaobjectid"'),
        ("SELECT DISTINCT TOP 5 ra, decl FROM DIAObject ORDER BY decl", "2, 1"),
        ("SELECT ra FROM DIAObject OFFSET 5", 't1."diaobjectid"'),
        ("SELECT TOP 5 id, name FROM TAP_UPLOAD.mine", "1, 2"),
        ("SELECT TOP 5 o.ra FROM DIAObject o, Visit v", 't1."diaobjectid", t2."visitid"'),
        ("SELECT TOP 5 band, COUNT(*) FROM Visit GROUP BY band ORDER BY 2", '2, t1."band"'),
        ("SELECT TOP 5 COUNT(*) FROM Visit", ""),
        ("SELECT ra FROM DIAObject UNION SELECT ra FROM Visit OFFSET 1", "1"),
        ("SELECT band FROM DIAObjectFeatures OFFSET 1", 't1."diaobjectid", t1."band"'),
    ],
)
def test_what_is_cut_has_a_total_order(text, order):
    found = translate(text, CATALOGUE)
    assert found.ordered
    written = re.search(r" ORDER BY (.*?)(?: LIMIT \d+)?(?: OFFSET \d+)?$", found.sql)
    assert (written[1] if written else "") == order
    plain = translate(text, CATALOGUE, total_order=False)
    assert not plain.ordered


def test_in_a_cone_the_key_is_no_way_to_walk():
    text = "SELECT TOP 5 ra FROM DIAObject WHERE DISTANCE(ra, decl, 1, 2) < 0.1"
    assert translate(text, CATALOGUE).sql.endswith('ORDER BY (t1."diaobjectid" + 0) LIMIT 5')


def test_rows_cut_what_top_does_not():
    def tail(text, **options):
        found = translate(text, CATALOGUE, **options)
        return found.top, found.offset, re.findall(r"(?:LIMIT|OFFSET) \d+", found.sql)

    assert tail("SELECT ra FROM DIAObject") == (None, None, [])
    assert tail("SELECT ra FROM DIAObject", rows=11) == (None, None, ["LIMIT 11"])
    assert tail("SELECT TOP 5 ra FROM DIAObject", rows=11) == (5, None, ["LIMIT 5"])
    assert tail("SELECT TOP 50 ra FROM DIAObject OFFSET 3", rows=11) == (
        *(50, 3),
        ["LIMIT 11", "OFFSET 3"],
    )
    assert tail("SELECT TOP 0 ra FROM DIAObject", rows=11) == (0, None, ["LIMIT 0"])
    assert tail("SELECT TOP 5 ra FROM Visit UNION SELECT ra FROM Visit", rows=11)[2] == [
        *("LIMIT 5", "LIMIT 11"),
    ]
    assert not translate("SELECT ra FROM DIAObject", CATALOGUE).ordered


def test_random_numbers_are_told():
    assert translate("SELECT ra FROM DIAObject", CATALOGUE).repeatable
    assert not translate("SELECT RAND() FROM DIAObject", CATALOGUE).repeatable
    assert not translate("SELECT ivo_normal_random(0, 1) FROM DIAObject", CATALOGUE).repeatable


def test_truth_is_compared_with_what_people_write():
    def condition(text):
        sql = translate(f"SELECT id FROM TAP_UPLOAD.mine WHERE {text}", CATALOGUE).sql
        return sql.split(" WHERE ")[1]

    for text in ("ok = 1", "ok = '1'", "ok = 'true'", "ok = TRUE", "ok = 'T'"):
        assert condition(text) == 't1."ok" = true'
    for text in ("ok = 0", "ok = 'False'"):
        assert condition(text) == 't1."ok" = false'
    assert condition("ok") == 't1."ok"'
    assert condition("ok <> 1") == 't1."ok" <> true'


def test_unqualified_names_are_those_of_the_virtual_database():
    shown = catalogue(("dr1", "dr2"))
    assert translate("SELECT ra FROM DIAObject", shown).tables[0].schema == "prompt"
    assert translate("SELECT ra FROM Object", shown.within("dr1")).tables[0].schema == "dr1"
    # Rubin's names: the newest release, else the living database.
    assert translate("SELECT ra FROM dp1.Object", shown).tables[0].schema == "dr2"
    assert translate("SELECT ra FROM dp1.DiaObject", shown).tables[0].schema == "rubin"
    assert translate("SELECT ra FROM Object", shown.within("rubin")).tables[0].schema == "dr2"


def test_uploads_belong_to_one_request():
    before = catalogue()
    after = before.plus(MINE)
    assert after.find("MINE", "tap_upload") is MINE
    assert before.find("mine", "TAP_UPLOAD") is None


def test_a_delimited_name_tells_columns_apart_that_differ_in_case():
    table = Table(
        "TAP_UPLOAD",
        "t",
        (Column("mag", "real", sql="mag"), Column("Mag", "double precision", sql="mag_2")),
        "pg_temp.t",
    )
    known = Catalogue.of([table])
    for name, sql in (("mag", "mag"), ("Mag", "mag_2")):
        assert f't1."{sql}"' in translate(f'SELECT "{name}" FROM TAP_UPLOAD.t', known).sql
    with pytest.raises(AdqlError, match="write which"):
        translate("SELECT mag FROM TAP_UPLOAD.t", known)


def test_names_in_postgresql_can_hold_anything():
    table = Table(
        "TAP_UPLOAD", "t", (Column('a"; DROP', "real", sql='a"; DROP'),), "pg_temp.t"
    )  # fmt: skip
    sql = translate("SELECT * FROM TAP_UPLOAD.t", Catalogue.of([table])).sql
    assert sql == 'SELECT t1."a""; DROP" AS c1 FROM pg_temp.t AS t1'


def test_functions_have_signatures_as_registries_want_them():
    argument = r"[A-Za-z]\w* [A-Z]+(\[\])?"
    signature = re.compile(
        rf"[A-Za-z]\w*\(({argument}(, {argument})*)?\) -> [A-Z]+(\[\])?"  # TAPRegExt 1.0
    )
    for forms in functions().values():
        for form in forms:
            assert signature.fullmatch(form.signature), form.signature
            assert len(form.description) > 10


@pytest.mark.parametrize("kind", ["string", "sets", "common-table", "type", "unit", "offset"])
def test_optional_parts_that_are_told_are_in_the_set_of_queries(kind):
    forms = features()[f"ivo://ivoa.net/std/TAPRegExt#features-adql-{kind}"]
    texts = " ".join(s.text.upper() for s in samples("adql_valid.txt"))
    assert forms
    assert all(re.search(rf"\b{form}\b", texts) for form, _ in forms)


def test_geometry_and_functions_are_told():
    told = features()
    geometry = {form for form, _ in told["ivo://ivoa.net/std/TAPRegExt#features-adqlgeo"]}
    assert {"POINT", "CIRCLE", "POLYGON", "BOX", "CONTAINS", "DISTANCE", "REGION"} <= geometry
    functions_told = told["ivo://ivoa.net/std/TAPRegExt#features-udf"]
    assert len(functions_told) > 80
    assert all(said for _, said in functions_told)


def test_catalogue_tells_what_tap_schema_has_to():
    shown = catalogue(("dr1",))
    objects = shown.find("DIAObject")
    assert {c.name for c in objects.columns if c.indexed} == {"diaObjectId", "ra", "decl", "dec"}
    assert any(c.principal for c in objects.columns)
    assert shown.schemas["prompt"]
    assert all(t.description for t in shown.tables.values())
    known = {t.full_name for t in shown.tables.values()}
    assert shown.keys
    for key in shown.keys:
        assert {key.table, key.target} <= known
        target = shown.tables[key.target.lower()]
        assert all(there.lower() in target.by_name for _, there in key.columns)


def test_queries_of_rubins_kinds_are_understood():
    rubin = samples("adql_rubin.txt")
    assert len(rubin) >= 25
    for sample in rubin:
        assert translate(sample.text, CATALOGUE, rows=10).columns
