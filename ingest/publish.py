"""Publication of a visit: stage, validate, associate, characterize, force, publish.

Everything up to ``ledger.publish`` happens without a lock; under the lock the staged rows are
carried over (design sections 5 and 7; DIA-11, DIA-19, L1DB-02).
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import psycopg2
from astropy.table import Table
from numpy.typing import NDArray

from ingest import rows
from ingest.measure import Measured
from ingest.staging import slot, stage
from skyledger import dictionary as dd
from skyledger import ids
from skyledger.errors import DataRejectedError

log = logging.getLogger(__name__)

ATTEMPTS = 3
Forcer = Callable[[dict[str, Any], Any, Any], Table]


@dataclass
class Published:
    """What became of a visit."""

    visit_id: int
    epoch: datetime | None = None  # None: nothing was published
    counts: dict[str, int] = field(default_factory=dict)
    failures: list[tuple[int, str]] = field(default_factory=list)  # (detector, reason)
    skipped: list[int] = field(default_factory=list)  # detectors published before


def _one(cursor: Any, query: str, *values: Any) -> Any:
    cursor.execute(query, values)
    return cursor.fetchone()


def _next_serial(cursor: Any, relation: str, ccd_visit_id: int) -> int:
    """First unused serial of a ccdVisit: ids are never used again, not even after withdrawal."""
    low, high = (
        int(ids.source_ids(ids.PROMPT, ccd_visit_id, np.array([s], dtype=np.int64))[0])
        for s in (0, (1 << ids.SERIAL_BITS) - 1)
    )
    key = dd.shipped()[relation].key[0].lower()
    name = relation.lower()
    newest = _one(
        cursor,
        "SELECT greatest("
        f"(SELECT max({key}) FROM prompt_store.{name} WHERE {key} BETWEEN %s AND %s), "
        f"(SELECT max({key}) FROM prompt_store.{name}_history WHERE {key} BETWEEN %s AND %s))",
        low,
        high,
        low,
        high,
    )[0]
    return 1 if newest is None else ids.parse_source_id(newest).serial + 1


def _identified(cursor: Any, sources: Table, measured: Measured) -> Table:
    """Return DIASources with ids: of their own, of their parents, of visit and detector."""
    info = measured.frame.visit
    first = _next_serial(cursor, "DIASource", info.ccd_visit_id)
    serials = np.arange(first, first + len(sources), dtype=np.int64)
    own = ids.source_ids(ids.PROMPT, info.ccd_visit_id, serials)
    table = sources.copy()
    parent = np.asarray(table["parentIndex"], dtype=np.int64)
    table.remove_column("parentIndex")
    table["diaSourceId"] = own
    table["parentDiaSourceId"] = np.ma.MaskedArray(own[np.maximum(parent, 0)], mask=parent < 0)
    table["ccdVisitId"] = np.full(len(table), info.ccd_visit_id, dtype=np.int64)
    table["visitId"] = np.full(len(table), info.visit_id, dtype=np.int64)
    table["detector"] = np.full(len(table), info.detector, dtype=np.int64)
    template = (measured.ccd_visit or {}).get("templateId")
    table["templateId"] = np.ma.MaskedArray(
        np.full(len(table), template or 0, dtype=np.int64), mask=template is None
    )
    table["hpx29"] = ids.hpx29(table["ra"], table["decl"])
    return table


def _objects_to_force(cursor: Any, number: int, ccd_visit_id: int) -> tuple[Any, Any, Any]:
    """DIAObjects the forced policy wants measured on a staged ccdVisit: ids, ra, decl."""
    cursor.execute(
        "SELECT diaobjectid, ra, decl FROM staging.forced_targets(%s::smallint, %s)",
        (number, ccd_visit_id),
    )
    found = cursor.fetchall()
    columns = list(zip(*found, strict=True)) if found else [(), (), ()]
    return np.array(columns[0], np.int64), np.array(columns[1]), np.array(columns[2])


def _stage_forced(
    connection: Any, cursor: Any, number: int, measured: Measured, force: Forcer
) -> int:
    described = measured.ccd_visit or {}
    info = measured.frame.visit
    if "differencePath" not in described:
        return 0
    objects, ra, decl = _objects_to_force(cursor, number, info.ccd_visit_id)
    if not len(objects):
        return 0
    table = force(described, ra, decl)
    if not len(table):
        return 0
    rows = identified_forced(cursor, table, objects, described)
    return stage(connection, dd.shipped()["DIAForcedSource"], rows, number)


def identified_forced(
    cursor: Any, measured: Table, objects: NDArray[np.int64], image: Mapping[str, Any]
) -> Table:
    """Return forced measurements with ids: of their own, of their objects, of the image.

    Parameters
    ----------
    cursor
        Of the database whose ids they get.
    measured
        As :func:`processing.forced.force` makes it.
    objects
        ``diaObjectId`` of the positions that were asked for, shape (n,).
    image
        Row of CcdVisit: ``ccdVisitId``, ``visitId``, ``detector``, ``templateId``.
    """
    index = np.asarray(measured["row"], dtype=np.int64)
    known = dd.shipped()["DIAForcedSource"].by_name
    table = measured[[name for name in measured.colnames if name in known]]
    ccd_visit = image["ccdVisitId"]
    first = _next_serial(cursor, "DIAForcedSource", ccd_visit)
    table["diaForcedSourceId"] = ids.source_ids(
        ids.PROMPT, ccd_visit, np.arange(first, first + len(table), dtype=np.int64)
    )
    table["diaObjectId"] = objects[index]
    for name in ("ccdVisitId", "visitId", "detector", "templateId"):
        table[name] = np.full(len(table), image[name], dtype=np.int64)
    return table


def _stage_visit(
    connection: Any, cursor: Any, number: int, found: Sequence[Measured], provenance: int
) -> int:
    """Copy what was measured of a visit into the slot; returns the number of DIASources."""
    dictionary = dd.shipped()
    row = rows.visit(found[0].frame, provenance)
    stage(connection, dictionary["Visit"], rows.table([row], dictionary["Visit"]), number)
    listed, sources = [], 0
    for one in found:
        if one.detector:
            names = ", ".join(name.lower() for name in one.detector)
            cursor.execute(
                f"INSERT INTO ledger.detector ({names}) "
                f"VALUES ({', '.join(['%s'] * len(one.detector))}) ON CONFLICT DO NOTHING",
                list(one.detector.values()),
            )
        listed.append({**(one.ccd_visit or {}), "provenanceId": provenance})
        if one.sources is not None and len(one.sources):
            table = _identified(cursor, one.sources, one)
            sources += stage(connection, dictionary["DIASource"], table, number)
    stage(connection, dictionary["CcdVisit"], rows.table(listed, dictionary["CcdVisit"]), number)
    return sources


def _meet_the_store(cursor: Any, number: int) -> None:
    """Tell the staged rows of a visit what is stored by now: asked again at every attempt."""
    cursor.execute(
        "DELETE FROM staging.visit AS s USING prompt_store.visit AS c "
        "WHERE s.slot = %s AND c.visitid = s.visitid",
        (number,),
    )
    cursor.execute(
        "UPDATE staging.ccdvisit AS s SET replacestai = c.createdtai "
        "FROM prompt_store.ccdvisit AS c WHERE s.slot = %s AND c.ccdvisitid = s.ccdvisitid",
        (number,),
    )


def _refused(cursor: Any, batch: int, visit_id: int) -> dict[int | None, str]:
    """Reasons of the detectors whose own row broke a rule; under None that of the visit.

    Without these rows what was measured on them means nothing, and was refused with them.
    """
    cursor.execute(
        "SELECT (content->>'detector')::integer, string_agg(reason, '; ') FROM ledger.rejected "
        "WHERE batchid = %s AND relation IN ('Visit', 'CcdVisit') GROUP BY 1",
        (batch,),
    )
    return {
        detector: f"visit {visit_id}: {broken}; correct the header of the frame, then run the same "
        f"command again"
        for detector, broken in cursor.fetchall()
    }


@dataclass
class _Loaded:
    """What an attempt has computed: row counts, and the detectors it had to leave out."""

    counts: dict[str, int]
    refused: dict[int | None, str]


def _compute(
    connection: Any, number: int, batch: int, found: Sequence[Measured], force: Forcer
) -> _Loaded:
    """Validate the staged rows of a visit and compute what follows from them."""
    visit_id = found[0].frame.visit.visit_id
    with connection.cursor() as cursor:
        _meet_the_store(cursor, number)
        rejected = _one(cursor, "SELECT staging.validate(%s::smallint, %s)", number, batch)[0]
        refused = _refused(cursor, batch, visit_id) if rejected else {}
        counts = {"DIAForcedSource": 0, "rejected": rejected}
        good = [one for one in found if one.frame.visit.detector not in refused]
        if None in refused or not good:
            return _Loaded(counts, refused)
        counts["not chosen"] = _one(
            cursor, "SELECT staging.choose_subthreshold(%s::smallint)", number
        )[0]
        _matched, new = _one(cursor, "SELECT * FROM staging.associate(%s::smallint)", number)
        counts["new DIAObject"] = new
        counts["DIAObject"] = _one(cursor, "SELECT staging.characterize(%s::smallint)", number)[0]
        cursor.execute("SELECT staging.nearby(%s::smallint)", (number,))
        for one in good:
            counts["DIAForcedSource"] += _stage_forced(connection, cursor, number, one, force)
        cursor.execute("SELECT staging.characterize_fluxes(%s::smallint)", (number,))
        rejected = _one(
            cursor, "SELECT staging.validate_diaforcedsource(%s::smallint, %s)", number, batch
        )[0]
        cursor.execute(
            "UPDATE ledger.batch SET nrejected = nrejected + %s WHERE batchid = %s",
            (rejected, batch),
        )
        counts["rejected"] += rejected
    return _Loaded(counts, refused)


def _publish(
    connection: Any,
    number: int,
    batch: int,
    found: Sequence[Measured],
    force: Forcer,
    outcome: Published,
    run: str,
) -> None:
    """Compute and publish a staged visit; if others have changed its objects meanwhile, again."""
    with connection.cursor() as cursor:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                loaded = _compute(connection, number, batch, found, force)
                whole = loaded.refused.get(None)
                told = {
                    one.frame.visit.detector: whole or loaded.refused.get(one.frame.visit.detector)
                    for one in found
                }
                failures = [(detector, reason) for detector, reason in told.items() if reason]
                for detector, reason in failures:
                    cursor.execute(
                        "SELECT ledger.fail_delivery(%s, %s, %s::smallint, %s, %s)",
                        (batch, outcome.visit_id, detector, run, reason),
                    )
                if len(failures) == len(found):
                    cursor.execute("SELECT ledger.fail_batch(%s, %s)", (batch, failures[0][1]))
                else:
                    outcome.epoch = _one(cursor, "SELECT ledger.publish(%s)", batch)[0]
                    outcome.counts |= loaded.counts
                connection.commit()
            except (psycopg2.errors.SerializationFailure, psycopg2.errors.UniqueViolation):
                # Another session changed the same objects, or was first with the row of the
                # visit: compute from what is now known. What is staged stays.
                connection.rollback()
                if attempt == ATTEMPTS:
                    give_up(connection, batch, f"other publications interfered {attempt} times")
                    raise
            else:
                outcome.failures += failures
                return


def publish_visit(
    connection: Any,
    found: Sequence[Measured],
    run: str,
    provenance: int,
    force: Forcer,
) -> Published:
    """Publish the measurements of one visit under one epoch.

    Parameters
    ----------
    connection
        psycopg2 connection, not in a transaction; commits and rolls back.
    found
        The detectors of one visit, measured or failed.
    run
        Pipeline run: with visit and detector the token that makes a repetition a no-op.
    provenance
        ``provenanceId`` of the processing.
    force
        Forced photometry of a ccdVisit row at positions [deg].

    Returns
    -------
    Published
        With the reason of every detector that failed; their deliveries are marked and can be
        tried again. A detector that was published before is skipped; if another session is about
        to publish one of them, all fail and nothing is marked.
    """
    visit_id = found[0].frame.visit.visit_id
    outcome = Published(visit_id)
    by_detector = {one.frame.visit.detector: one for one in found}
    times = [one.frame.visit.mid_tai for one in found]
    with slot(connection) as number, connection.cursor() as cursor:
        cursor.execute(
            "SELECT ledger.ensure_partitions(%s, %s), "
            "ledger.ensure_partitions(science.mjd_now(), science.mjd_now() + 31)",
            (min(times), max(times)),
        )
        try:
            batch, claimed = _one(
                cursor,
                "SELECT * FROM ledger.open_batch('visit', %s, %s::smallint[], %s, %s::smallint)",
                visit_id,
                sorted(by_detector),
                run,
                number,
            )
        except (psycopg2.errors.UniqueViolation, psycopg2.errors.LockNotAvailable) as error:
            connection.rollback()
            said = f"{error.diag.message_primary}; {error.diag.message_hint}"
            outcome.failures = [(detector, said) for detector in sorted(by_detector)]
            return outcome
        outcome.skipped = sorted(set(by_detector) - set(claimed))
        for detector in claimed:
            reason = by_detector[detector].reason
            if reason is not None:
                outcome.failures.append((detector, reason))
                cursor.execute(
                    "SELECT ledger.fail_delivery(%s, %s, %s::smallint, %s, %s)",
                    (batch, visit_id, detector, run, reason),
                )
        good = [by_detector[d] for d in claimed if by_detector[d].reason is None]
        if not good:
            cursor.execute("SELECT ledger.fail_batch(%s, %s)", (batch, "nothing to publish"))
            connection.commit()
            return outcome
        connection.commit()
        try:
            sources = _stage_visit(connection, cursor, number, good, provenance)
            connection.commit()
            _publish(connection, number, batch, good, force, outcome, run)
        except DataRejectedError as error:
            give_up(connection, batch, str(error))
            outcome.failures += [(one.frame.visit.detector, str(error)) for one in good]
            return outcome
        except KeyboardInterrupt:
            give_up(connection, batch, "interrupted; run the same command again")
            raise
        except BaseException as error:
            give_up(connection, batch, f"{type(error).__name__}: {error}".strip())
            raise
    if outcome.epoch is not None:
        outcome.counts["DIASource"] = sources - outcome.counts.pop("not chosen")
    log.info("visit %s published at %s: %s", visit_id, outcome.epoch, outcome.counts)
    return outcome


def give_up(connection: Any, batch: int, reason: str) -> None:
    """Record why a batch failed, if the database can still be told."""
    if connection.closed:
        return
    try:
        connection.rollback()
        with connection.cursor() as cursor:
            cursor.execute("SELECT ledger.fail_batch(%s, %s)", (batch, reason))
        connection.commit()
    except psycopg2.Error:
        log.warning("batch %s stays open: its failure could not be stored: %s", batch, reason)
