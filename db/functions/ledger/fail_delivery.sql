-- fail_delivery: keeps why a detector of a visit could not be published; it can be tried again.
-- needs: science.tai_now
CREATE OR REPLACE FUNCTION ledger.fail_delivery(
  in_batch bigint, in_visit bigint, in_detector smallint, in_run text, in_reason text)
RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_catalog
AS $$
  INSERT INTO ledger.delivery (visitid, detector, run, state, reason, attempts, batchid, changedtai)
  VALUES (in_visit, in_detector, in_run, 'failed', in_reason, 1, in_batch, science.tai_now())
  ON CONFLICT (visitid, detector, run) DO UPDATE
    SET state = 'failed', reason = excluded.reason, batchid = excluded.batchid,
      changedtai = excluded.changedtai
    WHERE delivery.state <> 'published'
$$;

COMMENT ON FUNCTION ledger.fail_delivery(bigint, bigint, smallint, text, text)
IS 'Marks a detector of a visit as failed, with the reason; a later attempt may succeed.';
