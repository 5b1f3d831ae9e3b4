"""People and their tables through dumps, upgrades, rehearsals, lost roles and embargoes."""

import contextlib

import psycopg2
import pytest
from people_desk import people_of
from test_ledger import MJD, Desk, source_rows
from typer.testing import CliRunner

from cli import main
from skyledger import people, person_tables
from skyledger.database import connection as connections
from skyledger.database import rehearsal, schema
from skyledger.errors import PeopleError, UsageError


@pytest.fixture
def desk(fresh_database):
    with people_of(fresh_database) as desk:
        yield desk


@pytest.fixture
def shared(desk):
    """A table of ada's that bob reads as a member of a group, and everyone another."""
    ada, bob = desk.add("ada", "bob")
    team = desk.name("team")
    desk.load(ada, "stars", rows=100)
    desk.load(ada, "open")
    people.add_group(desk.service, team, ada)
    people.add_member(desk.service, team, bob, ada)
    person_tables.share_table(desk.service, f"mydb_{ada}", "stars", "group", team, ada)
    person_tables.share_table(desk.service, f"mydb_{ada}", "open", "everyone", None, ada)
    desk.service.commit()
    return ada, bob


def rows(connection, query, *values):
    with connection.cursor() as cursor:
        cursor.execute(query, values or None)
        return cursor.fetchall() if cursor.description else None


def listed(desk, who):
    found = person_tables.visible_tables(desk.service, who)
    desk.service.rollback()
    return found


@pytest.mark.requirement("UGP-02", "GEN-20")
def test_a_dump_brings_people_tables_and_rights_along_and_can_be_upgraded(
    desk, shared, fresh_database, empty_database
):
    ada, bob = shared
    rehearsal._copy(fresh_database.dsn, empty_database.dsn)
    with people_of(empty_database) as copy:
        assert schema.upgrade(copy.owner) is False
        for who in shared:
            assert listed(copy, who) == listed(desk, who)
            assert copy.ask(who, f"SELECT sum(starid) FROM mydb_{ada}.stars") == [(4950,)]
        # A comparison with a new database knows nothing of people's tables.
        assert not [name for name in schema._live(copy.owner) if "mydb" in name]
        assert rows(copy.owner, "SELECT * FROM ledger.audit()") == []
        copy.owner.rollback()
        # An upgrade of the copy, as a rehearsal makes it: as after a change of the software.
        rows(copy.owner, "UPDATE ledger.replayed SET sha256 = 'old' WHERE position = 0")
        copy.owner.commit()
        assert schema.upgrade(copy.owner) is True
        assert all(copy.reads(who, f"mydb_{ada}.stars") for who in shared)
        # Both go on by themselves, though the roles are the same.
        people.disable_person(copy.owner, bob)
        copy.owner.commit()
        assert not copy.reads(bob, f"mydb_{ada}.stars")
        assert desk.reads(bob, f"mydb_{ada}.stars")


@pytest.mark.requirement("UGP-02")
def test_going_back_to_before_there_were_people_takes_their_tables(desk, shared):
    ada, _ = shared
    schema.downgrade(desk.owner, "ask_the_sky")
    assert rows(desk.owner, "SELECT to_regnamespace(%s), to_regclass('service.person')",
                f"mydb_{ada}") == [(None, None)]  # fmt: skip
    desk.owner.rollback()
    schema.upgrade(desk.owner)
    desk.add("new")
    assert not any(listed(desk, who) for who in shared)


@pytest.mark.requirement("UGP-01")
def test_roles_that_a_restore_has_lost_are_made_again(desk, shared):
    ada, bob = shared
    for who in shared:
        rows(desk.owner, f"DROP OWNED BY mydb_{who}; DROP ROLE mydb_{who}")
    rows(desk.owner, f"REVOKE ALL ON SCHEMA mydb_{ada} FROM skyledger_service, skyledger_reader")
    rows(desk.owner, f"GRANT SELECT ON mydb_{ada}.stars TO PUBLIC")
    desk.owner.commit()
    assert schema.upgrade(desk.owner) is False
    assert all(desk.reads(who, f"mydb_{ada}.stars") for who in shared)
    assert rows(desk.owner, "SELECT has_table_privilege('skyledger_user', %s, 'SELECT')",
                f"mydb_{ada}.stars") == [(False,)]  # fmt: skip
    desk.owner.rollback()
    assert desk.load(bob, "more").rows == 10
    # A role of that name which is nobody's is not taken.
    name = desk.name("zoe")
    rows(desk.owner, f"CREATE ROLE mydb_{name} SUPERUSER")
    with pytest.raises(PeopleError, match="is there and is no person's"):
        people.add_person(desk.owner, name)
    desk.owner.rollback()
    rows(desk.owner, f"CREATE SCHEMA mydb_{name}")
    with pytest.raises(PeopleError, match="there is a schema"):
        people.add_person(desk.owner, name)


@pytest.mark.requirement("UGP-07", "GEN-21")
def test_an_embargo_holds_for_one_person_and_no_other(desk, fresh_database):
    ada, bob = desk.add("ada", "bob")
    rows(desk.owner, "UPDATE ledger.epoch SET epochtai = epochtai - interval '200 hours' "
                     "WHERE kind = 'created'")  # fmt: skip
    desk.owner.commit()
    ledger = Desk(desk.owner)
    for k, hours in ((1, 100), (2, 10)):
        rows(desk.owner, "SELECT set_config('skyledger.clock_offset', %s, false)",
             f"-{hours} hours")  # fmt: skip
        desk.owner.commit()
        ledger.publish(k, source_rows(k, [10.0], [0.0], [100.0 * k], MJD + k), MJD + k)
    rows(desk.owner, "RESET skyledger.clock_offset")
    desk.load(bob, "stars")
    person_tables.share_table(desk.service, f"mydb_{bob}", "stars", "person", ada, bob)
    desk.service.commit()
    count = "SELECT count(*) FROM prompt.DIASource"
    try:
        rows(desk.owner, "SELECT ledger.set_embargo(%s, 48)", f"mydb_{ada}")
        desk.owner.commit()
        assert (desk.ask(ada, count), desk.ask(bob, count)) == ([(1,)], [(2,)])
        horizons = [desk.ask(who, "SELECT ledger.horizon()") for who in (ada, bob)]
        assert horizons[0] < horizons[1]
        for relation in ("prompt_live.DIASource", "prompt_history.DIASource", "ledger.epoch"):
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                desk.ask(ada, f"SELECT count(*) FROM {relation}")
        with pytest.raises(psycopg2.Error, match="under embargo"):
            desk.ask(ada, "SELECT count(*) FROM prompt_at.DIASource(%s)", horizons[1][0][0])
        # Tables of people are no part of it, and upgrades give nothing back.
        assert desk.reads(ada, f"mydb_{bob}.stars")
        assert schema.upgrade(desk.owner) is False
        assert desk.ask(ada, count) == [(1,)]
        rows(desk.owner, "SELECT ledger.set_embargo(%s, 0)", f"mydb_{ada}")
        desk.owner.commit()
        assert desk.ask(ada, count) == [(2,)]
    finally:
        desk.owner.rollback()
        rows(desk.owner, f"GRANT TEMPORARY ON DATABASE {fresh_database.name} TO PUBLIC")
        desk.owner.commit()


def test_the_command_line(desk, fresh_database, monkeypatch):
    for name, value in fresh_database.environment.items():
        monkeypatch.setenv(name, value)
    ada, bob, team = desk.name("ada"), desk.name("bob"), desk.name("team")

    def command(*words):
        done = CliRunner().invoke(main.build("people"), ["people", *words])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, done.output
        return done.stdout

    assert "nobody has an account" in command("list")
    assert f"skyledger people token {ada}" in command("add", ada, "--quota", "1.5GB")
    command("add", bob, "--operator", "--full-name", "Bob", "--queries", "9", "--per-minute", "7")
    token = command("token", ada, "--label", "laptop", "--days", "3").strip()
    assert people.sign_in(desk.service, token).quota == 1_500_000_000
    desk.service.commit()
    assert "1.5 GB; 4 queries at once, 120 a minute; tokens: laptop" in command("list")
    assert token not in command("list", "--json")
    command("allocate", ada, "--quota", "20GB", "--reason", "a thesis")
    assert "0 B of 20 GB; 4 queries" in command("list")
    command("revoke", ada, "laptop")
    assert people.sign_in(desk.service, token) is None
    desk.service.commit()
    assert "there is no group" in command("group", "list")
    command("group", "add", team, "--owner", ada)
    command("group", "join", team, bob)
    assert f"{team:16s} of {ada}: {ada}, {bob}" in command("group", "list")
    command("group", "leave", team, bob)
    assert bob not in command("group", "list", "--json")
    command("group", "drop", team)
    command("disable", ada)
    assert "shut out since" in command("list")
    command("enable", ada)
    for words, error, reason in (
        (("add", "Ada"), PeopleError, "cannot be the name of a person"),
        (("add", "eve", "--quota", "much"), UsageError, "a quota of 'much' is not understood"),
        (("allocate", ada, "--reason", "none"), UsageError, "nothing is to change"),
        (("token", ada, "--days", "0"), PeopleError, "cannot live 0 days"),
    ):
        with pytest.raises(error, match=reason):
            command(*words)
    # The login that asks for people is there for the service.
    with contextlib.closing(connections.connect_member()) as opened:
        assert opened.info.user == "skyledger_member"
