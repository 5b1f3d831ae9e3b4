-- as_of: the instant of a session, from setting skyledger.as_of, else the horizon.
-- needs: ledger.horizon, ledger.settled
CREATE OR REPLACE FUNCTION ledger.as_of()
RETURNS timestamp
LANGUAGE plpgsql STABLE PARALLEL SAFE
AS $$
DECLARE
  wanted text := nullif(current_setting('skyledger.as_of', true), '');
  instant timestamp;
BEGIN
  IF wanted IS NULL THEN
    RETURN ledger.horizon();
  END IF;
  instant := wanted::timestamp;
  PERFORM ledger.settled(instant);
  RETURN instant;
END $$;

COMMENT ON FUNCTION ledger.as_of()
IS 'Instant (TAI) the views of schema prompt show: setting skyledger.as_of, else the horizon.';
