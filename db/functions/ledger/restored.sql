-- restored: called once after a recovery from a backup or a failover, which may have lost what was
-- published last; ledger.draw refuses until then (design section 5; GEN-18, GEN-19). Opens an
-- epoch after every one that anybody may have seen; ledger.settled refuses the lost time before it.
-- Serial numbers jump over those that may have been given out meanwhile: a thousand objects a
-- second are three times what LSST's camera could bring, and a million for a clock that was late.
-- needs: ledger.horizon, ledger.timeline, science.tai_now
CREATE OR REPLACE FUNCTION ledger.restored(in_seen timestamp DEFAULT NULL)
RETURNS timestamp
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
  kept timestamp;
  opened timestamp;
  lost double precision;
BEGIN
  PERFORM pg_advisory_xact_lock(7526, 1);
  kept := ledger.horizon();
  opened := greatest(science.tai_now(), kept + interval '1 microsecond', in_seen + interval '1 microsecond');
  lost := extract(epoch FROM opened - kept);
  PERFORM setval('ledger.object_serial', nextval('ledger.object_serial') + 1000000 + (1000 * lost)::bigint);
  PERFORM setval('ledger.batch_id', nextval('ledger.batch_id') + 1000000 + (10 * lost)::bigint);
  PERFORM setval('ledger.rejected_id', nextval('ledger.rejected_id') + 1000000000 + (10000 * lost)::bigint);
  -- A worker of the lost time may still hold a batch: its slot has nothing of it any more.
  UPDATE ledger.batch SET state = 'failed', endedtai = opened,
    reason = 'the database was restored from a backup while the batch was open'
  WHERE state = 'open';
  UPDATE ledger.delivery SET state = 'failed', changedtai = opened,
    reason = 'the database was restored from a backup while it was on its way; process it again'
  WHERE state = 'open';
  INSERT INTO ledger.epoch (epochtai, kind, nrows, timeline)
  VALUES (opened, 'restored', 0, ledger.timeline());
  RETURN opened;
END $$;

COMMENT ON FUNCTION ledger.restored(timestamp)
IS 'Marks a recovery from a backup: opens an epoch (TAI) after now and after in_seen, the latest anybody is known to have seen, and lets ids jump ahead.';
