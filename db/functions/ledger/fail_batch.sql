-- fail_batch: gives a batch up, with the reason; nothing of it was ever visible.
-- needs: science.tai_now
CREATE OR REPLACE FUNCTION ledger.fail_batch(in_batch bigint, in_reason text)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_catalog
AS $$
BEGIN
  UPDATE ledger.batch SET state = 'failed', reason = in_reason, endedtai = science.tai_now()
  WHERE batchid = in_batch AND state = 'open';
  UPDATE ledger.delivery SET state = 'failed', reason = in_reason, changedtai = science.tai_now()
  WHERE batchid = in_batch AND state = 'open';
END $$;

COMMENT ON FUNCTION ledger.fail_batch(bigint, text)
IS 'Marks an open batch and its open deliveries as failed, with the reason.';
