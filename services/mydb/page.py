"""MyDB for browsers: what there is, without anything to press."""

from collections.abc import Sequence
from html import escape

from starlette.responses import HTMLResponse

from services.page import page
from skyledger.people import Person, role
from skyledger.person_tables import PersonTable


def size(n: int) -> str:
    """Write a number of bytes for people, in steps of 1000."""
    value, units = float(n), ("bytes", "kB", "MB", "GB", "TB")
    for unit in units:
        if value < 1000 or unit == units[-1]:
            break
        value /= 1000
    return f"{value:.3g} {unit}" if unit != "bytes" else f"{n} bytes"


def shown(person: Person, used: int, tables: Sequence[PersonTable]) -> HTMLResponse:
    """Make the page of a person's tables, and of those shared with him."""
    rows = "".join(
        f"<tr><td><code>{escape(t.table.full_name)}</code></td><td>{t.rows:,}</td>"
        f"<td>{size(t.bytes)}</td><td>{escape(', '.join(t.shared_with or ()))}</td>"
        f"<td>{escape(t.description or t.query or '')[:300]}</td></tr>"
        for t in tables
    )
    return page(
        "MyDB",
        f"<h1>MyDB of {escape(person.name)}</h1>"
        f"<p>{size(used)} of {size(person.quota)} are used.</p>"
        "<table><tr><th>table</th><th>rows</th><th>size</th><th>shared with</th><th></th></tr>"
        f"{rows}</table>"
        f'<p>Ask them through <a href="/tap/{escape(role(person.name))}/tables">/tap/'
        f"{escape(role(person.name))}</a>, or by their full names in any database.</p>",
    )
