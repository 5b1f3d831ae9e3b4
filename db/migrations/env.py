"""Alembic's environment: it runs inside the transaction of ``skyledger db upgrade``."""

from typing import Any

from alembic import context

from skyledger import dictionary
from skyledger.database import metadata, schema

connection = context.config.attributes["connection"]
watch = context.config.attributes.get("watch")


def done(step: Any, **_rest: object) -> None:
    """Tell who watches that a migration is done."""
    if watch is not None:
        watch(f"migration {step.up_revision_id}")


context.configure(
    connection=connection,
    target_metadata=metadata.build(dictionary.shipped()),
    version_table="schema_version",
    version_table_schema=metadata.LEDGER,
    include_schemas=True,
    include_name=schema.managed_name,
    include_object=schema.managed_object,
    compare_type=True,
    transaction_per_migration=False,
    on_version_apply=done,
)
context.run_migrations()
