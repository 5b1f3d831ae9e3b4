-- read_query: how PostgreSQL understands a query that is to be cited: names qualified and each *
-- expanded. Nothing of it runs here. What cannot be repeated is refused.
-- Belongs to skyledger_citer (see the grants), so it sees what readers see, whoever calls it.
CREATE OR REPLACE FUNCTION ledger.read_query(
  in_query text, in_database text,
  OUT expanded text, OUT names text[], OUT types text[], OUT aggregates boolean)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog SET datestyle = 'ISO, YMD' SET timezone = 'UTC' SET intervalstyle = 'postgres'
AS $$
DECLARE
  looked refcursor;
  tree text;
  found text;
BEGIN
  IF current_user <> 'skyledger_citer' THEN
    RAISE EXCEPTION 'ledger.read_query belongs to %, not to skyledger_citer', current_user
      USING ERRCODE = 'insufficient_privilege', HINT = 'Run `skyledger db upgrade`.';
  END IF;
  -- Constants are read, and constant expressions computed, while a query is being understood: a
  -- function of the caller, hidden in a type, would run as the owner of this one.
  IF EXISTS (SELECT FROM pg_proc WHERE pronamespace = pg_my_temp_schema()) THEN
    RAISE EXCEPTION 'a session with temporary functions cannot cite'
      USING ERRCODE = 'feature_not_supported', HINT = 'Cite from a new session.';
  END IF;
  PERFORM set_config('search_path', format('%I, science, public, pg_temp', in_database), true);
  -- A cursor takes exactly one statement that returns rows: nothing hides behind a semicolon.
  OPEN looked NO SCROLL FOR EXECUTE in_query;
  CLOSE looked;
  EXECUTE 'CREATE TEMP VIEW skyledger_cited AS ' || in_query;
  SELECT ev_action::text INTO STRICT tree FROM pg_rewrite
  WHERE ev_class = 'pg_temp.skyledger_cited'::regclass;

  SELECT c.oid::regclass::text INTO found
  FROM regexp_matches(tree, ':relid (\d+)', 'g') AS m
  JOIN pg_class AS c ON c.oid = m[1]::oid JOIN pg_namespace AS n ON n.oid = c.relnamespace
  WHERE c.oid <> 'pg_temp.skyledger_cited'::regclass
    AND NOT (n.nspname IN ('prompt', 'rubin') OR n.nspname ~ '^(dr\d+|sp_[a-z0-9_]+)$')
  LIMIT 1;
  IF found IS NOT NULL THEN
    RAISE EXCEPTION 'a citation cannot go through %, which does not keep what it was', found
      USING ERRCODE = 'feature_not_supported',
        HINT = 'Use plain names (DIAObject), prompt.X, prompt_at.X(T) or a data release.';
  END IF;

  -- Dependencies do not list what is built in, the tree of the view does.
  SELECT p.oid::regprocedure::text INTO found
  FROM regexp_matches(tree, ':(?:funcid|opfuncid|aggfnoid|winfnoid) (\d+)', 'g') AS m
  JOIN pg_proc AS p ON p.oid = m[1]::oid JOIN pg_namespace AS n ON n.oid = p.pronamespace
  WHERE p.provolatile = 'v' OR n.nspname NOT IN ('pg_catalog', 'public', 'science', 'prompt_at', 'rubin_at')
    OR (n.nspname = 'pg_catalog' AND p.provolatile = 's' AND (p.proname
      ~ '^(now|version|(transaction|statement)_timestamp|(current|session|pg|has|inet|txid|to_reg|col|obj|shobj)_.*|.*_to_xml.*)$'
      OR (p.proname = 'age' AND p.pronargs = 1)))
  LIMIT 1;
  IF found IS NULL AND tree LIKE '%{SQLVALUEFUNCTION%' THEN
    found := 'CURRENT_DATE, CURRENT_USER or their like';
  END IF;
  IF found IS NOT NULL THEN
    RAISE EXCEPTION 'a citation cannot use %: it need not give the same again', found
      USING ERRCODE = 'feature_not_supported', HINT = 'Write its value into the query.';
  END IF;
  IF tree ~ ':sortClause <> :limitOffset (?!<> :limitCount <>)' THEN
    RAISE EXCEPTION 'a citation cannot have LIMIT or OFFSET without ORDER BY: which rows are left is chance'
      USING ERRCODE = 'feature_not_supported', HINT = 'ORDER BY a key.';
  END IF;

  SELECT array_agg(attname::text ORDER BY attnum),
    array_agg(format_type(atttypid, NULL) ORDER BY attnum) INTO names, types
  FROM pg_attribute WHERE attrelid = 'pg_temp.skyledger_cited'::regclass AND attnum > 0;
  aggregates := tree ~ ':(hasAggs|hasWindowFuncs) true';
  PERFORM set_config('search_path', 'pg_catalog', true);
  expanded := rtrim(pg_get_viewdef('pg_temp.skyledger_cited'::regclass), ';');
  DROP VIEW pg_temp.skyledger_cited;
END $$;

COMMENT ON FUNCTION ledger.read_query(text, text)
IS 'Expands a query and names its columns, or refuses it because its answer could not be had again; called by ledger.cite.';
