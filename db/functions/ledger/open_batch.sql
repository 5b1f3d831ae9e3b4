-- open_batch: registers an attempt to publish, and claims its deliveries. Detectors of the visit
-- that this run has already published are left out: loading them again is a no-op. A detector
-- that another run has published is refused: its sources would be there twice. So is one that a
-- living session is about to publish, that is one which holds the slot of its open batch; what a
-- dead session has claimed is taken over.
-- needs: science.tai_now, ledger.fail_batch
CREATE OR REPLACE FUNCTION ledger.open_batch(
  in_kind text, in_visit bigint, in_detectors smallint[], in_run text, in_slot smallint,
  OUT batch bigint, OUT detectors smallint[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_catalog
AS $$
DECLARE
  named text;
BEGIN
  IF coalesce(in_run, '') = '' OR in_detectors IS NULL OR array_position(in_detectors, NULL) IS NOT NULL
    OR in_visit IS NULL AND cardinality(in_detectors) > 0
  THEN
    RAISE EXCEPTION 'visit %, detectors %, run % is not the token of a delivery',
      coalesce(in_visit::text, 'NULL'), coalesce(in_detectors::text, 'NULL'), coalesce(quote_literal(in_run), 'NULL')
      USING ERRCODE = 'invalid_parameter_value', HINT = 'Name the visit, its detectors and the pipeline run.';
  END IF;
  IF in_visit IS NOT NULL THEN
    -- Claims of one visit are made one after the other.
    PERFORM pg_advisory_xact_lock(7528, (in_visit & 2147483647)::integer);
  END IF;
  SELECT string_agg(format('detector %s by run %s', d.detector, d.run), ', ' ORDER BY d.detector)
  INTO named
  FROM ledger.delivery AS d
  WHERE d.visitid = in_visit AND d.detector = ANY (in_detectors) AND d.run <> in_run
    AND d.state = 'published';
  IF named IS NOT NULL THEN
    RAISE EXCEPTION 'visit % is published already: %', in_visit, named
      USING ERRCODE = 'unique_violation',
        HINT = 'Use that run, or withdraw the visit before another run publishes it.';
  END IF;
  -- The slot of a batch is locked by its session for as long as that lives: see ingest.staging.
  SELECT string_agg(format('detector %s by batch %s of run %s', d.detector, b.batchid, b.run), ', '
    ORDER BY d.detector)
  INTO named
  FROM ledger.delivery AS d
  JOIN ledger.batch AS b ON b.batchid = d.batchid AND b.state = 'open'
  WHERE d.visitid = in_visit AND d.detector = ANY (in_detectors) AND d.state = 'open'
    AND EXISTS (SELECT FROM pg_locks AS l WHERE l.locktype = 'advisory' AND l.granted
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND l.classid = 7527 AND l.objid = b.slot AND l.objsubid = 2 AND l.pid <> pg_backend_pid());
  IF named IS NOT NULL THEN
    RAISE EXCEPTION 'visit % is being published by another session: %', in_visit, named
      USING ERRCODE = 'lock_not_available',
        HINT = 'Wait for it, then try again: what it has published is left out then.';
  END IF;
  PERFORM ledger.fail_batch(b, 'its session ended before the publication') FROM (
    SELECT DISTINCT d.batchid AS b FROM ledger.delivery AS d
    JOIN ledger.batch AS b ON b.batchid = d.batchid AND b.state = 'open'
    WHERE d.visitid = in_visit AND d.detector = ANY (in_detectors) AND d.state = 'open') AS dead;

  batch := nextval('ledger.batch_id');
  INSERT INTO ledger.batch (batchid, kind, visitid, run, slot, state, startedtai, nrejected)
  VALUES (batch, in_kind, in_visit, in_run, in_slot, 'open', science.tai_now(), 0);
  WITH claimed AS (
    INSERT INTO ledger.delivery (visitid, detector, run, state, attempts, batchid, changedtai)
    SELECT in_visit, d, in_run, 'open', 1, batch, science.tai_now()
    FROM (SELECT DISTINCT unnest(in_detectors)) AS u(d)
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
