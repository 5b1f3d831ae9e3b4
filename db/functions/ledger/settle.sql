-- settle: opens a virtual database NAME@INSTANT (design section 4; GEN-21): the database is there,
-- a release had appeared by that instant, and answers as of it can be had again.
-- needs: ledger.resolve
CREATE OR REPLACE FUNCTION ledger.settle(in_database text, in_instant timestamp DEFAULT NULL)
RETURNS timestamp
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
  known text;
  released timestamp;
BEGIN
  IF in_database !~ '^(prompt|rubin|dr\d+|sp_[a-z0-9_]+)$' OR to_regnamespace(in_database) IS NULL THEN
    SELECT string_agg(nspname, ', ' ORDER BY nspname) INTO known FROM pg_namespace
    WHERE nspname ~ '^(prompt|rubin|dr\d+|sp_[a-z0-9_]+)$';
    RAISE EXCEPTION 'there is no database %; there is %', in_database, known
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF in_instant IS NULL THEN
    RETURN NULL;
  END IF;
  SELECT registeredtai INTO released FROM ledger.database
  WHERE name = in_database AND kind <> 'living';
  IF in_instant < released THEN
    RAISE EXCEPTION 'release % appeared at %, after instant %', in_database, released, in_instant
      USING ERRCODE = 'invalid_parameter_value',
        HINT = 'Ask for a later instant, or for the release without one: it never changes.';
  END IF;
  RETURN ledger.resolve(in_instant);
END $$;

COMMENT ON FUNCTION ledger.settle(text, timestamp)
IS 'Settled instant (TAI) of a virtual database; NULL if none was given. Refuses unknown databases, the future and what was before.';
