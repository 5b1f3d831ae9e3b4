"""``skyledger db alias`` and ``db pgbouncer``: virtual databases as logins and pool databases."""

import contextlib
from pathlib import Path
from typing import Annotated

import typer

from skyledger import virtual
from skyledger.database import aliases, connection, schema
from skyledger.errors import UsageError

app = typer.Typer()


@app.command()
def alias(
    database: Annotated[
        str, typer.Argument(metavar="DATABASE", help="Virtual database: prompt@2026-01-01.")
    ],
    name: Annotated[
        str | None, typer.Option(help="Name of the login; prompt-2026-01-01 if left out.")
    ] = None,
) -> None:
    """Make a read-only login whose sessions show one virtual database."""
    wanted = virtual.parse(database)
    with contextlib.closing(connection.connect()) as opened:
        schema.check(opened)
        made = aliases.make(opened, wanted, name)
        where = opened.info
        print(f"{made.name} shows {made.database}")
        print(f"connect  psql -h '{where.host}' -p {where.port} -U '{made.name}' {where.dbname}")


@app.command()
def pgbouncer(
    directory: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where pgbouncer.ini and userlist.txt go.")
    ],
    days: Annotated[int, typer.Option(min=1, help="Dates to offer, counted from today.")] = 30,
    port: Annotated[int, typer.Option(help="Port of 127.0.0.1 pgbouncer listens on.")] = 6432,
    mode: Annotated[str, typer.Option(help="transaction or session.")] = "transaction",
    db: Annotated[str, typer.Option(help="Database to offer: prompt or a release.")] = "prompt",
) -> None:
    """Make one login for each night and write the configuration of a pgbouncer over them."""
    if mode not in {"transaction", "session"}:
        raise UsageError(f"--mode {mode} is not known; use transaction or session")
    wanted = virtual.parse(db)
    if wanted.instant is not None or wanted.reference is not None:
        raise UsageError(f"--db {db} names an instant; give the name alone, --days says how far")
    with contextlib.closing(connection.connect()) as opened:
        schema.check(opened)
        made = aliases.nights(opened, days, wanted.name)
        info = opened.info
        where = {"host": info.host, "port": str(info.port), "dbname": info.dbname}
    directory.mkdir(parents=True, exist_ok=True)
    users = directory.resolve() / "userlist.txt"
    users.write_text(aliases.users(), encoding="utf-8")
    path = directory / "pgbouncer.ini"
    path.write_text(
        aliases.pgbouncer(made, where, str(users), port=port, mode=mode), encoding="utf-8"
    )
    for one in made:
        print(f"{one.name}  {one.database}")
    print(
        f"start it with `pgbouncer {path}`; clients connect with "
        f"psql -h 127.0.0.1 -p {port} -U {aliases.CLIENT} {made[-1].name}"
    )
