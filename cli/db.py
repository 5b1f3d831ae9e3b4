"""``skyledger db``: the database server and its schema."""

import json
from typing import Annotated

import typer

from cli.common import archive
from cli.database import alias, backup, felis, rehearse, status
from services import background
from skyledger import settings
from skyledger.database import connection, extensions, pgsphere, schema
from skyledger.database.cluster import Cluster, embedded
from skyledger.errors import DatabaseError

app = typer.Typer(no_args_is_help=True, help="The database server and its schema.")
for module in (status, backup, rehearse, felis, alias):
    app.add_typer(module.app)


@app.command()
def init() -> None:
    """Create the database with its complete schema, on the embedded or the configured server."""
    if settings.read().external is None:
        start()
        return
    print("schema created" if _upgrade() else "the schema is there already")


@app.command()
def start() -> None:
    """Start the embedded server; the first time, create it with the complete schema."""
    cluster = embedded("start")
    started = cluster.start()
    opened = connection.connect()
    try:
        new = schema.state(opened).revision is None
    finally:
        opened.close()
    if new:
        _upgrade()
    print(f"database in {cluster.home} {'started' if started else 'is running already'}")


@app.command()
def upgrade() -> None:
    """Bring the schema to the version of this software."""
    print("schema upgraded" if _upgrade() else f"the schema is up to date: {schema.head()}")


def _upgrade() -> bool:
    opened = connection.connect()
    try:
        return schema.upgrade(opened)
    finally:
        opened.close()


@app.command()
def stop() -> None:
    """Stop the embedded server, ending its sessions, and the service in the background."""
    cluster = embedded("stop")
    if background.stop(cluster.home):
        print(f"service of {cluster.home} stopped")
    stopped = cluster.stop()
    print(f"database in {cluster.home} {'stopped' if stopped else 'was not running'}")


@app.command()
def destroy(
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Stop the embedded server and delete everything in it."""
    cluster = embedded("destroy")
    if cluster.status().state == "absent":
        print(f"there is no database in {cluster.home}")
        return
    if not yes:
        typer.confirm(f"Delete the database in {cluster.home} with everything in it?", abort=True)
    background.stop(cluster.home)
    cluster.destroy()
    print(f"database in {cluster.home} deleted")


@app.command()
def check(
    *,
    drift: Annotated[
        bool,
        typer.Option("--drift", help="Compare every object with those of a new database, too."),
    ] = False,
) -> None:
    """Say which server, schema, extensions and way to pg_sphere are in use; 4 if not complete."""
    configured = settings.read()
    opened = connection.connect()
    try:
        found = extensions.versions(opened)
        if configured.external is not None:
            print(f"server      external, named by {configured.external_source}")
        else:
            print(f"server      embedded in {configured.home}")
        print(f"PostgreSQL  {opened.info.parameter_status('server_version')}")
        print(f"pg_sphere   {_describe(pgsphere.installed(opened), configured)}")
        for name in extensions.PACKAGES:
            print(f"{name:11s} {found.get(name, 'missing')}")
        if "plpython3u" in found:
            print(f"numpy       {extensions.numpy_version(opened)} in PL/Python")
        print(f"schema      {schema.state(opened).revision or 'none'}")
        schema.check(opened)
        if drift:
            _drift(schema.drift(opened))
        print("complete: this software and the database fit each other")
    finally:
        opened.close()


def _drift(found: list[str]) -> None:
    for line in found:
        print(line)
    if found:
        raise DatabaseError(
            f"{len(found)} objects differ from those this software makes, listed above; "
            f"`skyledger db upgrade` makes views and functions again, tables need your hand"
        )
    print("drift       none: every object is as a new database has it")


@app.command()
def audit() -> None:
    """Look for versions, epochs and links that contradict each other; 4 if there are any."""
    with archive() as opened, opened.cursor() as cursor:
        cursor.execute("SELECT relation, key, kind, detail FROM ledger.audit()")
        found = cursor.fetchall()
    for relation, key, kind, detail in found:
        print(f"{relation} {key}: {kind}: {detail}")
    if found:
        raise DatabaseError(
            f"{len(found)} findings, listed above: earlier answers may not repeat. Restore the "
            f"rows from a backup, and find out what wrote them"
        )
    print("no version, epoch or link contradicts another")


_FAILURES = {
    "visits": (
        "SELECT visitid, detector, run, attempts, reason FROM ledger.delivery "
        "WHERE state = 'failed' ORDER BY visitid, detector, run"
    ),
    "files": "SELECT path, instrument, reason FROM ledger.refusedfile ORDER BY path",
    "rows": (
        "SELECT batchid, relation, reason, content FROM ledger.rejected "
        "ORDER BY batchid, rejectedid"
    ),
}


@app.command()
def failures(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """List the visits, files and rows that could not be published, each with its reason."""
    found: dict[str, list[dict[str, object]]] = {}
    with archive() as opened, opened.cursor() as cursor:
        for kind, query in _FAILURES.items():
            cursor.execute(query)
            names = [column.name for column in cursor.description or ()]
            found[kind] = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    if as_json:
        print(json.dumps(found, default=str))
        return
    for kind, listed in found.items():
        print(f"{len(listed)} {kind}")
        for row in listed:
            reason = row.pop("reason")
            row.pop("content", None)
            print("  " + " ".join(f"{name} {value}" for name, value in row.items()))
            print(f"    {reason}")


def _describe(way: pgsphere.Way | None, configured: settings.Settings) -> str:
    if way is None:
        return "missing; install it with `skyledger db upgrade`"
    if way == "objects":
        return "plain objects in schema pgsphere"
    if configured.external is not None:
        return "extension"
    return f"extension, from {Cluster(configured.home).status().pg_sphere} programs"
