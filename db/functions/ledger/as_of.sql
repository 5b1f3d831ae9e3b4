-- as_of: the instant of a session, from setting skyledger.as_of, else the horizon. The setting
-- takes what ledger.instant_of understands.
-- needs: ledger.horizon, ledger.settled, ledger.instant_of
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
  instant := ledger.instant_of(wanted);
  PERFORM ledger.settled(instant);
  RETURN instant;
END $$;

COMMENT ON FUNCTION ledger.as_of()
IS 'Instant (TAI) the views of schema prompt show: setting skyledger.as_of, else the horizon.';
