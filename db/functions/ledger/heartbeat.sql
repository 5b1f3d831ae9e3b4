-- heartbeat: moves the horizon on when nothing else does, so that "now" is never long ago (design
-- section 5). A publication under way moves it by itself, hence no waiting for the lock; a standby
-- gets its epochs from the primary.
-- needs: ledger.draw, ledger.horizon, science.tai_now
CREATE OR REPLACE FUNCTION ledger.heartbeat()
RETURNS timestamp
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
  IF pg_is_in_recovery() OR NOT pg_try_advisory_xact_lock(7526, 1) THEN
    RETURN NULL;
  END IF;
  -- A new statement: it sees the epoch of whoever held the lock before.
  IF science.tai_now() - ledger.horizon() <= interval '10 seconds' THEN
    RETURN NULL;
  END IF;
  RETURN ledger.draw('heartbeat');
END $$;

COMMENT ON FUNCTION ledger.heartbeat()
IS 'Publishes an empty epoch (TAI) if the newest is older than 10 s and returns it; NULL if none is due.';
