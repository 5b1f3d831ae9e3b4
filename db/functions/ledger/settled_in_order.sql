-- settled_in_order: true for two instants that are settled and in order; raises for others, since
-- what changed between them could differ later, or is nothing that was asked for (GEN-19, GEN-20).
-- needs: ledger.settled
CREATE OR REPLACE FUNCTION ledger.settled_in_order(since timestamp, until timestamp)
RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog
AS $$
BEGIN
  IF since > until THEN
    RAISE EXCEPTION 'since % is later than until %', since, until
      USING ERRCODE = 'invalid_parameter_value', HINT = 'Give the earlier instant first.';
  END IF;
  RETURN ledger.settled(since) AND ledger.settled(until);
END $$;

COMMENT ON FUNCTION ledger.settled_in_order(timestamp, timestamp)
IS 'True for two settled instants (TAI), the earlier one first; raises for others.';
