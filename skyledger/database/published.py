"""What users see: the published forms of every living relation, and the code that publishes.

From one dictionary entry come (design sections 4 and 5; GEN-19..21, L1DB-05):

=====================  ==========================================================================
``prompt_history.X``   every version, with ``createdTai`` and ``deletedTai``
``prompt_live.X``      the current rows; reads no setting
``prompt_at.X(T)``     the rows as of T
``prompt.X``           the rows as of the session's ``skyledger.as_of``, else as of the horizon
``staging.validate_X`` moves rows that break a rule to ``ledger.rejected``, with the reason
``ledger.publish_X``   carries the staged rows of a slot into the store, under one epoch
``ledger.versions()``  every version of every row, for the audit
=====================  ==========================================================================
"""

from dataclasses import dataclass, field

from skyledger import dictionary as dd
from skyledger.database import metadata as md
from skyledger.database import validation as validation_of

LIVE_END = "timestamp '9999-12-31'"
_OWNERS = ("DIAObject", "SSObject")  # what a measurement can be given to


@dataclass(frozen=True)
class Item:
    """Something replayed after the migrations: its name, SQL text, and what it needs first."""

    name: str  # schema-qualified, lower case
    kind: str  # routine, view or script
    sql: str
    needs: tuple[str, ...] = field(default=())


def _shown(relation: dd.Relation) -> list[str]:
    """Select list of the published columns; ``dec`` is offered beside ``decl``."""
    names = [column.sql_name for column in relation.columns]
    if "decl" in names and "dec" not in names:
        names.append("decl AS dec")
    return [*names, md.INSERTED.sql_name]


def quote(text: str) -> str:
    """Write a string literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


def _features(relation: dd.Relation) -> list[dd.Column]:
    """Columns that DIAObject shows of DIAObjectFeatures, as arrays of six bands from u to y."""
    if relation.name != "DIAObject":
        return []
    return [
        column.model_copy(
            update={
                "description": f"{column.description} A row for each band from u to y; NULL where "
                f"there is none. Looked up in DIAObjectFeatures, only if named."
            }
        )
        for column in dd.shipped()["DIAObjectFeatures"].columns
        if column.shape is not None
    ]


def _gathered(column: dd.Column, table: str, owner: str, then: str = "") -> str:
    """SELECT one feature of the object with id ``owner`` from ``table``, where f is ``then``.

    Either way it is used, in a scalar sub-select or in a function, a query that does not name the
    column does not look; a join would never be left out.
    """
    name = column.sql_name
    return (
        f"SELECT array_agg(coalesce(f.{name}, "
        f"array_fill(NULL::real, ARRAY{list(column.shape or ())})) ORDER BY b) "
        f"FROM (VALUES (0), (1), (2), (3), (4), (5)) AS u (b) LEFT JOIN {table} AS f "
        f"ON f.diaobjectid = {owner} AND f.band = b{then} HAVING count(f.{name}) > 0"
    )


def _feature(column: dd.Column, form: str) -> Item:
    """Build the function that looks up a feature, now or as of an instant.

    The sub-selects of a view are expanded in every query, before it is known which of them it
    names: two cost a cone as of an instant 0.15 ms of 0.8.
    """
    name = f"{form}.{column.sql_name}"
    table, takes, then = f"{form}.diaobjectfeatures", "id bigint", ""
    if form == "prompt_history":
        takes += ", instant timestamp"
        then = " AND f.createdtai <= instant AND f.deletedtai >= instant"
    return Item(
        name,
        "routine",
        f"CREATE FUNCTION {name}({takes}) RETURNS real[]\n"
        f"LANGUAGE sql STABLE PARALLEL SAFE\n"
        f"BEGIN ATOMIC {_gathered(column, table, 'id', then)}; END;\n"
        f"COMMENT ON FUNCTION {name}({takes}) IS "
        + quote(f"{column.name} of a DIAObject: {column.description}")
        + ";\n",
        (table,),
    )


def _comments(view: str, relation: dd.Relation, extra: tuple[dd.Column, ...]) -> str:
    lines = [f"COMMENT ON VIEW {view} IS {quote(relation.description)};"]
    for column in (*relation.columns, *extra):
        text = quote(md.comment(column))
        lines.append(f"COMMENT ON COLUMN {view}.{column.sql_name} IS {text};")
        if column.sql_name == "decl":
            lines.append(f"COMMENT ON COLUMN {view}.dec IS {text};")
    return "\n".join(lines)


def forms(relation: dd.Relation) -> list[Item]:
    """Build the four published forms of a living relation."""
    name = relation.sql_name
    shown = ", ".join(_shown(relation))
    # Names only: the views built on prompt_history already offer dec.
    again = ", ".join(part.rsplit(" AS ", maxsplit=1)[-1] for part in _shown(relation))
    # The instant is applied outside the union: arms with filters of their own are not flattened.
    history = (
        f"CREATE VIEW prompt_history.{name} AS\n"
        f"SELECT {shown}, createdtai, {LIVE_END} AS deletedtai FROM {md.STORE}.{name}\n"
        f"UNION ALL\n"
        f"SELECT {shown}, createdtai, deletedtai FROM {md.STORE}.{name}_history;\n"
        + _comments(f"prompt_history.{name}", relation, (md.INSERTED, md.CREATED, md.DELETED))
    )
    more = _features(relation)
    now, then = ([_feature(c, form) for c in more] for form in ("prompt_live", "prompt_history"))
    arrays = [f"prompt_live.{c.sql_name}(diaobjectid) AS {c.sql_name}" for c in more]
    live = (
        f"CREATE VIEW prompt_live.{name} AS\n"
        f"SELECT {', '.join([shown, *arrays])} FROM {md.STORE}.{name};\n"
        + _comments(f"prompt_live.{name}", relation, (md.INSERTED, *more))
    )
    arrays = [f"prompt_history.{c.sql_name}(diaobjectid, instant) AS {c.sql_name}" for c in more]
    at = (
        f"CREATE FUNCTION prompt_at.{name}(instant timestamp)\n"
        f"RETURNS SETOF prompt_live.{name}\n"
        f"LANGUAGE sql STABLE PARALLEL SAFE ROWS 100000\n"
        # Understood once, here: its callers need not be able to name prompt_history. A scalar
        # sub-select is evaluated once; a bare call would be evaluated for every partition.
        f"BEGIN ATOMIC SELECT {', '.join([again, *arrays])} FROM prompt_history.{name}\n"
        f"WHERE createdtai <= instant AND deletedtai >= instant\n"
        f"AND (SELECT ledger.settled(instant)); END;\n"
        f"COMMENT ON FUNCTION prompt_at.{name}(timestamp) IS "
        + quote(f"{relation.name} as of an instant of ledger time (TAI).")
        + ";"
    )
    # This form plans everything anyway, and a function would ask for the instant in each row.
    arrays = [
        f"({_gathered(c, 'prompt.diaobjectfeatures', f'{name}.diaobjectid')}) AS {c.sql_name}"
        for c in more
    ]
    of_features = ("prompt.diaobjectfeatures",) if more else ()
    # A scalar sub-select is evaluated once; a bare call would be evaluated for every row.
    by_setting = (
        f"CREATE VIEW prompt.{name} AS\n"
        f"SELECT {', '.join([again, *arrays])} FROM prompt_history.{name}\n"
        f"WHERE createdtai <= (SELECT ledger.as_of()) AND deletedtai >= (SELECT ledger.as_of());\n"
        + _comments(f"prompt.{name}", relation, (md.INSERTED, *more))
    )
    return [
        *now,
        *then,
        Item(f"prompt_history.{name}", "view", history),
        Item(f"prompt_live.{name}", "view", live, tuple(f.name for f in now)),
        Item(
            f"prompt_at.{name}",
            "routine",
            at,
            (
                f"prompt_history.{name}",
                f"prompt_live.{name}",
                "ledger.settled",
                *(f.name for f in then),
            ),
        ),
        Item(
            f"prompt.{name}",
            "view",
            by_setting,
            (f"prompt_history.{name}", "ledger.as_of", *of_features),
        ),
    ]


def validation(relation: dd.Relation) -> Item:
    """Build ``staging.validate_X(slot, batch)``: returns how many rows were refused."""
    name = f"staging.validate_{relation.sql_name}"
    return Item(name, "routine", validation_of.function(relation))


def publication(relation: dd.Relation) -> Item:
    """Build ``ledger.publish_X(slot, epoch)``: returns the row versions opened or closed."""
    name = relation.sql_name
    names = [column.sql_name for column in relation.columns]
    columns = ", ".join(names)
    given = ", ".join(f"s.{n}" for n in names)
    current = ", ".join(f"c.{n}" for n in names)
    match = " AND ".join(
        f"c.{relation[k].sql_name} = s.{relation[k].sql_name}" for k in relation.key
    )
    changing = [n for n in names if n not in {relation[k].sql_name for k in relation.key}]
    if relation.insert_only:
        # A measurement is what it is; what it belongs to is found out later.
        owners = [f for f in relation.foreign_keys if f.relation in _OWNERS]
        changing = [relation[c].sql_name for f in owners for c in f.columns]
    settings = ", ".join(f"{n} = s.{n}" for n in changing)
    told = " || ', ' || ".join(f"'{k} ' || s.{relation[k].sql_name}" for k in relation.key)
    return Item(
        f"ledger.publish_{name}",
        "routine",
        f"""CREATE FUNCTION ledger.publish_{name}(in_slot smallint, in_epoch timestamp)
RETURNS bigint LANGUAGE plpgsql
-- The store is looked into by key, row by row, whatever its statistics are.
SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
  stale text;
  staged bigint;
  new bigint;
  closed bigint;
  changed bigint;
BEGIN
  SELECT count(*) INTO staged FROM staging.{name} WHERE slot = in_slot;
  IF staged = 0 THEN
    RETURN 0;
  END IF;
  INSERT INTO prompt_store.{name} ({columns}, insertedtai, createdtai)
  SELECT {given}, in_epoch, in_epoch FROM staging.{name} AS s
  WHERE s.slot = in_slot AND s.replacestai IS NULL;
  GET DIAGNOSTICS new = ROW_COUNT;
  IF new = staged THEN
    RETURN staged;
  END IF;
  INSERT INTO prompt_store.{name}_history ({columns}, insertedtai, createdtai, deletedtai)
  SELECT {current}, c.insertedtai, c.createdtai, in_epoch - interval '1 microsecond'
  FROM prompt_store.{name} AS c JOIN staging.{name} AS s ON {match}
  WHERE s.slot = in_slot AND s.replacestai = c.createdtai;
  GET DIAGNOSTICS closed = ROW_COUNT;
  IF new + closed < staged THEN
    SELECT {told} INTO stale
    FROM staging.{name} AS s LEFT JOIN prompt_store.{name} AS c ON {match}
    WHERE s.slot = in_slot AND s.replacestai IS NOT NULL
      AND s.replacestai IS DISTINCT FROM c.createdtai
    LIMIT 1;
    RAISE EXCEPTION '{relation.name}: % was changed by another publication', stale
      USING ERRCODE = 'serialization_failure', HINT = 'Compute the batch again and publish it.';
  END IF;
  UPDATE prompt_store.{name} AS c SET {settings}, createdtai = in_epoch
  FROM staging.{name} AS s
  WHERE s.slot = in_slot AND s.replacestai IS NOT NULL AND s.iswithdrawal IS NOT TRUE AND {match};
  GET DIAGNOSTICS changed = ROW_COUNT;
  IF changed < closed THEN
    DELETE FROM prompt_store.{name} AS c USING staging.{name} AS s
    WHERE s.slot = in_slot AND s.replacestai IS NOT NULL AND s.iswithdrawal AND {match};
  END IF;
  RETURN staged;
END $$;
COMMENT ON FUNCTION ledger.publish_{name}(smallint, timestamp) IS
  'Carries the staged rows of a slot into {relation.name}; called by ledger.publish.';
""",
    )


def versions(living: list[dd.Relation]) -> Item:
    """Build ``ledger.versions()``: every version of every row, for `ledger.audit`."""
    arms = []
    for relation in living:
        key = ", ".join(relation[k].sql_name for k in relation.key)
        for table, end in (
            (relation.sql_name, LIVE_END),
            (f"{relation.sql_name}_history", "deletedtai"),
        ):
            arms.append(
                f"SELECT '{relation.name}', concat_ws(', ', {key}), insertedtai, createdtai, {end} "
                f"FROM {md.STORE}.{table}"
            )
    return Item(
        "ledger.versions",
        "routine",
        "CREATE FUNCTION ledger.versions()\n"
        "RETURNS TABLE (relation text, key text, insertedtai timestamp, createdtai timestamp, "
        "deletedtai timestamp)\n"
        "LANGUAGE sql STABLE AS $$\n" + "\nUNION ALL\n".join(arms) + "\n$$;\n"
        "COMMENT ON FUNCTION ledger.versions() IS "
        "'Every version of every living row, its key as text; read by ledger.audit.';\n",
    )


def items(dictionary: dd.Dictionary) -> list[Item]:
    """Everything generated from the dictionary that is replayed after the migrations."""
    found: list[Item] = []
    living = dictionary.of_kind("living")
    for relation in living:
        found += forms(relation)
        found += [validation(relation), publication(relation)]
    found.append(versions(living))
    order = sorted(living, key=lambda r: (not r.name.endswith("Visit"), r.name))
    calls = "\n".join(
        f"  touched := touched + ledger.publish_{r.sql_name}(in_slot, in_epoch);" for r in order
    )
    checks = "\n".join(
        f"  refused := refused + staging.validate_{r.sql_name}(in_slot, in_batch);" for r in order
    )
    found.append(
        Item(
            "ledger.publish_relations",
            "routine",
            f"""CREATE FUNCTION ledger.publish_relations(in_slot smallint, in_epoch timestamp)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE touched bigint := 0;
BEGIN
  PERFORM ledger.keep_sums(in_slot, in_epoch);
{calls}
  RETURN touched;
END $$;
COMMENT ON FUNCTION ledger.publish_relations(smallint, timestamp) IS
  'Publishes every staged relation of a slot; called by ledger.publish.';
""",
            ("ledger.keep_sums", *(f"ledger.publish_{r.sql_name}" for r in living)),
        )
    )
    found.append(
        Item(
            "staging.validate_relations",
            "routine",
            f"""CREATE FUNCTION staging.validate_relations(in_slot smallint, in_batch bigint)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE refused bigint := 0;
BEGIN
{checks}
  RETURN refused;
END $$;
COMMENT ON FUNCTION staging.validate_relations(smallint, bigint) IS
  'Applies the rules of the dictionary to every staged relation of a slot.';
""",
            tuple(f"staging.validate_{r.sql_name}" for r in living),
        )
    )
    return found
