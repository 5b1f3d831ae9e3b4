"""``skyledger db rehearse``: the next upgrade on a clone."""

import json
from collections import Counter
from typing import Annotated

import typer

from skyledger.database import connection, rehearsal
from skyledger.errors import DatabaseError

app = typer.Typer()


@app.command()
def rehearse(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Upgrade a clone of the database: say how long, which locks, and if citations still hold."""
    opened = connection.connect()
    try:
        report = rehearsal.rehearse(opened)
    finally:
        opened.close()
    if as_json:
        print(json.dumps(report.as_dict()))
    else:
        _show(report)
    if report.broken:
        raise DatabaseError(
            f"{len(report.broken)} citations have another answer after the upgrade, first "
            f"{report.broken[0].citation}: {report.broken[0].detail}; do not upgrade"
        )


def _show(report: rehearsal.Report) -> None:
    print(f"cloned {report.size / 1e6:.1f} MB in {report.clone_seconds:.1f} s")
    if report.revision != report.target:
        print(f"from {report.revision} to {report.target}")
    elif report.pending:
        print(f"{report.revision} on both sides; views or functions have changed")
    else:
        print(f"nothing is pending at {report.revision}: views and functions were made again")
    for step in report.steps:
        print(f"  {step.name:34s} {step.seconds:8.3f} s")
    print(f"  {'together':34s} {sum(s.seconds for s in report.steps):8.3f} s")
    blocking = [lock for lock in report.locks if lock.mode in rehearsal.BLOCKING]
    views = Counter(lock.mode for lock in blocking if lock.kind == "view")
    print("locks that others wait for until the end:")
    for lock in blocking:
        if lock.kind != "view":
            print(f"  {lock.mode:22s} {lock.relation}  ({lock.step})")
    for mode, number in views.items():
        print(f"  {mode:22s} {number} views")
    before = Counter(c.before or "not asked: no functions" for c in report.citations)
    after = Counter(c.after for c in report.citations)
    for when, verdicts in (("before", before), ("after", after)):
        told = ", ".join(f"{n} {verdict}" for verdict, n in verdicts.items())
        print(f"citations {when}: {told or 'none'}")
