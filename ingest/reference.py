"""A reference catalogue loaded as release ``dr0``: its rows become Objects (GEN-28, DIA-16).

Loading happens beside everything else, in a schema of its own that nobody reads; one short
transaction then gives it the name of the release, registers its number, guards its tables against
every further change and opens an epoch.
"""

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest import catalogue
from ingest.copy import as_file, encode
from skyledger import dictionary as dd
from skyledger import ids
from skyledger.database import metadata as md
from skyledger.database import offered, tap_schema
from skyledger.database.schema import engine_on
from skyledger.errors import DatabaseError, DataRejectedError, UsageError

log = logging.getLogger(__name__)

NAME = "dr0"
_LOADING = "dr0_loading"
_LOCK = (7526, 4)
_COVARIANCE = 66  # elements of psCov: lower triangle of 11 parameters, row by row
_VARIANCES = {"raErr": 0, "declErr": 2, "pmRaErr": 5, "pmDeclErr": 9, "parallaxErr": 14}
Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class Loaded:
    """What became of a catalogue."""

    rows: int
    rejected: int
    batch: int  # of the rejected rows in ledger.rejected
    epoch: datetime


def load(
    connection: Any,
    files: Sequence[Path],
    mapping: dict[str, catalogue.Source],
    progress: Progress = lambda _what, _done, _total: None,
) -> Loaded:
    """Load files as release dr0.

    Parameters
    ----------
    connection
        psycopg2 connection of the owner, not in a transaction; commits.
    files
        CSV, FITS or Parquet; together one catalogue.
    mapping
        From :func:`ingest.catalogue.read_mapping`.
    progress
        Called with a stage, what is done of it, and the total if it is known.

    Returns
    -------
    Loaded
        Rows that break a rule are left out and kept in ``ledger.rejected`` with their reason.

    Raises
    ------
    UsageError
        If there is a dr0 already: a release never changes.
    DataRejectedError
        If a file cannot be read, or no row can be used; nothing has been loaded then.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", _LOCK)
        if not cursor.fetchone()[0]:
            raise DatabaseError("another `skyledger reference load` is running; wait for its end")
        try:
            number = _prepare(connection, cursor)
            rows = _copy_all(connection, cursor, files, mapping, number, progress)
            rejected = _sort_out(cursor, rows, progress)
            _finish(connection, cursor, progress)
            batch, epoch = _publish(cursor, number, rows - rejected[0], rejected[1])
            connection.commit()
            return Loaded(rows - rejected[0], rejected[1], batch, epoch)
        except BaseException:
            if not connection.closed:
                connection.rollback()
                cursor.execute(f"DROP SCHEMA IF EXISTS {_LOADING} CASCADE")
                connection.commit()
            raise
        finally:
            if not connection.closed:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", _LOCK)
                connection.commit()


def _prepare(connection: Any, cursor: Any) -> int:
    """Make the empty tables without indexes; return the number of the new database."""
    cursor.execute(
        "SELECT registeredtai FROM ledger.database WHERE name = %s OR to_regnamespace(%s) "
        "IS NOT NULL ORDER BY name = %s DESC LIMIT 1",
        (NAME, NAME, NAME),
    )
    found = cursor.fetchone()
    if found is not None:
        raise UsageError(
            f"there is a {NAME} already, registered at {found[0].isoformat()} (TAI), and a release "
            f"never changes; nothing was loaded"
        )
    # What an interrupted load left behind is nobody's.
    cursor.execute(f"DROP SCHEMA IF EXISTS {_LOADING} CASCADE")
    cursor.execute(f"CREATE SCHEMA {_LOADING}")
    connection.commit()
    with engine_on(connection).connect() as bound:
        md.release(dd.shipped(), _LOADING).create_all(bound)
        connection.commit()
    cursor.execute(f"CREATE TABLE {_LOADING}.refused (reason text, content jsonb)")
    cursor.execute(
        f"CREATE TABLE {_LOADING}.later AS SELECT indexdef FROM pg_indexes "
        "WHERE schemaname = %s AND tablename = 'object' AND indexname <> 'object_pkey'",
        (_LOADING,),
    )
    cursor.execute(
        "SELECT indexname FROM pg_indexes "
        "WHERE schemaname = %s AND tablename = 'object' AND indexname <> 'object_pkey'",
        (_LOADING,),
    )
    for (index,) in cursor.fetchall():
        cursor.execute(f"DROP INDEX {_LOADING}.{index}")
    cursor.execute(f"ALTER TABLE {_LOADING}.object DROP CONSTRAINT object_pkey")
    cursor.execute("SELECT max(databaseid) + 1 FROM ledger.database")
    number: int = cursor.fetchone()[0]
    connection.commit()
    return number


def _copy_all(
    connection: Any,
    cursor: Any,
    files: Sequence[Path],
    mapping: dict[str, catalogue.Source],
    number: int,
    progress: Progress,
) -> int:
    counts = [catalogue.count(path) for path in files]
    total = None if None in counts else sum(c for c in counts if c is not None)
    rows = seen = 0
    for path in files:
        for piece in catalogue.pieces(path, mapping):
            if len(piece):
                _copy(cursor, _objects(piece, number, rows + 1))
            cursor.executemany(
                f"INSERT INTO {_LOADING}.refused VALUES (%s, %s)",
                [
                    (reason, json.dumps({"file": path.name, **content}))
                    for reason, content in piece.refused
                ],
            )
            connection.commit()
            rows += len(piece)
            seen += len(piece) + len(piece.refused)
            progress("rows", seen, total)
    return rows


def _masked(values: NDArray[np.float64]) -> Any:
    return np.ma.masked_invalid(values)


def _objects(piece: catalogue.Piece, number: int, first: int) -> dict[str, Any]:
    """Columns of Object for the rows of a piece."""
    values, n = piece.values, len(piece)
    pixel = ids.hpx29(values["ra"], values["decl"])
    found: dict[str, Any] = {
        "objectId": ids.object_ids(
            number, pixel >> 48, np.arange(first, first + n, dtype=np.int64)
        ),
        "ra": values["ra"],
        "decl": values["decl"],
        "hpx29": pixel,
        "flags": np.zeros(n, np.int64),
        "flags2": np.zeros(n, np.int64),
        "extendedness": values["extendedness"],
    }
    for name, column in (
        ("epoch", "psRadecTai"),
        ("pmRa", "psPmRa"),
        ("pmDecl", "psPmDecl"),
        ("parallax", "psParallax"),
    ):
        if name in values:
            found[column] = _masked(values[name])
    covariance = np.full((n, _COVARIANCE), np.nan)
    for name, element in _VARIANCES.items():
        if name in values:
            covariance[:, element] = values[name] ** 2
    for at, band in enumerate(catalogue.BANDS):
        for suffix in ("", "Err"):
            if f"{band}Flux{suffix}" in values:
                found[f"{band}PsFlux{suffix}"] = _masked(values[f"{band}Flux{suffix}"])
        if f"{band}FluxErr" in values:
            # Parameters count from 0: five of the position and motion come before the fluxes.
            k = 5 + at
            variance = values[f"{band}FluxErr"] ** 2
            covariance[:, k * (k + 3) // 2] = np.where(variance < 3e38, variance, np.nan)
    if np.isfinite(covariance).any():
        found["psCov"] = _masked(covariance)
    return found


def _copy(cursor: Any, columns: dict[str, Any]) -> None:
    relation = dd.shipped()["Object"]
    described = [relation[name] for name in columns]
    listed = ", ".join(column.sql_name for column in described)
    cursor.copy_expert(
        f"COPY {_LOADING}.object ({listed}) FROM STDIN (FORMAT binary)",
        as_file(encode(described, list(columns.values()))),
        size=1 << 18,
    )


def _sort_out(cursor: Any, rows: int, progress: Progress) -> tuple[int, int]:
    """Take out rows at the place of an earlier one; count them, and all that were refused."""
    progress("duplicates", 0, None)
    cursor.execute(
        f"WITH again AS (SELECT ctid AS place, row_number() OVER (PARTITION BY ra, decl "
        f"  ORDER BY objectid & 549755813887) AS n FROM {_LOADING}.object), "
        f"gone AS (DELETE FROM {_LOADING}.object AS o USING again "
        f"  WHERE again.n > 1 AND o.ctid = again.place RETURNING o.*) "
        f"INSERT INTO {_LOADING}.refused SELECT "
        f"'at the very place of an earlier row: ra = ' || ra || ', decl = ' || decl, "
        f"jsonb_strip_nulls(to_jsonb(gone)) FROM gone"
    )
    twice = cursor.rowcount
    cursor.execute(f"SELECT count(*), min(reason) FROM {_LOADING}.refused")
    refused, reason = cursor.fetchone()
    if rows - twice == 0:
        raise DataRejectedError(
            f"no row can be used; {refused} were refused: {reason or 'the files are empty'}; "
            f"compare the mapping with the columns and units of the catalogue"
        )
    return twice, refused


def _finish(connection: Any, cursor: Any, progress: Progress) -> None:
    """Build the indexes, count what lies where, and guard all tables."""
    progress("indexes", 0, None)
    cursor.execute(
        f"ALTER TABLE {_LOADING}.object ADD CONSTRAINT object_pkey PRIMARY KEY (objectid)"
    )
    cursor.execute(f"SELECT indexdef FROM {_LOADING}.later")
    for (definition,) in cursor.fetchall():
        cursor.execute(definition)
    cursor.execute(f"DROP TABLE {_LOADING}.later")
    progress("densities", 0, None)
    cursor.execute(
        f"CREATE TABLE {_LOADING}.density AS SELECT (hpx29 >> 42)::integer AS pixel, "
        f"count(*) FILTER (WHERE extendedness < 0.5)::integer AS nstars, "
        f"count(*) FILTER (WHERE extendedness >= 0.5)::integer AS ngalaxies "
        f"FROM {_LOADING}.object GROUP BY 1"
    )
    connection.commit()
    cursor.execute(f"ANALYZE {_LOADING}.object")
    connection.commit()


def _publish(cursor: Any, number: int, rows: int, refused: int) -> tuple[int, datetime]:
    """Give the loaded tables their name, in the transaction at hand."""
    cursor.execute("SELECT nextval('ledger.batch_id')")
    batch: int = cursor.fetchone()[0]
    cursor.execute(
        "INSERT INTO ledger.rejected (rejectedid, batchid, relation, reason, content, rejectedtai) "
        "SELECT nextval('ledger.rejected_id'), %s, 'Object', reason, content, science.tai_now() "
        f"FROM {_LOADING}.refused",
        (batch,),
    )
    cursor.execute(f"DROP TABLE {_LOADING}.refused")
    cursor.execute(
        f"INSERT INTO ledger.releasedensity (databaseid, pixel, nstars, ngalaxies) "
        f"SELECT %s, pixel, nstars, ngalaxies FROM {_LOADING}.density",
        (number,),
    )
    cursor.execute(f"DROP TABLE {_LOADING}.density")
    guard(cursor, _LOADING)
    cursor.execute(f"ALTER SCHEMA {_LOADING} RENAME TO {NAME}")
    cursor.execute(f"GRANT USAGE ON SCHEMA {NAME} TO skyledger_reader, skyledger_ingest")
    cursor.execute(
        f"GRANT SELECT ON ALL TABLES IN SCHEMA {NAME} TO skyledger_reader, skyledger_ingest"
    )
    cursor.execute("SELECT ledger.draw('release', %s)", (batch,))
    epoch: datetime = cursor.fetchone()[0]
    cursor.execute("UPDATE ledger.epoch SET nrows = %s WHERE epochtai = %s", (rows, epoch))
    cursor.execute(
        "INSERT INTO ledger.batch (batchid, kind, run, slot, state, startedtai, endedtai, "
        "epochtai, nrejected) VALUES (%s, 'release', %s, 0, 'published', %s, %s, %s, %s)",
        (batch, NAME, epoch, epoch, epoch, refused),
    )
    cursor.execute(
        "INSERT INTO ledger.database (databaseid, name, kind, registeredtai) "
        "VALUES (%s, %s, 'release', %s)",
        (number, NAME, epoch),
    )
    tap_schema.refresh(cursor, offered.of_database(cursor))
    return batch, epoch


def guard(cursor: Any, schema: str) -> None:
    """Refuse every further change of the tables of a release, the owner's too (GEN-28)."""
    cursor.execute(
        "SELECT c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace "
        "WHERE n.nspname = %s AND c.relkind IN ('r', 'p') ORDER BY 1",
        (schema,),
    )
    for (table,) in cursor.fetchall():
        cursor.execute(
            f"CREATE TRIGGER refuse_release_write BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE "
            f"ON {schema}.{table} FOR EACH STATEMENT "
            f"EXECUTE FUNCTION ledger.refuse_release_write()"
        )
        cursor.execute(f"ALTER TABLE {schema}.{table} ENABLE ALWAYS TRIGGER refuse_release_write")
