-- recall: stages the current versions of rows, to be changed in the slot and published again, or
-- to be closed. Rows whose column in_column holds one of in_ids are recalled. Of a row that is only
-- to be closed the ids and times are enough.
CREATE OR REPLACE FUNCTION staging.recall(
  in_slot smallint, in_relation text, in_column text, in_ids bigint[],
  in_withdraw boolean DEFAULT false)
RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
  names text;
  n bigint;
BEGIN
  IF in_ids IS NULL THEN
    RETURN 0;
  END IF;
  SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO STRICT names
  FROM pg_attribute
  WHERE attrelid = format('staging.%I', in_relation)::regclass AND attnum > 0
    AND NOT attisdropped AND attname NOT IN ('slot', 'replacestai', 'iswithdrawal')
    AND (NOT in_withdraw OR atttypid IN ('bigint'::regtype, 'smallint'::regtype)
      OR attname = 'midpointtai');
  -- One by one (OFFSET 0): by its index, however many rows there are in all.
  EXECUTE format(
    'INSERT INTO staging.%1$I (slot, %2$s, replacestai, iswithdrawal) '
    'SELECT $1, %2$s, createdtai, $2 FROM (SELECT DISTINCT unnest($3) AS wanted) AS w '
    'CROSS JOIN LATERAL (SELECT * FROM prompt_store.%1$I AS s WHERE s.%3$I = w.wanted OFFSET 0) AS c',
    in_relation, names, in_column)
  USING in_slot, in_withdraw, in_ids;
  GET DIAGNOSTICS n = ROW_COUNT;
  IF n > 0 THEN
    -- The plans of what follows depend on whether there are three rows or ten thousand.
    EXECUTE format('ANALYZE staging.%I (slot, %I)', in_relation || '_s' || in_slot, in_column);
  END IF;
  RETURN n;
END $$;

COMMENT ON FUNCTION staging.recall(smallint, text, text, bigint[], boolean)
IS 'Stages the current versions of rows by a bigint column, to be replaced or closed; returns how many.';
