"""Staging slots: where a worker's rows wait for their publication (design section 7).

A slot belongs to the session that holds its advisory lock; when that session dies the slot is
free again, and its next owner empties it. Other sessions may copy into it beside the owner, the
detectors of a visit for one: each calls :func:`join`, stages its rows and commits, and the owner
publishes when all have done so.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import psycopg2
from astropy import units
from astropy.table import Table

from ingest.copy import as_file, encode
from skyledger import dictionary as dd
from skyledger.database import metadata as md
from skyledger.errors import DatabaseError, DataRejectedError

_LOCK_CLASS = 7527
_KEPT = 64 << 20  # bytes that an empty staging table may go on occupying


@contextmanager
def slot(connection: Any) -> Iterator[int]:
    """Hold an empty staging slot for the session of ``connection``.

    Raises
    ------
    DatabaseError
        If all slots are taken.
    """
    number = None
    with connection.cursor() as cursor:
        for candidate in range(md.SLOTS):
            cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", (_LOCK_CLASS, candidate))
            if cursor.fetchone()[0]:
                number = candidate
                break
        if number is None:
            raise DatabaseError(
                f"all {md.SLOTS} staging slots are in use; wait for a running `skyledger process`"
            )
        try:
            # An open batch of a slot that is free belongs to nobody any more.
            cursor.execute(
                "SELECT ledger.fail_batch(batchid, 'its session ended before the publication') "
                "FROM ledger.batch WHERE slot = %s AND state = 'open'",
                (number,),
            )
            connection.commit()  # before the slot is emptied: nobody can join it from here on
            cursor.execute("SELECT staging.clear(%s::smallint)", (number,))
            connection.commit()
            yield number
        finally:
            # A session that has died has given its lock back already.
            with suppress(psycopg2.OperationalError, psycopg2.InterfaceError):
                connection.rollback()
                _vacuum(connection, number)
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", (_LOCK_CLASS, number))
                connection.commit()


def _vacuum(connection: Any, number: int) -> None:
    """Empty a slot for the next visit: the rows of many visits would pile up as dead ones.

    The pages stay with the table, unless it has grown unusually large: to make them anew is a good
    part of the copying (docs/design/loading.md). Who does not own the tables leaves that to
    autovacuum.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT staging.clear(%s::smallint)", (number,))
        cursor.execute(
            "SELECT string_agg(format('staging.%%I', c.relname), ', '), "
            "bool_or(pg_relation_size(c.oid) > %s) FROM pg_class AS c "
            "WHERE c.relnamespace = 'staging'::regnamespace AND c.relkind = 'r' "
            "AND c.relname LIKE %s AND pg_relation_size(c.oid) > 0 "
            "AND pg_has_role(c.relowner, 'MEMBER')",
            (_KEPT, rf"%\_s{number}"),
        )
        tables, large = cursor.fetchone()
        connection.commit()
        if tables is not None:
            connection.autocommit = True
            try:
                cursor.execute(f"VACUUM (SKIP_LOCKED, TRUNCATE {large}) {tables}")
            finally:
                connection.autocommit = False


def join(connection: Any, batch: int) -> int:
    """Return the slot of an open batch of another session, to stage rows in it.

    Parameters
    ----------
    connection
        psycopg2 connection; until the end of its transaction the slot is not emptied.
    batch
        The batch; its owner publishes once this transaction is committed.

    Raises
    ------
    DataRejectedError
        If the batch is over: published, failed or taken from its dead session.
    """
    with connection.cursor() as cursor:
        try:
            cursor.execute("SELECT ledger.join_batch(%s)", (batch,))
        except psycopg2.errors.ObjectNotInPrerequisiteState as error:
            raise DataRejectedError(
                f"{error.diag.message_primary}. {error.diag.message_hint}"
            ) from error
        return int(cursor.fetchone()[0])


def _check_layout(cursor: Any, relation: dd.Relation, names: list[str]) -> None:
    """Compare the types of a staging table with the dictionary: binary COPY coerces nothing."""
    cursor.execute(
        "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute "
        "WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped",
        (f"staging.{relation.sql_name}",),
    )
    found = dict(cursor.fetchall())
    for name in names:
        column = next((c for c in (*relation.columns, *_OWN) if c.name == name), None)
        wanted = None if column is None else str(column.type)
        if wanted == "timestamp":
            wanted = "timestamp without time zone"
        if column is None or found.get(column.sql_name) != wanted:
            raise DatabaseError(
                f"staging.{relation.sql_name}.{name.lower()} is "
                f"{found.get(name.lower(), 'not there')}, but this software writes {wanted}; "
                f"run `skyledger db upgrade`"
            )


_OWN = (md.SLOT, md.REPLACES, md.WITHDRAWN)


def stage(
    connection: Any, relation: dd.Relation, rows: Table | Mapping[str, Any], number: int
) -> int:
    """Copy rows into a staging slot; return how many.

    Parameters
    ----------
    connection
        psycopg2 connection; the copy is part of its transaction.
    relation
        Which relation the rows are meant for.
    rows
        Columns by the dictionary's names, masked where missing; columns that are left out
        become NULL. Units of a Table are compared with the dictionary.
    number
        The slot.

    Raises
    ------
    DataRejectedError
        If a column is unknown, in another unit, or cannot be represented by its type.
    DatabaseError
        If the staging table has another layout than this software expects.
    """
    names = list(rows.keys())
    known = {c.name: c for c in (*relation.columns, *_OWN)}
    strange = [name for name in names if name not in known]
    if strange:
        raise DataRejectedError(
            f"{relation.name} has no column {', '.join(strange)}; see db/dictionary/relations/"
            f"{relation.sql_name}.yaml"
        )
    n = len(rows[names[0]]) if names else 0
    if n == 0:
        return 0
    if isinstance(rows, Table):
        _check_units(relation, rows)
    columns = [md.SLOT, *(known[name] for name in names)]
    values = [np.full(n, number, dtype=np.int16), *(_plain(rows[name]) for name in names)]
    stream = encode(columns, values)
    with connection.cursor() as cursor:
        _check_layout(cursor, relation, names)
        listed = ", ".join(c.sql_name for c in columns)
        cursor.copy_expert(
            f"COPY staging.{relation.sql_name}_s{number} ({listed}) FROM STDIN (FORMAT binary)",
            as_file(stream),
            size=1 << 18,  # psycopg2's own 8 kB cost a call for every few rows
        )
    return n


def _check_units(relation: dd.Relation, rows: Table) -> None:
    for name in rows.colnames:
        unit = rows[name].unit
        wanted = relation.by_name[name].unit if name in relation.by_name else None
        if unit is not None and wanted is not None and unit != units.Unit(wanted, format="vounit"):
            raise DataRejectedError(
                f"{relation.name}.{name} is given in {unit}, but stored in {wanted}; convert it"
            )


def _plain(column: Any) -> Any:
    """Array behind a table column or quantity, with its mask."""
    if isinstance(column, np.ma.MaskedArray):
        return np.ma.MaskedArray(column.data, mask=column.mask)
    return np.asarray(column) if hasattr(column, "unit") else column
