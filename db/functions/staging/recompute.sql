-- recompute: stages what follows from the re-linked or withdrawn rows of a slot: new versions of
-- the DIAObjects that lose or gain data (closed, or kept and flagged ORPHAN_KEPT, when no source is
-- left: DPDD section 3.2.2 step 4, SSO-05), and the end of the features of those without sources.
-- in_losers: see staging.end_orphans.
-- needs: staging.characterize, staging.characterize_fluxes, staging.nearby, staging.recall, staging.end_orphans
CREATE OR REPLACE FUNCTION staging.recompute(in_slot smallint, in_losers bigint[] DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  IF staging.end_orphans(in_slot, in_losers) > 0
    OR EXISTS (SELECT FROM staging.diasource AS s
      WHERE s.slot = in_slot AND s.diaobjectid IS NOT NULL AND s.iswithdrawal IS NOT TRUE)
    OR EXISTS (SELECT FROM staging.diaforcedsource AS f WHERE f.slot = in_slot) THEN
    PERFORM staging.characterize(in_slot);
    PERFORM staging.characterize_fluxes(in_slot);
    PERFORM staging.nearby(in_slot);
  END IF;
  PERFORM staging.recall(in_slot, 'diaobjectfeatures', 'diaobjectid',
    (SELECT array_agg(diaobjectid) FROM staging.diaobject
     WHERE slot = in_slot AND (iswithdrawal OR ndiasources = 0)), true);
END $$;

COMMENT ON FUNCTION staging.recompute(smallint, bigint[])
IS 'Stages what follows from the re-linked or withdrawn rows of a slot: objects, statistics, features.';
