"""What is answered about the simulated survey: again, later, in bytes and in formats."""

import csv
import io
from datetime import timedelta

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.io import fits, votable
from astropy.table import Table

from services import formats
from skyledger.answers import run, to_chunk
from skyledger.virtual import VirtualDatabase


@pytest.mark.requirement("GEN-19", "GEN-20", "GEN-21")
def test_every_answer_can_be_had_again(survey):
    """What was recorded after each publication is what is answered now that all is loaded."""
    assert len(survey.answers) >= len(survey.outcome) == 12
    epochs = [epoch for epoch, _ in survey.answers]
    assert epochs == sorted(epochs)
    known = {visit.epoch for visit in survey.outcome}
    assert known <= set(epochs)
    connection = survey.connect()
    for epoch, recorded in survey.answers:
        assert survey.fingerprints(connection, epoch) == recorded, epoch
    connection.close()
    # The answers did change in between, the objects' most of all.
    for name in ("diasource", "diaobject", "diaforcedsource", "ccdvisit"):
        assert len({recorded[name] for _, recorded in survey.answers}) >= 4, name


@pytest.mark.requirement("GEN-19")
def test_a_visit_that_comes_late_adds_to_what_is_known_and_changes_no_earlier_answer(survey):
    assert survey.outcome[-1].visit_id == survey.late
    times = dict(survey.all("SELECT visitid, midpointtai FROM prompt.Visit"))
    assert sum(t > times[survey.late] for t in times.values()) == 1  # the other of its night
    assert survey.outcome[-1].counts["DIASource"] > 0
    epoch = survey.outcome[-2].epoch
    then = survey.all("SELECT count(*) FROM prompt_at.diasource(%s)", epoch)[0][0]
    of_late = "SELECT count(*) FROM prompt_at.diasource(%s) WHERE visitid = %s"
    assert survey.all(of_late, epoch, survey.late) == [(0,)]
    now = survey.all("SELECT count(*) FROM prompt.DIASource")[0][0]
    assert now - then == survey.outcome[-1].counts["DIASource"]


def test_a_folder_that_is_published_already_is_left_alone(skyledger, survey):
    before = survey.all(
        "SELECT (SELECT count(*) FROM ledger.epoch WHERE kind <> 'heartbeat'), "
        "(SELECT count(*) FROM ledger.batch), "
        "(SELECT count(*) FROM prompt_history.diasource), "
        "(SELECT count(*) FROM prompt_history.diaobject), "
        "(SELECT sum(attempts) FROM ledger.delivery)"
    )
    done = skyledger(
        "process", survey.data, "--instrument", "simulated", environment=survey.environment
    )
    assert done.returncode == 0, done.stderr
    words = [" ".join(line.replace("│", " ").split()) for line in done.stdout.splitlines()]
    assert "visits published before 12" in words
    assert "visits 0" in words
    after = survey.all(
        "SELECT (SELECT count(*) FROM ledger.epoch WHERE kind <> 'heartbeat'), "
        "(SELECT count(*) FROM ledger.batch), "
        "(SELECT count(*) FROM prompt_history.diasource), "
        "(SELECT count(*) FROM prompt_history.diaobject), "
        "(SELECT sum(attempts) FROM ledger.delivery)"
    )
    assert after == before
    # Nor did the run that brought the late visit touch the others.
    assert [len(run.visits) for run in survey.runs] == [11, 12]
    assert sum(bool(v.skipped) for v in survey.runs[1].visits) == 11


SOURCES = (
    "SELECT diaSourceId, ra, dec, midPointTai, psFlux, psFluxErr, trailFlux, detector, "
    "diaObjectId, psFlux < 0 AS faded FROM DIASource ORDER BY diaSourceId"
)


@pytest.mark.requirement("GEN-01", "GEN-19", "GEN-21")
def test_the_command_line_gives_the_same_bytes_for_the_same_instant(skyledger, survey):
    """Before the late visit, twice; and after it, with the instant in UTC, 37 s behind TAI."""

    def ask(instant):
        done = skyledger(
            "query", SOURCES, "--db", f"prompt@{instant}", "--format", "csv",
            environment=survey.environment, text=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    first, last = survey.outcome[-2].epoch, survey.outcome[-1].epoch
    before = ask(first.isoformat())
    assert ask(first.isoformat()) == before
    after = ask((last - timedelta(seconds=37)).isoformat() + "Z")
    assert after != before
    counted = survey.all("SELECT count(*) FROM prompt.DIASource")[0][0]
    assert after.count(b"\n") == 1 + counted
    late = survey.outcome[-1].counts["DIASource"]
    assert before.count(b"\n") == 1 + counted - late


@pytest.mark.requirement("GEN-01")
def test_all_formats_hold_the_same_values_their_units_and_their_instant(survey):
    connection = survey.connect()
    answer = run(connection, SOURCES, VirtualDatabase("prompt", survey.outcome[-2].epoch))
    connection.close()
    instant = answer.instant.isoformat()
    assert answer.instant == survey.outcome[-2].epoch
    names = [c.name for c in answer.columns]
    assert names[:3] == ["diaSourceId", "ra", "dec"]
    assert any(None in row for row in answer.rows)

    def same(columns):
        for k, name in enumerate(names):
            for row, found in zip(answer.rows, columns(name), strict=True):
                if row[k] is None:
                    assert found is None, name
                    continue
                # Every format gives back every digit of its type.
                single = answer.columns[k].type == "real"
                kind = np.float32 if single else type(row[k])
                assert kind(found) == kind(row[k]), name

    def of_table(table):
        def column(name):
            mask = np.ma.getmaskarray(np.ma.asarray(table[name]))
            return [None if m else v.item() for v, m in zip(table[name], mask, strict=True)]

        return column

    def written(name):
        said = formats.Statement(answer.database, answer.instant, SOURCES)
        return b"".join(formats.write(name, answer.columns, [to_chunk(answer)], said))

    rows = list(csv.DictReader(io.StringIO(written("csv").decode(), newline="")))
    read = {"true": True, "false": False}
    same(lambda name: [read.get(r[name], r[name]) if r[name] else None for r in rows])

    document = votable.parse(io.BytesIO(written("votable")))
    votable_table = document.get_first_table().to_table()
    same(of_table(votable_table))
    infos = {info.name: info.value for info in document.resources[0].infos}
    assert infos["asof"] == instant
    assert infos["database"] == "prompt"
    assert infos["QUERY_STATUS"] == "OK"
    assert str(votable_table["psFlux"].unit) == "nJy"
    assert str(votable_table["ra"].unit) == "deg"
    fields = {f.name: f for f in document.get_first_table().fields}
    assert fields["ra"].ucd == "pos.eq.ra;meta.main"

    with fits.open(io.BytesIO(written("fits"))) as hdus:
        assert hdus[1].header["ASOF"] == instant
        columns = hdus[1].columns
        assert columns["psFlux"].unit == "nJy"
    same(of_table(Table.read(io.BytesIO(written("fits")), hdu=1)))

    parquet = pq.read_table(io.BytesIO(written("parquet")))
    assert parquet.schema.metadata[b"as_of"].decode() == instant
    assert parquet.schema.field("psFlux").metadata[b"unit"] == b"nJy"
    same(lambda name: parquet[name].to_pylist())
