"""What changed between two instants: ``prompt_changes.X(since, until)`` for each living relation.

One row for each row of the relation that is not the same at both instants: its key, whether it is
new, changed or gone, and which columns differ (design section 8; GEN-20). What happened in between
and was undone again does not show; ``prompt_history.X`` has that.
"""

from skyledger import dictionary as dd
from skyledger.catalogue import Column, Table
from skyledger.database.metadata import sql_type
from skyledger.database.published import Item, quote
from skyledger.systems import LEDGER


def _function(relation: dd.Relation) -> Item:
    name = relation.sql_name
    key = [relation[k] for k in relation.key]
    columns = [c for c in relation.columns if c.name not in relation.key]
    differ = ",\n      ".join(
        f"CASE WHEN a.{c.sql_name} IS DISTINCT FROM b.{c.sql_name} THEN '{c.name}' END"
        for c in columns
    )
    shown = ", ".join(c.sql_name for c in relation.columns)
    result = ", ".join(f"{c.sql_name} {sql_type(c).compile()}" for c in key)
    match = " AND ".join(f"a.{c.sql_name} = b.{c.sql_name}" for c in key)
    keys = ", ".join(f"coalesce(a.{c.sql_name}, b.{c.sql_name})" for c in key)
    first = key[0].sql_name
    return Item(
        f"prompt_changes.{name}",
        "routine",
        f"""CREATE FUNCTION prompt_changes.{name}(since timestamp, until timestamp)
RETURNS TABLE ({result}, change text, columns text[])
LANGUAGE sql STABLE PARALLEL SAFE ROWS 10000
BEGIN ATOMIC
  SELECT * FROM (
    SELECT {keys},
      CASE WHEN a.{first} IS NULL THEN 'new' WHEN b.{first} IS NULL THEN 'gone'
        ELSE 'changed' END,
      CASE WHEN a.{first} IS NOT NULL AND b.{first} IS NOT NULL THEN array_remove(ARRAY[
      {differ}], NULL) END
    FROM (
      SELECT {shown} FROM prompt_history.{name}
      WHERE createdtai <= since AND deletedtai >= since AND deletedtai < until
    ) AS a FULL JOIN (
      SELECT {shown} FROM prompt_history.{name}
      WHERE createdtai > since AND createdtai <= until AND deletedtai >= until
    ) AS b ON {match}
    WHERE (SELECT ledger.settled_in_order(since, until))
  ) AS c ({", ".join(k.sql_name for k in key)}, change, columns)
  WHERE c.columns IS NULL OR cardinality(c.columns) > 0;
END;
COMMENT ON FUNCTION prompt_changes.{name}(timestamp, timestamp) IS """
        + quote(
            f"Rows of {relation.name} that are not the same at two instants of ledger time (TAI), "
            f"since before until: new, changed or gone, with the names of the columns that differ."
        )
        + ";",
        (f"prompt_history.{name}", "ledger.settled_in_order"),
    )


_COLUMNS = (
    Column(
        "sinceTai", "timestamp", None, "time.start", None,
        "The earlier of the two instants of ledger time (TAI); queries give it: sinceTai = '...'.",
        principal=True, system=LEDGER.name,
    ),
    Column(
        "untilTai", "timestamp", None, "time.end", None,
        "The later of the two (TAI); the instant of the query unless it is given: untilTai = "
        "'...'.",
        principal=True, system=LEDGER.name,
    ),
    Column(
        "change", "text", None, "meta.code.class", None,
        "new: there at untilTai alone; gone: there at sinceTai alone; changed: there at both.",
        principal=True,
    ),
    Column(
        "columns", "text", None, "meta.id.assoc", None,
        "Names of the columns that differ, separated by #, where the row has changed; "
        "ivo_hashlist_has(columns, 'psFlux') looks for one.",
        principal=True,
    ),
)  # fmt: skip


def table(relation: dd.Relation, key: tuple[Column, ...]) -> Table:
    """Return ``prompt_changes.X`` as ADQL sees it: the two instants are columns.

    Parameters
    ----------
    relation
        A living relation.
    key
        Columns of its key.
    """
    names = [c.sql for c in key]
    body = (
        f"(SELECT {', '.join('c.' + n for n in names)}, {{since}} AS sincetai, {{until}} AS "
        f"untiltai, c.change, array_to_string(c.columns, '#') AS columns "
        f"FROM prompt_changes.{relation.sql_name}({{since}}, {{until}}) AS c)"
    )
    return Table(
        "prompt_changes",
        relation.name,
        (*key, *_COLUMNS),
        body,
        body,
        f"Rows of {relation.name} that are not the same at two instants of ledger time, which "
        f"queries give: WHERE sinceTai = '2026-01-31T12:00:00' AND untilTai = '...'. What came "
        f"and went in between does not show.",
        key=tuple(names),
        spans=True,
    )


def items(dictionary: dd.Dictionary) -> list[Item]:
    """Build the functions of schema ``prompt_changes``."""
    return [_function(relation) for relation in dictionary.of_kind("living")]
