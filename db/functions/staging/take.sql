-- take: an empty staging slot for the rest of this transaction, for changes the database makes by
-- itself. Visits look for a slot from the lowest number up, so the search begins at the other end;
-- when all are taken it waits for one.
-- needs: staging.delete_rows, ledger.fail_batch
CREATE OR REPLACE FUNCTION staging.take()
RETURNS smallint
LANGUAGE plpgsql AS $$
DECLARE
  highest smallint;
  taken smallint;
BEGIN
  SELECT max(substring(c.relname FROM '_s(\d+)$')::smallint) INTO STRICT highest
  FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
  WHERE i.inhparent = 'staging.diasource'::regclass;
  FOR candidate IN REVERSE highest..0 LOOP
    IF pg_try_advisory_xact_lock(7527, candidate) THEN
      taken := candidate;
      EXIT;
    END IF;
  END LOOP;
  IF taken IS NULL THEN
    taken := highest;
    PERFORM pg_advisory_xact_lock(7527, taken);
  END IF;
  -- An open batch of a slot that is free belongs to nobody any more.
  PERFORM ledger.fail_batch(b.batchid, 'its session ended before the publication')
  FROM ledger.batch AS b WHERE b.slot = taken AND b.state = 'open';
  -- Rows are deleted, not truncated: this transaction goes on to publish, and must not hold a lock
  -- on the tables that another publication could wait for.
  PERFORM staging.delete_rows(taken);
  RETURN taken;
END $$;

COMMENT ON FUNCTION staging.take()
IS 'Takes an empty staging slot for the rest of the transaction; waits if all are in use.';
