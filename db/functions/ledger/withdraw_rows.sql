-- withdraw_rows: what ledger.withdraw and ledger.withdraw_sources share: stages the end of the rows
-- and what follows from it, and publishes. Computed again when another publication interferes.
-- needs: staging.take, staging.recall, staging.recompute, ledger.open_batch, ledger.publish
CREATE OR REPLACE FUNCTION ledger.withdraw_rows(in_visit bigint, in_reason text, in_sources bigint[])
RETURNS timestamp
-- A plan for any slot would know nothing of how many rows wait in this one.
LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
  slot_number CONSTANT smallint := staging.take();
  attempts CONSTANT integer := 10;
  ccd_visits bigint[];
  opened bigint;
  ended timestamp;
BEGIN
  FOR attempt IN 1..attempts LOOP
    -- Each attempt is undone as a whole, the publication lock included.
    BEGIN
      SELECT b.batch INTO opened
      FROM ledger.open_batch('withdrawal', in_visit, '{}', 'withdrawal', slot_number) AS b;
      IF in_visit IS NOT NULL THEN
        SELECT array_agg(ccdvisitid) INTO ccd_visits FROM prompt_store.ccdvisit WHERE visitid = in_visit;
        PERFORM staging.recall(slot_number, 'visit', 'visitid', ARRAY[in_visit], true),
          staging.recall(slot_number, 'ccdvisit', 'ccdvisitid', ccd_visits, true),
          staging.recall(slot_number, 'diasource', 'ccdvisitid', ccd_visits, true),
          staging.recall(slot_number, 'diaforcedsource', 'ccdvisitid', ccd_visits, true);
      ELSE
        PERFORM staging.recall(slot_number, 'diasource', 'diasourceid', in_sources, true);
      END IF;
      PERFORM staging.recall(slot_number, 'sssource', 'diasourceid',
        (SELECT array_agg(diasourceid) FROM staging.diasource WHERE slot = slot_number), true);
      PERFORM staging.recompute(slot_number);
      ended := ledger.publish(opened);
      UPDATE ledger.batch SET reason = in_reason WHERE batchid = opened;
      RETURN ended;
    EXCEPTION WHEN serialization_failure THEN
      IF attempt = attempts THEN
        RAISE;
      END IF;
    END;
  END LOOP;
END $$;

COMMENT ON FUNCTION ledger.withdraw_rows(bigint, text, bigint[])
IS 'Closes the rows of a visit, or single DIASources, with what follows from it, in one epoch.';
