-- delete_rows: empties a staging slot with locks that nobody has to wait for. It waits itself, for
-- sessions that are copying into the slot (ledger.join_batch): what they leave is deleted too.
CREATE OR REPLACE FUNCTION staging.delete_rows(in_slot smallint)
RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  t text;
BEGIN
  PERFORM pg_advisory_xact_lock(7529, in_slot);
  FOR t IN
    SELECT c.relname FROM pg_class AS c
    WHERE c.relnamespace = 'staging'::regnamespace AND c.relkind = 'p'
  LOOP
    EXECUTE format('DELETE FROM staging.%I', t || '_s' || in_slot);
  END LOOP;
END $$;

COMMENT ON FUNCTION staging.delete_rows(smallint)
IS 'Empties a staging slot without excluding anybody.';
