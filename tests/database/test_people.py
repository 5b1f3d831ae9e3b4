"""People, tokens, tables of their own and with whom they are shared."""

import contextlib
from datetime import timedelta

import psycopg2
import pytest
from people_desk import COLUMNS, people_of

from skyledger import people, person_tables
from skyledger.errors import LimitError, NotFoundError, PeopleError


@pytest.fixture
def desk(fresh_database, _patience):
    with people_of(fresh_database) as desk:
        yield desk


@pytest.fixture(autouse=True)
def _patience(fresh_database):
    """Sessions that wait for each other fail instead of waiting for ever."""
    with contextlib.closing(fresh_database.connect(autocommit=True)) as opened:
        name = fresh_database.name
        rows(opened, f"ALTER DATABASE {name} SET lock_timeout = '20s'")


def rows(connection, query, *values):
    with connection.cursor() as cursor:
        cursor.execute(query, values or None)
        return cursor.fetchall() if cursor.description else None


@pytest.mark.requirement("UGP-01")
def test_a_token_signs_in_until_it_expires_or_is_revoked(desk):
    (ada,) = desk.add("ada", quota=7 * 10**9, most_queries=3, per_minute=50)
    token, expires = people.add_token(desk.owner, ada, "laptop", 30)
    other, _ = people.add_token(desk.owner, ada, "topcat", 30)
    desk.owner.commit()
    assert token.startswith("sky_")
    assert len(token) == 47
    assert token != other
    person = people.sign_in(desk.service, token)
    assert person == people.Person(ada, "user", 7 * 10**9, 3, 50)
    assert people.sign_in(desk.service, token[:-1]) is None
    assert people.sign_in(desk.service, "") is None
    # The token itself is nowhere.
    kept = rows(desk.owner, "SELECT tokenhash, label, lastusedtai FROM service.accesstoken")
    desk.service.commit()
    assert token not in str(kept)
    used = dict(rows(desk.owner, "SELECT label, lastusedtai FROM service.accesstoken"))
    assert used["topcat"] is None
    assert used["laptop"].minute == 0
    # Its time runs out.
    now = rows(desk.owner, "SELECT science.tai_now()")[0][0]
    assert timedelta(days=30) - timedelta(minutes=1) < expires - now <= timedelta(days=30)
    for days, found in ((29, person), (31, None)):
        rows(desk.service, f"SET LOCAL skyledger.clock_offset = '{days} days'")
        assert people.sign_in(desk.service, token) == found
        desk.service.rollback()
    with pytest.raises(PeopleError, match=r"has a token laptop already.*revoke that token first"):
        people.add_token(desk.owner, ada, "laptop", 30)
    desk.owner.rollback()
    people.revoke_token(desk.owner, ada, "laptop")
    desk.owner.commit()
    assert people.sign_in(desk.service, token) is None
    assert people.sign_in(desk.service, other) == person
    desk.service.commit()
    people.disable_person(desk.owner, ada)
    desk.owner.commit()
    assert people.sign_in(desk.service, other) is None
    people.enable_person(desk.owner, ada)
    desk.owner.commit()
    assert people.sign_in(desk.service, other) is None


@pytest.mark.requirement("UGP-02", "UGP-03")
def test_a_table_is_its_owners_and_nobody_elses(desk):
    ada, bob = desk.add("ada", "bob")
    sealed = desk.load(ada, "stars", rows=1000)
    assert (sealed.rows, sealed.indexed) == (1000, True)
    table = f"mydb_{ada}.stars"
    assert desk.ask(ada, f"SELECT count(*), max(name) FROM {table}") == [(1000, "xxx")]
    with pytest.raises(psycopg2.Error, match="permission denied for table stars"):
        desk.ask(bob, f"SELECT * FROM {table}")
    (seen,) = person_tables.visible_tables(desk.service, ada)
    assert (seen.schema, seen.name, seen.owner, seen.rows) == (f"mydb_{ada}", "stars", ada, 1000)
    assert seen.shared_with == ()
    assert seen.position == ("ra", "decl")
    assert [(c.name, c.sql, c.type, c.unit, c.ucd, c.description) for c in seen.columns] == [
        (c.name, c.name.lower(), c.type, c.unit, c.ucd, c.description) for c in COLUMNS
    ]
    assert [c.indexed for c in seen.columns] == [False, True, True, False]
    assert seen.arraysizes == (None, None, None, "*")
    assert seen.table.spatial == (("ra", "decl"),)
    assert person_tables.visible_tables(desk.service, bob) == []
    assert person_tables.visible_tables(desk.service, None) == []
    assert person_tables.used_bytes(desk.service, ada) == sealed.bytes == seen.bytes
    person_tables.drop_table(desk.service, seen.schema, "stars", ada)
    desk.service.commit()
    assert person_tables.visible_tables(desk.service, ada) == []
    assert person_tables.used_bytes(desk.service, ada) == 0
    with pytest.raises(psycopg2.errors.UndefinedTable):
        desk.ask(ada, f"SELECT * FROM {table}")


@pytest.mark.requirement("UGP-03")
def test_tables_are_shared_with_persons_groups_and_everyone(desk, fresh_database):
    ada, bob, cyd, dan = names = desk.add("ada", "bob", "cyd", "dan")
    team = desk.name("team")
    desk.load(ada, "stars")
    table, place = f"mydb_{ada}.stars", f"mydb_{ada}"

    def readers():
        found = {who for who in names if desk.reads(who, table)}
        listed = {who for who in names if person_tables.visible_tables(desk.service, who)}
        told = {
            who for who in names
            if desk.ask(who, "SELECT * FROM tap_schema.columns WHERE table_name = %s", table)
        }  # fmt: skip
        desk.service.rollback()
        # What is listed, what TAP_SCHEMA tells and what can be read is the same.
        assert found == listed == told
        return found

    def change(function, *values):
        function(desk.service, *values)
        desk.service.commit()

    assert readers() == {ada}
    change(person_tables.share_table, place, "stars", "person", bob, ada)
    assert readers() == {ada, bob}
    change(people.add_group, team, ada)
    change(people.add_member, team, cyd, ada)
    change(person_tables.share_table, place, "stars", "group", team, ada)
    assert readers() == {ada, bob, cyd}
    change(people.add_member, team, dan, ada)
    change(people.add_member, team, bob, ada)
    assert readers() == {ada, bob, cyd, dan}
    (seen,) = person_tables.visible_tables(desk.service, ada)
    assert seen.shared_with == (f"group:{team}", f"person:{bob}")
    assert person_tables.visible_tables(desk.service, bob)[0].shared_with is None
    (group,) = people.groups(desk.service, dan)
    assert (group.name, group.owner, set(group.members)) == (team, ada, set(names))
    # Who is removed loses it at once; who is named himself keeps it.
    change(people.remove_member, team, dan, ada)
    change(people.remove_member, team, bob, bob)
    assert readers() == {ada, bob, cyd}
    change(person_tables.unshare_table, place, "stars", "person", bob, ada)
    assert readers() == {ada, cyd}
    change(people.drop_group, team, ada)
    assert readers() == {ada}
    change(person_tables.share_table, place, "stars", "everyone", None, ada)
    assert readers() == set(names)
    assert [
        t.full_name for t in (p.table for p in person_tables.visible_tables(desk.service, None))
    ] == [table]
    with contextlib.closing(psycopg2.connect(fresh_database.dsn, user="skyledger_user")) as public:
        assert rows(public, f"SELECT count(*) FROM {table}") == [(10,)]
        assert rows(public, "SELECT table_name, table_type FROM tap_schema.tables "
                            "WHERE schema_name = %s", place) == [(table, "table")]  # fmt: skip
        public.rollback()
        change(person_tables.unshare_table, place, "stars", "everyone", None, ada)
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            rows(public, f"SELECT count(*) FROM {table}")
        public.rollback()
        assert rows(public, "SELECT * FROM tap_schema.schemas WHERE schema_name = %s", place) == []
    # Whoever is shut out loses all, and gets it back when let in again.
    change(person_tables.share_table, place, "stars", "person", bob, ada)
    people.disable_person(desk.owner, bob)
    desk.owner.commit()
    assert readers() == {ada}
    people.enable_person(desk.owner, bob)
    people.disable_person(desk.owner, ada)
    desk.owner.commit()
    assert readers() == {bob}
    with pytest.raises(PeopleError, match="is shut out since"):
        person_tables.open_table(desk.service, ada, "more", COLUMNS)
    desk.service.rollback()


@pytest.mark.requirement("UGP-06")
def test_allocations_change_and_every_one_is_kept(desk):
    (ada,) = desk.add("ada", quota=10**6)
    with pytest.raises(LimitError, match=r"no room for .*used.*Drop tables"):
        desk.load(ada, "large", rows=20_000)
    assert person_tables.visible_tables(desk.service, ada) == []
    people.allocate(desk.owner, ada, "a thesis", quota=10**8, by="board")
    desk.owner.commit()
    assert desk.load(ada, "large", rows=20_000).rows == 20_000
    kept = rows(
        desk.owner,
        "SELECT quotabytes, mostqueries, queriesperminute, changedby, reason "
        "FROM service.allocation WHERE personname = %s ORDER BY changedtai",
        ada,
    )
    session = rows(desk.owner, "SELECT session_user")[0][0]
    assert kept == [(10**6, 4, 120, session, "added"), (10**8, 4, 120, "board", "a thesis")]
    for statement in ("UPDATE service.allocation SET reason = ''", "DELETE FROM service.allocation",
                      "TRUNCATE service.allocation"):  # fmt: skip
        with pytest.raises(psycopg2.Error, match="keeps every row as it is"):
            rows(desk.owner, statement)
        desk.owner.rollback()
    with pytest.raises(NotFoundError, match="there is no person 'nobody'"):
        people.allocate(desk.owner, "nobody", "a thesis", quota=1, most_queries=1, per_minute=1)
