"""The schema of a database: upgrade it, check it, compare it with what it should be.

An upgrade is one transaction under an advisory lock: generated views and functions are dropped
in reverse order of making, Alembic migrates the tables, everything is made again, grants are
given (design section 8). Objects of users that depend on ours are named and the upgrade is
refused; nothing is ever dropped with CASCADE.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

import psycopg2
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.pool import StaticPool

from skyledger import __version__
from skyledger import dictionary as dd
from skyledger.database import (
    changes,
    extensions,
    obscore,
    offered,
    published,
    rubin,
    stacked,
    tap_schema,
)
from skyledger.database import metadata as md
from skyledger.database.published import Item
from skyledger.errors import ConfigurationError, DatabaseError
from skyledger.resources import db_dir

Watch = Callable[[str], None]

_LOCK = (7526, 3)
_NEEDS = re.compile(r"^--\s*needs:\s*(.+)$", re.MULTILINE)
_PUBLISHED_SCHEMAS = (
    *("prompt", "prompt_live", "prompt_at", "prompt_history", "science"),
    *("prompt_changes", "rubin", "rubin_live", "rubin_at", "tap_schema"),
)
# Partitions are made by ledger.ensure_partitions, not by migrations.
_PARTITION = re.compile(r"_(p\d{4}(\d\d|q[1-4])?|s\d+)$")


def managed_name(name: str | None, kind: str, _parents: Any) -> bool:
    """Tell Alembic which schemas and tables the migrations manage."""
    if kind == "schema":
        return name in {md.STORE, md.LEDGER, md.STAGING, md.SERVICE}
    if kind == "table":
        return name != "schema_version" and not _PARTITION.search(name or "")
    return True


def managed_object(
    thing: Any, name: str | None, kind: str, _reflected: bool, _compare_to: Any
) -> bool:
    """Leave partitions and what hangs on them out of Alembic's comparison."""
    if kind == "table":
        return managed_name(name, kind, None)
    table = getattr(thing, "table", None)
    return table is None or managed_name(table.name, "table", None)


def _files() -> list[Item]:
    """Read the replayed SQL files: functions, and the bodies of denormalised relations."""
    found = []
    for path in sorted((db_dir() / "functions").rglob("*.sql")):
        text = path.read_text(encoding="utf-8")
        needs = tuple(
            part.strip().lower() for line in _NEEDS.findall(text) for part in line.split(",")
        )
        found.append(Item(f"{path.parent.name}.{path.stem}".lower(), "routine", text, needs))
    for path in sorted((db_dir() / "views").glob("*.sql")):
        found += stacked.denormalised(path.stem, path.read_text(encoding="utf-8"))
    return found


def replay_items(dictionary: dd.Dictionary) -> list[Item]:
    """Everything replayed after the migrations, in an order in which it can be made."""
    generated = [*published.items(dictionary), *changes.items(dictionary), *rubin.items()]
    generated += [*obscore.items(), *tap_schema.items()]
    items = {item.name: item for item in [*_files(), *generated]}
    graph = {name: sorted(item.needs) for name, item in sorted(items.items())}
    missing = sorted({n for needs in graph.values() for n in needs} - set(items))
    if missing:
        raise ConfigurationError(f"SQL files need {', '.join(missing)}, which no file makes")
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise ConfigurationError(
            f"SQL files need each other in a circle: {error.args[1]}"
        ) from None
    scripts = [
        Item(f"roles.{path.stem}", "script", path.read_text(encoding="utf-8"))
        for path in sorted((db_dir() / "roles").glob("*.sql"))
    ]
    return [items[name] for name in order] + scripts


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def configuration(connection: sa.Connection | None = None, watch: Watch | None = None) -> Config:
    """Alembic's configuration, over a connection if migrations are to be run."""
    config = Config()
    config.set_main_option("script_location", str(db_dir() / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    config.attributes["watch"] = watch
    return config


def head() -> str:
    """Revision that this version of the software works with."""
    revision = ScriptDirectory.from_config(configuration()).get_current_head()
    if revision is None:
        raise ConfigurationError(f"no migrations found in {db_dir() / 'migrations'}")
    return revision


def engine_on(raw: Any) -> sa.Engine:
    """SQLAlchemy engine over one existing psycopg2 connection, sharing its transaction."""
    return sa.create_engine("postgresql+psycopg2://", creator=lambda: raw, poolclass=StaticPool)


@dataclass(frozen=True)
class State:
    """What a database says of its own schema."""

    revision: str | None
    replayed: tuple[tuple[str, str], ...]  # (name, sha256) in the order of making


def state(connection: Any) -> State:
    """Read the revision and the replay record of a database."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT to_regclass('ledger.schema_version'), to_regclass('ledger.replayed')"
        )
        versions, record = cursor.fetchone()
        revision, replayed = None, ()
        if versions:
            cursor.execute("SELECT version_num FROM ledger.schema_version")
            row = cursor.fetchone()
            revision = row[0] if row else None
        if record:
            cursor.execute("SELECT name, sha256 FROM ledger.replayed ORDER BY position")
            replayed = tuple(cursor.fetchall())
    return State(revision, replayed)


def _drop(cursor: Any, items: list[tuple[str, str]]) -> None:
    """Drop replayed objects, newest first; (name, kind) as recorded."""
    for name, kind in reversed(items):
        schema, _, plain = name.partition(".")
        if kind == "script":
            continue
        if kind == "view":
            cursor.execute(f"DROP VIEW IF EXISTS {name}")
            continue
        cursor.execute(
            "SELECT p.oid::regprocedure::text FROM pg_proc p "
            "JOIN pg_namespace n ON n.oid = p.pronamespace "
            "WHERE n.nspname = %s AND p.proname = %s ORDER BY p.prokind, p.oid",
            (schema, plain),
        )
        for (signature,) in cursor.fetchall():
            cursor.execute(f"DROP ROUTINE {signature}")


def _drop_replayed(cursor: Any) -> None:
    cursor.execute("SELECT to_regclass('ledger.replayed')")
    if cursor.fetchone()[0] is None:
        return
    cursor.execute("SELECT name, kind FROM ledger.replayed ORDER BY position")
    recorded = cursor.fetchall()
    try:
        _drop(cursor, recorded)
    except psycopg2.errors.DependentObjectsStillExist as error:
        detail = (error.diag.message_detail or "").replace("\n", "; ")
        raise DatabaseError(
            f"objects that are not ours depend on ours, so they cannot be replaced: {detail}. "
            f"Drop or move them, upgrade, and make them again"
        ) from error
    cursor.execute("DELETE FROM ledger.replayed")


def _replay(cursor: Any, items: list[Item]) -> None:
    for schema in _PUBLISHED_SCHEMAS:
        cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    # Bodies of PL functions may name what comes later in the order.
    cursor.execute("SET LOCAL check_function_bodies = off")
    for item in items:
        try:
            cursor.execute(item.sql)
        except psycopg2.Error as error:
            raise ConfigurationError(f"{item.name} cannot be made: {error}".strip()) from error
    cursor.executemany(
        "INSERT INTO ledger.replayed (position, name, kind, sha256, softwareversion, replayedtai) "
        "VALUES (%s, %s, %s, %s, %s, science.tai_now())",
        [
            (position, item.name, item.kind, _sha256(item.sql), __version__)
            for position, item in enumerate(items)
        ],
    )


def _definitions() -> dict[str, list[dict[str, Any]]]:
    """Rows of the definition tables, by relation and column name."""
    return {
        "FlagDefinition": [
            {**flag.model_dump(), "columnName": flag.column} for flag in dd.flag_definitions()
        ],
        "FeatureDefinition": [feature.model_dump() for feature in dd.feature_definitions()],
    }


def _fill(cursor: Any) -> None:
    """Write the rows every database has: its number, definitions, first epoch, partitions."""
    cursor.execute(
        "INSERT INTO ledger.database (databaseid, name, kind, registeredtai) "
        "VALUES (1, 'prompt', 'living', science.tai_now()) ON CONFLICT DO NOTHING"
    )
    for relation, rows in _definitions().items():
        names = list(rows[0])
        holes = ", ".join(["%s"] * len(names))
        key = ", ".join(
            dd.shipped()[relation].by_name[k].sql_name for k in dd.shipped()[relation].key
        )
        updates = ", ".join(f"{n.lower()} = excluded.{n.lower()}" for n in names)
        cursor.executemany(
            f"INSERT INTO ledger.{relation.lower()} ({', '.join(n.lower() for n in names)}) "
            f"VALUES ({holes}) ON CONFLICT ({key}) DO UPDATE SET {updates}",
            [tuple(row.values()) for row in rows],
        )
    cursor.execute("SELECT ledger.draw('created') WHERE ledger.horizon() IS NULL")
    cursor.execute("SELECT ledger.ensure_partitions(science.mjd_now(), science.mjd_now() + 92)")
    tap_schema.refresh(cursor, offered.of_database(cursor))


def upgrade(connection: Any, revision: str = "head", watch: Watch | None = None) -> bool:
    """Bring a database to the schema of this software; return False if nothing was to do.

    Parameters
    ----------
    connection
        psycopg2 connection of the owner (a superuser, for extensions), not in a transaction.
    revision
        Alembic revision to go to; anything but "head" is for rehearsals and tests.
    watch
        Called with the name of each step when it is done, within the transaction; with it views
        and functions are made again even if nothing is to do.

    Raises
    ------
    DatabaseError
        If objects of users depend on ours, or a migration fails; nothing has changed then.
    """
    items = replay_items(dd.shipped())
    wanted = tuple((item.name, _sha256(item.sql)) for item in items)
    extensions.install(connection)
    connection.commit()
    try:
        # SQLAlchemy looks around and rolls back when it first connects, so it comes first; the
        # transaction is then psycopg2's own and is ended here alone.
        with engine_on(connection).connect() as bound, connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", _LOCK)
            now = state(connection)
            complete = now.revision == head() and now.replayed == wanted and revision == "head"
            if complete and watch is None:
                # A restore to another server may have left roles behind.
                cursor.execute("SELECT service.keep_roles()")
                connection.commit()
                return False
            cursor.execute("SET LOCAL lock_timeout = '10s'")
            cursor.execute("CREATE SCHEMA IF NOT EXISTS ledger")
            watch = watch or (lambda _step: None)
            _drop_replayed(cursor)
            watch("drop views and functions")
            command.upgrade(configuration(bound, watch), revision)
            if revision == "head":
                _replay(cursor, items)
                watch("make views and functions")
                _fill(cursor)
                watch("definitions and partitions")
            connection.commit()
    except psycopg2.Error as error:
        connection.rollback()
        raise DatabaseError(f"the upgrade was undone: {str(error).strip()}") from error
    except BaseException:
        connection.rollback()
        raise
    return True


def downgrade(connection: Any, revision: str) -> None:
    """Go back to an earlier revision, in one transaction; views and functions are dropped."""
    with engine_on(connection).connect() as bound, connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", _LOCK)
        _drop_replayed(cursor)
        command.downgrade(configuration(bound), revision)
        connection.commit()


def current(now: State) -> bool:
    """Tell whether a database is as this software makes it: nothing is to upgrade."""
    wanted = tuple((item.name, _sha256(item.sql)) for item in replay_items(dd.shipped()))
    return now.revision == head() and now.replayed == wanted


def check(connection: Any) -> State:
    """Refuse a database whose schema is not that of this software.

    Raises
    ------
    DatabaseError
        Naming both versions and the command that helps.
    """
    now = state(connection)
    if now.revision is None:
        raise DatabaseError(
            f"the database has no Skyledger schema (needed: {head()}); run `skyledger db init`"
        )
    if now.revision != head():
        raise DatabaseError(
            f"the database has schema version {now.revision}, this software needs {head()}; "
            f"run `skyledger db upgrade`, or use the software that made it"
        )
    wanted = tuple((i.name, _sha256(i.sql)) for i in replay_items(dd.shipped()))
    if now.replayed != wanted:
        changed = sorted(n for n, _ in set(now.replayed) ^ set(wanted))
        raise DatabaseError(
            f"views or functions differ from those of this software ({changed[0]} and "
            f"{len(changed) - 1} more); run `skyledger db upgrade`"
        )
    return now


_LIVE = """
SELECT format('%%s.%%s', n.nspname, p.proname),
       string_agg(pg_get_functiondef(p.oid), E'\\n' ORDER BY p.oid::regprocedure::text)
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = ANY(%(schemas)s) AND p.prokind <> 'a' GROUP BY 1
UNION ALL
SELECT format('%%s.%%s', schemaname, viewname), definition FROM pg_views
WHERE schemaname = ANY(%(schemas)s)
UNION ALL
SELECT format('%%s of %%s', r.conname, r.conrelid::regclass), pg_get_constraintdef(r.oid)
FROM pg_constraint r JOIN pg_class c ON c.oid = r.conrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY(%(schemas)s) AND NOT c.relispartition
UNION ALL
SELECT format('%%s.%%s', schemaname, i.indexname), indexdef
FROM pg_indexes i JOIN pg_class c ON c.oid = format('%%I.%%I', schemaname, tablename)::regclass
WHERE schemaname = ANY(%(schemas)s) AND NOT c.relispartition
UNION ALL
SELECT format('%%s.%%s.%%s', n.nspname, c.relname, a.attname),
       format('%%s, not null: %%s', format_type(a.atttypid, a.atttypmod), a.attnotnull)
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY(%(schemas)s) AND c.relkind IN ('r', 'p') AND NOT c.relispartition
  AND a.attnum > 0 AND NOT a.attisdropped
"""


def _live(connection: Any) -> dict[str, str]:
    schemas = [*_PUBLISHED_SCHEMAS, md.STORE, md.LEDGER, md.STAGING, md.SERVICE]
    with connection.cursor() as cursor:
        cursor.execute(_LIVE, {"schemas": schemas})
        return dict(cursor.fetchall())


def drift(connection: Any) -> list[str]:
    """Compare a live database with a fresh one: what differs, one line an object.

    A fresh database is made beside it on the same server and dropped again, so the connection's
    role must be allowed to create databases.
    """
    name = f"skyledger_fresh_{connection.info.backend_pid}"
    other = psycopg2.connect(connection.dsn)
    other.autocommit = True
    try:
        with other.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name} TEMPLATE template0")
            try:
                fresh = psycopg2.connect(connection.dsn, dbname=name)
                try:
                    upgrade(fresh)
                    wanted = _live(fresh)
                finally:
                    fresh.close()
            finally:
                cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        other.close()
    found = _live(connection)
    lines = [f"{n} is missing" for n in sorted(set(wanted) - set(found))]
    lines += [f"{n} is not ours" for n in sorted(set(found) - set(wanted))]
    lines += [f"{n} differs" for n in sorted(set(found) & set(wanted)) if found[n] != wanted[n]]
    return lines


def create_release(connection: Any, name: str) -> None:
    """Create the empty static tables of data release ``name`` (dr1, dr2 ...) in its schema."""
    if not re.fullmatch(r"(dr\d+|sp_[a-z0-9_]+)", name):
        raise ConfigurationError(f"release name {name!r} is not of the form dr1 or sp_name")
    with engine_on(connection).connect() as bound, connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA {name}")
        md.release(dd.shipped(), name).create_all(bound)
        connection.commit()
