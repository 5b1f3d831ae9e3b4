-- precovery_due: the published visits whose new DIAObjects wait for forced photometry on the images of
-- the days before (DPDD section 3.2.1 step 11; DIA-20, PRECOV-01). It follows from what is published:
-- nothing has to be noted for a visit to be remembered. Those tried least often come first.
CREATE OR REPLACE FUNCTION ledger.precovery_due()
RETURNS TABLE (batchid bigint, visitid bigint, epochtai timestamp, attempts integer, reason text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
AS $$
  SELECT b.batchid, b.visitid, b.epochtai, coalesce(p.attempts, 0), p.reason
  FROM ledger.batch AS b
  LEFT JOIN ledger.precovery AS p ON p.batchid = b.batchid
  WHERE b.kind = 'visit' AND b.state = 'published' AND p.state IS DISTINCT FROM 'done'
  ORDER BY coalesce(p.attempts, 0), b.epochtai
$$;

COMMENT ON FUNCTION ledger.precovery_due()
IS 'Published visits that wait for the precovery of their new DIAObjects: batch, visit, epoch (TAI), attempts so far.';
