"""Texts that give a page's rows when they are pasted elsewhere (portal page "Copy as")."""

import shlex

from skyledger.virtual import VirtualDatabase


def recipes(
    base: str, database: VirtualDatabase, adql: str, sql: str, link: str
) -> list[tuple[str, str]]:
    """Write a question for Python, SQL, curl and as a link.

    Parameters
    ----------
    base
        Address of the service, without a final slash.
    database
        With the instant, so that the rows are the same at any later time.
    adql, sql
        The question in ADQL and in PostgreSQL's SQL.
    link
        Path of the page.
    """
    address = f"{base}/tap/{database}"
    pyvo = (
        f"import pyvo\n\nservice = pyvo.dal.TAPService({address!r})\n"
        f"table = service.search({adql!r}).to_table()\n"
    )
    ours = f"import skyledger\n\ntable = skyledger.query({sql!r}, database={str(database)!r})\n"
    shell = f"./run skyledger query --db {shlex.quote(str(database))} {shlex.quote(sql)}"
    curl = (
        f"curl -sS -G {shlex.quote(address + '/sync')} -d LANG=ADQL -d RESPONSEFORMAT=csv "
        f"--data-urlencode {shlex.quote('QUERY=' + adql)}"
    )
    return [
        ("Python, pyvo", pyvo),
        ("Python, skyledger", ours),
        ("SQL, command line", shell),
        ("curl", curl),
        ("Link", base + link),
    ]
