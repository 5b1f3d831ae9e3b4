-- recompute: stages what follows from the re-linked or withdrawn rows of a slot: new versions of
-- the DIAObjects that lose or gain data (closed, or kept and flagged ORPHAN_KEPT, when no source is
-- left: DPDD section 3.2.2 step 4, SSO-05), and the end of the features of those without sources.
-- needs: staging.characterize, staging.characterize_fluxes, staging.recall, staging.touched, staging.end_orphans
CREATE OR REPLACE FUNCTION staging.recompute(in_slot smallint)
RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM staging.end_orphans(in_slot);
  IF EXISTS (SELECT FROM staging.touched(in_slot)) THEN
    PERFORM staging.characterize(in_slot);
    PERFORM staging.characterize_fluxes(in_slot);
  END IF;
  PERFORM staging.recall(in_slot, 'diaobjectfeatures', 'diaobjectid',
    (SELECT array_agg(diaobjectid) FROM staging.diaobject
     WHERE slot = in_slot AND (iswithdrawal OR ndiasources = 0)), true);
END $$;

COMMENT ON FUNCTION staging.recompute(smallint)
IS 'Stages what follows from the re-linked or withdrawn rows of a slot: objects, statistics, features.';
