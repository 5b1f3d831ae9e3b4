-- forced_targets: the DIAObjects whose flux is to be measured on a ccdVisit staged in a slot, whether
-- it is seen there or not: those within the circle around the detector, as they will be once the slot
-- is published, that ledger.ForcedPolicy wants. DPDD section 3.2.1 step 10 and section 4 on noise
-- objects that would be forced for ever; DIA-19.
-- needs: ledger.is_forced
CREATE OR REPLACE FUNCTION staging.forced_targets(in_slot smallint, in_ccdvisit bigint)
RETURNS TABLE (diaobjectid bigint, ra double precision, decl double precision)
LANGUAGE plpgsql STABLE
AS $$
DECLARE
  circle scircle;
  mjd double precision;
  centre spoint;
  corners double precision[];
  policy ledger.forcedpolicy;
BEGIN
  SELECT s.midpointtai, spoint(radians(s.ra), radians(s.decl)), s.footprint
  INTO mjd, centre, corners
  FROM staging.ccdvisit AS s WHERE s.slot = in_slot AND s.ccdvisitid = in_ccdvisit;
  -- A little more than the corners need: objects at the edge have light on the detector.
  SELECT scircle(centre, least(1.01 * max(centre <-> spoint(
    radians(corners[i]), radians(corners[i + 1]))), pi() / 2)) INTO circle
  FROM generate_series(1, 7, 2) AS i;
  IF circle IS NULL THEN
    RAISE EXCEPTION 'ccdVisitId % is not staged in slot %, or has no footprint', in_ccdvisit, in_slot
      USING ERRCODE = 'no_data_found', HINT = 'Stage the row of CcdVisit before its forced photometry.';
  END IF;
  SELECT * INTO policy FROM ledger.forcedpolicy ORDER BY settai DESC LIMIT 1;
  RETURN QUERY
  SELECT o.diaobjectid, o.ra, o.decl
  FROM (
    SELECT s.diaobjectid, s.ra, s.decl, s.ndiasources, s.firstdiasourcetai
    FROM staging.diaobject AS s
    WHERE s.slot = in_slot AND s.iswithdrawal IS NOT TRUE
      AND spoint(radians(s.ra), radians(s.decl)) <@ circle
    UNION ALL
    SELECT c.diaobjectid, c.ra, c.decl, c.ndiasources, c.firstdiasourcetai
    FROM prompt_store.diaobject AS c
    WHERE spoint(radians(c.ra), radians(c.decl)) <@ circle AND c.diaobjectid NOT IN (
      SELECT s.diaobjectid FROM staging.diaobject AS s
      WHERE s.slot = in_slot AND s.diaobjectid IS NOT NULL)
  ) AS o
  WHERE ledger.is_forced(policy, o.ndiasources, mjd - o.firstdiasourcetai)
    OR EXISTS (SELECT FROM ledger.forcedobject AS w WHERE w.diaobjectid = o.diaobjectid)
  ORDER BY o.diaobjectid;
END $$;

COMMENT ON FUNCTION staging.forced_targets(smallint, bigint)
IS 'DIAObjects to be measured on a staged ccdVisit by the forced policy: id, position [deg].';
