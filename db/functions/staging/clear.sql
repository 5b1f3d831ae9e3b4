-- clear: empties a staging slot; called by the worker that owns the slot. Rows are deleted, not
-- truncated: the plan of another session may hold a lock on any partition; and when a session dies
-- in a TRUNCATE of unlogged tables and the server dies soon after, PostgreSQL 15 does not start
-- again (its recovery finds a leftover file: "could not create file ...: File exists").
-- needs: staging.delete_rows
CREATE OR REPLACE FUNCTION staging.clear(in_slot smallint)
RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  IF to_regclass('staging.diasource_s' || in_slot) IS NULL THEN
    RAISE EXCEPTION 'staging slot % does not exist', in_slot
      USING ERRCODE = 'invalid_parameter_value', HINT = 'Slots are numbered 0 to 7.';
  END IF;
  PERFORM staging.delete_rows(in_slot);
END $$;

COMMENT ON FUNCTION staging.clear(smallint) IS 'Empties a staging slot.';
