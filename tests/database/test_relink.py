"""Re-linking and withdrawal: new versions in one epoch, objects recomputed, closed or kept."""

import threading

import numpy as np
import psycopg2
import pytest
from test_ledger import DD, MJD, NIGHT, Desk, source_rows

from ingest.staging import slot, stage
from skyledger import ids

ORPHAN_KEPT = 1


def forced_rows(sequence, objects, flux, mjd=MJD, first=1, ra=10.0):
    visit = ids.visit_id(ids.night_of(mjd), sequence)
    ccd = ids.ccd_visit_id(visit, 0)
    n = len(objects)
    return {
        "diaForcedSourceId": ids.source_ids(1, ccd, np.arange(first, first + n)),
        "ccdVisitId": np.full(n, ccd),
        "visitId": np.full(n, visit),
        "detector": np.zeros(n, int),
        "templateId": np.full(n, 7),
        "diaObjectId": np.asarray(objects, int),
        "midPointTai": np.full(n, mjd),
        "ra": np.full(n, ra),
        "decl": np.zeros(n),
        "psFlux": np.asarray(flux, float),
        "psFluxErr": np.full(n, 10.0),
        "totFlux": np.asarray(flux, float) + 1000,
        "totFluxErr": np.full(n, 10.0),
        "flags": np.zeros(n, int),
    }


class Owner(Desk):
    """A desk that also forces, re-links and withdraws."""

    def publish_forced(self, sequence, rows, objects, flux, mjd=MJD, ra=10.0):
        """Publish a visit with sources and forced measurements of stored objects."""
        forced = forced_rows(sequence, objects, flux, mjd, ra=ra)
        return self.publish(sequence, rows, mjd, forced)

    def change(self, statement, *values):
        with self.connection.cursor() as cursor:
            cursor.execute(statement, values)
            found = cursor.fetchone()[0]
        self.connection.commit()
        return found

    def withdraw(self, sequence, mjd=MJD, reason="clouds"):
        visit = ids.visit_id(ids.night_of(mjd), sequence)
        return self.change("SELECT ledger.withdraw(%s, %s)", visit, reason)

    def relink(self, sources, ssobjects=None, objects=None, chunk_size=5000):
        self.connection.autocommit = True
        try:
            with self.connection.cursor() as cursor:
                cursor.execute(
                    "CALL ledger.relink(%s, %s::bigint[], %s::bigint[], %s)",
                    (sources, ssobjects, objects, chunk_size),
                )
                return cursor.fetchone()[0]
        finally:
            self.connection.autocommit = False


@pytest.fixture
def desk(fresh_database):
    connection = fresh_database.connect()
    yield Owner(connection)
    connection.close()


def objects(desk, form="prompt_live.diaobject", *values):
    return desk.all(
        f"SELECT diaobjectid, ndiasources, rpsfluxmean, rpsfluxndata, flags & 1, "
        f"rpsforcedfluxmean FROM {form} ORDER BY ra",
        *values,
    )


@pytest.mark.requirement("GEN-20", "SSO-05")
def test_a_source_linked_to_an_ssobject_leaves_its_object_and_earlier_answers_stay(desk):
    desk.publish(1, source_rows(1, [10.0, 20.0], [0.0, 0.0], [100.0, 500.0]))
    before = desk.publish(2, source_rows(2, [10.0], [0.0], [300.0], MJD + 1), MJD + 1)
    first, alone = (r[0] for r in objects(desk))
    moved = [
        r[0]
        for r in desk.all(
            "SELECT diasourceid FROM prompt.diasource WHERE psflux IN (300, 500) ORDER BY psflux"
        )
    ]
    assert desk.relink(moved, [77, 78]) == 1
    assert objects(desk) == [(first, 1, 100.0, 1, 0, None)]
    assert desk.all(
        "SELECT psflux, diaobjectid, ssobjectid FROM prompt.diasource ORDER BY psflux"
    ) == [(100.0, first, None), (300.0, None, 77), (500.0, None, 78)]
    # As of the epoch before, everything is as it was.
    assert [r[1:4] for r in objects(desk, "prompt_at.diaobject(%s)", before)] == [
        (2, 200.0, 2),
        (1, 500.0, 1),
    ]
    assert desk.all(
        "SELECT psflux, diaobjectid, ssobjectid FROM prompt_at.diasource(%s) ORDER BY psflux",
        before,
    ) == [(100.0, first, None), (300.0, first, None), (500.0, alone, None)]
    # A change is no new row: its first epoch stays.
    assert (
        desk.one("SELECT count(*) FROM prompt_live.diasource WHERE insertedtai > %s", before) == 0
    )
    assert desk.one("SELECT kind FROM ledger.epoch ORDER BY epochtai DESC LIMIT 1") == "relink"
    # Once more: nothing is left to do, and no version is made.
    horizon = desk.one("SELECT ledger.horizon()")
    assert desk.relink(moved, [77, 78]) == 0
    assert desk.one("SELECT ledger.horizon()") == horizon


def test_sources_linked_to_another_object_merge_the_two(desk):
    desk.publish(1, source_rows(1, [10.0], [0.0], [100.0]))
    desk.publish(2, source_rows(2, [10.001], [0.0], [300.0], MJD + 1), MJD + 1)
    target, lost = (r[0] for r in objects(desk))
    source = desk.one("SELECT diasourceid FROM prompt.diasource WHERE diaobjectid = %s", lost)
    desk.relink([source], None, [target])
    assert objects(desk) == [(target, 2, 200.0, 2, 0, None)]
    # Two equal errors: the position is half-way.
    assert desk.one("SELECT ra FROM prompt.diaobject") == pytest.approx(10.0005, abs=1e-9)


@pytest.mark.requirement("SSO-05")
def test_an_object_with_forced_photometry_is_kept_and_flagged_then_freed_by_a_new_source(desk):
    desk.publish(1, source_rows(1, [10.0], [0.0], [100.0]))
    kept = desk.one("SELECT diaobjectid FROM prompt.diaobject")
    rows = source_rows(2, [20.0], [0.0], [50.0], MJD + 1)
    desk.publish_forced(2, rows, [kept], [120.0], MJD + 1)
    source = desk.one("SELECT diasourceid FROM prompt.diasource WHERE diaobjectid = %s", kept)
    desk.relink([source], [77])
    found = next(r for r in objects(desk) if r[0] == kept)
    assert found == (kept, 0, None, None, ORPHAN_KEPT, 120.0)
    assert desk.one("SELECT ra FROM prompt.diaobject WHERE diaobjectid = %s", kept) == 10.0
    desk.publish(3, source_rows(3, [10.0], [0.0], [200.0], MJD + 2), MJD + 2)
    found = next(r for r in objects(desk) if r[0] == kept)
    assert found == (kept, 1, 200.0, 1, 0, 120.0)


@pytest.mark.requirement("GEN-19", "GEN-20")
def test_a_withdrawn_visit_is_as_if_never_delivered_and_can_be_delivered_again(desk):
    first = desk.publish(1, source_rows(1, [10.0], [0.0], [100.0]))
    state = objects(desk)
    kept = state[0][0]
    rows = source_rows(2, [10.0, 20.0], [0.0, 0.0], [300.0, 50.0], MJD + 1)
    second = desk.publish_forced(2, rows, [kept], [280.0], MJD + 1)
    both = objects(desk)
    ended = desk.withdraw(2, MJD + 1)
    assert ended > second
    assert objects(desk) == state
    assert objects(desk, "prompt_at.diaobject(%s)", second) == both
    assert objects(desk, "prompt_at.diaobject(%s)", first) == state
    for relation, n in (("diasource", 1), ("diaforcedsource", 0), ("ccdvisit", 1)):
        assert desk.one(f"SELECT count(*) FROM prompt_live.{relation}") == n, relation
    visit = ids.visit_id(ids.night_of(MJD + 1), 2)
    assert desk.all("SELECT state, reason FROM ledger.delivery WHERE visitid = %s", visit) == [
        ("failed", "withdrawn: clouds")
    ]
    with pytest.raises(psycopg2.Error, match="is not in the database"):
        desk.withdraw(2, MJD + 1)
    desk.connection.rollback()
    again = source_rows(2, [10.0], [0.0], [310.0], MJD + 1, first=10)
    desk.publish(2, again, MJD + 1)
    assert [r[1:4] for r in objects(desk)] == [(2, 205.0, 2)]
    assert objects(desk, "prompt_at.diaobject(%s)", second) == both


def test_single_sources_are_withdrawn_and_orphans_without_forced_photometry_closed(desk):
    desk.publish(1, source_rows(1, [10.0, 20.0], [0.0, 0.0], [100.0, 200.0]))
    source = desk.one("SELECT diasourceid FROM prompt.diasource WHERE psflux = 100")
    desk.change("SELECT ledger.withdraw_sources(%s, 'artifact')", [source])
    assert [r[2] for r in objects(desk)] == [200.0]
    assert desk.one("SELECT reason FROM ledger.batch WHERE kind = 'withdrawal'") == "artifact"
    with pytest.raises(psycopg2.Error, match="is not in the database"):
        desk.change("SELECT ledger.withdraw_sources(%s, 'artifact')", [source])


def test_chunks_are_closed_over_shared_owners_and_publish_one_by_one(desk):
    n = 12
    ra = 10.0 + np.arange(n)
    desk.publish(1, source_rows(1, ra, np.zeros(n), np.full(n, 100.0)))
    desk.publish(2, source_rows(2, ra, np.zeros(n), np.full(n, 200.0), MJD + 1), MJD + 1)
    sources = [r[0] for r in desk.all("SELECT diasourceid FROM prompt.diasource ORDER BY 1")]
    # One SSObject for every two neighbouring objects, so closed sets of four sources.
    owners = [1000 + (k % n) // 2 for k in range(2 * n)]
    chunks = desk.all(
        "SELECT sources, ssobjects FROM ledger.relink_chunks(%s, %s, NULL, 5)", sources, owners
    )
    assert sorted(s for chunk, _ in chunks for s in chunk) == sources
    assert sum(len(set(who)) for _, who in chunks) == len(set(owners))
    before = desk.one("SELECT count(*) FROM ledger.epoch")
    assert desk.relink(sources, owners, chunk_size=5) == len(chunks) > 2
    assert desk.one("SELECT count(*) FROM ledger.epoch") == before + len(chunks)
    assert objects(desk) == []
    assert desk.one("SELECT count(*) FROM prompt.diasource WHERE ssobjectid IS NULL") == 0


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (([1], [5], [6]), "either an SSObject or a DIAObject"),
        (([1], None, None), "either an SSObject or a DIAObject"),
        (([1, 1], [5, 6], None), "given twice"),
        (([1], [5], None, 0), "chunk_size is 0"),
        (([1], [5], None), "diaSourceId 1 is not in the database"),
    ],
)
def test_a_relinking_that_makes_no_sense_is_refused(desk, arguments, reason):
    with pytest.raises(psycopg2.Error, match=reason):
        desk.relink(*arguments)


def test_operators_relink_and_withdraw_readers_do_not(desk):
    desk.publish(1, source_rows(1, [10.0, 20.0], [0.0, 0.0], [100.0, 200.0]))
    one, two = (r[0] for r in desk.all("SELECT diasourceid FROM prompt.diasource ORDER BY 1"))
    calls = (
        ("CALL ledger.relink(%s, %s)", ([one], [77])),
        ("SELECT ledger.withdraw_sources(%s, %s)", ([two], "artifact")),
        ("SELECT ledger.withdraw(%s, %s)", (ids.visit_id(NIGHT, 1), "clouds")),
    )
    desk.connection.autocommit = True
    with desk.connection.cursor() as cursor:
        cursor.execute("SET ROLE skyledger_reader")
        for call in calls:
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                cursor.execute(*call)
        cursor.execute("RESET ROLE; SET ROLE skyledger_ingest")
        for call in calls:
            cursor.execute(*call)
        cursor.execute("SELECT count(*) FROM prompt_live.diasource")
        assert cursor.fetchone() == (0,)


def test_a_target_that_is_not_there_is_refused(desk):
    desk.publish(1, source_rows(1, [10.0], [0.0], [100.0]))
    source = desk.one("SELECT diasourceid FROM prompt.diasource")
    with pytest.raises(psycopg2.Error, match="diaObjectId 5 is not in the database"):
        desk.relink([source], None, [5])
    assert [r[1] for r in objects(desk)] == [1]


@pytest.mark.requirement("DIA-12")
def test_two_sources_of_a_visit_never_get_one_object(desk):
    desk.publish(1, source_rows(1, [10.0, 20.0], [0.0, 0.0], [100.0, 200.0]))
    (target, _), (_, source) = desk.all(
        "SELECT diaobjectid, diasourceid FROM prompt.diasource ORDER BY psflux"
    )
    with pytest.raises(psycopg2.Error, match=f"diaObjectId {target} would have two DIASources"):
        desk.relink([source], None, [target])
    assert [r[1] for r in objects(desk)] == [1, 1]


def test_a_visit_that_forced_an_object_closed_meanwhile_is_computed_again(desk, fresh_database):
    desk.publish(1, source_rows(1, [10.0], [0.0], [100.0]))
    kept = desk.one("SELECT diaobjectid FROM prompt.diaobject")
    source = desk.one("SELECT diasourceid FROM prompt.diasource")
    with slot(desk.connection) as number, desk.connection.cursor() as cursor:
        batch = desk.stage(number, 2, source_rows(2, [30.0], [0.0], [1.0], MJD + 1), MJD + 1)
        rows = forced_rows(2, [kept], [120.0], MJD + 1)
        stage(desk.connection, DD["DIAForcedSource"], rows, number)
        cursor.execute("SELECT * FROM staging.associate(%s::smallint)", (number,))
        cursor.execute("SELECT staging.characterize(%s::smallint)", (number,))
        other = Owner(fresh_database.connect())
        other.relink([source], [77])
        other.connection.close()
        with pytest.raises(psycopg2.errors.SerializationFailure, match=str(kept)):
            cursor.execute("SELECT ledger.publish(%s)", (batch,))
        desk.connection.rollback()


def test_a_withdrawal_waits_for_a_publication_and_is_computed_again(desk, fresh_database):
    """A visit that adds to the same object is published while the withdrawal waits for it."""
    desk.publish(1, source_rows(1, [10.0], [0.0], [100.0]))
    desk.publish(2, source_rows(2, [10.0], [0.0], [300.0], MJD + 1), MJD + 1)
    other = Owner(fresh_database.connect())
    with slot(desk.connection) as number, desk.connection.cursor() as cursor:
        batch = desk.stage(number, 3, source_rows(3, [10.0], [0.0], [500.0], MJD + 2), MJD + 2)
        cursor.execute("SELECT * FROM staging.associate(%s::smallint)", (number,))
        cursor.execute("SELECT staging.characterize(%s::smallint)", (number,))
        cursor.execute("SELECT staging.characterize_fluxes(%s::smallint)", (number,))
        cursor.execute("SELECT ledger.publish(%s)", (batch,))
        thread = threading.Thread(target=other.withdraw, args=(2, MJD + 1))
        thread.start()
        watcher = fresh_database.connect(autocommit=True)
        for _ in range(500):
            with watcher.cursor() as look:
                look.execute(
                    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
                )
                if look.fetchone()[0]:
                    break
            thread.join(0.02)
        watcher.close()
        desk.connection.commit()
        thread.join()
    other.connection.close()
    assert [r[1:4] for r in objects(desk)] == [(2, 300.0, 2)]  # 100 and 500 are left


@pytest.mark.requirement("GEN-19", "GEN-20")
def test_a_chunk_whose_source_was_relinked_meanwhile_is_looked_up_again(desk):
    desk.publish(1, source_rows(1, [10.0], [0.0], [100.0]))
    desk.publish(2, source_rows(2, [20.0], [0.0], [500.0], MJD + 1), MJD + 1)
    kept, lost = (r[0] for r in objects(desk))
    source = desk.one("SELECT diasourceid FROM prompt.diasource WHERE diaobjectid = %s", lost)
    sources, ssobjects, none, versions, owners = desk.all(
        "SELECT * FROM ledger.relink_chunks(%s, %s, NULL, 10)", [source], [77]
    )[0]
    assert (sources, ssobjects, none, owners) == ([source], [77], [None], [lost])
    desk.relink([source], None, [kept])
    desk.change(
        "SELECT ledger.relink_chunk(%s, %s, %s::bigint[], %s, %s)",
        sources, ssobjects, none, versions, owners,
    )  # fmt: skip
    # The object it had gone to meanwhile has lost it again; the one it began with is not there.
    assert [r[:4] for r in objects(desk)] == [(kept, 1, 100.0, 1)]
    assert desk.one("SELECT ssobjectid FROM prompt.diasource WHERE diasourceid = %s", source) == 77
    assert desk.all("SELECT * FROM ledger.audit()") == []


def test_objects_that_only_end_are_gathered_before_those_that_are_computed(desk):
    desk.publish(1, source_rows(1, [10.0, 20.0, 30.0], [0.0] * 3, [1.0, 2.0, 3.0]))
    desk.publish(2, source_rows(2, [10.0], [0.0], [4.0], MJD + 1), MJD + 1)
    found = dict(desk.all("SELECT round(psflux), diasourceid FROM prompt.diasource"))
    chunks = desk.all(
        "SELECT sources FROM ledger.relink_chunks(%s, %s, NULL, 1)",
        [found[k] for k in (1, 2, 3)], [71, 72, 73],
    )  # fmt: skip
    assert [c[0] for c in chunks] == [[found[2]], [found[3]], [found[1]]]
