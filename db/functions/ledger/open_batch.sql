-- open_batch: registers an attempt to publish, and claims its deliveries. Detectors of the visit
-- that this run has already published are left out: loading them again is a no-op. A detector
-- that another run has published is refused: its sources would be there twice.
-- needs: science.tai_now
CREATE OR REPLACE FUNCTION ledger.open_batch(
  in_kind text, in_visit bigint, in_detectors smallint[], in_run text, in_slot smallint,
  OUT batch bigint, OUT detectors smallint[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_catalog
AS $$
DECLARE
  elsewhere text;
BEGIN
  SELECT string_agg(format('detector %s by run %s', d.detector, d.run), ', ' ORDER BY d.detector)
  INTO elsewhere
  FROM ledger.delivery AS d
  WHERE d.visitid = in_visit AND d.detector = ANY (in_detectors) AND d.run <> in_run
    AND d.state = 'published';
  IF elsewhere IS NOT NULL THEN
    RAISE EXCEPTION 'visit % is published already: %', in_visit, elsewhere
      USING ERRCODE = 'unique_violation',
        HINT = 'Use that run, or withdraw the visit before another run publishes it.';
  END IF;
  batch := nextval('ledger.batch_id');
  INSERT INTO ledger.batch (batchid, kind, visitid, run, slot, state, startedtai, nrejected)
  VALUES (batch, in_kind, in_visit, in_run, in_slot, 'open', science.tai_now(), 0);
  WITH claimed AS (
    INSERT INTO ledger.delivery (visitid, detector, run, state, attempts, batchid, changedtai)
    SELECT in_visit, d, in_run, 'open', 1, batch, science.tai_now() FROM unnest(in_detectors) AS d
    ON CONFLICT (visitid, detector, run) DO UPDATE
      SET state = 'open', reason = NULL, attempts = delivery.attempts + 1,
        batchid = excluded.batchid, changedtai = excluded.changedtai
      WHERE delivery.state <> 'published'
    RETURNING detector
  )
  SELECT coalesce(array_agg(detector ORDER BY detector), '{}') INTO detectors FROM claimed;
END $$;

COMMENT ON FUNCTION ledger.open_batch(text, bigint, smallint[], text, smallint)
IS 'Opens a batch for a visit; returns its number and the detectors this run has not published yet.';
