"""Nobody reads, changes or fills more than the rules say, whatever is tried."""

import contextlib
import io
import json
import threading
import time

import psycopg2
import pytest
from people_desk import COLUMNS, impatient_people_of, rows

from skyledger import people, person_tables
from skyledger.errors import BusyError, NotFoundError, PeopleError
from skyledger.person_tables import ColumnDescription


@pytest.fixture
def desk(fresh_database):
    with impatient_people_of(fresh_database) as desk:
        yield desk


def functions(desk, *, internal):
    """Signatures of the functions of schema service, those the service may call or the others."""
    found = rows(
        desk.owner,
        "SELECT p.oid::regprocedure::text, ARRAY(SELECT format('NULL::%%s', format_type(t, NULL)) "
        "FROM unnest(p.proargtypes) WITH ORDINALITY AS u(t, k) ORDER BY k) FROM pg_proc AS p "
        "WHERE p.pronamespace = 'service'::regnamespace AND p.prorettype <> 'trigger'::regtype "
        "AND has_function_privilege('skyledger_service', p.oid, 'EXECUTE') <> %s",
        internal,
    )
    desk.owner.rollback()
    assert len(found) > 8
    return [f"SELECT {name.split('(')[0]}({', '.join(holes)})" for name, holes in found]


@pytest.mark.requirement("UGP-01", "UGP-03")
def test_functions_and_tables_of_people_are_for_the_service_alone(desk, fresh_database):
    (ada,) = desk.add("ada")
    desk.load(ada, "stars")
    inside, outside = functions(desk, internal=True), functions(desk, internal=False)
    for opened in (
        contextlib.closing(psycopg2.connect(fresh_database.dsn, user="skyledger_user")),
        contextlib.closing(psycopg2.connect(fresh_database.dsn, user="skyledger_member")),
        contextlib.closing(psycopg2.connect(fresh_database.dsn, user="skyledger_member")),
    ):
        with opened as connection:
            for number, statement in enumerate([*inside, *outside]):
                if number % 2:
                    # As a person, half of the time.
                    with contextlib.suppress(psycopg2.Error):
                        rows(connection, f"SET ROLE mydb_{ada}")
                    connection.commit()
                with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="schema service"):
                    rows(connection, statement)
                connection.rollback()
    for statement in inside:
        with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="permission denied"):
            rows(desk.service, statement)
        desk.service.rollback()
    for statement in (
        *(
            f"{verb} service.{table}"
            for verb in ("SELECT * FROM", "DELETE FROM", "TRUNCATE", "DROP TABLE")
            for table in ("person", "accesstoken", "allocation", "persongroup", "groupmember",
                          "persontable", "personcolumn", "tableshare")
        ),
        f"SELECT * FROM mydb_{ada}.stars",
        f"INSERT INTO mydb_{ada}.stars VALUES (1)",
        f"DELETE FROM mydb_{ada}.stars",
        f"CREATE TABLE mydb_{ada}.mine (a int)",
        f"SET ROLE mydb_{ada}",
        f"GRANT SELECT ON mydb_{ada}.stars TO skyledger_service",
        "SET ROLE skyledger_member",
    ):  # fmt: skip
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            rows(desk.service, statement)
        desk.service.rollback()


@pytest.mark.requirement("UGP-03")
def test_the_roles_of_people_read_and_do_nothing_else(desk, fresh_database):
    ada, bob = desk.add("ada", "bob")
    desk.load(ada, "stars")
    person_tables.share_table(desk.service, f"mydb_{ada}", "stars", "person", bob, ada)
    desk.service.commit()
    rows(desk.member, "SET default_transaction_read_only = off")
    desk.member.commit()
    table = f"mydb_{ada}.stars"
    for who in (ada, bob):
        assert desk.ask(who, f"SELECT count(*) FROM {table}") == [(10,)]
        for statement in (
            f"INSERT INTO {table} VALUES (1)",
            f"UPDATE {table} SET starid = 1",
            f"DELETE FROM {table}",
            f"TRUNCATE {table}",
            f"DROP TABLE {table}",
            f"ALTER TABLE {table} ADD more integer",
            f"CREATE INDEX ON {table} (starid)",
            f"COMMENT ON TABLE {table} IS 'mine'",
            f"CREATE TABLE mydb_{who}.mine AS SELECT 1",
            f"CREATE VIEW mydb_{who}.mine AS SELECT 1",
            f"CREATE FUNCTION mydb_{who}.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "CREATE SCHEMA mine",
            f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE",
            "SELECT * FROM service.persontable",
            "SELECT lo_create(0)",
            "COPY (SELECT 1) TO PROGRAM 'true'",
        ):
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                desk.ask(who, statement)
    # PostgreSQL warns of a grant that gives nothing, and goes on.
    before = state(desk.owner)
    for who in (ada, bob):
        with desk.member.cursor() as cursor:
            cursor.execute(f"SET LOCAL ROLE mydb_{who}; GRANT SELECT ON {table} TO PUBLIC")
        desk.member.commit()
    assert state(desk.owner) == before
    # Without a person the login may do nothing; without the login nobody becomes a person.
    for statement in (f"SELECT * FROM {table}", "SELECT count(*) FROM prompt.DIASource",
                      "SELECT ledger.horizon()", "SELECT * FROM tap_schema.tables"):  # fmt: skip
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            rows(desk.member, statement)
        desk.member.rollback()
    for login in ("skyledger_user", "skyledger_service"):
        with contextlib.closing(psycopg2.connect(fresh_database.dsn, user=login)) as connection:
            for name in (f"mydb_{ada}", "skyledger_member"):
                with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                    rows(connection, f"SET ROLE {name}")
                connection.rollback()
    with pytest.raises(psycopg2.OperationalError, match="not permitted to log in"):
        psycopg2.connect(fresh_database.dsn, user=f"mydb_{ada}")


@pytest.mark.requirement("UGP-03")
def test_nobody_acts_for_others(desk):
    ada, bob, cyd = desk.add("ada", "bob", "cyd")
    (olga,) = desk.add("olga", operator=True)
    team, place = desk.name("team"), f"mydb_{ada}"
    desk.load(ada, "stars")
    people.add_group(desk.service, team, ada)
    people.add_member(desk.service, team, bob, ada)
    person_tables.share_table(desk.service, place, "stars", "group", team, ada)
    desk.service.commit()
    no = "is not a table of|belongs to another|there is no person|nobody is named"
    for function, *values in (
        # Who may read it may neither pass it on nor take it away.
        (person_tables.share_table, place, "stars", "person", cyd, bob),
        (person_tables.share_table, place, "stars", "everyone", None, bob),
        (person_tables.share_table, place, "stars", "person", cyd, cyd),
        (person_tables.share_table, place, "stars", "person", cyd, None),
        (person_tables.share_table, place, "stars", "person", cyd, "nobody"),
        (person_tables.unshare_table, place, "stars", "group", team, bob),
        (person_tables.unshare_table, place, "stars", "group", team, None),
        (person_tables.drop_table, place, "stars", bob),
        (person_tables.drop_table, place, "stars", None),
        (people.add_member, team, cyd, bob),
        (people.add_member, team, cyd, cyd),
        (people.add_member, team, cyd, None),
        (people.remove_member, team, ada, bob),
        (people.remove_member, team, bob, cyd),
        (people.remove_member, team, bob, None),
        (people.drop_group, team, bob),
        (people.drop_group, team, None),
        # An operator gives away nothing of others'.
        (person_tables.share_table, place, "stars", "person", olga, olga),
    ):
        with pytest.raises(PeopleError, match=no):
            function(desk.service, *values)
        desk.service.rollback()
    assert not desk.reads(cyd, f"{place}.stars")
    assert not desk.reads(olga, f"{place}.stars")
    with pytest.raises(PeopleError, match=f"group {team} belongs to {ada}"):
        people.remove_member(desk.service, team, ada, ada)
    desk.service.rollback()
    person_tables.unshare_table(desk.service, place, "stars", "group", team, olga)
    desk.service.commit()
    assert not desk.reads(bob, f"{place}.stars")
    person_tables.drop_table(desk.service, place, "stars", olga)
    desk.service.commit()
    # Somebody who is shut out can no longer act.
    people.disable_person(desk.owner, olga)
    desk.owner.commit()
    with pytest.raises(PeopleError, match="there is no person"):
        people.drop_group(desk.service, team, olga)
    desk.service.rollback()


HOSTILE = (
    "", " ", "a", "Ada", "1a", "a b", 'a"b', "a'b", "a;b", "a--", "a.b", "a/*", "é",
    "\uff41\uff44\uff41",
    "ada\n",
    "ada\t", "ada\u200b", "x'; DROP TABLE service.person; --",
    'x"; DROP SCHEMA service CASCADE; --',
    "pg_catalog", "%s", "%I", "\\", "a" * 64, "a" * 100_000, "$$", "ada ", "NULL",
)  # fmt: skip
NAMES_THAT_CAN_BE = {"pg_catalog"}  # as mydb_pg_catalog it is a name like any other


def state(connection):
    found = rows(
        connection,
        "SELECT n.nspname, c.relname, c.relacl::text FROM pg_class AS c JOIN pg_namespace AS n "
        "ON n.oid = c.relnamespace WHERE n.nspname !~ '^pg_' ORDER BY 1, 2",
    )
    found += rows(connection, "SELECT rolname, oid, 0 FROM pg_roles ORDER BY 1")
    connection.rollback()
    return found


@pytest.mark.requirement("UGP-01", "UGP-02")
def test_nothing_is_smuggled_in_through_names(desk):
    ada, bob = desk.add("ada", "bob")
    desk.load(ada, "stars")
    before = state(desk.owner)
    place = f"mydb_{ada}"
    for text in HOSTILE:
        column = ColumnDescription("a", "integer", "int")
        attempts = [
            (person_tables.drop_table, place, text, ada),
            (person_tables.drop_table, text, "stars", ada),
            (person_tables.share_table, place, "stars", "person", text, ada),
            (person_tables.share_table, place, "stars", "group", text, ada),
            (person_tables.share_table, place, "stars", text, bob, ada),
            (person_tables.share_table, text, "stars", "person", bob, ada),
            (person_tables.unshare_table, place, "stars", "group", text, ada),
            (people.add_member, text, bob, ada),
            (people.remove_member, text, bob, ada),
            (people.drop_group, text, ada),
            (person_tables.open_table, text, "new", [column]),
            (person_tables.open_table, ada, "new",
             [ColumnDescription("a", text, "int")]),
        ]  # fmt: skip
        if text not in NAMES_THAT_CAN_BE:
            attempts += [(people.add_group, text, ada)]
        if text not in {*NAMES_THAT_CAN_BE, "a"}:
            attempts += [(person_tables.open_table, ada, text, [column])]
        for function, *values in attempts:
            with pytest.raises((PeopleError, NotFoundError)):
                function(desk.service, *values)
            desk.service.rollback()
        if text not in NAMES_THAT_CAN_BE:
            with pytest.raises(PeopleError, match="cannot be the name of a person"):
                people.add_person(desk.owner, text)
            desk.owner.rollback()
    assert state(desk.owner) == before
    # Names of columns and all words about them are texts, whatever they say.
    names = [t for t in HOSTILE if 0 < len(t.encode()) < 64 and t.isprintable()]
    names = list({n.lower(): n for n in names}.values())
    columns = [
        ColumnDescription(n, "text", "unicodeChar", n, n, n, n, n, "'; DROP TABLE x; --")
        for n in names
    ]
    target = person_tables.open_table(desk.service, ada, "strange", columns, description="'; --")
    with desk.service.cursor() as cursor:
        cursor.copy_expert(f"COPY {target} FROM STDIN", io.StringIO("\t".join("x" * len(names))))
    person_tables.seal_table(desk.service, ada, "strange")
    desk.service.commit()
    kept = {t.name: t for t in person_tables.visible_tables(desk.service, ada)}["strange"]
    desk.service.rollback()
    assert [c.name for c in kept.columns] == names
    told = desk.ask(
        ada,
        "SELECT column_name, unit FROM tap_schema.columns WHERE table_name = %s "
        "ORDER BY column_index",
        f"{place}.strange",
    )
    assert [unit for _, unit in told] == names
    for name, written in zip(names, [written for written, _ in told], strict=True):
        # As TAP_SCHEMA writes it, it can be asked for.
        if name == written:
            continue
        assert written == '"' + name.replace('"', '""') + '"'
        low = "".join(c.lower() if c.isascii() else c for c in written)
        assert desk.ask(ada, f"SELECT {low} FROM {place}.strange") == [("x",)]


def test_columns_that_cannot_be_are_refused(desk):
    (ada,) = desk.add("ada")
    whole = {"name": "a", "type": "integer", "datatype": "int"}
    for given, reason in (
        (None, "are no list"),
        ({}, "are no list"),
        ([], "has 0 columns"),
        ([whole] * 1601, "has 1601 columns"),
        ([{}], "column 1 has no name"),
        ([1], "column 1 has no name"),
        ([whole, {**whole, "name": "A"}], "two columns are called a"),
        ([{**whole, "name": "xmin"}], "that every table of PostgreSQL has"),
        ([{**whole, "name": "é" * 32}], "longer than 63 bytes"),
        ([{**whole, "name": "a\u0007"}], "control character"),
        ([{**whole, "type": "serial"}], "has type 'serial'"),
        ([{**whole, "type": "integer[][]"}], "has type"),
        ([{**whole, "type": "integer; DROP TABLE a"}], "has type"),
        ([{**whole, "type": None}], "has type NULL"),
        ([{**whole, "type": ["integer"]}], "has type"),
        ([{**whole, "datatype": ""}], "has no datatype"),
    ):
        with pytest.raises(psycopg2.Error, match=reason):
            rows(desk.service, "SELECT service.open_table(%s, 'new', '', 'upload', %s)", ada,
                 None if given is None else json.dumps(given))  # fmt: skip
        desk.service.rollback()
    for origin, query in (("x", None), (None, None), ("query", None)):
        with pytest.raises(PeopleError, match="no origin of a table"):
            person_tables.open_table(desk.service, ada, "new", COLUMNS, origin=origin, query=query)
        desk.service.rollback()
    with pytest.raises(PeopleError, match="has no two columns 'ra' and 'name'"):
        desk.load(ada, "new", position=("ra", "name"))
    # Positions that are none are kept, and not indexed.
    target = person_tables.open_table(desk.service, ada, "odd", COLUMNS[:3])
    with desk.service.cursor() as cursor:
        cursor.copy_expert(
            f"COPY {target} FROM STDIN", io.StringIO("1\tNaN\t0\n2\t0\t91\n\\N\t\\N\t\\N\n")
        )
    assert person_tables.seal_table(desk.service, ada, "odd", ("ra", "decl")).indexed is False
    desk.service.commit()


@pytest.mark.requirement("UGP-03")
def test_a_right_taken_away_meanwhile_does_not_come_back(desk, fresh_database):
    """A group is shared with in one session while a member leaves it in another."""
    ada, bob = desk.add("ada", "bob")
    team, place = desk.name("team"), f"mydb_{ada}"
    desk.load(ada, "stars")
    people.add_group(desk.service, team, ada)
    people.add_member(desk.service, team, bob, ada)
    desk.service.commit()
    person_tables.share_table(desk.service, place, "stars", "group", team, ada)
    with contextlib.closing(
        psycopg2.connect(fresh_database.dsn, user="skyledger_service")
    ) as other:

        def leave():
            people.remove_member(other, team, bob, ada)
            other.commit()

        leaving = threading.Thread(target=leave)
        leaving.start()
        time.sleep(0.5)
        assert leaving.is_alive()  # it waits for its turn
        desk.service.commit()
        leaving.join(20)
    assert not desk.reads(bob, f"{place}.stars")


@pytest.mark.requirement("UGP-03")
def test_tap_schema_gives_nothing_away_through_conditions_that_fail(desk, fresh_database):
    """A condition of a query is not tried on rows that are not shown."""
    (ada,) = desk.add("ada")
    desk.load(ada, "stars")
    with contextlib.closing(psycopg2.connect(fresh_database.dsn, user="skyledger_user")) as public:
        for relation, column in (("tables", "table_name"), ("columns", "table_name"),
                                 ("schemas", "schema_name")):  # fmt: skip
            found = rows(
                public,
                f"SELECT 1 / (CASE WHEN {column} LIKE 'mydb_%' THEN 0 ELSE 1 END) "
                f"FROM tap_schema.{relation} WHERE 1 / (CASE WHEN {column} LIKE 'mydb_%' "
                "THEN 0 ELSE 1 END) > 0",
            )
            assert {value for (value,) in found} == {1}
        public.rollback()


@pytest.mark.requirement("UGP-02")
def test_a_table_that_is_being_read_is_dropped_later(desk, fresh_database):
    (ada,) = desk.add("ada")
    desk.load(ada, "stars")
    with contextlib.closing(fresh_database.connect()) as reading:
        rows(reading, f"SELECT * FROM mydb_{ada}.stars LIMIT 1")
        began = time.monotonic()
        with pytest.raises(BusyError, match="is being read"):
            person_tables.drop_table(desk.service, f"mydb_{ada}", "stars", ada)
        assert time.monotonic() - began < 10  # it waits 5 s
        desk.service.rollback()
    person_tables.drop_table(desk.service, f"mydb_{ada}", "stars", ada)
    desk.service.commit()
