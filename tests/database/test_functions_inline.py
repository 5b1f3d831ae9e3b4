"""What holds for every function of the schema science: comment, no STRICT, inlined."""

import re

import pytest

from skyledger import resources

FILES = sorted((resources.db_dir() / "functions" / "science").glob("*.sql"))
NAMES = [path.stem for path in FILES]

# One column for each type of argument; calls with the cheaper types need a cast, which must not
# keep the planner from inlining.
COLUMNS = {
    "double precision": ("wide", "narrow", "small"),
    "integer": ("small",),
    "bigint": ("big", "small"),
    "real[]": ("narrows",),
    "double precision[]": ("wides",),
    "timestamp without time zone": ("instant",),
    "text": ("words",),
    "boolean": ("truth",),
    "bigint[]": ("bigs",),
}
TABLE = (
    "CREATE TEMPORARY TABLE measured (wide double precision, narrow real, small integer, "
    "big bigint, narrows real[], wides double precision[], instant timestamp, words text, "
    "truth boolean, bigs bigint[])"
)

NOT_INLINED = {
    "aperture_flux": "sums over an array with a sub-select",
    "box_corners": "collects corners with a sub-select",
    "covering_visits": "returns rows; inlined in FROM, see test_light_curve.py",
    "earth_position": "five orbits in a loop, in PL/pgSQL",
    "flag_names": "reads a table with a sub-select",
    "leap_seconds": "returns rows",
    "ln_same_moving": "shares sums of matrices through a sub-select",
    "ln_same_object": "names ln_same_moving for the rare case",
    "levelled_fluxes": "returns rows",
    "light_curve": "returns rows; inlined in FROM, see test_light_curve.py",
    "no_polygon": "raises, in PL/pgSQL",
    "object_history": "returns rows; inlined in FROM",
    "polygon": "collects vertices with a sub-select",
    "polygon_centroid": "sums over sides with a sub-select",
    "tai_now": "volatile: the clock is read once and used twice",
    "mjd_now": "volatile, through tai_now",
    "template_levels": "returns rows",
    "upper_limits": "returns rows; inlined in FROM, see test_light_curve.py",
    "weighted_accumulate": "transition of aggregates, in PL/pgSQL",
    "weighted_combine": "combination of aggregates, in PL/pgSQL",
}


def signatures(connection, name):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT prokind, ARRAY(SELECT format_type(t, NULL) FROM unnest(proargtypes) AS t) "
            "FROM pg_proc WHERE pronamespace = 'science'::regnamespace AND proname = %s",
            [name],
        )
        return cursor.fetchall()


@pytest.mark.parametrize("name", NAMES)
def test_inlined(connection, name):
    with connection.cursor() as cursor:
        cursor.execute(TABLE)
        for kind, types in signatures(connection, name):
            if kind == "a" or name in NOT_INLINED:
                continue
            for choice in range(3):
                columns = [COLUMNS[t][min(choice, len(COLUMNS[t]) - 1)] for t in types]
                cursor.execute(
                    f"EXPLAIN (VERBOSE) SELECT science.{name}({', '.join(columns)}) FROM measured"
                )
                plan = "\n".join(line for (line,) in cursor.fetchall())
                assert "science." not in plan, f"{name}({', '.join(columns)}):\n{plan}"


@pytest.mark.parametrize("name", sorted(NOT_INLINED))
def test_exceptions_are_still_exceptions(connection, name):
    """A function that begins to inline leaves the list."""
    with connection.cursor() as cursor:
        cursor.execute(TABLE)
        for _, types in signatures(connection, name):
            call = f"science.{name}({', '.join(COLUMNS[t][0] for t in types)})"
            cursor.execute(f"EXPLAIN (VERBOSE) SELECT {call} FROM measured")
            assert "science." in "\n".join(line for (line,) in cursor.fetchall())


@pytest.mark.parametrize("name", NAMES)
def test_commented_with_units(connection, name):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT obj_description(oid, 'pg_proc') FROM pg_proc "
            "WHERE pronamespace = 'science'::regnamespace AND proname = %s",
            [name],
        )
        comments = [comment for (comment,) in cursor.fetchall()]
    assert comments, f"no function science.{name} in the database, but a file of that name"
    for comment in comments:
        assert comment is not None
        assert re.search(r"\[[^\]]+\]", comment), f"no unit in brackets: {comment}"


def test_every_function_has_its_file(connection):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'science'::regnamespace"
        )
        assert {name for (name,) in cursor.fetchall()} == set(NAMES)


def test_none_is_strict_and_none_has_settings(connection):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT proname FROM pg_proc WHERE pronamespace = 'science'::regnamespace "
            "AND prokind = 'f' AND (proisstrict OR proconfig IS NOT NULL OR prosecdef)"
        )
        # It calls an aggregate, which nothing inlines, and readers may not call that themselves.
        assert cursor.fetchall() == [("polygon",)]


def test_all_are_parallel_safe(connection):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT proname FROM pg_proc WHERE pronamespace = 'science'::regnamespace "
            "AND proparallel <> 's'"
        )
        assert cursor.fetchall() == []
