-- withdraw: takes a visit back, as if it had never been delivered: its DIASources, forced
-- measurements and metadata are closed, the DIAObjects that lose data are recomputed, closed, or
-- kept and flagged, all in one epoch. Answers as of earlier instants stay (GEN-19, GEN-20). The
-- detectors of the visit can be delivered again.
-- needs: ledger.withdraw_rows, science.tai_now
CREATE OR REPLACE FUNCTION ledger.withdraw(in_visit bigint, in_reason text)
RETURNS timestamp
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_catalog
AS $$
DECLARE
  epoch timestamp;
BEGIN
  IF NOT EXISTS (SELECT FROM prompt_store.ccdvisit WHERE visitid = in_visit) THEN
    RAISE EXCEPTION 'visit % is not in the database', in_visit
      USING ERRCODE = 'no_data_found', HINT = 'Look for it in prompt.CcdVisit; it may be withdrawn already.';
  END IF;
  epoch := ledger.withdraw_rows(in_visit, in_reason, NULL);
  UPDATE ledger.delivery SET state = 'failed', reason = 'withdrawn: ' || in_reason,
    changedtai = science.tai_now()
  WHERE visitid = in_visit AND state = 'published';
  RETURN epoch;
END $$;

COMMENT ON FUNCTION ledger.withdraw(bigint, text)
IS 'Withdraws a visit with everything measured on it, in one epoch (TAI), which is returned.';
