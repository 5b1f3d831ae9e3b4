-- check_links: refuses a publication that would leave a link without its object. Called under the
-- publication lock, after the rows are carried over. Sources change the version of their object,
-- which guards them; forced measurements do not, so an object may have been closed since they were
-- measured, or they may have come since it was decided to close it.
--
-- A re-link or withdrawal decides after its batch has begun (staging.end_orphans, staging.characterize):
-- only forced measurements published since then are looked for, by the nights of their visits.
-- needs: science.visit_night
CREATE OR REPLACE FUNCTION ledger.check_links(in_slot smallint)
RETURNS void
-- Probed object by object: no bitmap is worth its making.
LANGUAGE plpgsql SET enable_bitmapscan = off SET plan_cache_mode = force_custom_plan AS $$
DECLARE
  broken bigint;
  ended bigint[];
  began timestamp;
  base bigint;
  nights bigint[];
  everything boolean := true;
BEGIN
  -- Objects that were carried over with them need not be looked up; whether they were closed is
  -- asked below. No LIMIT: it would make the planner expect a hit at once, and look up all rows.
  SELECT min(f.diaobjectid) INTO broken FROM staging.diaforcedsource AS f
  WHERE f.slot = in_slot AND f.iswithdrawal IS NOT TRUE
    AND f.diaobjectid NOT IN (SELECT o.diaobjectid FROM staging.diaobject AS o
      WHERE o.slot = in_slot AND o.diaobjectid IS NOT NULL)
    AND NOT EXISTS (SELECT FROM prompt_store.diaobject AS o WHERE o.diaobjectid = f.diaobjectid);
  SELECT array_agg(o.diaobjectid) INTO ended FROM staging.diaobject AS o
  WHERE o.slot = in_slot AND o.iswithdrawal;
  IF broken IS NULL AND ended IS NOT NULL THEN
    -- The arrays are hidden from the planner, which would weigh each of their elements.
    SELECT b.startedtai INTO began FROM ledger.batch AS b
    WHERE b.slot = in_slot AND b.state = 'open' AND b.kind IN ('relink', 'withdrawal');
    IF FOUND THEN
      -- An epoch is drawn before it is seen: one more, and a minute for a clock that was set.
      -- Without a visit a batch may have brought anything.
      SELECT coalesce(bool_or(b.visitid IS NULL), false),
        ARRAY[min(science.visit_night(b.visitid)) - 1, max(science.visit_night(b.visitid)) + 2]
      INTO everything, nights
      FROM ledger.epoch AS e JOIN ledger.batch AS b ON b.batchid = e.batchid
      WHERE e.nrows > 0
        AND e.epochtai >= coalesce((SELECT max(l.epochtai) FROM ledger.epoch AS l
          WHERE l.epochtai <= began - interval '1 minute'), '-infinity')
        AND e.kind NOT IN ('relink', 'withdrawal');
    END IF;
    IF everything THEN
      nights := ARRAY[-1, 32768];  -- nights have fifteen bits
    END IF;
    IF nights[1] IS NOT NULL THEN
      SELECT databaseid::bigint << 54 INTO STRICT base FROM ledger.database WHERE name = 'prompt';
      SELECT min(f.diaobjectid) INTO broken FROM prompt_store.diaforcedsource AS f
      WHERE f.diaobjectid = ANY ((SELECT ended)::bigint[])
        AND f.diaforcedsourceid BETWEEN base + (nights[1] << 39) AND base + (nights[2] << 39);
    END IF;
    IF began IS NULL AND broken IS NULL THEN
      SELECT min(s.diaobjectid) INTO broken FROM prompt_store.diasource AS s
      WHERE s.diaobjectid = ANY ((SELECT ended)::bigint[]);
    END IF;
  END IF;
  IF broken IS NOT NULL THEN
    RAISE EXCEPTION 'DIAObject: diaObjectId % was closed or measured by another publication', broken
      USING ERRCODE = 'serialization_failure', HINT = 'Compute the batch again and publish it.';
  END IF;
END $$;

COMMENT ON FUNCTION ledger.check_links(smallint)
IS 'Raises serialization_failure if a row just published belongs to a DIAObject that is not there.';
