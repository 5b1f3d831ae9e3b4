-- is_forced: whether a policy wants forced photometry of a DIAObject with so many DIASources, first
-- seen so many days before the visit. Without a policy every object is wanted, as in DPDD section
-- 3.2.1 step 10.
CREATE OR REPLACE FUNCTION ledger.is_forced(
  policy ledger.forcedpolicy, n_sources integer, age double precision)
RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
  SELECT coalesce((policy).forcedpolicy, 'all') = 'all'
    OR coalesce(n_sources >= (policy).minsources, false)
    OR coalesce(age < (policy).newerthan, false)
$$;

COMMENT ON FUNCTION ledger.is_forced(ledger.forcedpolicy, integer, double precision)
IS 'Whether a policy wants forced photometry of a DIAObject by its DIASources and its age [d].';
