-- seal_table: ends the filling of a table: counts, makes the index of positions and the statistics,
-- and from now on its owner may read it and nobody change it (UGP-02). What it takes is counted
-- with everything that belongs to it, and together with what other transactions have sealed
-- meanwhile: the row of the person is locked until the end (UGP-06).
-- Positions are two columns of floating-point numbers in degrees; the index is made where all lie
-- on the sphere, as the dictionary's spatial indexes are written, so that the same queries use it.
-- needs: service.find_person, service.used_bytes, service.keep_grants, science.tai_now
CREATE OR REPLACE FUNCTION service.seal_table(
    in_schema text, in_table text, in_ra text DEFAULT NULL, in_decl text DEFAULT NULL
)
RETURNS TABLE (n_rows bigint, n_bytes bigint, is_indexed boolean)
LANGUAGE plpgsql ROWS 1 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  t service.persontable%ROWTYPE;
  owner service.person%ROWTYPE;
  ra name;
  decl name;
  sphere text;
  used bigint;
BEGIN
  SELECT * INTO t FROM service.persontable
  WHERE schemaname = in_schema AND tablename = in_table AND sealedtai IS NULL;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'no table % is being filled', coalesce(format('%I.%I', in_schema, in_table), 'without a name')
      USING ERRCODE = 'undefined_table', HINT = 'Call service.open_table first, in the same transaction.';
  END IF;
  EXECUTE format('SELECT count(*) FROM %I.%I', in_schema, in_table) INTO n_rows;
  is_indexed := false;
  IF in_ra IS NOT NULL OR in_decl IS NOT NULL THEN
    SELECT max(sqlname) FILTER (WHERE columnname = in_ra), max(sqlname) FILTER (WHERE columnname = in_decl)
    INTO ra, decl FROM service.personcolumn
    WHERE schemaname = in_schema AND tablename = in_table AND sqltype IN ('real', 'double precision');
    IF ra IS NULL OR decl IS NULL OR ra = decl THEN
      RAISE EXCEPTION '%.% has no two columns % and % of floating-point numbers', in_schema, in_table,
        coalesce(quote_literal(in_ra), 'NULL'), coalesce(quote_literal(in_decl), 'NULL')
        USING ERRCODE = 'undefined_column', HINT = 'Name two columns that hold degrees, or none.';
    END IF;
    EXECUTE format('SELECT NOT EXISTS (SELECT FROM %I.%I WHERE %I NOT BETWEEN -360 AND 720 OR %I NOT BETWEEN -90 AND 90)',
      in_schema, in_table, ra, decl) INTO is_indexed;
  END IF;
  IF is_indexed THEN
    -- pg_sphere is an extension in public or, on some servers, objects of a schema of its own.
    SELECT quote_ident(n.nspname) INTO STRICT sphere FROM pg_type AS y JOIN pg_namespace AS n ON n.oid = y.typnamespace
    WHERE y.typname = 'spoint' AND n.nspname IN ('public', 'pgsphere');
    EXECUTE format('CREATE INDEX ON %I.%I USING gist (%s.spoint(radians(%I), radians(%I)) %s.spoint3)',
      in_schema, in_table, sphere, ra, decl, sphere);
    UPDATE service.personcolumn SET isindexed = true
    WHERE schemaname = in_schema AND tablename = in_table AND sqlname IN (ra, decl);
  END IF;
  EXECUTE format('ANALYZE %I.%I', in_schema, in_table);
  -- From here on nobody else counts for this person.
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'tables cannot be sealed in a transaction of level %', current_setting('transaction_isolation')
      USING ERRCODE = 'invalid_transaction_state', HINT = 'Use a transaction of level READ COMMITTED.';
  END IF;
  owner := service.find_person(t.personname, true);
  n_bytes := t.nbytes + pg_total_relation_size(format('%I.%I', in_schema, in_table)::regclass);
  used := service.used_bytes(t.personname) - t.nbytes;
  IF used + n_bytes > owner.quotabytes THEN
    RAISE EXCEPTION 'no room for %.%: % of % bytes are used, and the table takes %',
      in_schema, in_table, used, owner.quotabytes, n_bytes
      USING ERRCODE = 'disk_full', HINT = 'Drop tables, ask for fewer rows or columns, or ask an operator for a larger quota.';
  END IF;
  UPDATE service.persontable SET nrows = n_rows, nbytes = n_bytes, sealedtai = science.tai_now(),
    racolumn = CASE WHEN is_indexed THEN ra END, declcolumn = CASE WHEN is_indexed THEN decl END
  WHERE schemaname = in_schema AND tablename = in_table;
  PERFORM service.keep_grants(in_schema, in_table);
  RETURN NEXT;
END $$;

COMMENT ON FUNCTION service.seal_table(text, text, text, text)
IS 'Ends the filling of a person''s table: index of the positions in two columns [deg], statistics, quota, rights; returns rows, bytes and whether positions are indexed.';
