-- horizon: the newest epoch; everything up to it is settled (design section 5; GEN-19).
CREATE OR REPLACE FUNCTION ledger.horizon()
RETURNS timestamp
LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT max(epochtai) FROM ledger.epoch $$;

COMMENT ON FUNCTION ledger.horizon()
IS 'Newest epoch (TAI) visible in this snapshot: answers up to it never change.';
