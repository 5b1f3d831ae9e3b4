"""``skyledger people``: accounts, tokens, groups, and what each person is allotted."""

import contextlib
import getpass
import json
import re
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from skyledger import people
from skyledger.database import connection, schema
from skyledger.errors import UsageError

app = typer.Typer(no_args_is_help=True, help="People, their tokens, groups and allocations.")
group = typer.Typer(no_args_is_help=True, help="Groups with whom tables are shared.")
app.add_typer(group, name="group")

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the person.")]
GroupName = Annotated[str, typer.Argument(metavar="GROUP", help="Name of the group.")]
_UNITS = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}


@contextlib.contextmanager
def _owner() -> Iterator[Any]:
    """Open a transaction of the owner, which is committed if all went well."""
    with contextlib.closing(connection.connect()) as opened:
        schema.check(opened)
        yield opened
        opened.commit()


def _bytes(text: str) -> int:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?b)?", text.strip().lower())
    if found is None:
        raise UsageError(f"a quota of {text!r} is not understood; write bytes, or 500MB, 10GB, 2TB")
    return int(float(found[1]) * _UNITS[found[2] or "b"])


def _shown(size: float) -> str:
    for unit in ("TB", "GB", "MB", "kB"):
        bound = _UNITS[unit.lower()]
        if size >= bound:
            return f"{size / bound:.3g} {unit}"
    return f"{size:.0f} B"


@app.command()
def add(
    name: Name,
    full_name: Annotated[str, typer.Option(help="Name of the person among people.")] = "",
    operator: Annotated[
        bool, typer.Option("--operator", help="May drop and unshare what others have.")
    ] = False,
    quota: Annotated[str, typer.Option(help="Room for tables: 500MB, 10GB.")] = "5GB",
    queries: Annotated[int, typer.Option(help="Queries at the same time.")] = people.MOST_QUERIES,
    per_minute: Annotated[
        int, typer.Option(help="Queries that may begin within a minute.")
    ] = people.PER_MINUTE,
) -> None:
    """Add a person, who then needs a token to sign in."""
    with _owner() as opened:
        people.add_person(
            opened,
            name,
            full_name,
            operator=operator,
            quota=_bytes(quota),
            most_queries=queries,
            per_minute=per_minute,
            by=getpass.getuser(),
        )
    print(f"{name} is added; `skyledger people token {name}` makes a token to sign in with")


_LIST = """
SELECT p.personname AS name, p.fullname AS full_name, p.rolename AS role, p.createdtai AS created,
  p.disabledtai AS disabled, p.quotabytes AS quota, service.used_bytes(p.personname) AS used,
  (SELECT count(*) FROM service.persontable AS t WHERE t.personname = p.personname) AS tables,
  p.mostqueries AS queries, p.queriesperminute AS per_minute,
  ARRAY(SELECT g.groupname FROM service.groupmember AS g WHERE g.personname = p.personname
        ORDER BY 1) AS groups,
  (SELECT coalesce(jsonb_agg(jsonb_build_object('label', k.label, 'created', k.createdtai,
     'expires', k.expirestai, 'last_used', k.lastusedtai) ORDER BY k.createdtai), '[]')
   FROM service.accesstoken AS k WHERE k.personname = p.personname AND k.revokedtai IS NULL
     AND k.expirestai > science.tai_now()) AS tokens
FROM service.person AS p ORDER BY p.personname
"""


@app.command("list")
def list_people(
    as_json: Annotated[bool, typer.Option("--json", help="Print all that is known.")] = False,
) -> None:
    """List people: role, tables, room used and allotted, valid tokens; instants in TAI."""
    with _owner() as opened, opened.cursor() as cursor:
        cursor.execute(_LIST)
        names = [column.name for column in cursor.description]
        found = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    if as_json:
        print(json.dumps(found, indent=2, default=lambda instant: instant.isoformat()))
        return
    for one in found:
        state = f"shut out since {one['disabled']:%Y-%m-%d}" if one["disabled"] else one["role"]
        labels = ", ".join(token["label"] for token in one["tokens"]) or "none"
        print(
            f"{one['name']:16s} {state}; {one['tables']} tables, {_shown(one['used'])} of "
            f"{_shown(one['quota'])}; {one['queries']} queries at once, {one['per_minute']} a "
            f"minute; tokens: {labels}"
        )
    if not found:
        print("nobody has an account; `skyledger people add NAME` adds somebody")


@app.command()
def token(
    name: Name,
    label: Annotated[str, typer.Option(help="What tells the tokens of a person apart.")] = "token",
    days: Annotated[int, typer.Option(help="Days until it expires.")] = 365,
) -> None:
    """Make a token and print it: it is kept nowhere and cannot be shown again."""
    with _owner() as opened:
        made, expires = people.add_token(opened, name, label, days)
    print(made)
    typer.echo(f"token {label} of {name} is valid until {expires:%Y-%m-%d}", err=True)


@app.command()
def revoke(
    name: Name, label: Annotated[str, typer.Argument(metavar="LABEL", help="Of the token.")]
) -> None:
    """Make a token worth nothing."""
    with _owner() as opened:
        people.revoke_token(opened, name, label)
    print(f"token {label} of {name} is revoked")


@app.command()
def disable(name: Name) -> None:
    """Shut a person out: tokens are revoked, tables stay and are read by those they are for."""
    with _owner() as opened:
        people.disable_person(opened, name)
    print(f"{name} is shut out")


@app.command()
def enable(name: Name) -> None:
    """Let a person in again, who needs a new token."""
    with _owner() as opened:
        people.enable_person(opened, name)
    print(f"{name} is let in; `skyledger people token {name}` makes a new token")


@app.command()
def allocate(
    name: Name,
    reason: Annotated[str, typer.Option(help="Why; it is kept.")],
    quota: Annotated[str | None, typer.Option(help="Room for tables: 500MB, 10GB.")] = None,
    queries: Annotated[int | None, typer.Option(help="Queries at the same time.")] = None,
    per_minute: Annotated[
        int | None, typer.Option(help="Queries that may begin within a minute.")
    ] = None,
) -> None:
    """Give a person another allocation; what is left out stays as it is."""
    if quota is None and queries is None and per_minute is None:
        raise UsageError("nothing is to change; give --quota, --queries or --per-minute")
    with _owner() as opened:
        people.allocate(
            opened,
            name,
            reason,
            quota=None if quota is None else _bytes(quota),
            most_queries=queries,
            per_minute=per_minute,
            by=getpass.getuser(),
        )
    print(f"the allocation of {name} is changed")


@group.command("add")
def add_group(
    name: GroupName,
    owner: Annotated[str, typer.Option(help="Person who says who belongs to it.")],
    description: Annotated[str, typer.Option(help="What the group is for.")] = "",
) -> None:
    """Make a group, whose owner is its first member."""
    with _owner() as opened:
        people.add_group(opened, name, owner, description)
    print(f"group {name} is made")


@group.command("drop")
def drop_group(name: GroupName) -> None:
    """Take a group away, and all that was shared with it."""
    with _owner() as opened:
        people.drop_group(opened, name, None)
    print(f"group {name} is gone")


@group.command("join")
def join(name: GroupName, person: Name) -> None:
    """Add a person to a group."""
    with _owner() as opened:
        people.add_member(opened, name, person, None)
    print(f"{person} is in group {name}")


@group.command("leave")
def leave(name: GroupName, person: Name) -> None:
    """Take a person out of a group."""
    with _owner() as opened:
        people.remove_member(opened, name, person, None)
    print(f"{person} is no longer in group {name}")


@group.command("list")
def list_groups(
    as_json: Annotated[bool, typer.Option("--json", help="Print all that is known.")] = False,
) -> None:
    """List groups, their owners and members."""
    with _owner() as opened:
        found = people.all_groups(opened)
    if as_json:
        print(json.dumps([vars(g) for g in found], indent=2, default=lambda t: t.isoformat()))
        return
    for one in found:
        print(f"{one.name:16s} of {one.owner}: {', '.join(one.members)}")
    if not found:
        print("there is no group; `skyledger people group add NAME --owner PERSON` makes one")
