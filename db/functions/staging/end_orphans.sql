-- end_orphans: stages the end of the DIAObjects that lose their last DIASource by the staged rows of
-- a slot and have no forced photometry left. There is nothing to compute for them, and a night's
-- asteroids leave one such object a source. DPDD section 3.2.2 step 4; SSO-05.
CREATE OR REPLACE FUNCTION staging.end_orphans(in_slot smallint)
RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
  n bigint;
BEGIN
  INSERT INTO staging.diaobject (slot, diaobjectid, replacestai, iswithdrawal, ndiasources)
  SELECT in_slot, o.diaobjectid, o.createdtai, true, 0
  FROM (
    SELECT c.diaobjectid, count(*) AS n FROM staging.diasource AS s
    JOIN prompt_store.diasource AS c ON c.diasourceid = s.diasourceid
    WHERE s.slot = in_slot AND s.replacestai IS NOT NULL AND c.diaobjectid IS NOT NULL
    GROUP BY c.diaobjectid
  ) AS lost
  JOIN prompt_store.diaobject AS o ON o.diaobjectid = lost.diaobjectid
  WHERE lost.diaobjectid NOT IN (SELECT s.diaobjectid FROM staging.diasource AS s
      WHERE s.slot = in_slot AND s.diaobjectid IS NOT NULL AND s.iswithdrawal IS NOT TRUE)
    AND lost.n = (SELECT count(*) FROM prompt_store.diasource AS c
      WHERE c.diaobjectid = lost.diaobjectid)
    AND NOT EXISTS (SELECT FROM prompt_store.diaforcedsource AS f
      WHERE f.diaobjectid = lost.diaobjectid
        AND f.diaforcedsourceid NOT IN (SELECT w.diaforcedsourceid FROM staging.diaforcedsource AS w
          WHERE w.slot = in_slot AND w.iswithdrawal AND w.diaforcedsourceid IS NOT NULL));
  GET DIAGNOSTICS n = ROW_COUNT;
  RETURN n;
END $$;

COMMENT ON FUNCTION staging.end_orphans(smallint)
IS 'Stages the end of the DIAObjects that lose all their data by the staged rows of a slot.';
