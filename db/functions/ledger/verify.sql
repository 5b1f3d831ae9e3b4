-- verify: asks a cited query again, as of its instant, and compares (design section 5; GEN-19).
-- Floats of queries that sum up rows may differ by 1e-6 (real) or 1e-12 (double precision);
-- all others must agree to the last bit.
-- needs: ledger.measure_answer, ledger.code_of, ledger.citation_of, ledger.settled
CREATE OR REPLACE FUNCTION ledger.verify(
  in_citation text, OUT verdict text, OUT detail text, OUT n bigint, OUT checksum text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
  c ledger.citation%ROWTYPE;
  m record;
  revision text;
  changes text[] := '{}';
  off text;
BEGIN
  SELECT * INTO c FROM ledger.citation_of(in_citation);
  IF NOT FOUND THEN
    RAISE EXCEPTION 'there is no citation %', in_citation
      USING ERRCODE = 'invalid_parameter_value', HINT = 'SELECT * FROM ledger.citation lists them.';
  END IF;
  SELECT array_agg(coalesce(a.key, b.key) || CASE WHEN b.key IS NULL THEN ' is gone'
      WHEN a.key IS NULL THEN ' is new' ELSE ' changed' END ORDER BY coalesce(a.key, b.key))
  INTO changes
  FROM jsonb_each_text(c.code) AS a FULL JOIN jsonb_each_text(ledger.code_of(c.expandedquery)) AS b USING (key)
  WHERE a.value IS DISTINCT FROM b.value;
  SELECT version_num INTO revision FROM ledger.schema_version;
  IF revision <> c.schemarevision THEN
    changes := changes || format('schema revision %s was %s', revision, c.schemarevision);
  END IF;

  BEGIN
    SELECT * INTO STRICT m FROM ledger.measure_answer(
      c.expandedquery, c.columntypes, c.aggregates, c.instanttai);
  EXCEPTION
    WHEN insufficient_privilege THEN RAISE;
    WHEN syntax_error_or_access_rule_violation OR data_exception THEN
    verdict := 'different';
    detail := concat_ws('; ', 'the query cannot be run any more: ' || SQLERRM, array_to_string(changes, '; '));
    RETURN;
  END;
  n := m.n;
  checksum := m.exact;
  IF m.n <> c.nrows THEN
    off := format('%s rows, cited were %s', m.n, c.nrows);
  ELSIF m.exact <> c.checksum AND (m.steady <> c.steadychecksum OR NOT c.aggregates) THEN
    off := format('the same number of rows, but checksum %s, cited was %s', m.exact, c.checksum);
  ELSIF m.exact <> c.checksum THEN
    SELECT format('column %s: sum %s, cited was %s', c.columnnames[t.i], s.new->>'sum', s.old->>'sum') INTO off
    FROM (SELECT i, row_number() OVER (ORDER BY i) AS place
      FROM generate_subscripts(c.columntypes, 1) AS i
      WHERE c.columntypes[i] IN ('real', 'double precision')) AS t
    CROSS JOIN LATERAL (SELECT m.sums->(t.place::integer - 1) AS new, c.floatsums->(t.place::integer - 1) AS old) AS s
    CROSS JOIN LATERAL unnest('{sum,size,mixed}'::text[]) AS which
    WHERE abs((s.new->>which)::double precision - (s.old->>which)::double precision)
      > CASE s.old->>'type' WHEN 'real' THEN 1e-6 ELSE 1e-12 END * (s.old->>'size')::double precision
    ORDER BY t.i LIMIT 1;
  END IF;
  verdict := CASE WHEN off IS NOT NULL THEN 'different'
    WHEN changes <> '{}' THEN 'same data' ELSE 'identical' END;
  detail := nullif(concat_ws('; ', off, array_to_string(changes, '; '),
    CASE WHEN off IS NULL AND m.exact <> c.checksum
      THEN 'floats agree within the rounding of sums' END), '');
END $$;

COMMENT ON FUNCTION ledger.verify(text)
IS 'Asks a cited query again: identical, same data (but a view, function or the schema changed) or different, and what differs.';
