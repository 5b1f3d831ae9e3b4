"""Publication of measured detectors: one fails alone, two sessions share a visit."""

import threading

import numpy as np
import pytest
from astropy.table import Table

from ingest import publish
from ingest.measure import Measured
from processing.exposure import VisitInfo
from processing.reader import Frame
from skyledger import ids, provenance
from tests.database.test_ledger import MJD, NIGHT, ccd_visit_row, source_rows

VISIT = ids.visit_id(NIGHT, 1)


def measured(detector, flux=500.0, **changed):
    """One detector with two DIASources; what is changed is changed in its ccdVisit."""
    ccd = ids.ccd_visit_id(VISIT, detector)
    info = VisitInfo(
        "simulated", VISIT, ccd, detector, "r", "r", "wide", MJD, 0.0, 0.0, 30.0, 2, 1.2, 10.0,
        0.0, 0.0, is_template=False,
    )  # fmt: skip
    row = {k: np.asarray(v)[0].item() for k, v in ccd_visit_row(1).items()}
    corners = [9.9, -0.1, 10.1, -0.1, 10.1, 0.1, 9.9, 0.1]
    row |= {"ccdVisitId": ccd, "detector": detector, "templateId": 7, "footprint": corners}
    rows = source_rows(1, [10 + detector, 10.01 + detector], [0.0, 0.0], [flux, flux])
    own = ("diaSourceId", "ccdVisitId", "visitId", "detector", "templateId", "hpx29")
    sources = Table({k: v for k, v in rows.items() if k not in own})
    sources["parentIndex"] = np.full(2, -1)
    return Measured(Frame((), info, MJD - 2e-4, MJD + 2e-4), {**row, **changed}, None, sources)


@pytest.fixture
def session(fresh_database):
    """Opens connections, and knows a provenance."""
    opened = []

    def connect():
        opened.append(fresh_database.connect())
        return opened[-1]

    first = connect()
    with first.cursor() as cursor:
        number = provenance.record(cursor, "prompt", "simulated", {})
    first.commit()
    connect.provenance = number
    yield connect
    for connection in opened:
        connection.close()


def ask(connection, query):
    with connection.cursor() as cursor:
        cursor.execute(query)
        found = cursor.fetchall()
    connection.rollback()
    return found


@pytest.mark.requirement("L1DB-02")
def test_one_bad_detector_fails_alone_and_comes_later(session):
    connection = session()
    found = [measured(0), measured(1, airmass=0.2), measured(2, flux=np.nan)]
    done = publish.publish_visit(connection, found, "test", session.provenance, None)
    assert done.epoch is not None
    assert done.counts["rejected"] == 5  # a ccdVisit, its two sources, and two without a flux
    assert [detector for detector, _ in done.failures] == [1]
    assert "airmass = 0.2 is below 0.99; correct the header" in done.failures[0][1]
    states = "SELECT detector, state, reason FROM ledger.delivery ORDER BY detector"
    assert [row[:2] for row in ask(connection, states)] == [
        (0, "published"), (1, "failed"), (2, "published"),
    ]  # fmt: skip
    assert "airmass" in ask(connection, states)[1][2]
    assert ask(connection, "SELECT detector FROM prompt_live.DIASource") == [(0,), (0,)]
    again = publish.publish_visit(
        connection, [measured(d) for d in range(3)], "test", session.provenance, None
    )
    assert again.skipped == [0, 2]
    assert again.failures == []
    assert ask(connection, "SELECT count(*) FROM prompt_live.DIASource") == [(4,)]
    assert ask(connection, "SELECT count(*) FROM prompt_live.Visit") == [(1,)]


@pytest.mark.requirement("L1DB-02")
def test_when_every_detector_is_bad_the_reasons_and_rows_are_kept(session):
    connection = session()
    done = publish.publish_visit(
        connection, [measured(0, airmass=0.2)], "test", session.provenance, None
    )
    assert done.epoch is None
    assert "airmass = 0.2" in done.failures[0][1]
    kept = ask(connection, "SELECT relation FROM ledger.rejected ORDER BY 1")
    assert kept == [("CcdVisit",), ("DIASource",), ("DIASource",)]
    assert ask(connection, "SELECT state, nrejected FROM ledger.batch") == [("failed", 3)]
    assert ask(connection, "SELECT state FROM ledger.delivery") == [("failed",)]
    assert ask(connection, "SELECT count(*) FROM prompt_history.Visit") == [(0,)]


@pytest.mark.requirement("L1DB-02", "GEN-19")
def test_two_sessions_publish_detectors_of_one_visit(session, monkeypatch):
    """Both bring the row of the visit: who comes second computes again and leaves it out."""
    barrier = threading.Barrier(2)
    compute = publish._compute
    attempts = []

    def together(*arguments):
        loaded = compute(*arguments)
        attempts.append(1)
        if len(attempts) <= 2:
            barrier.wait(30)
        return loaded

    monkeypatch.setattr(publish, "_compute", together)
    outcomes = {}

    def run(detector, connection):
        outcomes[detector] = publish.publish_visit(
            connection, [measured(detector)], "test", session.provenance, None
        )

    with session() as warm, warm.cursor() as cursor:
        cursor.execute("SELECT ledger.ensure_partitions(%s, %s)", (MJD, MJD))
        cursor.execute("SELECT ledger.ensure_partitions(science.mjd_now(), science.mjd_now() + 31)")
    threads = [threading.Thread(target=run, args=(d, session())) for d in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [outcomes[d].failures for d in range(2)] == [[], []]
    assert outcomes[0].epoch != outcomes[1].epoch
    assert len(attempts) == 3
    connection = session()
    assert ask(connection, "SELECT count(*) FROM prompt_live.DIASource") == [(4,)]
    assert ask(connection, "SELECT count(*) FROM prompt_history.Visit") == [(1,)]


def test_a_visit_that_another_session_publishes_is_left_to_it(session, monkeypatch):
    first, second = session(), session()
    told = []
    stage_visit = publish._stage_visit

    def meanwhile(connection, *arguments):
        if connection is first:
            told.append(
                publish.publish_visit(second, [measured(0)], "test", session.provenance, None)
            )
        return stage_visit(connection, *arguments)

    monkeypatch.setattr(publish, "_stage_visit", meanwhile)
    done = publish.publish_visit(first, [measured(0)], "test", session.provenance, None)
    assert done.epoch is not None
    assert told[0].epoch is None
    assert "is being published by another session: detector 0" in told[0].failures[0][1]
    states = ask(first, "SELECT state, attempts FROM ledger.delivery")
    assert states == [("published", 1)]
