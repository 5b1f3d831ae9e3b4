-- close_orphans: what becomes of DIAObjects that have lost their last source to a re-link or a
-- withdrawal. To be called after staging.characterize. They are closed; if forced measurements of
-- them are left, they stay where they were, flagged ORPHAN_KEPT (DPDD section 3.2.2 step 4; SSO-05).
-- needs: staging.characterize, staging.member_forced, staging.recall
CREATE OR REPLACE FUNCTION staging.close_orphans(in_slot smallint)
RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
  kept bigint;
  n bigint;
BEGIN
  SELECT sum(1::bigint << bit) INTO STRICT kept FROM ledger.flagdefinition
  WHERE relation = 'DIAObject'
    AND name IN ('ORPHAN_KEPT', 'MOTION_NOT_FITTED', 'PARALLAX_NOT_FITTED');
  UPDATE staging.diaobject AS t SET iswithdrawal = true
  WHERE t.slot = in_slot AND t.ndiasources IS NULL
    AND NOT EXISTS (SELECT FROM staging.member_forced(in_slot) AS f
      WHERE f.diaobjectid = t.diaobjectid);
  GET DIAGNOSTICS n = ROW_COUNT;
  UPDATE staging.diaobject AS t
  SET ra = o.ra, decl = o.decl, raerr = o.raerr, declerr = o.declerr, radeclcov = o.radeclcov,
    hpx29 = o.hpx29, radectai = o.radectai, ndiasources = 0, firstdiasourcetai = NULL,
    lastdiasourcetai = NULL, flags = kept
  FROM prompt_store.diaobject AS o
  WHERE t.slot = in_slot AND t.ndiasources IS NULL AND t.iswithdrawal IS NOT TRUE
    AND o.diaobjectid = t.diaobjectid;
  -- Features describe a light curve of sources.
  PERFORM staging.recall(in_slot, 'diaobjectfeatures', 'diaobjectid',
    (SELECT array_agg(diaobjectid) FROM staging.diaobject
     WHERE slot = in_slot AND (iswithdrawal OR ndiasources = 0)), true);
  RETURN n;
END $$;

COMMENT ON FUNCTION staging.close_orphans(smallint)
IS 'Closes the staged DIAObjects that have no data left, keeps those with forced photometry; returns how many close.';
