-- resolve: makes an instant safe to ask about (design section 5; GEN-19).
-- needs: ledger.horizon, ledger.draw, science.tai_now
CREATE OR REPLACE FUNCTION ledger.resolve(instant timestamp)
RETURNS timestamp
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
  first timestamp;
  clock timestamp := science.tai_now();
BEGIN
  SELECT min(epochtai) INTO first FROM ledger.epoch;
  IF instant < first THEN
    RAISE EXCEPTION 'instant % is before this database began, at %', instant, first
      USING ERRCODE = 'invalid_parameter_value', HINT = 'Ask for that instant or a later one.';
  END IF;
  IF instant <= ledger.horizon() THEN
    RETURN instant;
  END IF;
  IF instant > clock THEN
    RAISE EXCEPTION 'instant % is in the future: it is % (TAI)', instant, clock
      USING ERRCODE = 'invalid_parameter_value', HINT = 'Ask for an instant up to now.';
  END IF;
  RETURN ledger.draw('resolve');
END $$;

COMMENT ON FUNCTION ledger.resolve(timestamp)
IS 'Returns an instant (TAI) whose answers are settled: the given one, or a new empty epoch just after it.';
