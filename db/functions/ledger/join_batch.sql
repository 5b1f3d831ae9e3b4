-- join_batch: lets a session copy rows into the slot of a batch that another session will publish:
-- the detectors of a visit, copied side by side. Until the end of the transaction the slot is not
-- emptied (staging.clear waits), and a session that comes too late learns that the batch is over.
CREATE OR REPLACE FUNCTION ledger.join_batch(in_batch bigint)
RETURNS smallint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_catalog
AS $$
DECLARE
  b ledger.batch%ROWTYPE;
BEGIN
  SELECT * INTO b FROM ledger.batch WHERE batchid = in_batch;
  IF FOUND THEN
    PERFORM pg_advisory_xact_lock_shared(7529, b.slot);
    -- A new statement: the batch as it is now that the slot cannot be taken away.
    SELECT * INTO b FROM ledger.batch WHERE batchid = in_batch;
  END IF;
  IF b.state IS DISTINCT FROM 'open' THEN
    RAISE EXCEPTION 'batch % takes no rows: %', in_batch, coalesce('it is ' || b.state, 'there is none')
      USING ERRCODE = 'object_not_in_prerequisite_state',
        HINT = 'Open a batch, and publish it when all sessions have committed their rows.';
  END IF;
  RETURN b.slot;
END $$;

COMMENT ON FUNCTION ledger.join_batch(bigint)
IS 'Returns the staging slot of an open batch and keeps it from being emptied until the commit.';
