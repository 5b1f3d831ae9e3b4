"""All living tables are versioned: each is changed and read before and after, in all forms."""

import re
from datetime import datetime, timedelta

import numpy as np
import psycopg2
import pytest
from test_ledger import DD, MJD, source_rows
from test_relink import Owner

from ingest.staging import slot

US = timedelta(microseconds=1)
LIVE = datetime.fromisoformat("9999-12-31")
LIVING = [relation.name for relation in DD.of_kind("living")]
# What is changed of each, and how. A measurement keeps its values; what it is linked to may change.
CHANGES = {
    "CcdVisit": ("seeing", "0.5"),
    "DIAForcedSource": ("diaObjectId", "(SELECT max(diaobjectid) FROM prompt_store.diaobject)"),
    "DIAObject": ("rPsFluxMean", "-1"),
    "DIAObjectFeatures": ("lcPeriodic", "array_fill(2::real, ARRAY[32])"),
    "DIASource": ("diaObjectId", "(SELECT max(diaobjectid) FROM prompt_store.diaobject)"),
    "SSObject": ("designation", "'2026 BB'"),
    "SSSource": ("phaseAngle", "20"),
    "Template": ("endTai", "60002"),
    "Visit": ("airmass", "1.5"),
}
NEW = {
    "DIAObjectFeatures": "SELECT diaobjectid, 2, array_fill(1::real, ARRAY[32]) "
    "FROM prompt_store.diaobject",
    "SSObject": "SELECT 7, '2026 AA', 3, 0",
    "SSSource": "SELECT min(diasourceid), 7, 61000.2, 10 FROM prompt_store.diasource",
    "Template": "SELECT 7, 'simulated', 'r', 10, 0, 1, '{1}'::bigint[], 60000, 60001, 60000.5",
    "Visit": "SELECT DISTINCT visitid, 'simulated', 'r', 'r', 'wide', 10, 0, midpointtai, "
    "midpointtai, midpointtai, 30, 2, false, 1.2 FROM prompt_store.ccdvisit",
}
NEW_COLUMNS = {
    "DIAObjectFeatures": "diaobjectid, band, lcperiodic",
    "SSObject": "ssobjectid, designation, ndiasources, flags",
    "SSSource": "diasourceid, ssobjectid, midpointtai, phaseangle",
    "Template": "templateid, instrument, band, ra, decl, nvisits, inputccdvisitids, begintai, "
    "endtai, meantai",
    "Visit": "visitid, instrument, band, filtername, programid, ra, decl, begintai, midpointtai, "
    "endtai, exposuretime, nsnaps, istemplate, airmass",
}


class Archivist(Owner):
    """A desk that publishes rows of any relation."""

    def put(self, fill):
        """Publish what statements put into slot ``{slot}``; return the epoch."""
        with slot(self.connection) as number, self.connection.cursor() as cursor:
            cursor.execute(
                "SELECT batch FROM ledger.open_batch('visit', NULL, '{}', 'test', %s::smallint)",
                (number,),
            )
            (batch,) = cursor.fetchone()
            cursor.execute(fill.replace("{slot}", str(number)))
            cursor.execute("SELECT staging.validate(%s::smallint, %s)", (number, batch))
            refused = cursor.fetchone()[0]
            cursor.execute("SELECT relation, reason FROM ledger.rejected")
            assert refused == 0, cursor.fetchall()
            cursor.execute("SELECT ledger.publish(%s)", (batch,))
            (epoch,) = cursor.fetchone()
            self.connection.commit()
        return epoch

    def renew(self, name):
        """Publish a new version of every row of a relation."""
        relation = DD[name]
        column, value = CHANGES[name]
        names = [c.sql_name for c in relation.columns]
        values = [value if n == column.lower() else n for n in names]
        return self.put(
            f"INSERT INTO staging.{relation.sql_name} (slot, {', '.join(names)}, replacestai) "
            f"SELECT {{slot}}, {', '.join(values)}, createdtai "
            f"FROM prompt_store.{relation.sql_name}"
        )


@pytest.fixture(scope="module")
def story(server, template):
    """Desk on a database in which each living relation was changed once; the epochs, by relation.

    The first two visits, forced measurements and rows of the other relations come before; a late
    visit, a re-link and a withdrawal after.
    """
    name = "living"
    admin = psycopg2.connect(server.dsn("postgres"))
    admin.autocommit = True
    with admin.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        connection = psycopg2.connect(server.dsn(name))
        desk = Archivist(connection)
        desk.publish(1, source_rows(1, [10.0, 11.0], [0.0] * 2, [100.0, 50.0]))
        first = desk.one("SELECT min(diaobjectid) FROM prompt_live.diaobject")
        desk.publish_forced(
            2, source_rows(2, [10.0], [0.0], [300.0], MJD + 1), [first], [290.0], MJD + 1
        )
        for relation, query in NEW.items():
            desk.put(
                f"INSERT INTO staging.{relation.lower()} (slot, {NEW_COLUMNS[relation]}) "
                f"SELECT {{slot}}, x.* FROM ({query}) AS x"
            )
        epochs = {relation: desk.renew(relation) for relation in LIVING}
        desk.publish(8, source_rows(8, [10.0, 25.0], [0.0] * 2, [50.0] * 2, MJD - 40), MJD - 40)
        desk.withdraw(8, MJD - 40)
        with connection.cursor() as cursor2:
            cursor2.execute("SELECT ledger.heartbeat()")
        connection.commit()
        yield desk, epochs
        connection.close()
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
    admin.close()


def at_session(desk, instant, query):
    """Rows of a query on the forms of schema prompt, with the session's instant set."""
    with desk.connection.cursor() as cursor:
        cursor.execute("SELECT set_config('skyledger.as_of', %s, true)", (str(instant),))
        cursor.execute(query)
        found = cursor.fetchall()
    desk.connection.rollback()
    return found


def everything(desk, instant):
    """All rows of all living relations as of an instant, as text."""
    return {
        name: desk.all(f"SELECT whole::text FROM prompt_at.{name}(%s) AS whole ORDER BY 1", instant)
        for name in LIVING
    }


@pytest.mark.requirement("GEN-19", "GEN-20", "GEN-21")
@pytest.mark.parametrize("name", LIVING)
def test_a_changed_relation_is_read_as_of_before_and_after_in_every_form(story, name):
    desk, epochs = story
    column, _ = CHANGES[name]
    epoch = epochs[name]
    before, after = epoch - US, epoch

    def column_at(instant):
        query = f"SELECT {column} FROM {{}} ORDER BY 1"
        by_function = desk.all(query.format(f"prompt_at.{name}(%s)"), instant)
        by_setting = at_session(desk, instant, query.format(f"prompt.{name}"))
        by_document = desk.all(
            f"SELECT {column} FROM prompt_history.{name} "
            "WHERE %s BETWEEN createdTai AND deletedTai ORDER BY 1",
            instant,
        )
        assert by_function == by_setting == by_document
        return by_function

    old, new = column_at(before), column_at(after)
    assert old
    assert len(old) == len(new)
    assert old != new
    value = CHANGES[name][1]
    (wanted,) = desk.all(f"SELECT {value}::{DD[name][column].type}")
    if not value.startswith("(SELECT"):  # the object with the largest id is another one by now
        assert set(map(str, new)) == {str(wanted)}
        assert not set(map(str, old)) & set(map(str, new))
    # Nothing else changed with it.
    earlier, later = everything(desk, before), everything(desk, after)
    shows_features = {"DIAObject"} if name == "DIAObjectFeatures" else set()
    assert {n for n in LIVING if earlier[n] != later[n]} == {name} | shows_features
    # The newest version of all is what is live.
    horizon = desk.one("SELECT ledger.horizon()")
    live = desk.all(f"SELECT whole::text FROM prompt_live.{name} AS whole ORDER BY 1")
    assert live == everything(desk, horizon)[name]


@pytest.mark.requirement("GEN-20")
@pytest.mark.parametrize("name", LIVING)
def test_the_documents_query_finds_one_version_of_each_row_at_every_boundary(story, name):
    """As printed in section 2.5, at each epoch, a microsecond before it and one after."""
    desk, _ = story
    key = ", ".join(DD[name].key)
    epochs = [e for (e,) in desk.all("SELECT epochTai FROM ledger.epoch ORDER BY epochTai")]
    lives = desk.all(
        f"SELECT concat_ws(',', {key}), createdTai, deletedTai FROM prompt_history.{name}"
    )
    assert len(lives) > len({row[0] for row in lives})  # something has several versions
    ends = {LIVE, *(end for _, _, end in lives)}
    assert ends <= {LIVE, *(e - US for e in epochs)}
    for epoch in epochs:
        for instant in (epoch - US, epoch, epoch + US):
            found = desk.all(
                f"SELECT concat_ws(',', {key}), createdTai FROM prompt_history.{name} "
                "WHERE %s BETWEEN createdTai AND deletedTai",
                instant,
            )
            keys = [row[0] for row in found]
            assert len(keys) == len(set(keys))
            # Worked out here from all versions: the one that was opened last, unless it has ended.
            wanted = {}
            for row, begin, end in sorted(lives, key=lambda life: life[1]):
                if begin <= instant:
                    wanted[row] = (begin, end)
            assert dict(found) == {
                row: begin for row, (begin, end) in wanted.items() if instant <= end
            }
            if epochs[0] <= instant <= epochs[-1]:
                listed = desk.all(
                    f"SELECT concat_ws(',', {key}) FROM prompt_at.{name}(%s)", instant
                )
                assert sorted(keys) == sorted(row for (row,) in listed)


def test_every_living_relation_is_among_those_changed():
    assert set(CHANGES) == set(LIVING)


@pytest.mark.requirement("L1DB-16", "L1DB-18")
def test_features_are_arrays_of_six_bands_in_diaobject(story):
    desk, epochs = story
    epoch = epochs["DIAObjectFeatures"]
    for instant, value in ((epoch - US, 1.0), (epoch, 2.0)):
        for periodic, nonperiodic in desk.all(
            "SELECT lcPeriodic, lcNonPeriodic FROM prompt_at.DIAObject(%s)", instant
        ):
            found = np.array(periodic, dtype=float)
            assert found.shape == (6, 32)
            assert (found[2] == value).all()
            assert np.isnan(np.delete(found, 2, axis=0)).all()
            assert nonperiodic is None
    start = desk.one("SELECT min(epochTai) FROM ledger.epoch WHERE kind = 'visit'")
    assert desk.all("SELECT lcPeriodic FROM prompt_at.DIAObject(%s)", start) == [(None,)] * 2


@pytest.mark.requirement("GEN-19", "L1DB-05")
def test_the_history_of_a_relation_that_shows_another_whole(story):
    desk, _ = story
    plain = desk.all("SELECT diaObjectId, createdTai, deletedTai FROM prompt_history.DIAObject")
    full = desk.all("SELECT diaObjectId, createdTai, deletedTai FROM prompt_history.DIAObjectFull")
    assert sorted(full) == sorted(plain)
    assert desk.one("SELECT count(rTotMag) FROM prompt_history.DIAObjectFull") > 0
    views = desk.all("SELECT viewname FROM pg_views WHERE schemaname = 'prompt_history' ORDER BY 1")
    assert [v for (v,) in views if not re.fullmatch("|".join(LIVING).lower(), v)] == [
        "diaobjectfull"
    ]


def changes(desk, name, since, until):
    """What the database says has changed, by key, and what both instants show."""
    key = ", ".join(DD[name].key)
    told = {
        row[0]: (row[1], set(row[2] or ()))
        for row in desk.all(
            f"SELECT concat_ws(',', {key}), change, columns FROM prompt_changes.{name}(%s, %s)",
            since,
            until,
        )
    }
    columns = [c for c in DD[name].columns if c.name not in DD[name].key]
    shown = ", ".join(c.sql_name for c in columns)
    before, after = (
        {
            row[0]: row[1:]
            for row in desk.all(
                f"SELECT concat_ws(',', {key}), {shown} FROM prompt_at.{name}(%s)", t
            )
        }
        for t in (since, until)
    )
    wanted = {k: ("new", set()) for k in set(after) - set(before)}
    wanted |= {k: ("gone", set()) for k in set(before) - set(after)}
    for k in set(before) & set(after):
        differ = {c.name for c, a, b in zip(columns, before[k], after[k], strict=True) if a != b}
        if differ:
            wanted[k] = ("changed", differ)
    return told, wanted


@pytest.mark.requirement("GEN-20")
@pytest.mark.parametrize("name", LIVING)
def test_what_changed_between_two_instants_is_what_the_two_answers_differ_in(story, name):
    desk, epochs = story
    all_epochs = [e for (e,) in desk.all("SELECT epochTai FROM ledger.epoch ORDER BY 1")]
    told, wanted = changes(desk, name, epochs[name] - US, epochs[name])
    assert told == wanted
    assert told
    assert {kind for kind, _ in told.values()} == {"changed"}
    assert set().union(*(columns for _, columns in told.values())) == {CHANGES[name][0]}
    for since, until in zip(all_epochs[::2], all_epochs[5::3], strict=False):
        told, wanted = changes(desk, name, since, until)
        assert told == wanted
    # The late visit came and was withdrawn again: between then and now its rows are nowhere.
    told, _ = changes(desk, "DIASource", all_epochs[0], all_epochs[-1])
    assert len(told) == desk.one("SELECT count(*) FROM prompt_live.diasource")
    with pytest.raises(psycopg2.Error, match="later than the horizon"):
        desk.all(
            f"SELECT * FROM prompt_changes.{name}(%s, ledger.horizon() + interval '1 hour')",
            all_epochs[0],
        )
    desk.connection.rollback()


@pytest.mark.requirement("GEN-20")
def test_the_history_of_one_object(story):
    desk, epochs = story
    withdrawn = desk.one(
        "SELECT diaobjectid FROM prompt_history.diaobject WHERE ra BETWEEN 24.9 AND 25.1"
    )
    events = desk.all(
        "SELECT event FROM science.object_history(ARRAY[%s]) ORDER BY tai, event", withdrawn
    )
    assert [e for (e,) in events] == ["founded", "source gained", "closed", "source lost"]
    # At the re-link of the sources all went to the object with the largest id of then.
    moved = desk.all(
        "SELECT o.diaobjectid, event, diasourceid, midpointtai "
        "FROM prompt_at.diaobject(%s) AS o "
        "CROSS JOIN LATERAL science.object_history(ARRAY[o.diaobjectid]) "
        "WHERE tai = %s ORDER BY 1, 2",
        epochs["DIASource"], epochs["DIASource"],
    )  # fmt: skip
    gained = {row[2]: row[0] for row in moved if row[1] == "source gained"}
    lost = {row[2]: row[0] for row in moved if row[1] == "source lost"}
    assert gained
    assert set(gained) == set(lost)
    assert len(set(gained.values())) == 1
    links = dict(
        desk.all(
            "SELECT diasourceid, diaobjectid FROM prompt_at.diasource(%s)", epochs["DIASource"]
        )
    )
    assert all(links[source] == owner for source, owner in gained.items())
    assert all(owner != gained[source] for source, owner in lost.items())
    assert {row[3] for row in moved} <= {MJD, MJD + 1}
