-- settled: true for an instant up to the horizon; later instants raise, since an answer given now
-- could differ from the answer given later, or is under embargo (design section 5; GEN-19).
-- Instants of a time that a recovery from a backup has lost raise, too: what was answered then
-- cannot be repeated. Epochs are read with the owner's rights: an embargo hides them.
-- needs: ledger.horizon, ledger.cutoff
CREATE OR REPLACE FUNCTION ledger.settled(instant timestamp)
RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
  h timestamp;
  next record;
  last timestamp;
BEGIN
  -- The usual case in one look: an epoch after the instant is known, and nobody is held back. Every
  -- query as of an instant comes through here.
  IF (SELECT e.kind <> 'restored' AND NOT EXISTS (SELECT FROM ledger.embargo)
      FROM ledger.epoch AS e WHERE e.epochtai > instant ORDER BY e.epochtai LIMIT 1) THEN
    RETURN true;
  END IF;
  IF instant IS NULL THEN
    RAISE EXCEPTION 'no instant was given'
      USING ERRCODE = 'null_value_not_allowed', HINT = 'Name an instant of ledger time (TAI).';
  END IF;
  h := ledger.horizon();
  IF instant > h THEN
    IF instant > ledger.cutoff() THEN
      RAISE EXCEPTION 'instant % is under embargo: this role sees what was known until %',
        instant, ledger.cutoff()
        USING ERRCODE = 'insufficient_privilege', HINT = 'Ask for an earlier instant.';
    END IF;
    RAISE EXCEPTION 'instant % is later than the horizon %', instant, h
      USING ERRCODE = 'invalid_parameter_value',
        HINT = 'Settle it first: SELECT ledger.resolve(timestamp ''' || instant || ''').';
  END IF;
  SELECT epochtai, kind INTO next FROM ledger.epoch WHERE epochtai > instant ORDER BY epochtai LIMIT 1;
  IF next.kind = 'restored' THEN
    SELECT max(epochtai) INTO last FROM ledger.epoch WHERE epochtai <= instant;
    IF last IS DISTINCT FROM instant THEN
      RAISE EXCEPTION 'instant % lies in a time that was lost: the database was restored from a backup at %, as it was at %',
        instant, next.epochtai, last
        USING ERRCODE = 'invalid_parameter_value',
          HINT = format('Ask as of %s, the last epoch that was kept, or as of %s.', last, next.epochtai);
    END IF;
  END IF;
  RETURN true;
END $$;

COMMENT ON FUNCTION ledger.settled(timestamp)
IS 'True for an instant (TAI) up to the horizon; raises for later ones and for a time lost by a recovery.';
