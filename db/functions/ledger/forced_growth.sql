-- forced_growth: what the forced policy costs: how many DIAObjects there are, how many of them the
-- policy in force would have measured in a visit of today, and how many forced rows the newest
-- ccdVisits really have.
-- needs: ledger.is_forced, science.mjd_now
CREATE OR REPLACE FUNCTION ledger.forced_growth(
  OUT policy text, OUT n_objects bigint, OUT n_forced bigint, OUT rows_per_ccdvisit double precision)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_catalog
AS $$
DECLARE
  chosen ledger.forcedpolicy;
BEGIN
  SELECT * INTO chosen FROM ledger.forcedpolicy ORDER BY settai DESC LIMIT 1;
  policy := coalesce(chosen.forcedpolicy, 'all');
  SELECT count(*), count(*) FILTER (
    WHERE ledger.is_forced(chosen, o.ndiasources, science.mjd_now() - o.firstdiasourcetai)
      OR w.diaobjectid IS NOT NULL)
  INTO n_objects, n_forced
  FROM prompt_store.diaobject AS o LEFT JOIN ledger.forcedobject AS w USING (diaobjectid);
  SELECT avg(f.n) INTO rows_per_ccdvisit
  FROM (SELECT ccdvisitid FROM prompt_store.ccdvisit ORDER BY ccdvisitid DESC LIMIT 100) AS v
  CROSS JOIN LATERAL (SELECT count(*) AS n FROM prompt_store.diaforcedsource AS f
    WHERE f.ccdvisitid = v.ccdvisitid) AS f;
END $$;

COMMENT ON FUNCTION ledger.forced_growth()
IS 'What forced photometry costs: policy, DIAObjects, those it wants today, forced rows of a recent ccdVisit.';
