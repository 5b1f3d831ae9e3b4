-- settled: true for an instant up to the horizon; later instants raise, since an answer given now
-- could differ from the answer given later (design section 5; GEN-19).
-- needs: ledger.horizon
CREATE OR REPLACE FUNCTION ledger.settled(instant timestamp)
RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE
AS $$
DECLARE h timestamp;
BEGIN
  IF instant IS NULL THEN
    RAISE EXCEPTION 'no instant was given'
      USING ERRCODE = 'null_value_not_allowed', HINT = 'Name an instant of ledger time (TAI).';
  END IF;
  h := ledger.horizon();
  IF instant > h THEN
    RAISE EXCEPTION 'instant % is later than the horizon %', instant, h
      USING ERRCODE = 'invalid_parameter_value',
        HINT = 'Settle it first: SELECT ledger.resolve(timestamp ''' || instant || ''').';
  END IF;
  RETURN true;
END $$;

COMMENT ON FUNCTION ledger.settled(timestamp)
IS 'True for an instant (TAI) up to the horizon; raises for later ones.';
