"""Texts that give a page's rows when they are pasted elsewhere (portal page "Copy as")."""

import shlex

from skyledger.virtual import VirtualDatabase


def of_query(base: str, database: VirtualDatabase, adql: str, link: str) -> list[tuple[str, str]]:
    """Write a query in ADQL for Python, curl and as a link.

    Parameters
    ----------
    base
        Address of the service, without a final slash.
    database
        With the instant, so that the rows are the same at any later time.
    link
        Path of the page.
    """
    address = f"{base}/tap/{database}"
    pyvo = (
        f"import pyvo\n\nservice = pyvo.dal.TAPService({address!r})\n"
        f"table = service.search({adql!r}).to_table()\n"
    )
    curl = (
        f"curl -sS -G {shlex.quote(address + '/sync')} -d LANG=ADQL -d RESPONSEFORMAT=csv "
        f"--data-urlencode {shlex.quote('QUERY=' + adql)}"
    )
    return [("Python, pyvo", pyvo), ("curl", curl), ("Link", base + link)]


def recipes(
    base: str, database: VirtualDatabase, adql: str, sql: str, link: str
) -> list[tuple[str, str]]:
    """Write a question that has an answer in SQL, too; as `of_query`."""
    ours = f"import skyledger\n\ntable = skyledger.query({sql!r}, database={str(database)!r})\n"
    shell = f"./run skyledger query --db {shlex.quote(str(database))} {shlex.quote(sql)}"
    pyvo, curl, address = of_query(base, database, adql, link)
    return [pyvo, ("Python, skyledger", ours), ("SQL, command line", shell), curl, address]
