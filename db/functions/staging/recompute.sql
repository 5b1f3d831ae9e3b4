-- recompute: stages the new versions of the DIAObjects that re-linked or withdrawn rows change.
-- needs: staging.characterize, staging.close_orphans, staging.characterize_fluxes
CREATE OR REPLACE FUNCTION staging.recompute(in_slot smallint)
RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM staging.characterize(in_slot);
  PERFORM staging.close_orphans(in_slot);
  PERFORM staging.characterize_fluxes(in_slot);
END $$;

COMMENT ON FUNCTION staging.recompute(smallint)
IS 'Stages what follows from the re-linked or withdrawn rows of a slot: objects, statistics, features.';
