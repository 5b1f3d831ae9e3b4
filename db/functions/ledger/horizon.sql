-- horizon: the newest epoch; everything up to it is settled (design section 5; GEN-19). For a role
-- under embargo it is the role's cutoff, if that is earlier. The table of epochs is read with the
-- owner's rights: who is under embargo may not see it.
-- needs: ledger.cutoff
CREATE OR REPLACE FUNCTION ledger.horizon()
RETURNS timestamp
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
  IF EXISTS (SELECT FROM ledger.embargo) THEN
    RETURN least((SELECT max(epochtai) FROM ledger.epoch), ledger.cutoff());
  END IF;
  RETURN (SELECT max(epochtai) FROM ledger.epoch);
END $$;

COMMENT ON FUNCTION ledger.horizon()
IS 'Newest epoch (TAI) visible in this snapshot, under an embargo its cutoff: answers up to it never change.';

CREATE OR REPLACE FUNCTION ledger.horizon(in_role name)
RETURNS timestamp
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
  RETURN least((SELECT max(epochtai) FROM ledger.epoch), ledger.cutoff(in_role), ledger.cutoff());
END $$;

COMMENT ON FUNCTION ledger.horizon(name)
IS 'Latest instant (TAI) a role may see, as far as the session itself may see it.';
