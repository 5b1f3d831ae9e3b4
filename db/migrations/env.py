"""Alembic's environment: it runs inside the transaction of ``skyledger db upgrade``."""

from alembic import context

from skyledger import dictionary
from skyledger.database import metadata, schema

connection = context.config.attributes["connection"]
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
)
context.run_migrations()
