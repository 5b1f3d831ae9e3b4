"""The load path: who may load what, what is refused, and that nothing piles up."""

import threading
import time

import numpy as np
import psycopg2
import pytest

from ingest.staging import join, slot, stage
from skyledger import dictionary, ids
from skyledger.errors import DatabaseError, DataRejectedError
from tests.database.test_ledger import MJD, NIGHT, Desk, ccd_visit_row, source_rows

DD = dictionary.shipped()
VISIT = ids.visit_id(NIGHT, 1)


@pytest.fixture
def desk(fresh_database):
    connection = fresh_database.connect()
    yield Desk(connection)
    connection.close()


def open_batch(connection, number, detectors="{0}", run="test", visit=VISIT):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT * FROM ledger.open_batch('visit', %s, %s::smallint[], %s, %s::smallint)",
            (visit, detectors, run, number),
        )
        return cursor.fetchone()


def wait_until_gone(connection, pid):
    """Until the server has ended the session `pid`: closing a connection does not wait for that."""
    deadline = time.monotonic() + 30
    with connection.cursor() as cursor:
        while time.monotonic() < deadline:
            cursor.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", (pid,))
            if cursor.fetchone() is None:
                connection.commit()
                return
            connection.commit()  # the view is read once a transaction
            time.sleep(0.02)
    raise AssertionError(f"session {pid} did not end within 30 s")


def forced_rows(objects, n=3, first=1, **changed):
    ccd = ids.ccd_visit_id(VISIT, 0)
    rows = {
        "diaForcedSourceId": ids.source_ids(1, ccd, np.arange(first, first + n)),
        "ccdVisitId": np.full(n, ccd),
        "visitId": np.full(n, VISIT),
        "detector": np.zeros(n, int),
        "diaObjectId": np.resize(objects, n),
        "midPointTai": np.full(n, MJD),
        "psFlux": np.full(n, 5.0),
        "psFluxErr": np.full(n, 1.0),
        "ra": np.full(n, 10.0),
        "decl": np.full(n, 0.0),
        "templateId": np.full(n, 7),
        "flags": np.zeros(n, int),
    }
    return rows | changed


# ------------------------------------------------------------------------- two sessions, one visit


@pytest.mark.requirement("L1DB-02")
def test_of_two_living_sessions_one_gets_a_detector_and_the_other_is_told(fresh_database):
    first, second = fresh_database.connect(), fresh_database.connect()
    with slot(first) as here, slot(second) as there:
        batch, detectors = open_batch(first, here, "{0,1}")
        first.commit()
        assert detectors == [0, 1]
        for run in ("test", "another"):
            with pytest.raises(psycopg2.errors.LockNotAvailable) as told:
                open_batch(second, there, "{1,2}", run)
            second.rollback()
            assert "is being published by another session: detector 1 by batch" in str(told.value)
            assert "try again" in str(told.value)
        # Another detector of the visit is free.
        assert open_batch(second, there, "{2}")[1] == [2]
        second.commit()
        # The session itself may try again: what it had opened before is given up.
        assert open_batch(first, here, "{0,1}")[1] == [0, 1]
        first.commit()
        with first.cursor() as cursor:
            cursor.execute("SELECT state, reason FROM ledger.batch WHERE batchid = %s", (batch,))
            assert cursor.fetchone() == ("failed", "its session ended before the publication")
    first.close()
    second.close()


@pytest.mark.requirement("L1DB-02")
def test_two_sessions_at_the_same_moment_do_not_both_claim(fresh_database):
    got = []
    barrier = threading.Barrier(2)

    def claim():
        connection = fresh_database.connect()
        with slot(connection) as number:
            barrier.wait(20)
            try:
                got.append(open_batch(connection, number)[1])
                connection.commit()
            except psycopg2.errors.LockNotAvailable:
                connection.rollback()
                got.append("told")
            barrier.wait(20)
        connection.close()

    threads = [threading.Thread(target=claim) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(map(str, got)) == ["[0]", "told"]


@pytest.mark.requirement("L1DB-02")
def test_what_a_killed_session_has_claimed_is_taken_over(fresh_database):
    """Its slot is not looked at by anybody in between: the claim alone is judged."""
    killed, heir, other = (fresh_database.connect() for _ in range(3))
    with slot(killed) as number:
        batch, _ = open_batch(killed, number)
        stage(killed, DD["DIASource"], source_rows(1, [10.0], [0.0], [500.0]), number)
        killed.commit()
        with other.cursor() as cursor, slot(heir) as there:
            assert there != number
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", (killed.info.backend_pid,))
            assert cursor.fetchone() == (True,)
            assert open_batch(heir, there)[1] == [0]
            heir.commit()
            cursor.execute("SELECT state FROM ledger.batch WHERE batchid = %s", (batch,))
            assert cursor.fetchone() == ("failed",)
            cursor.execute("SELECT attempts, state FROM ledger.delivery")
            assert cursor.fetchall() == [(2, "open")]
            other.commit()
    with slot(other) as again, other.cursor() as cursor:
        assert again == number  # free again, and what the dead one left is gone
        cursor.execute("SELECT count(*) FROM staging.diasource")
        assert cursor.fetchone() == (0,)
    heir.close()
    other.close()


@pytest.mark.parametrize(
    ("visit", "detectors", "run"),
    [(VISIT, "{0}", ""), (VISIT, "{0}", None), (VISIT, "{0,NULL}", "test"), (None, "{0}", "test"),
     (VISIT, None, "test")],
)  # fmt: skip
def test_a_broken_token_is_refused(desk, visit, detectors, run):
    with pytest.raises(psycopg2.errors.InvalidParameterValue, match="not the token of a delivery"):
        open_batch(desk.connection, 0, detectors, run, visit)


# ------------------------------------------------------------------- detectors copied side by side


@pytest.mark.requirement("L1DB-02")
def test_sessions_copy_detectors_side_by_side_and_one_publishes(fresh_database):
    owner = fresh_database.connect()
    desk = Desk(owner)
    desk.all("SELECT ledger.ensure_partitions(%s, %s)", MJD, MJD)
    with owner.cursor() as cursor:
        cursor.execute("SELECT ledger.ensure_partitions(%s, %s)", (MJD, MJD))
    owner.commit()
    with slot(owner) as number:
        batch, _ = open_batch(owner, number, "{0,1,2}")
        owner.commit()

        def copy(detector):
            connection = fresh_database.connect()
            frame = ccd_visit_row(1)
            rows = source_rows(1, [10.0 + detector], [0.0], [500.0])
            ccd = ids.ccd_visit_id(VISIT, detector)
            for one in (frame, rows):
                one["detector"], one["ccdVisitId"] = np.array([detector]), np.array([ccd])
            rows["diaSourceId"] = ids.source_ids(1, ccd, np.array([1]))
            at = join(connection, batch)
            stage(connection, DD["CcdVisit"], frame, at)
            stage(connection, DD["DIASource"], rows, at)
            connection.commit()
            connection.close()

        threads = [threading.Thread(target=copy, args=(d,)) for d in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        with owner.cursor() as cursor:
            cursor.execute("SELECT staging.validate(%s::smallint, %s)", (number, batch))
            assert cursor.fetchone() == (0,)
            cursor.execute("SELECT * FROM staging.associate(%s::smallint)", (number,))
            cursor.execute("SELECT staging.characterize(%s::smallint)", (number,))
            cursor.execute("SELECT ledger.publish(%s)", (batch,))
        owner.commit()
    assert desk.one("SELECT count(*) FROM prompt_live.DIASource") == 3
    assert desk.one("SELECT count(DISTINCT createdTai) FROM prompt_history.DIASource") == 1
    late = fresh_database.connect()
    with pytest.raises(DataRejectedError, match="takes no rows: it is published"):
        join(late, batch)
    late.rollback()
    with pytest.raises(DataRejectedError, match="takes no rows: there is none"):
        join(late, 10**9)
    late.close()
    owner.close()


def test_a_slot_is_not_emptied_under_a_session_that_copies_into_it(fresh_database):
    """The rows of one that dies late would otherwise appear in the next visit of the slot."""
    owner, helper, next_one = (fresh_database.connect() for _ in range(3))
    with slot(owner) as number:
        batch, _ = open_batch(owner, number)
        owner.commit()
        assert join(helper, batch) == number
        stage(helper, DD["DIASource"], source_rows(1, [10.0], [0.0], [500.0]), number)
        pid = owner.info.backend_pid
        owner.close()  # dies
        wait_until_gone(next_one, pid)  # or the next one would find its slot taken and use another
        found = []

        def take():
            with slot(next_one) as taken, next_one.cursor() as cursor:
                cursor.execute("SELECT count(*) FROM staging.diasource")
                found.append((taken, cursor.fetchone()[0]))

        thread = threading.Thread(target=take)
        thread.start()
        thread.join(0.5)
        assert thread.is_alive()  # it waits
        helper.commit()
        thread.join(30)
        assert found == [(number, 0)]
        with pytest.raises(DataRejectedError, match="it is failed"):
            join(helper, batch)
    helper.close()
    next_one.close()


# --------------------------------------------------------------------------------- what is refused


@pytest.mark.requirement("L1DB-02")
def test_measurements_that_cannot_be_are_refused_one_by_one(desk):
    desk.publish(1, source_rows(1, [10.0, 10.1], [0.0, 0.0], [500.0, 600.0]))
    objects = [o for (o,) in desk.all("SELECT diaObjectId FROM prompt_live.DIAObject")]
    rows = source_rows(2, np.full(9, 10.0) + np.arange(9) / 10, np.full(9, 1.0), np.full(9, 500.0))
    ccd = ids.ccd_visit_id(ids.visit_id(NIGHT, 2), 0)
    rows["psFlux"][1] = np.nan
    rows["psFlux"][2] = np.inf
    rows["decl"][3] = 90.5
    rows["diaSourceId"][4] = rows["diaSourceId"][0]
    rows["diaSourceId"][5] = ids.source_ids(1, ids.ccd_visit_id(VISIT, 0), np.array([1]))[0]
    rows["ccdVisitId"][6] = ccd + 1
    rows["diaSourceId"][7] = ids.source_ids(2, ccd, np.array([8]))[0]
    month = ids.ccd_visit_id(ids.visit_id(NIGHT - 100, 2), 0)
    rows["diaSourceId"][8] = ids.source_ids(1, month, np.array([9]))[0]
    # A first row broken is found as surely as the last.
    desk.publish(2, rows)
    reasons = [r for (r,) in desk.all("SELECT reason FROM ledger.rejected ORDER BY rejectedid")]
    for said in (
        "psFlux = NaN is not a finite number",
        "psFlux = Infinity is not a finite number",
        "decl = 90.5 is above 90",
        "duplicate of an earlier row: diaSourceId = ",
        "is in the database already",
        f"ccdVisitId {ccd + 1} is unknown",
        "is not an id of this database",
        f"is of another month than midPointTai = {MJD}",
    ):
        assert sum(said in reason for reason in reasons) == 1, (said, reasons)
    assert len(reasons) == 8
    assert desk.one("SELECT count(*) FROM prompt_live.DIASource") == 3
    assert desk.one("SELECT max(nRejected) FROM ledger.batch") == 8
    # Forced measurements likewise: one known id, one without its error.
    visit = ids.visit_id(NIGHT, 3)
    ccd = ids.ccd_visit_id(visit, 0)
    forced = forced_rows(objects, n=4)
    forced |= {
        "ccdVisitId": np.array([ccd, ccd, ccd + 1, ccd]),
        "visitId": np.full(4, visit),
        "diaForcedSourceId": ids.source_ids(1, ccd, np.array([1, 2, 3, 2])),
    }
    forced["psFluxErr"] = np.ma.MaskedArray(np.ones(4), mask=[True, False, False, False])
    with slot(desk.connection) as number, desk.connection.cursor() as cursor:
        batch = desk.stage(number, 3, source_rows(3, [10.0], [2.0], [500.0]))
        stage(desk.connection, DD["DIAForcedSource"], forced, number)
        cursor.execute("SELECT staging.validate_diaforcedsource(%s::smallint, %s)", (number, batch))
        assert cursor.fetchone() == (3,)
        cursor.execute("SELECT reason FROM ledger.rejected WHERE batchid = %s", (batch,))
        reasons = " | ".join(sorted(r for (r,) in cursor.fetchall()))
        assert "breaks the rule (psFlux IS NULL) = (psFluxErr IS NULL)" in reasons
        assert "duplicate of an earlier row" in reasons
        assert f"ccdVisitId {ccd + 1} is unknown" in reasons
        desk.connection.rollback()


@pytest.mark.requirement("L1DB-02")
@pytest.mark.parametrize("name", ["DIASource", "DIAObject", "DIAForcedSource", "CcdVisit"])
def test_every_number_that_is_not_finite_or_in_range_is_found(desk, name):
    """Each column in turn: the one pass must suspect whatever the reasons would name."""
    relation = DD[name]
    bad = []
    for column in relation.columns:
        if column.type in {"real", "double precision"}:
            bad += [(column.sql_name, value) for value in ("NaN", "Infinity", "-Infinity")]
        if column.type in {"real[]", "double precision[]"}:
            size = int(np.prod(column.shape))
            bad.append((column.sql_name, "{" + ",".join(["0"] * (size - 1) + ["NaN"]) + "}"))
            bad.append((column.sql_name, "{1}"))
        if column.minimum is not None:
            bad.append((column.sql_name, str(int(column.minimum) - 1)))
        if column.maximum is not None:
            bad.append((column.sql_name, str(int(column.maximum) + 1)))
    assert len(bad) > 10
    with desk.connection.cursor() as cursor:
        for k, (column, value) in enumerate(bad):
            cursor.execute(f"DELETE FROM staging.{relation.sql_name}")
            cursor.execute(
                f"INSERT INTO staging.{relation.sql_name} (slot, {column}) VALUES (3, %s)", (value,)
            )
            cursor.execute(f"SELECT staging.validate_{relation.sql_name}(3::smallint, %s)", (k,))
            assert cursor.fetchone() == (1,), (column, value)
        cursor.execute("SELECT batchid, reason FROM ledger.rejected")
        reasons = dict(cursor.fetchall())
    for k, (column, _) in enumerate(bad):
        assert f"{column} = " in reasons[k].lower(), (column, reasons[k])
    desk.connection.rollback()


@pytest.mark.requirement("L1DB-02")
def test_one_bad_ccd_visit_takes_along_only_what_was_measured_on_it(desk):
    good, bad = ids.ccd_visit_id(VISIT, 0), ids.ccd_visit_id(VISIT, 1)
    frame = {k: np.concatenate([v, v]) for k, v in ccd_visit_row(1).items()}
    frame["ccdVisitId"], frame["detector"] = np.array([good, bad]), np.array([0, 1])
    frame["airmass"] = np.array([1.2, 0.2])
    rows = source_rows(1, [10.0, 10.1], [0.0, 0.0], [500.0, 600.0])
    rows["ccdVisitId"] = np.array([good, bad])
    rows["diaSourceId"][1] = ids.source_ids(1, bad, np.array([1]))[0]
    with slot(desk.connection) as number, desk.connection.cursor() as cursor:
        stage(desk.connection, DD["CcdVisit"], frame, number)
        stage(desk.connection, DD["DIASource"], rows, number)
        cursor.execute("SELECT staging.validate(%s::smallint, 1)", (number,))
        assert cursor.fetchone() == (2,)
        cursor.execute("SELECT relation, reason FROM ledger.rejected ORDER BY rejectedid")
        assert cursor.fetchall() == [
            ("CcdVisit", "airmass = 0.2 is below 0.99"),
            ("DIASource", f"ccdVisitId {bad} is unknown"),
        ]
        cursor.execute("SELECT diasourceid FROM staging.diasource")
        assert cursor.fetchall() == [(int(rows["diaSourceId"][0]),)]
        desk.connection.rollback()


def test_a_staging_table_of_another_layout(desk):
    rows = source_rows(1, [10.0], [0.0], [500.0])
    with slot(desk.connection) as number, desk.connection.cursor() as cursor:
        # Columns of somebody else, and in another order, do no harm: each is named.
        cursor.execute("ALTER TABLE staging.diasource ADD COLUMN strange text")
        cursor.execute("ALTER TABLE staging.diasource DROP COLUMN psflux")
        cursor.execute("ALTER TABLE staging.diasource ADD COLUMN psflux real")
        assert stage(desk.connection, DD["DIASource"], rows, number) == 1
        cursor.execute("SELECT psflux, ra FROM staging.diasource")
        assert cursor.fetchall() == [(500.0, 10.0)]
        cursor.execute("ALTER TABLE staging.diasource ALTER COLUMN psflux TYPE float8")
        with pytest.raises(DatabaseError, match=r"psflux is double precision, but .* writes real"):
            stage(desk.connection, DD["DIASource"], rows, number)
        cursor.execute("ALTER TABLE staging.diasource DROP COLUMN psflux")
        with pytest.raises(DatabaseError, match=r"psflux is not there.*skyledger db upgrade"):
            stage(desk.connection, DD["DIASource"], rows, number)
        desk.connection.rollback()


# -------------------------------------------------------------------------------- what stays behind


@pytest.mark.requirement("GEN-19")
def test_a_publication_is_on_disk_whatever_the_session_says(desk):
    with slot(desk.connection) as number, desk.connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
        desk.connection.commit()
        batch = desk.stage(number, 1, source_rows(1, [10.0], [0.0], [500.0]))
        cursor.execute("SHOW synchronous_commit")
        assert cursor.fetchone() == ("off",)
        cursor.execute("SELECT ledger.publish(%s)", (batch,))
        cursor.execute("SHOW synchronous_commit")
        assert cursor.fetchone() == ("on",)
        desk.connection.commit()
        cursor.execute("SHOW synchronous_commit")
        assert cursor.fetchone() == ("off",)


def test_a_slot_grows_no_further_and_gives_back_what_is_unusual(desk, monkeypatch):
    n = 300

    def room(visit):
        rows = source_rows(visit, 10 + np.arange(n) / 100, np.full(n, 0.0), np.full(n, 500.0))
        desk.publish(visit, rows)
        return desk.all(
            "SELECT relname, pg_relation_size(oid) FROM pg_class WHERE relkind = 'r' "
            "AND relnamespace = 'staging'::regnamespace AND pg_relation_size(oid) > 0"
        )

    room(1)  # objects of one source have fewer columns filled
    second = sum(size for _, size in room(2))
    assert second > 0
    # Copying looks for pages that are free, and may pass over one or two.
    assert all(sum(size for _, size in room(visit)) <= second + 4 * 8192 for visit in range(3, 7))
    monkeypatch.setattr("ingest.staging._KEPT", 0)
    assert room(7) == []
