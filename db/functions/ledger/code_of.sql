-- code_of: the views and functions of this archive that an expanded query goes through, each with
-- the checksum of its text: those it names, those that they name, and so on. In what we make,
-- every name is qualified, so names can be found in the text (messages and comments left out).
CREATE OR REPLACE FUNCTION ledger.code_of(in_expanded text)
RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
AS $$
WITH RECURSIVE used(name) AS (
  SELECT r.name
  FROM regexp_matches(lower(in_expanded), '[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*', 'g') AS m
  JOIN ledger.replayed AS r ON r.name = m[1]
  UNION
  SELECT r.name
  FROM used
  CROSS JOIN LATERAL (
    SELECT pg_get_viewdef(v.oid) AS body FROM pg_class AS v
    WHERE v.oid = to_regclass(used.name) AND v.relkind = 'v'
    UNION ALL
    SELECT concat_ws(' ', p.prosrc, pg_get_function_sqlbody(p.oid), a.aggtransfn, a.aggfinalfn, a.aggcombinefn)
    FROM pg_proc AS p LEFT JOIN pg_aggregate AS a ON a.aggfnoid = p.oid
    WHERE p.pronamespace = to_regnamespace(split_part(used.name, '.', 1))
      AND p.proname = split_part(used.name, '.', 2)
  ) AS b
  CROSS JOIN LATERAL regexp_replace(b.body, '--[^\n]*|''[^'']*''', '', 'g') AS said
  CROSS JOIN LATERAL regexp_matches(lower(said), '[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*', 'g') AS m
  JOIN ledger.replayed AS r ON r.name = m[1]
)
SELECT coalesce(jsonb_object_agg(name, sha256), '{}') FROM used JOIN ledger.replayed USING (name)
$$;

COMMENT ON FUNCTION ledger.code_of(text)
IS 'Checksum of each view and function that an expanded query goes through, by name.';
