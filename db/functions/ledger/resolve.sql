-- resolve: makes an instant safe to ask about (design section 5; GEN-19). A standby publishes
-- nothing: it waits until it has replayed the instant, at most for the time that the setting
-- skyledger.replay_wait allows.
-- needs: ledger.horizon, ledger.cutoff, ledger.settled, ledger.draw, science.tai_now
CREATE OR REPLACE FUNCTION ledger.resolve(instant timestamp)
RETURNS timestamp
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
  first timestamp;
  clock timestamp;
  patience interval;
  began timestamptz := clock_timestamp();
BEGIN
  -- Only the owner moves the clock: an epoch in a reader's future would be everybody's present.
  IF NOT pg_has_role(session_user, current_user, 'MEMBER') THEN
    PERFORM set_config('skyledger.clock_offset', '', true);
  END IF;
  clock := science.tai_now();
  SELECT min(epochtai) INTO first FROM ledger.epoch;
  IF instant < first THEN
    RAISE EXCEPTION 'instant % is before this database began, at %', instant, first
      USING ERRCODE = 'invalid_parameter_value', HINT = 'Ask for that instant or a later one.';
  END IF;
  IF instant <= ledger.horizon() THEN
    PERFORM ledger.settled(instant);
    RETURN instant;
  END IF;
  IF instant > clock THEN
    RAISE EXCEPTION 'instant % is in the future: it is % (TAI)', instant, clock
      USING ERRCODE = 'invalid_parameter_value', HINT = 'Ask for an instant up to now.';
  END IF;
  IF instant > ledger.cutoff() THEN
    PERFORM ledger.settled(instant);  -- refuses: it is under embargo
  END IF;
  IF pg_is_in_recovery() THEN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
      RAISE EXCEPTION 'instant % is settled before a % transaction begins', instant,
        upper(current_setting('transaction_isolation'))
        USING ERRCODE = 'invalid_transaction_state', HINT = 'Resolve first, then begin.';
    END IF;
    patience := coalesce(nullif(current_setting('skyledger.replay_wait', true), ''), '20 seconds')::interval;
    LOOP
      -- Each statement has its own snapshot, so each look sees what was replayed meanwhile.
      IF instant <= ledger.horizon() THEN
        PERFORM ledger.settled(instant);
        RETURN instant;
      END IF;
      EXIT WHEN clock_timestamp() - began > patience;
      PERFORM pg_sleep(0.05);
    END LOOP;
    RAISE EXCEPTION 'instant % has not reached this standby: after % its horizon is %', instant,
      patience, ledger.horizon()
      USING ERRCODE = 'object_not_in_prerequisite_state',
        HINT = 'Ask for an instant up to the horizon, ask the primary, or let `skyledger db heartbeat` run there.';
  END IF;
  RETURN ledger.draw('resolve');
END $$;

COMMENT ON FUNCTION ledger.resolve(timestamp)
IS 'Returns an instant (TAI) whose answers are settled: the given one, or a new empty epoch just after it. A standby waits until it has replayed it, or refuses.';
