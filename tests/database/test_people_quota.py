"""Nobody keeps more than the quota allows, by no way of keeping rows."""

import io
import threading
import time

import psycopg2
import pytest
from people_desk import COLUMNS, content, impatient_people_of, rows

from skyledger import people, person_tables
from skyledger.errors import BusyError, LimitError, NotFoundError, PeopleError
from skyledger.person_tables import ColumnDescription


@pytest.fixture
def desk(fresh_database):
    with impatient_people_of(fresh_database) as desk:
        yield desk


@pytest.mark.requirement("UGP-06")
def test_the_quota_is_not_passed_by_any_way_of_keeping_rows(desk):
    (ada,) = desk.add("ada", quota=2_000_000)

    def used():
        found = person_tables.used_bytes(desk.service, ada)
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
    person_tables.drop_table(desk.service, f"mydb_{ada}", "plain", ada)
    desk.service.commit()
    indexed = desk.load(ada, "indexed", rows=5_000, width=1)
    assert indexed.bytes > plain.bytes + 150_000
    person_tables.drop_table(desk.service, f"mydb_{ada}", "indexed", ada)
    desk.service.commit()
    # Long values that lie beside the table: random, so that they are not compressed.
    long = person_tables.open_table(desk.service, ada, "long", COLUMNS[3:])
    with desk.service.cursor() as cursor:
        for seed in range(150):
            text = f"{seed:08x}" + "".join(
                f"{hash((seed, k)) & 0xFFFFFFFF:08x}" for k in range(2000)
            )
            cursor.copy_expert(f"COPY {long} FROM STDIN", io.StringIO(text))
    with pytest.raises(LimitError, match="no room for"):
        person_tables.seal_table(desk.service, ada, "long")
    desk.service.rollback()
    # Many tables without rows.
    many = 0
    while person_tables.used_bytes(desk.service, ada) + 131_072 + 6_000 < 2_000_000:
        desk.load(ada, f"empty_{many}", rows=0)
        many += 1
    assert many < 2_000_000 / 131_072 < 20
    with pytest.raises(LimitError, match="no room for"):
        desk.load(ada, "one_more", rows=0)
    assert used() <= 2_000_000
    for name in range(many):
        person_tables.drop_table(desk.service, f"mydb_{ada}", f"empty_{name}", ada)
    desk.service.commit()
    # Many columns without rows, or with words about them.
    for column in (
        [ColumnDescription(f"c{k}", "boolean", "boolean") for k in range(1450)],
        [ColumnDescription("c", "boolean", "boolean", description="x" * 1_800_000)],
    ):
        person_tables.open_table(desk.service, ada, "wide", column)
        person_tables.seal_table(desk.service, ada, "wide")
        desk.service.commit()
        assert used() > 1_600_000
        person_tables.drop_table(desk.service, f"mydb_{ada}", "wide", ada)
        desk.service.commit()
    # What is not sealed is not kept.
    target = person_tables.open_table(desk.service, ada, "open", COLUMNS)
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
        person_tables.seal_table(desk.service, ada, "shut")
    desk.service.rollback()
    with pytest.raises(PeopleError, match=r"already.*Drop it first"):
        desk.load(ada, "shut")


@pytest.mark.requirement("UGP-06")
def test_two_loads_at_the_same_time_do_not_pass_the_quota_together(desk, fresh_database):
    (ada,) = desk.add("ada", quota=1_000_000)
    alone = desk.load(ada, "alone", rows=5_000)
    assert 500_000 < alone.bytes < 1_000_000
    person_tables.drop_table(desk.service, f"mydb_{ada}", "alone", ada)
    desk.service.commit()
    sessions = [psycopg2.connect(fresh_database.dsn, user="skyledger_service") for _ in range(3)]
    filled, outcome = threading.Barrier(3), []

    def load(number, connection):
        target = person_tables.open_table(connection, ada, f"table_{number}", COLUMNS)
        with connection.cursor() as cursor:
            cursor.copy_expert(f"COPY {target} FROM STDIN", io.StringIO(content(5_000)))
        filled.wait(30)
        try:
            person_tables.seal_table(connection, ada, f"table_{number}", ("ra", "decl"))
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
    assert person_tables.used_bytes(desk.service, ada) <= 1_000_000
    assert len(person_tables.visible_tables(desk.service, ada)) == 1
    # Two loads of one name: the second is told at once.
    (kept,) = person_tables.visible_tables(desk.service, ada)
    person_tables.drop_table(desk.service, f"mydb_{ada}", kept.name, ada)
    desk.service.commit()
    person_tables.open_table(sessions[0], ada, "same", COLUMNS)
    with pytest.raises(BusyError, match="is being loaded"):
        person_tables.open_table(sessions[1], ada, "same", COLUMNS)
    # Rights are not changed on what was before.
    sessions[2].set_session(isolation_level="REPEATABLE READ")
    person_tables.used_bytes(sessions[2], ada)
    with pytest.raises(psycopg2.Error, match="READ COMMITTED"):
        people.add_group(sessions[2], desk.name("team"), ada)
    for session in sessions:
        session.close()
