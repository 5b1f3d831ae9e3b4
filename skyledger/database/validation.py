"""The code that refuses staged rows, generated from the dictionary (design section 7).

One pass over the staged rows of a relation tells whether any of them breaks a rule. Only if so is
every row asked which, and the offenders are moved to ``ledger.rejected`` with their reasons.
"""

from skyledger import dictionary as dd
from skyledger import ids
from skyledger.database import metadata as md


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _reasons(relation: dd.Relation) -> list[str]:
    """Expressions that are NULL for a good row, else what is wrong with it."""
    found = []
    for column in relation.columns:
        if not column.nullable:
            found.append(f"CASE WHEN {column.sql_name} IS NULL THEN '{column.name} is missing' END")
        found += [
            f"CASE WHEN NOT ({condition}) THEN "
            f"format('{column.name} = %s {said}', left({column.sql_name}::text, 60)) END"
            for said, condition in md.conditions(column)
        ]
    found += [
        f"CASE WHEN NOT ({rule}) THEN {_quote('breaks the rule ' + rule)} END"
        for rule in relation.checks
    ]
    key = ", ".join(relation[k].sql_name for k in relation.key)
    told = " || ', ' || ".join(f"'{k} = ' || {relation[k].sql_name}" for k in relation.key)
    found.append(
        f"CASE WHEN row_number() OVER (PARTITION BY {key} ORDER BY ctid) > 1 "
        f"THEN 'duplicate of an earlier row: ' || {told} END"
    )
    return found


def _measured(relation: dd.Relation) -> bool:
    """Tell whether rows are measured on a ccdVisit, and their ids made from it."""
    return relation.partition_by_id and "ccdVisitId" in relation.by_name


def _months(identifier: str) -> tuple[str, str]:
    """First MJD, and first beyond, that the partition of an id holds (ledger.ensure_partitions)."""
    month = f"date_trunc('month', date '1990-01-01' + science.source_night({identifier})::integer)"
    return (
        f"({month}::date - date '1858-11-17' + 0.4)",
        f"(({month} + interval '1 month')::date - date '1858-11-17' + 0.6)",
    )


def _measurement_reasons(relation: dd.Relation) -> list[str]:
    """Reasons that need other rows: an unknown ccdVisit, a known id, an id of another month."""
    name, (key,) = relation.sql_name, relation.key
    identifier = relation[key].sql_name
    first, beyond = _months(identifier)
    return [
        """CASE WHEN replacestai IS NULL
      AND NOT EXISTS (SELECT FROM staging.ccdvisit AS v
        WHERE v.slot = in_slot AND v.ccdvisitid = r.ccdvisitid)
      AND NOT EXISTS (SELECT FROM prompt_store.ccdvisit AS v WHERE v.ccdvisitid = r.ccdvisitid)
      THEN format('ccdVisitId %s is unknown', ccdvisitid) END""",
        f"""CASE WHEN replacestai IS NULL
      AND EXISTS (SELECT FROM prompt_store.{name} AS c WHERE c.{identifier} = r.{identifier})
      THEN format('{key} %s is in the database already', {identifier}) END""",
        f"""CASE WHEN {identifier} >> {ids.DATABASE_SHIFT} <> base
      THEN format('{key} %s is not an id of this database', {identifier}) END""",
        f"""CASE WHEN midpointtai < {first} OR midpointtai >= {beyond}
      THEN format('{key} %s is of another month than midPointTai = %s', {identifier}, midpointtai)
      END""",
    ]


def _suspicion(relation: dd.Relation) -> str:
    """Build the statement that tells in one pass whether anything is wrong."""
    name = relation.sql_name
    needed = [column.sql_name for column in relation.columns if not column.nullable]
    terms = [f"num_nulls({', '.join(needed)}) = 0", *md.sound(relation)]
    terms += [f"({rule})" for rule in relation.checks]
    good = "\n      AND ".join(terms)
    keys = [relation[k].sql_name for k in relation.key]
    key = keys[0] if len(keys) == 1 else f"({', '.join(keys)})"
    if not _measured(relation):
        return f"""SELECT coalesce(bool_or(NOT ({good})), false) OR count(*) > count(DISTINCT {key})
  INTO suspicious FROM staging.{name} WHERE slot = in_slot;"""
    first, beyond = _months(f"prefix << {ids.SERIAL_BITS}")
    return f"""SELECT databaseid INTO STRICT base FROM ledger.database WHERE name = 'prompt';
  -- Ids of a ccdVisit share their leading bits: it is enough to look at each of these once. The
  -- wide rows are read once (OFFSET 0), not sorted.
  SELECT coalesce(bool_or(broken OR twice
      OR prefix >> {ids.DATABASE_SHIFT - ids.SERIAL_BITS} <> base
      OR earliest < {first} OR latest >= {beyond}
      OR ccd_visit <> other
      OR fresh AND EXISTS (SELECT FROM prompt_store.{name} AS c WHERE c.{key}
        BETWEEN prefix << {ids.SERIAL_BITS} AND (prefix + 1 << {ids.SERIAL_BITS}) - 1)
      OR fresh AND NOT EXISTS (SELECT FROM staging.ccdvisit AS v
          WHERE v.slot = in_slot AND v.ccdvisitid = ccd_visit)
        AND NOT EXISTS (SELECT FROM prompt_store.ccdvisit AS v WHERE v.ccdvisitid = ccd_visit)
    ), false)
  INTO suspicious FROM (
    SELECT {key} >> {ids.SERIAL_BITS} AS prefix, bool_or(bad) AS broken,
      count(*) > count(DISTINCT {key}) AS twice, bool_or(new) AS fresh,
      min(midpointtai) AS earliest, max(midpointtai) AS latest,
      min(ccdvisitid) FILTER (WHERE new) AS ccd_visit, max(ccdvisitid) FILTER (WHERE new) AS other
    FROM (
      SELECT {key}, ccdvisitid, midpointtai, replacestai IS NULL AS new, (NOT ({good})) AS bad
      FROM staging.{name} WHERE slot = in_slot OFFSET 0
    ) AS one GROUP BY 1
  ) AS of_ccd_visit;"""


def function(relation: dd.Relation) -> str:
    """Build ``staging.validate_X(slot, batch)``: returns how many rows were refused."""
    name = relation.sql_name
    reasons = _reasons(relation) + (_measurement_reasons(relation) if _measured(relation) else [])
    # concat_ws takes at most 100 arguments.
    groups = [reasons[i : i + 90] for i in range(0, len(reasons), 90)]
    inner = ",\n    ".join(
        "nullif(concat_ws('; ', " + ",\n      ".join(group) + "), '')" for group in groups
    )
    aliases = ", ".join(f"g{i}" for i in range(len(groups)))
    return f"""CREATE FUNCTION staging.validate_{name}(in_slot smallint, in_batch bigint)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  base bigint;
  suspicious boolean;
  refused bigint;
BEGIN
  {_suspicion(relation)}
  IF NOT suspicious THEN
    RETURN 0;
  END IF;
  WITH judged AS (
    SELECT ctid AS row_id, tableoid AS part,
    {inner}
    FROM staging.{name} AS r WHERE slot = in_slot
  ), bad AS (
    SELECT row_id, part, concat_ws('; ', {aliases}) AS reason
    FROM judged AS j(row_id, part, {aliases})
    WHERE coalesce({aliases}) IS NOT NULL
  ), gone AS (
    DELETE FROM staging.{name} AS s USING bad
    WHERE s.slot = in_slot AND s.ctid = bad.row_id AND s.tableoid = bad.part
    RETURNING bad.reason, to_jsonb(s) - 'slot' AS content
  ), kept AS (
    INSERT INTO ledger.rejected (rejectedid, batchid, relation, reason, content, rejectedtai)
    SELECT nextval('ledger.rejected_id'), in_batch, '{relation.name}', reason, content,
      science.tai_now() FROM gone
    RETURNING 1
  )
  SELECT count(*) INTO refused FROM kept;
  RETURN refused;
END $$;
COMMENT ON FUNCTION staging.validate_{name}(smallint, bigint) IS
  'Moves staged rows of {relation.name} that break a rule to ledger.rejected; counts them.';
"""
