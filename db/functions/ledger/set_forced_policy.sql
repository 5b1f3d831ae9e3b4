-- set_forced_policy: decides which DIAObjects get forced photometry from the next visit on: all of
-- them, or those of enough DIASources, or seen first a short time ago, or listed in ForcedObject.
-- needs: science.tai_now
CREATE OR REPLACE FUNCTION ledger.set_forced_policy(
  in_policy text, in_reason text, min_sources integer DEFAULT NULL,
  newer_than double precision DEFAULT NULL)
RETURNS timestamp
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_catalog
AS $$
DECLARE
  since timestamp;
BEGIN
  IF in_policy IS NULL OR in_policy NOT IN ('all', 'limited')
    OR (in_policy = 'limited') <> (num_nonnulls(min_sources, newer_than) > 0)
    OR min_sources < 1 OR NOT newer_than BETWEEN 0 AND 1e6 THEN
    RAISE EXCEPTION 'forced policy % with min_sources % and newer_than % days makes no sense',
      coalesce(in_policy, 'NULL'), coalesce(min_sources::text, 'NULL'), coalesce(newer_than::text, 'NULL')
      USING ERRCODE = 'invalid_parameter_value',
        HINT = 'Give all, or limited with min_sources of at least 1, newer_than in days, or both.';
  END IF;
  INSERT INTO ledger.forcedpolicy (settai, forcedpolicy, minsources, newerthan, reason)
  VALUES (science.tai_now(), in_policy, min_sources, newer_than, in_reason)
  RETURNING settai INTO since;
  RETURN since;
END $$;

COMMENT ON FUNCTION ledger.set_forced_policy(text, text, integer, double precision)
IS 'Sets which DIAObjects get forced photometry: all, or limited by DIASources or age [d]; returns since when (TAI).';
