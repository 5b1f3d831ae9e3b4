-- relink_chunk: gives DIASources another owner, an SSObject or another DIAObject, in one epoch:
-- new versions of the sources, and of the DIAObjects that lose or gain them (recomputed, closed, or
-- kept and flagged). DPDD section 3.2.2 step 4; SSO-05, GEN-19. Computed again when another
-- publication interferes. in_versions and in_owners tell what the sources are now, as
-- ledger.relink_chunks found it; a publication since then counts as interference.
-- needs: staging.take, staging.reassign, staging.recall, staging.recompute
-- needs: science.ccd_visit_visit, ledger.open_batch, ledger.publish
CREATE OR REPLACE FUNCTION ledger.relink_chunk(
  in_sources bigint[], in_ssobjects bigint[], in_objects bigint[],
  in_versions timestamp[] DEFAULT NULL, in_owners bigint[] DEFAULT NULL)
RETURNS timestamp
-- A plan for any slot would know nothing of how many rows wait in this one.
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_catalog
SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
  slot_number CONSTANT smallint := staging.take();
  attempts CONSTANT integer := 10;
  -- Only objects that gain sources can be missing or become crowded.
  gaining CONSTANT bigint[] := ARRAY(
    SELECT DISTINCT i FROM unnest(in_objects) AS i WHERE i IS NOT NULL);
  missing bigint;
  losers bigint[];
  crowded bigint;
  visit bigint;
  opened bigint;
  ended timestamp;
BEGIN
  FOR attempt IN 1..attempts LOOP
    -- Each attempt is undone as a whole, the publication lock included.
    BEGIN
      SELECT b.batch INTO opened
      FROM ledger.open_batch('relink', NULL, '{}', 'relink', slot_number) AS b;
      losers := staging.reassign(slot_number, in_sources, in_ssobjects, in_objects,
        CASE WHEN attempt = 1 THEN in_versions END, in_owners);
      IF cardinality(losers) <> cardinality(in_sources) THEN
        SELECT i INTO missing FROM unnest(in_sources) AS i WHERE i NOT IN (
          SELECT s.diasourceid FROM staging.diasource AS s WHERE s.slot = slot_number) LIMIT 1;
        RAISE EXCEPTION 'diaSourceId % is not in the database', missing
          USING ERRCODE = 'no_data_found', HINT = 'Look for it in prompt.DIASource; it may be withdrawn.';
      END IF;
      SELECT t.i INTO missing FROM unnest(gaining) AS t(i)
      WHERE NOT EXISTS (SELECT FROM prompt_store.diaobject AS o WHERE o.diaobjectid = t.i) LIMIT 1;
      IF missing IS NOT NULL THEN
        RAISE EXCEPTION 'diaObjectId % is not in the database', missing
          USING ERRCODE = 'no_data_found', HINT = 'Look for it in prompt.DIAObject; it may be closed.';
      END IF;
      -- What was computed for the orbit of another SSObject ends.
      PERFORM staging.recall(slot_number, 'sssource', 'diasourceid',
        (SELECT array_agg(s.diasourceid) FROM staging.diasource AS s
         JOIN prompt_store.sssource AS o ON o.diasourceid = s.diasourceid
         WHERE s.slot = slot_number AND o.ssobjectid IS DISTINCT FROM s.ssobjectid), true);
      PERFORM staging.recompute(slot_number, losers);
      IF gaining <> '{}' THEN
        SELECT m.diaobjectid, science.ccd_visit_visit(m.ccdvisitid) INTO crowded, visit
        FROM (
          SELECT s.diaobjectid, s.ccdvisitid FROM staging.diasource AS s
          WHERE s.slot = slot_number AND s.diaobjectid IS NOT NULL
          UNION ALL
          SELECT s.diaobjectid, s.ccdvisitid FROM prompt_store.diasource AS s
          JOIN unnest(gaining) AS t(i) ON t.i = s.diaobjectid
          WHERE s.diasourceid NOT IN (SELECT i FROM unnest(in_sources) AS i)
        ) AS m GROUP BY 1, 2 HAVING count(*) > 1 LIMIT 1;
        IF crowded IS NOT NULL THEN
          RAISE EXCEPTION 'diaObjectId % would have two DIASources of visit %', crowded, visit
            USING ERRCODE = 'integrity_constraint_violation',
              HINT = 'An object is seen at most once a visit (DIA-12): link one of them elsewhere.';
        END IF;
      END IF;
      ended := ledger.publish(opened);
      RETURN ended;
    EXCEPTION WHEN serialization_failure THEN
      IF attempt = attempts THEN
        RAISE;
      END IF;
    END;
  END LOOP;
END $$;

COMMENT ON FUNCTION ledger.relink_chunk(bigint[], bigint[], bigint[], timestamp[], bigint[])
IS 'Links DIASources to SSObjects or DIAObjects (arrays of one length) in one epoch (TAI).';
