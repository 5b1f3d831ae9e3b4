"""An embargo clamps what a role may know to some time ago, and nothing shows more."""

import contextlib
from datetime import timedelta

import psycopg2
import pytest
from test_ledger import MJD, Desk, source_rows

from services.citation import cite, verify
from skyledger.answers import run
from skyledger.database import connection as connections
from skyledger.database.session import settle
from skyledger.errors import QueryRefusedError
from skyledger.virtual import VirtualDatabase

HOURS = 80.0
LOGIN = "partner"
NOW = VirtualDatabase("prompt")


@pytest.fixture
def desk(fresh_database):
    """A visit published 100 hours ago, an object changed 90 and another 10 hours ago."""
    with contextlib.closing(fresh_database.connect()) as connection:
        desk = Desk(connection)
        with connection.cursor() as cursor:
            # The clock of a test: epochs never go back, so the past is told by hand.
            cursor.execute("SELECT min(epochtai) FROM ledger.epoch")
            cursor.execute(
                "UPDATE ledger.epoch SET epochtai = epochtai - interval '200 hours' "
                "WHERE kind = 'created'"
            )
            connection.commit()
        desk.epochs = []
        for k, hours in ((1, 100), (2, 90), (3, 10)):
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config('skyledger.clock_offset', %s, false)",
                               (f"-{hours} hours",))  # fmt: skip
            connection.commit()
            rows = source_rows(k, [10.0], [0.0], [100.0 * k], MJD + k)
            desk.epochs.append(desk.publish(k, rows, MJD + k))
        with connection.cursor() as cursor:
            cursor.execute("RESET skyledger.clock_offset")
            cursor.execute(f"CREATE ROLE {LOGIN} LOGIN IN ROLE skyledger_reader")
            cursor.execute("SELECT ledger.set_embargo(%s, %s)", (LOGIN, HOURS))
        connection.commit()
        yield desk
        connection.rollback()
        with connection.cursor() as cursor:
            cursor.execute("GRANT TEMPORARY ON DATABASE " + fresh_database.name + " TO PUBLIC")
            cursor.execute(f"DROP OWNED BY {LOGIN}")
            cursor.execute(f"DROP ROLE {LOGIN}")
        connection.commit()


@pytest.fixture
def partner(desk):
    """A session of the login under embargo."""
    with contextlib.closing(
        psycopg2.connect(**{**desk.connection.info.dsn_parameters, "user": LOGIN})
    ) as opened:
        opened.autocommit = True
        yield opened


def rows(connection, query, *values):
    with connection.cursor() as cursor:
        cursor.execute(query, values or None)
        return cursor.fetchall()


@pytest.mark.requirement("GEN-21")
def test_what_a_role_under_embargo_sees_ends_at_its_cutoff(desk, partner):
    first, second, third = desk.epochs
    horizon = rows(partner, "SELECT ledger.horizon()")[0][0]
    now = desk.one("SELECT science.tai_now()")
    assert timedelta(0) <= now - timedelta(hours=HOURS) - horizon < timedelta(minutes=5)
    assert second < horizon < third == desk.one("SELECT ledger.horizon()")
    assert abs(desk.one("SELECT ledger.horizon(%s)", LOGIN) - horizon) < timedelta(minutes=5)
    # Everybody else sees what is published.
    with contextlib.closing(connections.reader_beside(desk.connection)) as public:
        assert rows(public, "SELECT ledger.horizon()") == [(third,)]
        assert rows(public, "SELECT count(*) FROM prompt.DIASource") == [(3,)]
    for form in ("prompt.{0}", "prompt_at.{0}(ledger.horizon())"):
        for relation, column, expected in (
            ("DIASource", "psFlux", [(100.0,), (200.0,)]),
            ("DIAObject", "nDiaSources", [(2,)]),
            ("DIASourceFull", "psFlux", [(100.0,), (200.0,)]),
            ("CcdVisit", "midPointTai", [(MJD + 1,), (MJD + 2,)]),
        ):
            query = f"SELECT {column} FROM {form.format(relation)} ORDER BY 1"
            assert rows(partner, query) == expected
        query = f"SELECT psfFlux FROM {form.format('DiaSource').replace('prompt', 'rubin')}"
        assert sorted(rows(partner, query)) == [(100.0,), (200.0,)]
    assert rows(partner, "SELECT nDiaSources FROM prompt_at.DIAObject(%s)", first) == [(1,)]
    partner.autocommit = False
    # The service asks as of the cutoff by itself, and an answer can be had again.
    answer = run(partner, "SELECT * FROM DIASource", NOW)
    assert len(answer.rows) == 2
    assert second < answer.instant < third
    again = run(partner, "SELECT * FROM DIASource", VirtualDatabase("prompt", answer.instant))
    assert again.rows == answer.rows
    assert run(desk.connection, "SELECT * FROM DIASource",
               VirtualDatabase("prompt", answer.instant)).rows == answer.rows  # fmt: skip


@pytest.mark.requirement("GEN-21")
def test_no_way_leads_past_the_cutoff(desk, partner):
    third = desk.epochs[2]
    source = desk.one("SELECT max(diasourceid) FROM prompt_live.diasource")
    old = cite(
        desk.connection, "SELECT * FROM DIASource", VirtualDatabase("prompt", desk.epochs[0])
    )
    new = cite(desk.connection, "SELECT * FROM DIASource", NOW)
    ahead = "SELECT * FROM prompt_at.DIASource('%s')" % third.isoformat()  # noqa: UP031
    later = cite(desk.connection, ahead, NOW)
    partner.autocommit = False
    refused = [
        *(
            (f"SELECT count(*) FROM {schema}.DIASource", "permission denied for schema")
            for schema in ("prompt_live", "rubin_live", "prompt_history", "prompt_store")
        ),
        ("SELECT table_to_xml('prompt_history.diasource', true, true, '')", "permission denied"),
        ("SELECT table_to_xml('prompt_history.diaobject'::regclass::oid, true, true, '')",
         "permission denied"),
        ("SELECT max(epochTai) FROM ledger.epoch", "permission denied for table"),
        ("SELECT * FROM ledger.citation", "permission denied for table"),
        ("SELECT * FROM ledger.batch", "permission denied for table"),
        ("SELECT * FROM ledger.provenance", "permission denied for table"),
        ("SELECT * FROM ledger.embargo", "permission denied for table"),
        ("SELECT ledger.versions()", "permission denied for function"),
        ("SELECT ledger.set_embargo('partner', 0)", "permission denied for function"),
        ("DELETE FROM ledger.embargo", "permission denied for table"),
        (f"SELECT count(*) FROM prompt_at.DIASource('{third}')", "under embargo"),
        (f"SELECT ledger.settled('{third}')", "under embargo"),
        (f"SELECT ledger.resolve('{third}')", "under embargo"),
        ("SELECT ledger.resolve(science.tai_now())", "under embargo"),
        (f"SELECT ledger.cite('SELECT 1 AS a', '{third}')", "under embargo"),
        (f"SELECT ledger.cite($$ {ahead} $$)", "under embargo"),
        (f"SELECT ledger.verify('{new.citation}')", "there is no citation"),
        (f"SELECT ledger.instant_of('citation:{new.citation}')", "there is no citation"),
        (f"SELECT ledger.instant_of('citation:{later.citation}')", "there is no citation"),
        (f"SELECT ledger.instant_of('source:{source}')", "there is no source"),
        (f"SET skyledger.as_of = '{third}'; SELECT count(*) FROM prompt.DIASource",
         "under embargo"),
        ("SET ROLE skyledger_reader", "permission denied to set role"),
        ("SET ROLE skyledger_user", "permission denied to set role"),
        # Functions of one's own could be handed rows before the instant is applied.
        ("CREATE FUNCTION pg_temp.tell(real) RETURNS boolean LANGUAGE sql AS 'SELECT true'",
         "permission denied to create temp"),
        ("CREATE TEMP TABLE a (b int)", "permission denied to create temp"),
    ]  # fmt: skip
    for statement, reason in refused:
        with pytest.raises(psycopg2.Error, match=reason):
            rows(partner, statement)
        partner.rollback()
    # Nor do roles and clocks that a session can set.
    for setting in (
        f"SET ROLE {LOGIN}",
        "SET ROLE skyledger_delayed",
        "SET skyledger.clock_offset = '100 hours'",
        "SET skyledger.as_of = ''",
    ):
        rows(partner, f"{setting}; SELECT 1")
        assert rows(partner, "SELECT count(*) FROM prompt.DIASource") == [(2,)]
        assert rows(partner, "SELECT ledger.horizon()")[0][0] < third
        assert (
            rows(partner, f"SELECT ledger.horizon('{desk.one('SELECT session_user')}')")[0][0]
            < third
        )
        partner.rollback()
    # What is old enough is there.
    assert verify(partner, old.citation).verdict == "identical"
    named = VirtualDatabase("prompt", reference=f"citation:{old.citation}")
    assert settle(partner, named).instant == desk.epochs[0]
    assert cite(partner, "SELECT * FROM DIASource", NOW).rows == 2
    with pytest.raises(QueryRefusedError, match="under embargo"):
        run(partner, "SELECT * FROM DIASource", VirtualDatabase("prompt", third))
    with pytest.raises(QueryRefusedError, match="there is no citation"):
        verify(partner, new.citation)


@pytest.mark.requirement("GEN-21")
def test_values_under_embargo_do_not_show_in_error_messages(desk, partner):
    """PostgreSQL may apply a user's condition before the view's: what fails then tells a value."""
    for condition in (
        "1 / (psFlux - 300)::integer > 0",
        "1 / (psFlux - 300) > 0",
        "sqrt(299 - psFlux) > 100",
        "ln(299 - psFlux) > 100",
        "(psFlux / (psFlux - 300)) IS NULL",
    ):
        with pytest.raises(psycopg2.Error, match=r"division by zero|square root|logarithm"):
            desk.all(f"SELECT count(*) FROM prompt_live.DIASource WHERE {condition}")
        desk.connection.rollback()
        for form in ("prompt.DIASource", f"prompt_at.DIASource('{desk.epochs[1]}')"):
            query = f"SELECT count(*) FROM {form} WHERE {condition}"
            assert rows(partner, query) == [(0,)], query


def test_an_embargo_holds_for_members_and_is_lifted(desk, partner):
    with desk.connection.cursor() as cursor:
        cursor.execute("CREATE ROLE guest LOGIN IN ROLE partner")
        try:
            cursor.execute("SELECT ledger.horizon('guest') = ledger.horizon('partner')")
            assert cursor.fetchone() == (True,)
            # The longest delay counts.
            cursor.execute("INSERT INTO ledger.embargo VALUES ('guest', 95)")
            cursor.execute("SELECT ledger.horizon('partner') - ledger.horizon('guest')")
            assert cursor.fetchone()[0] == timedelta(hours=15)
            cursor.execute("GRANT skyledger_reader TO guest")
            with pytest.raises(psycopg2.Error, match="role guest would still see the present"):
                cursor.execute("SELECT ledger.set_embargo('partner', 80)")
        finally:
            desk.connection.rollback()
        for role, hours, reason in (
            ("nobody_here", 80, "there is no role nobody_here"),
            ("skyledger", 80, "there is no role skyledger that an embargo could hold back"),
            (LOGIN, -1, "an embargo of -1 hours"),
            (LOGIN, "NaN", "an embargo of NaN hours"),
        ):
            with pytest.raises(psycopg2.Error, match=reason):
                cursor.execute("SELECT ledger.set_embargo(%s, %s)", (role, hours))
            desk.connection.rollback()
        cursor.execute("SELECT ledger.set_embargo(%s, 0)", (LOGIN,))
    desk.connection.commit()
    assert rows(partner, "SELECT count(*) FROM prompt_live.DIASource") == [(3,)]
    assert rows(partner, "SELECT ledger.horizon()") == [(desk.epochs[2],)]
