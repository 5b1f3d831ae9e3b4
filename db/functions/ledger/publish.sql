-- publish: the only way rows become visible. Everything is computed and staged before; under the
-- lock the staged rows are only carried over (design section 5; GEN-19, L1DB-02). The rows of a
-- visit are joined in memory.
-- needs: ledger.draw, ledger.publish_relations, ledger.check_links, science.tai_now
CREATE OR REPLACE FUNCTION ledger.publish(in_batch bigint)
RETURNS timestamp
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_catalog SET work_mem = '64MB'
AS $$
DECLARE
  b ledger.batch%ROWTYPE;
  opened timestamp;
  locked timestamptz;
  touched bigint;
BEGIN
  SELECT * INTO b FROM ledger.batch WHERE batchid = in_batch FOR UPDATE;
  IF NOT FOUND OR b.state <> 'open' THEN
    RAISE EXCEPTION 'batch % cannot be published: %', in_batch, coalesce('it is ' || b.state, 'there is none')
      USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Open a batch, stage its rows, then publish it.';
  END IF;
  opened := ledger.draw(b.kind, in_batch);
  locked := clock_timestamp();
  touched := ledger.publish_relations(b.slot, opened);
  PERFORM ledger.check_links(b.slot);
  UPDATE ledger.batch SET state = 'published', epochtai = opened, endedtai = science.tai_now()
  WHERE batchid = in_batch;
  UPDATE ledger.delivery SET state = 'published', reason = NULL, changedtai = science.tai_now()
  WHERE batchid = in_batch AND state = 'open';
  UPDATE ledger.epoch
  SET nrows = touched, lockseconds = extract(epoch FROM clock_timestamp() - locked)
  WHERE epochtai = opened;
  RETURN opened;
END $$;

COMMENT ON FUNCTION ledger.publish(bigint)
IS 'Publishes the staged rows of an open batch under one epoch (TAI), which is returned.';
