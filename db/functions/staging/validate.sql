-- validate: refuses staged rows that break a rule; they are kept with their reason, the rest of
-- the batch is untouched. The rules are those of the dictionary, and for what is measured on a
-- ccdVisit: it is in the batch or in the database, the id is new and of the month of midPointTai.
-- A ccdVisit that is refused takes what was measured on it along, and nothing else.
-- needs: staging.validate_relations
CREATE OR REPLACE FUNCTION staging.validate(in_slot smallint, in_batch bigint)
RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
  refused bigint := staging.validate_relations(in_slot, in_batch);
BEGIN
  UPDATE ledger.batch SET nrejected = nrejected + refused WHERE batchid = in_batch AND refused > 0;
  RETURN refused;
END $$;

COMMENT ON FUNCTION staging.validate(smallint, bigint)
IS 'Moves staged rows that break a rule to ledger.rejected with their reason; returns their number.';
