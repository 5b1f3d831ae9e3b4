"""Relations that are asked by TAP about something certain: changes, light curves, histories."""

import csv
import io
import itertools

import pytest
from small_survey import SOURCES

CHANGES = "SELECT {} FROM prompt_changes.{} WHERE sinceTai = '{}' AND untilTai = '{}'"


def told(service, relation, since, until, database="prompt"):
    """Keys with change and names of columns, as the service tells them."""
    key = {"DIAObject": "diaObjectId", "DIASource": "diaSourceId"}[relation]
    query = CHANGES.format(f"{key}, change, columns", relation, since.isoformat(), until)
    rows = csv.reader(io.StringIO(service.ask(query, database).text))
    next(rows)
    return {k: (change, set(names.split("#")) - {""}) for k, change, names in rows}


def shown(service, relation, instant):
    """All rows as of an instant, by their key."""
    answer = service.ask(f"SELECT * FROM {relation}", f"prompt@{instant.isoformat()}")
    rows = csv.DictReader(io.StringIO(answer.text))
    return {next(iter(row.values())): row for row in rows}


@pytest.mark.requirement("GEN-20", "L1DB-05")
@pytest.mark.parametrize("relation", ["DIAObject", "DIASource"])
def test_changes_are_what_two_answers_differ_in(service, relation):
    kinds = set()
    for since, until in itertools.combinations(service.epochs, 2):
        before, after = (shown(service, relation, t) for t in (since, until))
        # Said of columns, not of the other name of one of them.
        for row in (*before.values(), *after.values()):
            row.pop("dec", None)
        wanted = {k: ("new", set()) for k in after.keys() - before.keys()}
        wanted |= {k: ("gone", set()) for k in before.keys() - after.keys()}
        for k in after.keys() & before.keys():
            names = {n for n, value in after[k].items() if value != before[k][n]}
            if names:
                wanted[k] = ("changed", names)
        found = told(service, relation, since, until.isoformat())
        assert found == wanted
        kinds |= {change for change, _ in found.values()}
        # The same for ever: asked as of any later instant.
        for later in service.epochs[service.epochs.index(until) :]:
            again = told(service, relation, since, until.isoformat(), f"prompt@{later.isoformat()}")
            assert again == found
    assert kinds == {"DIAObject": {"changed"}, "DIASource": {"new"}}[relation]


@pytest.mark.requirement("GEN-20")
def test_until_is_the_instant_of_the_query_unless_it_is_said(service):
    first, second, third = (e.isoformat() for e in service.epochs)
    query = f"SELECT untilTai, change FROM prompt_changes.DIASource WHERE sinceTai = '{first}'"
    assert service.rows(query) == [[third, "new"]] * 2 * SOURCES
    assert service.rows(query, f"prompt@{second}") == [[second, "new"]] * SOURCES
    of_epoch = "(SELECT MIN(epochTai) FROM ledger.Epoch WHERE kind = 'visit')"
    counted = f"SELECT COUNT(*) AS n FROM prompt_changes.DIASource WHERE sinceTai = {of_epoch}"
    assert service.rows(counted) == [[str(2 * SOURCES)]]
    assert service.rows(counted.replace("= (", "IN (")) == [[str(2 * SOURCES)]]
    in_utc = query.replace(first, "2026-01-01T00:00:00Z").replace("untilTai", "sinceTai")
    assert service.rows(in_utc)[0][0] == "2026-01-01T00:00:37.000000"
    # Clients look at a few rows of each table, whatever it is.
    assert len(service.rows("SELECT TOP 5 * FROM prompt_changes.DIAObject")) == 5


@pytest.mark.requirement("GEN-20")
@pytest.mark.parametrize(
    ("since", "until", "said"),
    [
        ("{1}", "{0}", "it is the earlier of the two"),
        ("{0}", "2999-01-01", "is later than the instant of the query, {2}"),
        ("2999-01-01", "2999-01-02", "is later than the instant of the query"),
        ("", "", "is no instant"),
        ("9999-12-31T23:59:59Z", "{2}", "is no instant"),
    ],
)
def test_instants_that_cannot_be_compared_are_refused(service, since, until, said):
    epochs = [e.isoformat() for e in service.epochs]
    since, until, said = (text.format(*epochs) for text in (since, until, said))
    answer = service.ask(CHANGES.format("change", "DIAObject", since, until))
    assert answer.status_code == 400
    assert "line 1, column " in answer.text
    assert said in answer.text


@pytest.mark.requirement("GEN-20")
def test_the_database_refuses_what_the_query_does_not_show(service):
    """Instants that a query finds are known when it runs."""
    epoch = "(SELECT {}(epochTai) FROM ledger.Epoch)"
    query = CHANGES.replace("'{}'", "{}").format(
        "change", "DIAObject", epoch.format("MAX"), epoch.format("MIN")
    )
    answer = service.ask(query)
    assert answer.status_code == 400
    assert "is later than until" in answer.text
    assert "Give the earlier instant first" in answer.text


@pytest.mark.requirement("GEN-20")
def test_the_history_of_an_object_is_that_of_its_versions(service):
    (identifier,), *_ = service.rows("SELECT diaObjectId FROM DIAObject ORDER BY diaObjectId")
    query = (
        f"SELECT tai, event, diaSourceId FROM prompt.ObjectHistory WHERE diaObjectId = {identifier}"
    )
    sources = service.rows(
        f"SELECT insertedTai, diaSourceId FROM DIASource WHERE diaObjectId = {identifier} "
        "ORDER BY midPointTai"
    )
    epochs = [e.isoformat() for e in service.epochs]
    assert [s[0] for s in sources] == epochs
    wanted = [[t, "source gained", s] for t, s in sources]
    wanted += [[epochs[0], "founded", ""], [epochs[1], "version", ""], [epochs[2], "version", ""]]
    assert sorted(service.rows(query)) == sorted(wanted)
    then = [row for row in wanted if row[0] <= epochs[1]]
    assert sorted(service.rows(query, f"prompt@{epochs[1]}")) == sorted(then)


@pytest.mark.requirement("GEN-01")
@pytest.mark.parametrize("table", ["LightCurve", "ObjectHistory"])
def test_what_is_made_row_by_row_is_asked_for_single_objects(service, table):
    answer = service.ask(f"SELECT * FROM {table}")
    assert answer.status_code == 400
    assert "add WHERE diaObjectId = ..." in answer.text
    looked = service.rows(f"SELECT TOP 7 * FROM {table}")
    assert len(looked) == 7
    # MAXREC bounds as well as TOP.
    assert service.rows(f"SELECT * FROM {table}", MAXREC=7) == looked
    some = ", ".join({row[0] for row in looked})
    all_of = service.rows(f"SELECT * FROM {table} WHERE diaObjectId IN ({some})")
    assert [row for row in all_of if row in looked] == looked
