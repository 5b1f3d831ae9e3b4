"""Fresh = upgraded, replay twice = no-op, nothing to autogenerate, drift is caught."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from skyledger import dictionary
from skyledger.database import metadata, migrations, schema
from skyledger.errors import DatabaseError

CATALOGUE = """
SELECT 'column', format('%%s.%%s.%%s', n.nspname, c.relname, a.attname),
       format('%%s %%s %%s', format_type(a.atttypid, a.atttypmod), a.attnotnull,
              col_description(c.oid, a.attnum))
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY(%(schemas)s) AND a.attnum > 0 AND NOT a.attisdropped
UNION ALL
SELECT 'relation', format('%%s.%%s', n.nspname, c.relname),
       format('%%s %%s %%s', c.relkind, obj_description(c.oid, 'pg_class'), c.relacl)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ANY(%(schemas)s)
UNION ALL
SELECT 'index', format('%%s.%%s', schemaname, indexname), indexdef FROM pg_indexes
WHERE schemaname = ANY(%(schemas)s)
UNION ALL
SELECT 'constraint', format('%%s.%%s', r.conrelid::regclass, r.conname), pg_get_constraintdef(r.oid)
FROM pg_constraint r JOIN pg_namespace n ON n.oid = r.connamespace
WHERE n.nspname = ANY(%(schemas)s) AND r.conrelid <> 0
UNION ALL
SELECT 'trigger', format('%%s.%%s', t.tgrelid::regclass, t.tgname), pg_get_triggerdef(t.oid)
FROM pg_trigger t WHERE NOT t.tgisinternal
UNION ALL
SELECT 'routine', p.oid::regprocedure::text,
       format('%%s %%s %%s', CASE WHEN p.prokind = 'f' THEN pg_get_functiondef(p.oid) END,
              obj_description(p.oid, 'pg_proc'), p.proacl)
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = ANY(%(schemas)s)
UNION ALL
SELECT 'view', format('%%s.%%s', schemaname, viewname), definition FROM pg_views
WHERE schemaname = ANY(%(schemas)s)
"""
SCHEMAS = [
    "ledger", "prompt", "prompt_at", "prompt_changes", "prompt_history", "prompt_live",
    "prompt_store", "rubin", "rubin_at", "rubin_live", "science", "service", "staging",
    "tap_schema",
]  # fmt: skip


# SQLAlchemy reads NOT VALID into an argument that it does not know itself.
QUIET = pytest.mark.filterwarnings("ignore:Can't validate argument 'dialect_options'")


def catalogue(connection):
    with connection.cursor() as cursor:
        cursor.execute(CATALOGUE, {"schemas": SCHEMAS})
        return {(kind, name): text for kind, name, text in cursor.fetchall()}


def test_replaying_an_upgraded_database_is_a_no_op(fresh_database):
    connection = fresh_database.connect()
    before = catalogue(connection)
    assert len(before) > 1000
    assert schema.upgrade(connection) is False
    assert catalogue(connection) == before
    connection.close()


def test_dropping_and_replaying_everything_gives_the_same_database(fresh_database):
    connection = fresh_database.connect()
    before = catalogue(connection)
    with connection.cursor() as cursor:
        # A replay record that differs, as after a change of the software.
        cursor.execute("UPDATE ledger.replayed SET sha256 = 'old' WHERE position = 0")
    connection.commit()
    assert schema.upgrade(connection) is True
    assert catalogue(connection) == before
    connection.close()


@pytest.mark.requirement("GEN-02")
def test_upgraded_step_by_step_equals_fresh(fresh_database, empty_database):
    fresh, stepped = fresh_database.connect(), empty_database.connect()
    script = schema.ScriptDirectory.from_config(schema.configuration())
    for revision in reversed([r.revision for r in script.walk_revisions()]):
        schema.upgrade(stepped, revision)
    schema.upgrade(stepped)
    assert catalogue(stepped) == catalogue(fresh)
    fresh.close()
    stepped.close()


def test_migrations_are_linear_and_sayable():
    script = schema.ScriptDirectory.from_config(schema.configuration())
    revisions = list(script.walk_revisions())
    assert len(script.get_heads()) == 1
    assert len(script.get_bases()) == 1
    for revision in revisions:
        assert revision.revision.replace("_", "").isalnum()
        assert len(revision.revision) < 32
        assert revision.module.__doc__
        # It runs its SQL as all do, and so waits for no lock for long.
        assert "migrations import run" in Path(revision.path).read_text()
    assert "lock_timeout" in Path(migrations.__file__).read_text()


def test_down_and_up_again_gives_the_same_database(fresh_database):
    connection = fresh_database.connect()
    before = catalogue(connection)
    schema.downgrade(connection, "base")
    assert not any(kind == "view" for kind, _ in catalogue(connection))
    schema.upgrade(connection)
    assert catalogue(connection) == before
    connection.close()


@QUIET
def test_autogenerate_finds_nothing(fresh_database):
    connection = fresh_database.connect()
    with schema.engine_on(connection).connect() as bound:
        context = MigrationContext.configure(
            bound,
            opts={
                "include_schemas": True,
                "include_name": schema.managed_name,
                "include_object": schema.managed_object,
                "compare_type": True,
                "version_table": "schema_version",
                "version_table_schema": "ledger",
                "target_metadata": metadata.build(dictionary.shipped()),
            },
        )
        assert compare_metadata(context, metadata.build(dictionary.shipped())) == []
    connection.close()


@QUIET
def test_autogenerate_would_find_a_difference(fresh_database):
    connection = fresh_database.connect()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE prompt_store.visit ADD COLUMN surprise real")
    connection.commit()
    with schema.engine_on(connection).connect() as bound:
        context = MigrationContext.configure(
            bound,
            opts={
                "include_schemas": True,
                "include_name": schema.managed_name,
                "include_object": schema.managed_object,
            },
        )
        found = compare_metadata(context, metadata.build(dictionary.shipped()))
    assert [(d[0], d[3].name) for d in found] == [("remove_column", "surprise")]
    connection.close()


def test_check_names_both_versions(fresh_database):
    connection = fresh_database.connect()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE ledger.schema_version SET version_num = 'from_the_future'")
    said = r"from_the_future.*masters.*skyledger db upgrade"
    with pytest.raises(DatabaseError, match=said):
        schema.check(connection)
    connection.rollback()
    connection.close()


def test_check_catches_a_replayed_object_of_another_software(fresh_database):
    connection = fresh_database.connect()
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE ledger.replayed SET sha256 = 'x' WHERE name = 'prompt_live.diasource'"
        )
    with pytest.raises(DatabaseError, match=r"prompt_live\.diasource"):
        schema.check(connection)
    connection.rollback()
    connection.close()


def test_drift_of_the_live_database_is_caught(fresh_database):
    connection = fresh_database.connect()
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE OR REPLACE FUNCTION ledger.horizon() RETURNS timestamp LANGUAGE sql STABLE "
            "PARALLEL SAFE AS $$ SELECT timestamp '2000-01-01' $$"
        )
        cursor.execute("ALTER TABLE prompt_store.visit DROP CONSTRAINT visit_values")
    drift = schema.drift(connection)
    assert any("ledger.horizon" in line for line in drift)
    assert any("visit_values" in line for line in drift)
    connection.rollback()
    assert schema.drift(connection) == []
    connection.close()


def test_objects_of_users_that_depend_on_ours_are_named_and_kept(fresh_database):
    connection = fresh_database.connect()
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA mydb_ada")
        cursor.execute("CREATE VIEW mydb_ada.bright AS SELECT * FROM prompt_live.diasource")
        cursor.execute("UPDATE ledger.replayed SET sha256 = 'old' WHERE position = 0")
    connection.commit()
    with pytest.raises(DatabaseError, match=r"mydb_ada\.bright"):
        schema.upgrade(connection)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM mydb_ada.bright")
        assert cursor.fetchone() == (0,)
        cursor.execute("SELECT count(*) FROM prompt.diasource")
    connection.close()


@pytest.mark.requirement("GEN-02", "CAT-01", "CAT-05", "CAT-07")
def test_a_release_has_the_static_tables_with_every_dictionary_column(fresh_database):
    connection = fresh_database.connect()
    schema.create_release(connection, "dr1")
    with connection.cursor() as cursor:
        for relation in dictionary.shipped().of_kind("static"):
            cursor.execute(
                "SELECT column_name FROM information_schema.columns "
                "WHERE table_schema = 'dr1' AND table_name = %s",
                (relation.sql_name,),
            )
            assert {r[0] for r in cursor.fetchall()} == {c.sql_name for c in relation.columns}
    connection.rollback()
    connection.close()


@pytest.mark.requirement("L1DB-01", "L1DB-06", "L1DB-14", "L1DB-16", "L1DB-21", "GEN-29")
@pytest.mark.parametrize("form", ["prompt", "prompt_live", "prompt_history"])
def test_published_forms_have_every_dictionary_column_with_its_comment(connection, form):
    with connection.cursor() as cursor:
        for relation in dictionary.shipped().of_kind("living"):
            cursor.execute(
                "SELECT attname, col_description(attrelid, attnum) FROM pg_attribute "
                "WHERE attrelid = %s::regclass AND attnum > 0",
                (f"{form}.{relation.sql_name}",),
            )
            found = dict(cursor.fetchall())
            for column in relation.columns:
                assert found[column.sql_name].startswith(f"{column.name}: ")
                if column.unit:
                    assert found[column.sql_name].endswith(f"[{column.unit}]")
