"""Citations: an answer can be asked for again, and what became of it is told."""

import json

import psycopg2
import pytest
from test_ledger import MJD, Desk, source_rows
from typer.testing import CliRunner

from cli import main
from services.citation import cite, verify
from skyledger.answers import run
from skyledger.database import schema
from skyledger.database.cluster import Cluster
from skyledger.database.published import Item
from skyledger.errors import QueryRefusedError
from skyledger.virtual import VirtualDatabase

NOW = VirtualDatabase("prompt")
MAGNITUDES = "SELECT diaSourceId, science.flux_to_mag(psFlux) AS mag FROM DIASource"
QUERIES = [
    "SELECT * FROM DIAObject;",
    "SELECT * FROM DIASource WHERE science.in_cone(ra, decl, 10, 0, 3600)",
    "SELECT psFlux - rPsFluxMean AS difference FROM DIAObject JOIN DIASource USING (diaObjectId)",
    "SELECT band, avg(psFlux) AS mean, sum(psFlux) AS total FROM DIASourceFull GROUP BY band",
    "SELECT * FROM prompt.DIASource ORDER BY diaSourceId LIMIT 3",
    "WITH bright AS (SELECT * FROM DIASource WHERE psFlux > 150) SELECT count(*) AS n FROM bright",
    MAGNITUDES,
    "SELECT psfFlux, nDiaSources FROM rubin.DiaSource JOIN rubin.DiaObject USING (diaObjectId)",
]


def cite_all(connection, *databases):
    """Citations of queries of every kind, to show that answers outlast something."""
    return [
        cite(connection, query, database) for query in QUERIES for database in databases or (NOW,)
    ]


def assert_identical(connection, citations):
    """Let every citation be verified, to the letter."""
    for c in citations:
        found = verify(connection, c.citation)
        assert (found.verdict, found.citation, found.rows) == ("identical", c, c.rows), c.query


@pytest.fixture
def desk(fresh_database):
    """A database with three visits in it."""
    connection = fresh_database.connect()
    desk = Desk(connection)
    for k in (1, 2, 3):
        publish(desk, k)
    yield desk
    connection.close()


def publish(desk, k, mjd=None):
    mjd = MJD + k if mjd is None else mjd
    return desk.publish(k, source_rows(k, [10.0, 20.0 + k], [0.0, 0.0], [100.0 * k, 7.1], mjd), mjd)


def change(desk, statement, *values):
    """Change what nobody may change."""
    with desk.connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(statement, values)
        assert cursor.rowcount > 0
    desk.connection.commit()


@pytest.mark.requirement("GEN-19", "GEN-20", "GEN-21")
def test_cited_answers_are_identical_after_further_nights(desk):
    first = desk.one("SELECT min(epochtai) FROM ledger.epoch WHERE kind = 'visit'")
    cited = cite_all(desk.connection, NOW, VirtualDatabase("prompt", first))
    assert len({c.citation for c in cited}) == len(cited)
    for c in cited:
        again = run(desk.connection, c.query, VirtualDatabase("prompt", c.instant))
        assert (c.rows, len(c.columns)) == (len(again.rows), len(again.columns))
    publish(desk, 4)
    publish(desk, 5, MJD - 30)  # late
    visit = desk.one("SELECT min(visitid) FROM prompt_live.ccdvisit")
    with desk.connection.cursor() as cursor:
        cursor.execute("SELECT ledger.withdraw(%s, 'clouds')", (visit,))
    desk.connection.commit()
    assert_identical(desk.connection, cited)
    for c in cited:
        # The same query now is another answer, hence another citation.
        assert cite(desk.connection, c.query, NOW).citation != c.citation


@pytest.mark.requirement("GEN-19")
def test_a_citation_is_short_expanded_and_made_once(desk):
    made = cite(desk.connection, "SELECT * FROM DIASource", NOW)
    assert len(made.citation) == 8
    assert made.instant == desk.one("SELECT ledger.horizon()")
    assert "*" not in made.expanded_query
    assert "FROM prompt.diasource" in made.expanded_query
    shown = run(desk.connection, "SELECT * FROM DIASource", NOW).columns
    assert made.columns == [column.name.lower() for column in shown]
    again = cite(desk.connection, " SELECT  *\nFROM  diasource ; ", NOW)
    assert again == made
    assert desk.one("SELECT count(*) FROM ledger.citation") == 1
    assert verify(desk.connection, made.citation.upper()).citation == made
    # Should its name be taken by another citation, it gets a longer one.
    change(desk, "UPDATE ledger.citation SET contentsha256 = 'another'")
    longer = cite(desk.connection, "SELECT * FROM DIASource", NOW).citation
    assert len(longer) == 9
    assert longer.startswith(made.citation)


def measured(connection, query, *, rounded=False):
    """Rows and checksums of a query on constants."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT expanded, types FROM ledger.read_query(%s, 'prompt')", (query,))
        expanded, types = cursor.fetchone()
        cursor.execute(
            "SELECT n, exact, sums FROM ledger.measure_answer(%s, %s, %s, ledger.horizon())",
            (expanded, types, rounded),
        )
        found = cursor.fetchone()
    connection.rollback()
    return found


@pytest.mark.requirement("GEN-19")
def test_the_checksum_ignores_order_and_nothing_else(connection):
    base = "VALUES (1::bigint, 1.5::real, 'a', NULL::int), (2, 2.5, 'b', 3)"
    swapped = "VALUES (2::bigint, 2.5::real, 'b', 3), (1, 1.5, 'a', NULL)"
    assert measured(connection, swapped) == measured(connection, base)
    others = [
        base,
        base + ", (2, 2.5, 'b', 3)",
        base.replace("2.5", "2.5000002"),
        base.replace("NULL", "0"),
        base.replace("'b'", "'B'"),
        base.replace("'b'", "''"),
        base.replace("'b'", "NULL"),
        base.replace("'a'", "'b'").replace("'b', 3", "'a', 3"),
        base.replace("1.5", "'NaN'"),
        # Two equal rows do not cancel, as they would in an exclusive or.
        "VALUES (1::bigint, 1.5::real, 'a', NULL::int), (1, 1.5, 'a', NULL)",
        "VALUES (2::bigint, 2.5::real, 'b', 3), (2, 2.5, 'b', 3)",
        "SELECT 1::bigint AS a, 1.5::real AS b, 'a' AS c, NULL::int AS d WHERE false",
    ]
    checksums = [measured(connection, query)[1] for query in others]
    assert len(set(checksums)) == len(others)


@pytest.mark.requirement("GEN-19")
def test_sums_of_floats_notice_values_that_change_places(connection):
    one = measured(
        connection, "VALUES (1, 2.0::real), (2, 3.0), (3, 'NaN'), (4, NULL)", rounded=True
    )
    two = measured(
        connection, "VALUES (1, 3.0::real), (2, 2.0), (3, 'NaN'), (4, NULL)", rounded=True
    )
    (a,), (b,) = one[2], two[2]
    assert a["sum"] == b["sum"] == a["size"] == b["size"] == 5.0
    assert abs(a["mixed"] - b["mixed"]) > 1e-3


@pytest.mark.requirement("GEN-19")
def test_floats_of_sums_may_differ_by_their_rounding_alone(desk):
    """Within 1e-6 for real and 1e-12 for double precision of the sizes summed up (design 5)."""
    made = cite(
        desk.connection,
        "SELECT ccdVisitId, sum(psFlux) AS total, avg(psFlux) AS mean FROM DIASource GROUP BY 1",
        NOW,
    )
    sums = desk.one("SELECT floatsums FROM ledger.citation")
    for column, factor, verdict, detail in (
        (0, 1 + 5e-7, "identical", "floats agree within"),
        (0, 1 + 2e-6, "different", "column total: sum"),
        (1, 1 + 5e-13, "identical", "floats agree within"),
        (1, 1 + 1e-11, "different", "column mean: sum"),
    ):
        # As if, then, the rows had been added up in another order.
        other = [dict(s) for s in sums]
        other[column]["sum"] *= factor
        change(
            desk,
            "UPDATE ledger.citation SET checksum = 'of another order', floatsums = %s",
            json.dumps(other),
        )
        found = verify(desk.connection, made.citation)
        assert found.verdict == verdict
        assert found.detail.startswith(detail)


@pytest.mark.requirement("GEN-19")
def test_a_changed_store_is_told(desk):
    rows = cite(desk.connection, "SELECT * FROM DIASource", NOW).citation
    one = cite(desk.connection, "SELECT count(*) AS n FROM DIASource", NOW).citation
    # One part in a million of one value: never within the rule for sums.
    change(desk, "UPDATE prompt_store.diasource SET psflux = psflux * 1.000001 WHERE psflux = 300")
    found = verify(desk.connection, rows)
    assert found.verdict == "different"
    assert found.detail.startswith("the same number of rows, but checksum")
    assert verify(desk.connection, one).verdict == "identical"
    change(desk, "DELETE FROM prompt_store.diasource WHERE psflux BETWEEN 299 AND 301")
    found = verify(desk.connection, rows)
    assert (found.verdict, found.detail) == ("different", "5 rows, cited were 6")
    assert verify(desk.connection, one).verdict == "different"


def replayed_with(monkeypatch, old, new):
    """Let the software have another text of science.flux_to_mag."""
    items = schema.replay_items

    def changed(dictionary):
        found = items(dictionary)
        assert any(old in i.sql for i in found if i.name == "science.flux_to_mag")
        return [
            Item(i.name, i.kind, i.sql.replace(old, new), i.needs)
            if i.name == "science.flux_to_mag"
            else i
            for i in found
        ]

    monkeypatch.setattr(schema, "replay_items", changed)


@pytest.mark.requirement("GEN-19")
def test_an_upgrade_that_changes_a_function_is_told_apart_from_changed_data(desk, monkeypatch):
    direct = cite(desk.connection, MAGNITUDES, NOW)
    through_a_view = cite(desk.connection, "SELECT psMag FROM DIASourceFull", NOW)
    without = cite(desk.connection, "SELECT * FROM DIASource", NOW)
    with monkeypatch.context() as patch:
        replayed_with(patch, "RETURN CASE", "RETURN 0 + CASE")
        assert schema.upgrade(desk.connection) is True
    for c in (direct, through_a_view):
        found = verify(desk.connection, c.citation)
        assert (found.verdict, found.detail) == ("same data", "science.flux_to_mag changed")
        assert found.checksum == c.checksum
    assert verify(desk.connection, without.citation).verdict == "identical"
    assert cite(desk.connection, MAGNITUDES, VirtualDatabase("prompt", direct.instant)).citation \
        != direct.citation  # fmt: skip
    with monkeypatch.context() as patch:
        replayed_with(patch, "31.4", "32.4")
        assert schema.upgrade(desk.connection) is True
    found = verify(desk.connection, direct.citation)
    assert found.verdict == "different"
    assert "science.flux_to_mag changed" in found.detail
    assert schema.upgrade(desk.connection) is True
    assert verify(desk.connection, direct.citation).verdict == "identical"
    with desk.connection.cursor() as cursor:
        cursor.execute("UPDATE ledger.citation SET schemarevision = 'earlier'")
        desk.connection.commit()
    found = verify(desk.connection, without.citation)
    assert (found.verdict, found.detail) == (
        "same data",
        f"schema revision {schema.head()} was earlier",
    )


@pytest.mark.requirement("GEN-19")
def test_citations_survive_a_migration_back_and_forth(desk):
    cited = cite_all(desk.connection)
    publish(desk, 4)
    schema.downgrade(desk.connection, "first_light")
    assert schema.upgrade(desk.connection) is True
    assert_identical(desk.connection, cited)


@pytest.mark.requirement("GEN-19", "GEN-21")
def test_citations_of_forms_with_an_instant_and_in_rubins_names(desk):
    first, second = (
        r[0] for r in desk.all("SELECT epochtai FROM ledger.epoch WHERE kind = 'visit' LIMIT 2")
    )
    compared = (
        f"SELECT a.diaObjectId, b.nDiaSources - a.nDiaSources AS more "
        f"FROM prompt_at.DIAObject('{first}') AS a "
        f"JOIN prompt_at.DIAObject('{second}') AS b USING (diaObjectId)"
    )
    full = f"SELECT diaSourceId, band, psMag FROM prompt_at.DIASourceFull('{first}')"
    in_other_names = VirtualDatabase("rubin", first)
    made = [
        cite(desk.connection, compared, NOW),
        cite(desk.connection, full, NOW),
        cite(desk.connection, "SELECT * FROM DiaSource", in_other_names),
        cite(desk.connection, f"SELECT * FROM rubin_at.DiaObject('{first}')", in_other_names),
    ]
    assert [c.rows for c in made] == [2, 2, 2, 2]
    assert "psffluxerr" in made[2].columns
    publish(desk, 4)
    assert_identical(desk.connection, made)


def test_a_query_that_cannot_be_run_any_more_is_different(desk):
    made = cite(desk.connection, MAGNITUDES, NOW)
    signature = desk.one("SELECT oid::regprocedure::text FROM pg_proc WHERE proname='flux_to_mag'")
    with desk.connection.cursor() as cursor:
        cursor.execute(f"ALTER FUNCTION {signature} RENAME TO magnitude")
    desk.connection.commit()
    found = verify(desk.connection, made.citation)
    assert (found.verdict, found.rows) == ("different", None)
    assert "cannot be run any more: function science.flux_to_mag" in found.detail


@pytest.mark.requirement("GEN-19")
def test_citations_survive_dump_and_restore(desk, server: Cluster, fresh_database, empty_database):
    cited = cite_all(desk.connection)
    publish(desk, 4)
    file = server.home / "postgres" / f"{fresh_database.name}.dump"

    def program(name, *arguments):
        done = server.user.run(
            str(server.programs / name), f"--host={server.socket}", f"--port={server.port}",
            "--username=skyledger", *arguments,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    program("pg_dump", "--format=custom", f"--file={file}", fresh_database.name)
    program("pg_restore", f"--dbname={empty_database.name}", "--exit-on-error", str(file))
    restored = empty_database.connect()
    schema.check(restored)
    assert_identical(restored, cited)
    with restored.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM ledger.audit()")
        assert cursor.fetchone() == (0,)
        # As pg_restore --no-owner leaves it: nothing cited may run with the rights of the owner.
        cursor.execute(
            "ALTER FUNCTION ledger.measure_answer(text, text[], boolean, timestamp) OWNER TO "
            "CURRENT_USER"
        )
    restored.commit()
    with pytest.raises(QueryRefusedError, match="not to skyledger_citer"):
        verify(restored, cited[0].citation)
    restored.close()


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("", "no query to cite"),
        ("SELEC 1", "syntax error"),
        ("SELECT 1 AS a; DROP TABLE ledger.epoch", "multi-query"),
        ("COMMIT", "cannot"),
        ("EXPLAIN SELECT 1", "syntax error"),
        ("SELECT 1 AS a INTO mine", "INTO"),
        ("DELETE FROM ledger.epoch", "permission denied|cannot"),
        ("WITH x AS (DELETE FROM ledger.epoch RETURNING *) SELECT * FROM x", "permission|modif"),
        ("SELECT * FROM prompt_store.diasource", "permission denied"),
        ("SELECT * FROM prompt_live.DIASource", "cannot go through prompt_live.diasource"),
        ("SELECT * FROM prompt_history.DIASource", "cannot go through prompt_history.diasource"),
        ("SELECT * FROM ledger.epoch", "cannot go through ledger.epoch"),
        ("SELECT count(*) FROM pg_class", "cannot go through"),
        ("SELECT * FROM mine", "cannot go through pg_temp|does not exist"),
        ("SELECT now() AS t", r"cannot use now\(\)"),
        ("SELECT current_date AS d", "cannot use CURRENT_DATE"),
        ("SELECT science.mjd_now() AS t", "cannot use mjd_now"),
        ("SELECT random() AS r FROM DIASource", r"cannot use random\(\)"),
        ("SELECT ledger.horizon() AS h", "cannot use ledger.horizon"),
        ("SELECT set_config('role', 'skyledger', true) AS s", "cannot use set_config"),
        ("SELECT query_to_xml('SELECT 1', true, true, '') AS x", "cannot use query_to_xml"),
        ("SELECT table_to_xml('ledger.epoch', true, true, '') AS x", "cannot use table_to_xml"),
        ("SELECT lo_create(0) AS o", "permission denied for function lo_create"),
        ("SELECT pg_read_file('/etc/passwd') AS f", "permission denied|cannot use"),
        ("SELECT * FROM DIASource LIMIT 2", "LIMIT or OFFSET without ORDER BY"),
        ("SELECT count(*) AS n FROM (SELECT * FROM DIASource OFFSET 1) AS s", "without ORDER BY"),
        ("SELECT ra AS a, decl AS a FROM DIASource", "specified more than once"),
        ("SELECT 1 / 0 AS a", "division by zero"),
        ("SELECT diaObjectId FROM DIASource, DIAObject", "ambiguous"),
        ("SELECT psFlix FROM DIASource", "does not exist"),
        ("SELECT * FROM Nowhere", "does not exist"),
        ("SELECT ra FROM DIASource GROUP BY decl", "must appear in the GROUP BY"),
        ("SELECT * FROM rubin_live.DiaSource", "cannot go through rubin_live.diasource"),
        ("SELECT * FROM prompt_at.DIASource('2199-01-01')", "later than the horizon"),
    ],
)
def test_what_cannot_be_repeated_or_is_not_a_harmless_query_is_refused(
    connection, statement, reason
):
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM ledger.epoch")
        epochs = cursor.fetchone()
    connection.rollback()
    with pytest.raises(QueryRefusedError, match=reason):
        cite(connection, statement, NOW)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM ledger.epoch")
        assert cursor.fetchone() == epochs
        cursor.execute("SELECT count(*) FROM ledger.citation")
        assert cursor.fetchone() == (0,)


def test_a_cited_query_runs_read_only_and_with_the_rights_of_a_reader_whoever_cites(desk):
    with desk.connection.cursor() as cursor:
        cursor.execute("SHOW is_superuser")
        assert cursor.fetchone() == ("on",)
    measure = "SELECT * FROM ledger.measure_answer(%s, '{text}', false, ledger.horizon())"
    for statement, reason in (
        ("SELECT ledger.resolve(science.tai_now())::text", "read-only transaction"),
        ("SELECT set_config('transaction_read_only', 'off', true)", "read-write mode"),
        ("SELECT set_config('role', 'skyledger', true)", "security-definer"),
        ("SELECT rolname FROM pg_authid", "permission denied"),
        ("SELECT current_user::text WHERE current_user <> 'skyledger_citer' OR 1 / 0 = 1",
         "division by zero"),
    ):  # fmt: skip
        with pytest.raises(psycopg2.Error, match=reason):
            desk.all(measure, statement)
        desk.connection.rollback()


def test_functions_of_the_caller_hidden_in_a_type_do_not_run_as_the_citer(desk):
    with desk.connection.cursor() as cursor:
        cursor.execute("SET ROLE skyledger_reader")
        cursor.execute(
            "CREATE FUNCTION pg_temp.harm(value integer) RETURNS boolean LANGUAGE plpgsql AS $$ "
            "BEGIN DROP FUNCTION ledger.read_query(text, text); RETURN true; END $$"
        )
        cursor.execute("CREATE DOMAIN pg_temp.harmful AS integer CHECK (pg_temp.harm(VALUE))")
        cursor.execute("CREATE TYPE pg_temp.harmless AS (a pg_temp.harmful)")
        with pytest.raises(psycopg2.Error, match="temporary functions cannot cite"):
            cursor.execute("SELECT ledger.cite('SELECT ''(1)''::pg_temp.harmless IS NULL AS a')")
    desk.connection.rollback()


def test_readers_cite_and_verify_in_sql_at_the_instant_of_their_session(desk):
    first = desk.one("SELECT min(epochtai) FROM ledger.epoch WHERE kind = 'visit'")
    with desk.connection.cursor() as cursor:
        cursor.execute("SET ROLE skyledger_reader")
        cursor.execute("SELECT set_config('skyledger.as_of', %s, false)", (str(first),))
        cursor.execute("SELECT ledger.cite('SELECT ra, psFlux, insertedTai FROM DIASource')")
        name = cursor.fetchone()[0]
        cursor.execute("SELECT instanttai, nrows, databasename FROM ledger.citation")
        assert cursor.fetchall() == [(first, 2, "prompt")]
        desk.connection.commit()
        # Settings of a session that change how values are spelled do not matter.
        cursor.execute("SET extra_float_digits = -8; SET datestyle = 'SQL, DMY'")
        cursor.execute("SET timezone = 'America/Santiago'; RESET skyledger.as_of")
        cursor.execute("SELECT verdict, detail, n FROM ledger.verify(%s)", (name,))
        assert cursor.fetchone() == ("identical", None, 2)
        cursor.execute("SHOW skyledger.as_of")
        assert cursor.fetchone() == ("",)
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute("UPDATE ledger.citation SET nrows = 1")
        desk.connection.rollback()
        with pytest.raises(psycopg2.Error, match="later than the horizon"):
            cursor.execute("SELECT ledger.cite('SELECT 1 AS a', '2199-01-01')")
        desk.connection.rollback()
        with pytest.raises(psycopg2.Error, match="before this database began"):
            cursor.execute("SELECT ledger.cite('SELECT 1 AS a', '1999-01-01')")
        desk.connection.rollback()
        with pytest.raises(psycopg2.Error, match="no database mydb_me"):
            cursor.execute("SELECT ledger.cite('SELECT 1 AS a', NULL, 'mydb_me')")


def test_an_instant_that_is_not_settled_is_settled_first(desk):
    now = desk.one("SELECT science.tai_now()")
    made = cite(desk.connection, "SELECT * FROM DIASource", VirtualDatabase("prompt", now))
    assert made.instant >= now
    assert verify(desk.connection, made.citation).verdict == "identical"


@pytest.mark.requirement("GEN-19")
def test_cite_and_verify_on_the_command_line(desk, fresh_database, monkeypatch):
    for name, value in fresh_database.environment.items():
        monkeypatch.setenv(name, value)

    def call(*arguments):
        return CliRunner().invoke(main.build(arguments[0]), arguments)

    done = call("cite", "SELECT * FROM DIASource")
    assert done.exit_code == 0
    name = done.output.split()[0]
    assert "6 rows from prompt@2" in done.output
    assert f"skyledger verify {name}" in done.output
    cited = json.loads(call("cite", "SELECT * FROM DIASource", "--json").output)
    assert cited["citation"] == name
    assert cited["checksum"] == desk.one("SELECT checksum FROM ledger.citation")
    done = call("verify", name)
    assert done.exit_code == 0
    assert "SELECT * FROM DIASource\nidentical" in done.output
    found = json.loads(call("verify", name, "--json").output)
    assert (found["verdict"], found["citation"]) == ("identical", cited)
    change(desk, "UPDATE prompt_store.diasource SET psflux = 1 WHERE psflux = 300")
    done = call("verify", name)
    assert done.exit_code == 5
    assert "different: the same number of rows, but checksum" in done.output
    done = call("verify", "nothing1")
    assert isinstance(done.exception, QueryRefusedError)
    assert "there is no citation nothing1" in str(done.exception)
