"""Whatever happens to visits, answers as of earlier epochs stay, and the present is consistent."""

from itertools import count

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from test_ledger import DD, MJD, ccd_visit_row, source_rows
from test_relink import ORPHAN_KEPT, Owner

from ingest.staging import slot, stage
from skyledger import ids

LIVING = [r.sql_name for r in DD.of_kind("living")]
ARCSEC = 1 / 3600

_stars = st.sets(st.integers(0, 3), min_size=1).map(sorted)
_operation = st.one_of(
    st.tuples(st.just("visit"), st.integers(0, 40), _stars),
    st.tuples(st.just("visit"), st.integers(0, 40), _stars),
    st.tuples(st.just("late"), st.integers(60, 250), _stars),
    st.tuples(st.just("duplicate"), st.integers(0, 9)),
    st.tuples(st.just("withdraw"), st.integers(0, 9)),
    st.tuples(st.just("artifact"), st.integers(0, 9)),
    st.tuples(st.just("relink"), st.integers(0, 9), st.integers(1, 6), st.booleans()),
    st.tuples(st.just("merge"), st.integers(0, 9), st.integers(0, 9)),
    st.tuples(st.just("orbit"), st.integers(0, 9)),
    st.tuples(st.just("partial"), st.integers(0, 40), _stars, _stars),
)


# One course in which every operation finds something to do, also on what another one left.
_EVERY_KIND = [
    ("visit", 0, [0, 1, 2, 3]),
    ("visit", 3, [0, 1]),
    ("partial", 5, [0], [2, 3]),
    ("merge", 0, 1),
    ("relink", 0, 3, True),
    ("orbit", 0),
    ("late", 80, [0, 1]),
    ("orbit", 0),
    ("orbit", 1),
    ("relink", 0, 4, True),
    ("merge", 2, 0),
    ("relink", 1, 4, False),
    ("duplicate", 0),
    ("artifact", 1),
    ("withdraw", 2),
    ("withdraw", 0),
]


class Surveyor(Owner):
    """An owner that also publishes orbits and single detectors."""

    def publish_orbit(self, ssobject, source, phase):
        """Publish a version of an SSObject and of the SSSource of one of its sources."""
        with slot(self.connection) as number, self.connection.cursor() as cursor:
            cursor.execute(
                "SELECT batch FROM ledger.open_batch('orbit', NULL, '{}', 'test', %s::smallint)",
                (number,),
            )
            batch = cursor.fetchone()[0]
            cursor.execute(
                "INSERT INTO staging.ssobject (slot, ssobjectid, ndiasources, flags, replacestai) "
                "SELECT %(slot)s, i, %(phase)s, 0, c.createdtai FROM (SELECT %(orbit)s::bigint) "
                "AS n(i) LEFT JOIN prompt_store.ssobject AS c ON c.ssobjectid = i",
                {"slot": number, "orbit": ssobject, "phase": phase},
            )
            cursor.execute(
                "INSERT INTO staging.sssource (slot, diasourceid, ssobjectid, midpointtai, "
                "phaseangle, replacestai) "
                "SELECT %s, s.diasourceid, s.ssobjectid, s.midpointtai, %s, c.createdtai "
                "FROM prompt_store.diasource AS s "
                "LEFT JOIN prompt_store.sssource AS c USING (diasourceid) WHERE diasourceid = %s",
                (number, phase % 180, source),
            )
            cursor.execute("SELECT ledger.publish(%s)", (batch,))
            self.connection.commit()

    def publish_detector(self, sequence, detector, rows, mjd):
        """Publish the sources of one detector of a visit, as a delivery of its own."""
        ccd = ccd_visit_row(sequence, mjd)
        visit = int(ccd["visitId"][0])
        ccd["detector"] = np.array([detector])
        ccd["ccdVisitId"] = np.array([ids.ccd_visit_id(visit, detector)])
        n = len(rows["diaSourceId"])
        rows = rows | {
            "diaSourceId": ids.source_ids(1, int(ccd["ccdVisitId"][0]), np.arange(1, n + 1)),
            "ccdVisitId": np.full(n, ccd["ccdVisitId"][0]),
            "detector": np.full(n, detector),
        }
        with slot(self.connection) as number, self.connection.cursor() as cursor:
            cursor.execute("SELECT ledger.ensure_partitions(%s, %s)", (mjd, mjd))
            self.connection.commit()
            cursor.execute(
                "SELECT * FROM ledger.open_batch('visit', %s, ARRAY[%s]::smallint[], 'test', "
                "%s::smallint)",
                (visit, detector, number),
            )
            batch, claimed = cursor.fetchone()
            assert claimed == [detector]
            stage(self.connection, DD["CcdVisit"], ccd, number)
            stage(self.connection, DD["DIASource"], rows, number)
            cursor.execute("SELECT staging.validate(%s::smallint, %s)", (number, batch))
            assert cursor.fetchone() == (0,)
            cursor.execute("SELECT * FROM staging.associate(%s::smallint)", (number,))
            cursor.execute("SELECT staging.characterize(%s::smallint)", (number,))
            cursor.execute("SELECT staging.characterize_fluxes(%s::smallint)", (number,))
            cursor.execute("SELECT ledger.publish(%s)", (batch,))
            self.connection.commit()


class Course:
    """One sequence of operations, in a piece of sky of its own."""

    def __init__(self, desk, number, serial):
        self.desk, self.serial = desk, serial
        self.ra = 5.0 + 0.1 * number
        self.visits = []  # (sequence, mjd) of the live ones

    def here(self, columns, relation, more=""):
        return self.desk.all(
            f"SELECT {columns} FROM prompt_live.{relation} WHERE ra BETWEEN %s AND %s {more} "
            "ORDER BY 1",
            self.ra - 0.04,
            self.ra + 0.04,
        )

    def visit(self, days, stars, sign=1):
        sequence, mjd = next(self.serial), MJD + sign * days
        rng = np.random.default_rng(sequence)
        ra = self.ra + np.array(stars) * 5 * ARCSEC + rng.normal(0, 0.05, len(stars)) * ARCSEC
        decl = rng.normal(0, 0.05, len(stars)) * ARCSEC
        rows = source_rows(sequence, ra, decl, rng.normal(500, 50, len(stars)), mjd)
        forced = [r[0] for r in self.here("diaobjectid", "diaobject")][::2]
        self.desk.publish_forced(
            sequence, rows, forced, rng.normal(500, 50, len(forced)), mjd, self.ra
        )
        self.visits.append((sequence, mjd))

    def late(self, days, stars):
        self.visit(days, stars, -1)

    def duplicate(self, n):
        if self.visits:
            sequence, mjd = self.visits[n % len(self.visits)]
            visit = int(ccd_visit_row(sequence, mjd)["visitId"][0])
            claimed = self.desk.change(
                "SELECT detectors FROM ledger.open_batch('visit', %s, '{0}', 'test', 7::smallint)",
                visit,
            )
            assert claimed == []

    def withdraw(self, n):
        if self.visits:
            self.desk.withdraw(*self.visits.pop(n % len(self.visits)))

    def artifact(self, n):
        sources = [r[0] for r in self.here("diasourceid", "diasource")]
        if sources:
            chosen = [sources[n % len(sources)]]
            self.desk.change("SELECT ledger.withdraw_sources(%s, 'artifact')", chosen)

    def relink(self, start, n, solar):
        sources = self.here("diasourceid, visitid, diaobjectid", "diasource")
        objects = self.here("diaobjectid", "diaobject")
        chosen = sources[start % max(len(sources), 1) :][:n]
        if chosen and solar:
            owners = [900 + k % 2 for k in range(len(chosen))]
            self.desk.relink([r[0] for r in chosen], owners, chunk_size=2)
        elif chosen and objects:
            target = objects[start % len(objects)][0]
            taken = {visit for _, visit, owner in sources if owner == target}
            # An object has at most one source a visit.
            moved = list({r[1]: r[0] for r in chosen if r[1] not in taken}.values())
            if moved:
                self.desk.relink(moved, None, [target] * len(moved))

    def merge(self, lost, kept):
        """Give an object all sources of another one but those of visits that saw both."""
        objects = [r[0] for r in self.here("diaobjectid", "diaobject")]
        if len(objects) > 1:
            kept, lost = objects[kept % len(objects)], objects[lost % len(objects)]
            sources = self.here("diasourceid, visitid, diaobjectid", "diasource")
            taken = {visit for _, visit, owner in sources if owner == kept}
            moved = [s for s, visit, owner in sources if owner == lost and visit not in taken]
            if moved and kept != lost:
                self.desk.relink(moved, None, [kept] * len(moved))

    def orbit(self, n):
        """Publish an orbit and what follows for its sources, or a new version of them."""
        found = self.here("diasourceid, ssobjectid", "diasource", "AND ssobjectid IS NOT NULL")
        if found:
            source, ssobject = found[n % len(found)]
            self.desk.publish_orbit(ssobject, source, next(self.serial))

    def partial(self, days, first, second):
        """Publish a visit's first detector, and another one later, as its own delivery."""
        sequence, mjd = next(self.serial), MJD + days
        rng = np.random.default_rng(sequence)
        for detector, stars in enumerate((first, sorted(set(second) - set(first)))):
            if stars:
                ra = self.ra + np.array(stars) * 5 * ARCSEC
                flux = rng.normal(500, 50, len(stars))
                rows = source_rows(sequence, ra, np.zeros(len(stars)), flux, mjd)
                self.desk.publish_detector(sequence, detector, rows, mjd)
        self.visits.append((sequence, mjd))

    def check_present(self):
        """Compare the objects with a recomputation from the sources that are there."""
        by_object = {}
        for row in self.here(
            "diasourceid, diaobjectid, ssobjectid, midpointtai, ra, decl, psflux", "diasource"
        ):
            assert (row[1] is None) != (row[2] is None)
            if row[1] is not None:
                by_object.setdefault(row[1], []).append(row[3:])
        forced = {r[0] for r in self.here("diaobjectid", "diaforcedsource")}
        found = {
            r[0]: r[1:]
            for r in self.here(
                "diaobjectid, ndiasources, flags & 1, firstdiasourcetai, lastdiasourcetai, "
                "rpsfluxmean, rpsfluxchi2, rpsfluxndata, pmra, ra, decl",
                "diaobject",
            )
        }
        assert set(found) == set(by_object) | forced
        for key, (n, orphan, first, last, mean, chi2, ndata, motion, ra, decl) in found.items():
            if key not in by_object:
                assert (n, orphan, first, last, mean) == (0, ORPHAN_KEPT, None, None, None)
                continue
            time, ras, decls, flux = np.array(by_object[key], dtype=float).T
            assert (n, orphan, ndata) == (len(time), 0, len(time))
            assert (first, last) == (time.min(), time.max())
            # real holds seven digits; all errors are 10 nJy.
            assert mean == pytest.approx(flux.mean(), rel=1e-6)
            assert chi2 == pytest.approx(
                ((flux - flux.mean()) ** 2).sum() / 100, rel=1e-5, abs=1e-6
            )
            if motion is None:
                # Equal errors: a plain mean. Curvature over 20 arcsec at the equator is 1e-12 deg.
                assert ra == pytest.approx(ras.mean(), abs=1e-9)
                assert decl == pytest.approx(decls.mean(), abs=1e-9)


def answer(desk, instant):
    return [
        desk.all(
            f"SELECT count(*), sum(hashtextextended(r::text, 0)::numeric) "
            f"FROM prompt_at.{name}(%s) AS r",
            instant,
        )
        for name in LIVING
    ]


@pytest.mark.slow
@pytest.mark.requirement("GEN-19", "GEN-20", "GEN-21", "DIA-14")
def test_answers_never_change_and_the_present_equals_a_recomputation(fresh_database):
    desk = Surveyor(fresh_database.connect())
    answers, numbers, serial = {}, count(), count(1)

    @settings(max_examples=9, deadline=None, derandomize=True, database=None,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(st.lists(_operation, min_size=3, max_size=8))
    @example(_EVERY_KIND)
    def course(operations):
        began = Course(desk, next(numbers), serial)
        for name, *arguments in operations:
            getattr(began, name)(*arguments)
            horizon = desk.one("SELECT ledger.horizon()")
            answers.setdefault(horizon, answer(desk, horizon))
        began.check_present()

    course()
    assert len(answers) > 30
    kinds = {r[0] for r in desk.all("SELECT DISTINCT kind FROM ledger.epoch")}
    assert {"visit", "relink", "withdrawal", "orbit"} <= kinds
    assert desk.all("SELECT * FROM ledger.audit()") == []
    changed = [t for t, before in answers.items() if answer(desk, t) != before]
    assert changed == []
    desk.connection.close()


def test_a_checksum_sees_one_changed_value(fresh_database):
    """The proof above would be worth nothing if the checksum were blind."""
    desk = Owner(fresh_database.connect())
    desk.publish(1, source_rows(1, [10.0, 20.0], [0.0, 0.0], [100.0, 200.0]))
    horizon = desk.one("SELECT ledger.horizon()")
    before = answer(desk, horizon)
    with desk.connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")  # past the guard
        cursor.execute("UPDATE prompt_store.diasource SET psflux = psflux + 0.001 WHERE ra = 10")
    desk.connection.commit()
    assert answer(desk, horizon) != before
    desk.connection.close()
