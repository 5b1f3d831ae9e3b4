-- validate: refuses staged rows that break a rule; they are kept with their reason, the rest of
-- the batch is untouched. Besides the dictionary's rules: a source must belong to a ccdVisit of
-- the batch or of the database, and its id must be new.
-- needs: staging.validate_relations, science.tai_now
CREATE OR REPLACE FUNCTION staging.validate(in_slot smallint, in_batch bigint)
RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
  refused bigint;
  n bigint;
BEGIN
  refused := staging.validate_relations(in_slot, in_batch);

  WITH gone AS (
    DELETE FROM staging.diasource AS s WHERE s.slot = in_slot AND s.replacestai IS NULL
      AND (NOT EXISTS (SELECT FROM staging.ccdvisit AS v
             WHERE v.slot = in_slot AND v.ccdvisitid = s.ccdvisitid)
           AND NOT EXISTS (SELECT FROM prompt_store.ccdvisit AS v WHERE v.ccdvisitid = s.ccdvisitid)
         OR EXISTS (SELECT FROM prompt_store.diasource AS c WHERE c.diasourceid = s.diasourceid))
    RETURNING to_jsonb(s) - 'slot' AS content, s.ccdvisitid, s.diasourceid
  )
  INSERT INTO ledger.rejected (rejectedid, batchid, relation, reason, content, rejectedtai)
  SELECT nextval('ledger.rejected_id'), in_batch, 'DIASource',
    CASE WHEN EXISTS (SELECT FROM prompt_store.diasource AS c WHERE c.diasourceid = gone.diasourceid)
      THEN format('diaSourceId %s is in the database already', diasourceid)
      ELSE format('ccdVisitId %s is unknown', ccdvisitid) END,
    content, science.tai_now()
  FROM gone;
  GET DIAGNOSTICS n = ROW_COUNT;
  refused := refused + n;

  UPDATE ledger.batch SET nrejected = nrejected + refused WHERE batchid = in_batch;
  RETURN refused;
END $$;

COMMENT ON FUNCTION staging.validate(smallint, bigint)
IS 'Moves staged rows that break a rule to ledger.rejected with their reason; returns their number.';
