-- withdraw_sources: closes single DIASources, such as recognised artifacts, in one epoch; the
-- DIAObjects that lose them are recomputed, closed, or kept and flagged.
-- needs: ledger.withdraw_rows
CREATE OR REPLACE FUNCTION ledger.withdraw_sources(in_sources bigint[], in_reason text)
RETURNS timestamp
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_catalog
AS $$
DECLARE
  missing bigint;
BEGIN
  SELECT i INTO missing FROM unnest(in_sources) AS i
  WHERE NOT EXISTS (SELECT FROM prompt_store.diasource AS s WHERE s.diasourceid = i) LIMIT 1;
  IF missing IS NOT NULL OR coalesce(cardinality(in_sources), 0) = 0 THEN
    RAISE EXCEPTION 'diaSourceId % is not in the database', coalesce(missing::text, '(none given)')
      USING ERRCODE = 'no_data_found', HINT = 'Look for it in prompt.DIASource; it may be withdrawn already.';
  END IF;
  RETURN ledger.withdraw_rows(NULL, in_reason, in_sources);
END $$;

COMMENT ON FUNCTION ledger.withdraw_sources(bigint[], text)
IS 'Withdraws single DIASources in one epoch (TAI), which is returned.';
