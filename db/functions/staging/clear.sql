-- clear: empties a staging slot; called by the worker that owns the slot. The plan of another
-- session may hold a lock on any partition, so truncation does not wait for one while it holds
-- others: the rows are deleted instead.
-- needs: staging.delete_rows
CREATE OR REPLACE FUNCTION staging.clear(in_slot smallint)
RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  parts text;
BEGIN
  SELECT string_agg(format('%I.%I', n.nspname, c.relname), ', ') INTO parts
  FROM pg_inherits AS i
  JOIN pg_class AS c ON c.oid = i.inhrelid
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
  WHERE n.nspname = 'staging' AND c.relname ~ ('_s' || in_slot || '$');
  IF parts IS NULL THEN
    RAISE EXCEPTION 'staging slot % does not exist', in_slot
      USING ERRCODE = 'invalid_parameter_value', HINT = 'Slots are numbered 0 to 7.';
  END IF;
  BEGIN
    EXECUTE 'LOCK TABLE ' || parts || ' IN ACCESS EXCLUSIVE MODE NOWAIT';
    EXECUTE 'TRUNCATE ' || parts;
  EXCEPTION WHEN lock_not_available THEN
    PERFORM staging.delete_rows(in_slot);
  END;
END $$;

COMMENT ON FUNCTION staging.clear(smallint) IS 'Empties a staging slot.';
