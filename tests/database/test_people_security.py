"""Nobody reads, changes or fills more than the rules say, whatever is tried."""

import contextlib
import io
import json
import threading
import time

import psycopg2
import pytest
from people_desk import COLUMNS, content, people_of

from skyledger import people
from skyledger.errors import BusyError, LimitError, NotFoundError, PeopleError
from skyledger.people import ColumnDescription


@pytest.fixture
def desk(fresh_database):
    with contextlib.closing(fresh_database.connect(autocommit=True)) as opened:
        # Sessions that wait for each other fail instead of waiting for ever.
        rows(opened, f"ALTER DATABASE {fresh_database.name} SET lock_timeout = '20s'")
    with people_of(fresh_database) as desk:
        yield desk


def rows(connection, query, *values):
    with connection.cursor() as cursor:
        cursor.execute(query, values or None)
        return cursor.fetchall() if cursor.description else None


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
    people.share_table(desk.service, f"mydb_{ada}", "stars", "person", bob, ada)
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
    people.share_table(desk.service, place, "stars", "group", team, ada)
    desk.service.commit()
    no = "is not a table of|belongs to another|there is no person|nobody is named"
    for function, *values in (
        # Who may read it may neither pass it on nor take it away.
        (people.share_table, place, "stars", "person", cyd, bob),
        (people.share_table, place, "stars", "everyone", None, bob),
        (people.share_table, place, "stars", "person", cyd, cyd),
        (people.share_table, place, "stars", "person", cyd, None),
        (people.share_table, place, "stars", "person", cyd, "nobody"),
        (people.unshare_table, place, "stars", "group", team, bob),
        (people.unshare_table, place, "stars", "group", team, None),
        (people.drop_table, place, "stars", bob),
        (people.drop_table, place, "stars", None),
        (people.add_member, team, cyd, bob),
        (people.add_member, team, cyd, cyd),
        (people.add_member, team, cyd, None),
        (people.remove_member, team, ada, bob),
        (people.remove_member, team, bob, cyd),
        (people.remove_member, team, bob, None),
        (people.drop_group, team, bob),
        (people.drop_group, team, None),
        # An operator gives away nothing of others'.
        (people.share_table, place, "stars", "person", olga, olga),
    ):
        with pytest.raises(PeopleError, match=no):
            function(desk.service, *values)
        desk.service.rollback()
    assert not desk.reads(cyd, f"{place}.stars")
    assert not desk.reads(olga, f"{place}.stars")
    with pytest.raises(PeopleError, match=f"group {team} belongs to {ada}"):
        people.remove_member(desk.service, team, ada, ada)
    desk.service.rollback()
    people.unshare_table(desk.service, place, "stars", "group", team, olga)
    desk.service.commit()
    assert not desk.reads(bob, f"{place}.stars")
    people.drop_table(desk.service, place, "stars", olga)
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
            (people.drop_table, place, text, ada),
            (people.drop_table, text, "stars", ada),
            (people.share_table, place, "stars", "person", text, ada),
            (people.share_table, place, "stars", "group", text, ada),
            (people.share_table, place, "stars", text, bob, ada),
            (people.share_table, text, "stars", "person", bob, ada),
            (people.unshare_table, place, "stars", "group", text, ada),
            (people.add_member, text, bob, ada),
            (people.remove_member, text, bob, ada),
            (people.drop_group, text, ada),
            (people.open_table, text, "new", [column]),
            (people.open_table, ada, "new",
             [ColumnDescription("a", text, "int")]),
        ]  # fmt: skip
        if text not in NAMES_THAT_CAN_BE:
            attempts += [(people.add_group, text, ada)]
        if text not in {*NAMES_THAT_CAN_BE, "a"}:
            attempts += [(people.open_table, ada, text, [column])]
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
    target = people.open_table(desk.service, ada, "strange", columns, description="'; --")
    with desk.service.cursor() as cursor:
        cursor.copy_expert(f"COPY {target} FROM STDIN", io.StringIO("\t".join("x" * len(names))))
    people.seal_table(desk.service, ada, "strange")
    desk.service.commit()
    kept = {t.name: t for t in people.visible_tables(desk.service, ada)}["strange"]
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
            people.open_table(desk.service, ada, "new", COLUMNS, origin=origin, query=query)
        desk.service.rollback()
    with pytest.raises(PeopleError, match="has no two columns 'ra' and 'name'"):
        desk.load(ada, "new", position=("ra", "name"))
    # Positions that are none are kept, and not indexed.
    target = people.open_table(desk.service, ada, "odd", COLUMNS[:3])
    with desk.service.cursor() as cursor:
        cursor.copy_expert(
            f"COPY {target} FROM STDIN", io.StringIO("1\tNaN\t0\n2\t0\t91\n\\N\t\\N\t\\N\n")
        )
    assert people.seal_table(desk.service, ada, "odd", ("ra", "decl")).indexed is False
    desk.service.commit()


@pytest.mark.requirement("UGP-06")
def test_the_quota_is_not_passed_by_any_way_of_keeping_rows(desk):
    (ada,) = desk.add("ada", quota=2_000_000)

    def used():
        found = people.used_bytes(desk.service, ada)
        desk.service.rollback()
        # Never less than what PostgreSQL says, indexes and long values included.
        assert (
            found
            >= rows(
                desk.owner,
                "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) FROM pg_class AS c "
                "WHERE c.relnamespace = %s::regnamespace AND c.relkind = 'r'",
                f"mydb_{ada}",
            )[0][0]
        )
        desk.owner.rollback()
        return found

    # The index of 20,000 positions takes more than half of the table.
    plain = desk.load(ada, "plain", rows=5_000, width=1, position=None)
    people.drop_table(desk.service, f"mydb_{ada}", "plain", ada)
    desk.service.commit()
    indexed = desk.load(ada, "indexed", rows=5_000, width=1)
    assert indexed.bytes > plain.bytes + 150_000
    people.drop_table(desk.service, f"mydb_{ada}", "indexed", ada)
    desk.service.commit()
    # Long values that lie beside the table: random, so that they are not compressed.
    long = people.open_table(desk.service, ada, "long", COLUMNS[3:])
    with desk.service.cursor() as cursor:
        for seed in range(150):
            text = f"{seed:08x}" + "".join(
                f"{hash((seed, k)) & 0xFFFFFFFF:08x}" for k in range(2000)
            )
            cursor.copy_expert(f"COPY {long} FROM STDIN", io.StringIO(text))
    with pytest.raises(LimitError, match="no room for"):
        people.seal_table(desk.service, ada, "long")
    desk.service.rollback()
    # Many tables without rows.
    many = 0
    while people.used_bytes(desk.service, ada) + 131_072 + 6_000 < 2_000_000:
        desk.load(ada, f"empty_{many}", rows=0)
        many += 1
    assert many < 2_000_000 / 131_072 < 20
    with pytest.raises(LimitError, match="no room for"):
        desk.load(ada, "one_more", rows=0)
    assert used() <= 2_000_000
    for name in range(many):
        people.drop_table(desk.service, f"mydb_{ada}", f"empty_{name}", ada)
    desk.service.commit()
    # Many columns without rows, or with words about them.
    for column in (
        [ColumnDescription(f"c{k}", "boolean", "boolean") for k in range(1450)],
        [ColumnDescription("c", "boolean", "boolean", description="x" * 1_800_000)],
    ):
        people.open_table(desk.service, ada, "wide", column)
        people.seal_table(desk.service, ada, "wide")
        desk.service.commit()
        assert used() > 1_600_000
        people.drop_table(desk.service, f"mydb_{ada}", "wide", ada)
        desk.service.commit()
    # What is not sealed is not kept.
    target = people.open_table(desk.service, ada, "open", COLUMNS)
    with desk.service.cursor() as cursor:
        cursor.copy_expert(f"COPY {target} FROM STDIN", io.StringIO(content(10)))
    with pytest.raises(psycopg2.Error, match="was filled and not sealed"):
        desk.service.commit()
    # What is sealed cannot be filled.
    desk.load(ada, "shut")
    with (
        pytest.raises(psycopg2.errors.InsufficientPrivilege),
        desk.service.cursor() as cursor,
    ):
        cursor.copy_expert(f"COPY mydb_{ada}.shut FROM STDIN", io.StringIO(content(10)))
    desk.service.rollback()
    with pytest.raises(NotFoundError, match="is being filled"):
        people.seal_table(desk.service, ada, "shut")
    desk.service.rollback()
    with pytest.raises(PeopleError, match=r"already.*Drop it first"):
        desk.load(ada, "shut")


@pytest.mark.requirement("UGP-06")
def test_two_loads_at_the_same_time_do_not_pass_the_quota_together(desk, fresh_database):
    (ada,) = desk.add("ada", quota=1_000_000)
    alone = desk.load(ada, "alone", rows=5_000)
    assert 500_000 < alone.bytes < 1_000_000
    people.drop_table(desk.service, f"mydb_{ada}", "alone", ada)
    desk.service.commit()
    sessions = [psycopg2.connect(fresh_database.dsn, user="skyledger_service") for _ in range(3)]
    filled, outcome = threading.Barrier(3), []

    def load(number, connection):
        target = people.open_table(connection, ada, f"table_{number}", COLUMNS)
        with connection.cursor() as cursor:
            cursor.copy_expert(f"COPY {target} FROM STDIN", io.StringIO(content(5_000)))
        filled.wait(30)
        try:
            people.seal_table(connection, ada, f"table_{number}", ("ra", "decl"))
            time.sleep(0.3)  # the others have come to the same place by now
            connection.commit()
            outcome.append("kept")
        except LimitError:
            connection.rollback()
            outcome.append("refused")

    threads = [threading.Thread(target=load, args=item) for item in enumerate(sessions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(outcome) == ["kept", "refused", "refused"]
    assert people.used_bytes(desk.service, ada) <= 1_000_000
    assert len(people.visible_tables(desk.service, ada)) == 1
    # Two loads of one name: the second is told at once.
    people.drop_table(desk.service, f"mydb_{ada}", people.visible_tables(desk.service, ada)[0].name,
                      ada)  # fmt: skip
    desk.service.commit()
    people.open_table(sessions[0], ada, "same", COLUMNS)
    with pytest.raises(BusyError, match="is being loaded"):
        people.open_table(sessions[1], ada, "same", COLUMNS)
    # Rights are not changed on what was before.
    sessions[2].set_session(isolation_level="REPEATABLE READ")
    people.used_bytes(sessions[2], ada)
    with pytest.raises(psycopg2.Error, match="READ COMMITTED"):
        people.add_group(sessions[2], desk.name("team"), ada)
    for session in sessions:
        session.close()


@pytest.mark.requirement("UGP-03")
def test_a_right_taken_away_meanwhile_does_not_come_back(desk, fresh_database):
    """A group is shared with in one session while a member leaves it in another."""
    ada, bob = desk.add("ada", "bob")
    team, place = desk.name("team"), f"mydb_{ada}"
    desk.load(ada, "stars")
    people.add_group(desk.service, team, ada)
    people.add_member(desk.service, team, bob, ada)
    desk.service.commit()
    people.share_table(desk.service, place, "stars", "group", team, ada)
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
            people.drop_table(desk.service, f"mydb_{ada}", "stars", ada)
        assert time.monotonic() - began < 10  # it waits 5 s
        desk.service.rollback()
    people.drop_table(desk.service, f"mydb_{ada}", "stars", ada)
    desk.service.commit()
