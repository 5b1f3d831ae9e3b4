"""What is ADQL 2.1 and what is not: the project's own sets, hostile input, positions of errors."""

import contextlib
import time

import pytest
from adql_sets import archive, samples
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.adql import AdqlError, translate
from services.adql.expressions import MAX_TERMS
from services.adql.grammar import MAX_TABLES
from services.adql.tokens import MAX_LENGTH, tokens
from services.adql.words import MAX_DEPTH
from skyledger.catalogue import RESERVED

VALID, INVALID = samples("adql_valid.txt"), samples("adql_invalid.txt")
CATALOGUE = archive()


def refusal(text):
    with pytest.raises(AdqlError) as raised:
        translate(text, CATALOGUE)
    return raised.value


def test_the_sets_are_large_and_have_no_query_twice():
    assert len(VALID) >= 200
    assert len(INVALID) >= 100
    texts = [s.text for s in (*VALID, *INVALID)]
    assert len(set(texts)) == len(texts)
    assert all(s.shows for s in VALID)
    assert all(s.said for s in INVALID)


@pytest.mark.requirement("GEN-01")
def test_every_valid_query_is_understood():
    wrong = {}
    for sample in VALID:
        try:
            translate(sample.text, CATALOGUE)
        except AdqlError as error:
            wrong[sample.line] = f"{sample.text}: {error}"
    assert wrong == {}


@pytest.mark.requirement("GEN-01")
def test_every_invalid_query_is_refused_for_its_reason():
    wrong = {}
    for sample in INVALID:
        try:
            wrong[sample.line] = translate(sample.text, CATALOGUE).sql
        except AdqlError as error:
            if sample.said not in error.problem:
                wrong[sample.line] = f"{sample.text}: {error}"
    assert wrong == {}


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("SELECT ra FROM DIAObject LIMIT 10", 1, 26),
        ("SELECT ra,\n  raa FROM DIAObject", 2, 3),
        ("SELECT ra -- comment, 'with\n\nFROM DIAObjekt", 3, 6),
        ("SELECT o.foo FROM DIAObject AS o", 1, 8),
        ("SELECT ra FROM DIAObject WHERE 'a' = ra", 1, 36),
        ("SELECT ra FROM DIAObject WHERE band LIKE 'x", 1, 42),
        ("SELECT flux_to_magg(1) FROM DIAObject", 1, 8),
        ("SELECT POINT('GALACTIC', ra, decl) FROM DIAObject", 1, 14),
        ("SELECT ra FROM DIAObject UNION\n SELECT ra, decl FROM DIAObject", 2, 2),
        ("", 1, 1),
        ("SELECT ra FROM", 1, 15),
    ],
)
def test_errors_tell_where(text, line, column):
    error = refusal(text)
    assert (error.line, error.column) == (line, column), error
    assert str(error) == f"line {line}, column {column}: {error.problem}"


@pytest.mark.parametrize("word", sorted(RESERVED))
def test_reserved_words_name_nothing_unless_quoted(word):
    for text in (f"SELECT ra AS {word} FROM DIAObject", f"SELECT {word}.ra FROM DIAObject"):
        assert refusal(text)
    quoted = f'SELECT q."{word}" FROM (SELECT ra AS "{word}" FROM DIAObject) AS q'
    assert translate(quoted, CATALOGUE).columns[0].name == word


@pytest.mark.parametrize(
    "text",
    [
        "(" * 10_000,
        "SELECT " + "(" * 10_000 + "ra" + ")" * 10_000 + " FROM DIAObject",
        "SELECT ra FROM " + "(" * 10_000,
        "SELECT ra FROM DIAObject WHERE ra IN " + "(" * 10_000,
        "SELECT " + "SQRT(" * 10_000 + "ra",
        "SELECT ra FROM " + "(SELECT ra FROM " * 5_000,
        "SELECT ra FROM DIAObject WHERE " + "NOT (" * 5_000,
        "SELECT ra FROM DIAObject WHERE ra IN (SELECT ra FROM DIAObject WHERE " * 2_000,
        "SELECT " + "CAST(" * 5_000 + "ra",
        "SELECT " + "MAX(" * 5_000 + "ra",
        "SELECT ra FROM DIAObject WHERE " + "EXISTS (SELECT ra FROM DIAObject WHERE " * 2_000,
        "SELECT " + "ra + " * 10_000 + "ra FROM DIAObject",
        "SELECT ra FROM DIAObject WHERE " + "ra > 1 AND " * 10_000 + "ra > 1",
        "SELECT ra FROM DIAObject" + " UNION SELECT ra FROM DIAObject" * 1_000,
        "SELECT DIAObject.ra FROM DIAObject, " + "Visit, " * 1_000 + "Visit",
        "WITH " + "q AS (WITH " * 1_000,
        "SELECT " + "9" * 10_000 + " FROM DIAObject",
        "SELECT 0x" + "F" * 10_000 + " FROM DIAObject",
        "SELECT TOP " + "9" * 10_000 + " ra FROM DIAObject",
        "SELECT ra FROM DIAObject ORDER BY " + "9" * 10_000,
        "SELECT 1e" + "9" * 10_000 + " FROM DIAObject",
        "SELECT ra FROM DIAObject -- " + "x" * MAX_LENGTH,
        "SELECT a.b.c" + ".d" * 10_000 + " FROM DIAObject",
        "SELECT ra FROM DIAObject WHERE ra = 'a\0b'",
        "SELECT ra\0 FROM DIAObject",
        "\ufeffSELECT ra FROM DIAObject",
        "SELECT '\ud800' FROM DIAObject",
        "SELECT ra FROM DIAObject WHERE " + "\u2003" * 10_000,
        "SELECT " + "-" * 10_001,
        "SELECT " + '"' * 10_001 + " FROM DIAObject",
        "SELECT " + "'" * 10_001 + " FROM DIAObject",
        "-- comment\n" * 20_000 + "#",
        # Every level has all columns of the one before, twice.
        "WITH a0 AS (SELECT * FROM DIAObject)"
        + "".join(f", a{k + 1} AS (SELECT x.*, y.* FROM a{k} x, a{k} y)" for k in range(12))
        + " SELECT * FROM a12",
    ],
)
def test_hostile_input_is_refused_at_once(text):
    start = time.process_time()
    refusal(text)
    # Most need milliseconds, the longest a second of a busy processor.
    assert time.process_time() - start < 5


def test_what_is_just_allowed_is_translated():
    deep = "(" * MAX_DEPTH + "ra" + ")" * MAX_DEPTH
    assert translate(f"SELECT {deep} FROM DIAObject", CATALOGUE)
    long = " + ".join(["ra"] * MAX_TERMS)
    assert translate(f"SELECT {long} FROM DIAObject", CATALOGUE)
    identifiers = ", ".join(str(2**55 + k) for k in range(50_000))
    many = f"SELECT ra FROM DIAObject WHERE diaObjectId IN ({identifiers})"
    assert len(many) < MAX_LENGTH
    assert translate(many, CATALOGUE)
    tables = ", ".join(f"Visit AS v{k}" for k in range(MAX_TABLES))
    assert translate(f"SELECT v0.ra FROM {tables}", CATALOGUE)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT ra FROM DIAObject; DROP TABLE prompt_store.diaobject",
        "SELECT ra FROM prompt_store.diaobject",
        'SELECT ra FROM "prompt_live"."diaobject"',
        'SELECT ra FROM "DIAObject AS x; DROP TABLE y"',
        'SELECT "ra FROM DIAObject; DROP TABLE x --" FROM DIAObject',
        "SELECT pg_read_file('/etc/passwd') FROM DIAObject",
        "SELECT set_config('role', 'postgres', false) FROM DIAObject",
        "SELECT current_setting('a') FROM DIAObject",
        "SELECT query_to_xml('select 1', true, true, '') FROM DIAObject",
        "SELECT ra FROM DIAObject WHERE ra = (DELETE FROM DIAObject)",
        "SELECT ra FROM (INSERT INTO x VALUES (1)) AS q",
        "WITH q AS (DELETE FROM DIAObject) SELECT ra FROM q",
        "SELECT ra FROM DIAObject FOR UPDATE",
        "SELECT CURRENT_USER FROM DIAObject",
        "SELECT tableoid, xmin, ctid FROM DIAObject",
        "SELECT DIAObject FROM DIAObject",
        "SELECT ra FROM DIAObject AS o WHERE o = o",
        "SELECT ra FROM DIAObject WHERE ra OPERATOR(pg_catalog.=) 1",
        "SELECT CAST('x' AS regclass) FROM DIAObject",
        "SELECT $$x$$ FROM DIAObject",
        "SELECT E'\\'' FROM DIAObject",
        "SELECT U&'\\0041' FROM DIAObject",
        "SELECT ra FROM DIAObject\\g x.csv",
    ],
)
def test_nothing_else_of_postgresql_can_be_reached(text):
    assert refusal(text)


NASTY = st.text(
    st.one_of(
        st.characters(codec="utf-8", exclude_characters="\0\ufeff"), st.sampled_from("'\"\\;-%{}")
    )
)


@given(NASTY)
@example("'; DROP TABLE x; --")
@example("\\'; DROP TABLE x; --")
@example("{0} %s %(a)s $1")
def test_a_text_stays_the_text_that_it_is(words):
    written = "'" + words.replace("'", "''") + "'"
    found = translate(f"SELECT ra FROM DIAObject WHERE 'a' = {written} AND ra > 1", CATALOGUE).sql
    before = "SELECT t1.\"ra\" AS c1 FROM prompt_live.diaobject AS t1 WHERE ('a' = "
    after = ' AND t1."ra" > 1)'
    assert found.startswith(before)
    assert found.endswith(after)
    assert sql_text(found[len(before) : -len(after)]) == words


def sql_text(written):
    """Read a literal as PostgreSQL does; fails if it ends before its end."""
    escaped = written.startswith("E'")
    body, found, k = written[2:] if escaped else written[1:], [], 0
    while body[k] != "'" or body[k + 1 : k + 2] == "'":
        if body[k] == "'" or (escaped and body[k] == "\\"):
            k += 1
        found.append(body[k])
        k += 1
    assert k == len(body) - 1
    assert escaped or "\\" not in body
    return "".join(found)


@given(NASTY.filter(lambda words: words))
def test_a_delimited_name_reaches_postgresql_in_no_form(name):
    written = '"' + name.replace('"', '""') + '"'
    query = f"SELECT q.{written} FROM (SELECT ra AS {written} FROM DIAObject AS {written}) AS q"
    found = translate(query, CATALOGUE)
    assert found.columns[0].name == name
    assert found.sql == (
        'SELECT t2."c1" AS c1 FROM (SELECT t1."ra" AS c1 FROM prompt_live.diaobject AS t1) AS t2'
    )


WORDS = st.sampled_from(
    [token.text for s in VALID for token in tokens(s.text) if token.kind != "end"] + ["''", "("]
)


@settings(max_examples=200)
@given(st.lists(WORDS, max_size=30))
def test_whatever_the_words_they_are_understood_or_refused(words):
    for text in (" ".join(words), "SELECT " + " ".join(words)):
        try:
            translate(text, CATALOGUE)
        except AdqlError as error:
            place = error.column
        else:
            place = 1
        assert 1 <= place <= len(text) + 1


@settings(max_examples=100)
@given(st.text())
def test_whatever_the_text_it_is_understood_or_refused(text):
    with pytest.raises(AdqlError):
        translate(text, CATALOGUE)


@settings(max_examples=100)
@given(st.sampled_from(VALID), st.data())
def test_a_query_cut_anywhere_is_understood_or_refused(sample, data):
    cut = data.draw(st.integers(0, len(sample.text)))
    with contextlib.suppress(AdqlError):
        assert translate(sample.text[:cut], CATALOGUE).columns
