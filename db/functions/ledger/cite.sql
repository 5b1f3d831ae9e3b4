-- cite: gives a query at an instant a short name under which anybody can ask it again and see
-- whether the answer is still the same (design section 5; GEN-19). Citing the same again gives
-- the same name.
-- needs: ledger.read_query, ledger.measure_answer, ledger.code_of, ledger.as_of
-- needs: ledger.settle, ledger.settled, science.tai_now
CREATE OR REPLACE FUNCTION ledger.cite(
  in_query text, in_instant timestamp DEFAULT NULL, in_database text DEFAULT 'prompt')
RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
  -- Base 32 without the letters that look like others.
  letters CONSTANT text := '0123456789abcdefghjkmnpqrstvwxyz';
  instant timestamp := coalesce(in_instant, ledger.as_of());
  written text := rtrim(in_query, E'; \t\r\n');
  q record;
  m record;
  used jsonb;
  content text;
  bits bit(256);
  name text := '';
  known text;
BEGIN
  IF coalesce(written, '') = '' THEN
    RAISE EXCEPTION 'there is no query to cite'
      USING ERRCODE = 'invalid_parameter_value', HINT = 'Give one SELECT.';
  END IF;
  PERFORM ledger.settled(instant);
  PERFORM ledger.settle(in_database, instant);  -- refuses what is before the first epoch
  SELECT * INTO STRICT q FROM ledger.read_query(written, in_database);
  used := ledger.code_of(q.expanded);
  content := encode(sha256(convert_to(
    concat_ws(E'\n', in_database, instant, q.expanded, used), 'UTF8')), 'hex');
  bits := ('x' || content)::bit(256);
  SELECT citationid INTO name FROM ledger.citation WHERE contentsha256 = content;
  IF FOUND THEN
    RETURN name;
  END IF;
  SELECT * INTO STRICT m FROM ledger.measure_answer(q.expanded, q.types, q.aggregates, instant);
  name := '';
  FOR place IN 0..50 LOOP
    name := name || substr(letters, 1 + substring(bits FROM 5 * place + 1 FOR 5)::integer, 1);
    CONTINUE WHEN place < 7;
    -- Should eight characters be taken by something else, a ninth tells them apart.
    INSERT INTO ledger.citation (citationid, contentsha256, databasename, instanttai, query,
      expandedquery, columnnames, columntypes, aggregates, nrows, checksum, steadychecksum,
      floatsums, code, schemarevision, softwareversion, citedtai)
    SELECT name, content, in_database, instant, written, q.expanded, q.names, q.types,
      q.aggregates, m.n, m.exact, m.steady, m.sums, used, v.version_num,
      format('skyledger %s, PostgreSQL %s', (SELECT max(softwareversion) FROM ledger.replayed),
        current_setting('server_version')), science.tai_now()
    FROM ledger.schema_version AS v
    ON CONFLICT DO NOTHING;
    SELECT contentsha256 INTO known FROM ledger.citation WHERE citationid = name;
    EXIT WHEN known = content;
  END LOOP;
  RETURN name;
END $$;

COMMENT ON FUNCTION ledger.cite(text, timestamp, text)
IS 'Cites a query as of an instant (TAI; by default the session''s, else the horizon) and returns the short name of the citation.';
