-- check_links: refuses a publication that would leave a link without its object. Called under the
-- publication lock, after the rows are carried over. Sources change the version of their object,
-- which guards them; forced measurements do not, so an object may have been closed since they were
-- measured, or they may have come since it was decided to close it.
CREATE OR REPLACE FUNCTION ledger.check_links(in_slot smallint)
RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  broken bigint;
BEGIN
  -- Objects that were carried over with them need not be looked up; whether they were closed is
  -- asked below. No LIMIT: it would make the planner expect a hit at once, and look up all rows.
  SELECT min(f.diaobjectid) INTO broken FROM staging.diaforcedsource AS f
  WHERE f.slot = in_slot AND f.iswithdrawal IS NOT TRUE
    AND f.diaobjectid NOT IN (SELECT o.diaobjectid FROM staging.diaobject AS o
      WHERE o.slot = in_slot AND o.diaobjectid IS NOT NULL)
    AND NOT EXISTS (SELECT FROM prompt_store.diaobject AS o WHERE o.diaobjectid = f.diaobjectid);
  IF broken IS NULL THEN
    SELECT o.diaobjectid INTO broken FROM staging.diaobject AS o
    WHERE o.slot = in_slot AND o.iswithdrawal AND (
      EXISTS (SELECT FROM prompt_store.diaforcedsource AS f WHERE f.diaobjectid = o.diaobjectid)
      OR EXISTS (SELECT FROM prompt_store.diasource AS s WHERE s.diaobjectid = o.diaobjectid))
    LIMIT 1;
  END IF;
  IF broken IS NOT NULL THEN
    RAISE EXCEPTION 'DIAObject: diaObjectId % was closed or measured by another publication', broken
      USING ERRCODE = 'serialization_failure', HINT = 'Compute the batch again and publish it.';
  END IF;
END $$;

COMMENT ON FUNCTION ledger.check_links(smallint)
IS 'Raises serialization_failure if a row just published belongs to a DIAObject that is not there.';
