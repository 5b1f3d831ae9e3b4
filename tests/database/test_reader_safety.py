"""No function of pg_sphere or q3c that a reader may call brings the server down."""

import contextlib

import numpy as np
import psycopg2
import pytest

from skyledger.database import connection as connections

# Values that some of these functions do not expect, by type; an expression each.
NAN = "'NaN'::float8"
POINT = f"spoint({NAN}, 0)"
HOSTILE = {
    "double precision": ("NULL", NAN, "'Infinity'", "1e308"),
    "real": ("NULL", "'NaN'", "'Infinity'"),
    "integer": ("NULL", "-2147483648", "2147483647", "29"),
    "smallint": ("NULL", "-32768"),
    "bigint": ("NULL", "-9223372036854775808", "9223372036854775807"),
    "boolean": ("NULL",),
    "text": ("NULL", "''", "'ZXZ'"),
    "cstring": ("NULL",),
    "double precision[]": ("NULL", "'{}'", "'{NaN,1,2,3,4,5}'", "'{1,NULL,3,4,5,6}'"),
    "bigint[]": ("NULL", "'{}'", "'{-1,NULL}'"),
    "spoint": ("NULL", POINT),
    "scircle": ("NULL", f"scircle({POINT}, 1)"),
    "sline": ("NULL", "sline(spoint(0, 0), spoint(0, 0))"),
    "sellipse": ("NULL", f"sellipse({POINT}, 0.1, 0.1, {NAN})"),
    "spoly": ("NULL", "'{(0,0),(1,0),(0,1)}'"),
    "spath": ("NULL", "'{(0,0),(1,0)}'"),
    "sbox": ("NULL", "'((0,0),(0,0))'"),
    "strans": ("NULL", f"strans({NAN}, 1, 1)"),
    "smoc": ("NULL", "'29/'", "'0/0-11'"),
}
CRASHING = (
    "spoly(p) FROM (VALUES (NULL::spoint), (spoint(0, 0))) AS v(p)",
    "spoly(p) OVER () FROM (VALUES (spoint(0, 0)), (spoint(1, 1))) AS v(p)",
    "spath(p) FROM (VALUES (NULL::spoint)) AS v(p)",
    "spoly_add_point_aggr(NULL, NULL)",
    "spath_add_point_aggr(NULL, NULL)",
    "healpix_ring(5, spoint('NaN'::float8, 0))",
    "set_sphere_output(NULL)",
    "smoc(29, scircle(spoint(0, 0), 1.5))",
    "smoc_disc(29, 0, 0, 1.5)",
    "q3c_poly_query(1::float8, 1::float8, '{1,2,3,4,5,6}'::float8[])",
    "q3c_radial_query(1, 1, 1, 1, 1)",
)


@pytest.fixture
def reader(_worker_database):
    with contextlib.closing(psycopg2.connect(_worker_database, user=connections.READER)) as opened:
        opened.autocommit = True
        yield opened


@pytest.mark.parametrize("call", CRASHING)
def test_a_reader_may_not_call_what_brings_the_server_down(reader, call):
    with reader.cursor() as cursor, pytest.raises(psycopg2.errors.InsufficientPrivilege):
        cursor.execute(f"SELECT {call}")


def test_no_text_becomes_an_ellipse(reader):
    for text in ("''", "'<(0,0),1>'", "'<{0.1,0.2},(0,0),0>'", "'x'::text"):
        with reader.cursor() as cursor, pytest.raises(psycopg2.errors.FeatureNotSupported):
            cursor.execute(f"SELECT {text}::sellipse")
    with reader.cursor() as cursor:
        cursor.execute("SELECT spoint(0.15, 0) <@ sellipse(spoint(0, 0), 0.2, 0.1, 0)")
        assert cursor.fetchone() == (True,)


def test_everything_that_a_reader_may_call_survives_null_and_nan(reader):
    with reader.cursor() as cursor:
        cursor.execute("SET statement_timeout = '5s'; SET client_min_messages = error")
        cursor.execute(
            "SELECT p.proname, p.prokind, ARRAY(SELECT format_type(t, NULL) "
            "FROM unnest(p.proargtypes) WITH ORDINALITY AS u(t, k) ORDER BY k) "
            "FROM pg_proc AS p JOIN pg_depend AS d ON d.objid = p.oid AND d.deptype = 'e' "
            "AND d.classid = 'pg_proc'::regclass JOIN pg_extension AS e ON e.oid = d.refobjid "
            "WHERE e.extname IN ('pg_sphere', 'q3c') "
            "AND has_function_privilege(current_user, p.oid, 'EXECUTE') ORDER BY 1, 3"
        )
        found = [row for row in cursor.fetchall() if set(row[2]) <= set(HOSTILE)]
        assert len(found) > 200
        generator = np.random.default_rng(4)
        for name, kind, types in found:
            choices = [tuple(HOSTILE[t]) for t in types]
            for trial in range(4):
                values = [c[0] if trial == 0 else c[generator.integers(len(c))] for c in choices]
                typed = [f"({v})::{t}" for v, t in zip(values, types, strict=True)]
                call = f"{name}({', '.join(typed)})"
                query = f"SELECT {call}"
                if kind == "a":
                    query = f"SELECT {name}(x) FROM (VALUES ({typed[0]}), ({typed[0]})) AS v(x)"
                with contextlib.suppress(psycopg2.Error):
                    cursor.execute(query)
                assert not reader.closed, call


def test_readers_make_polygons_all_the_same(reader):
    with reader.cursor() as cursor:
        for vertices, inside in (
            ("{10,10,20,10,20,20,10,20}", True),
            ("{10,10,20,10,20,12}", False),
            ("{10,10,20,10,NULL,20}", None),
            ("{NULL,10,20,10,20,20}", None),
            ("{10,10,20,10,NaN,20}", None),
            ("{10,10,20,10,Infinity,20}", None),
            ("{}", None),
            (None, None),
        ):
            cursor.execute(
                "SELECT spoint(radians(15), radians(15)) <@ science.polygon(%s::float8[])",
                (vertices,),
            )
            assert cursor.fetchone() == (inside,), vertices
        # Four right-angled triangles on the equator; the excess of one with legs a and b is
        # 2 atan(tan(a/2) tan(b/2)).
        cursor.execute("SELECT area(science.polygon('{45,0,40,5,35,0,40,-5}'))")
        excess = 8 * np.arctan(np.tan(np.radians(2.5)) ** 2)
        assert cursor.fetchone()[0] == pytest.approx(excess, rel=1e-9)
        turn = np.linspace(0, 2 * np.pi, 1025, endpoint=False)
        corners = np.stack([40 + 5 * np.cos(turn), 5 * np.sin(turn)], axis=1).ravel().tolist()
        with pytest.raises(psycopg2.errors.ProgramLimitExceeded, match="1025 corners"):
            cursor.execute("SELECT area(science.polygon(%s::float8[]))", (corners,))
