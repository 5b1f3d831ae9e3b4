-- lock_people: one at a time changes who may what, until the end of its transaction; so that
-- nobody keeps a right that is taken away while another change reads what was before (UGP-03).
CREATE OR REPLACE FUNCTION service.lock_people()
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '10s'
AS $$
BEGIN
  -- What another has just changed must be seen once it is our turn.
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'rights cannot be changed in a transaction of level %',
      current_setting('transaction_isolation')
      USING ERRCODE = 'invalid_transaction_state', HINT = 'Use a transaction of level READ COMMITTED.';
  END IF;
  PERFORM pg_advisory_xact_lock(7526, 5);
END $$;

COMMENT ON FUNCTION service.lock_people()
IS 'Lets one transaction at a time change who may what. Called by the functions that do.';
