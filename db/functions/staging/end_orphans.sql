-- end_orphans: stages the end of the DIAObjects that lose their last DIASource by the staged rows of
-- a slot and have no forced photometry left. There is nothing to compute for them, and a night's
-- asteroids leave one such object a source. DPDD section 3.2.2 step 4; SSO-05. Returns how many of
-- the objects that lose a source go on.
CREATE OR REPLACE FUNCTION staging.end_orphans(in_slot smallint)
RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
  n bigint;
BEGIN
  WITH lost AS MATERIALIZED (
    SELECT c.diaobjectid, count(*) AS n FROM staging.diasource AS s
    JOIN prompt_store.diasource AS c ON c.diasourceid = s.diasourceid
    WHERE s.slot = in_slot AND s.replacestai IS NOT NULL AND c.diaobjectid IS NOT NULL
    GROUP BY c.diaobjectid
  ), ended AS (
    INSERT INTO staging.diaobject (slot, diaobjectid, replacestai, iswithdrawal)
    SELECT in_slot, o.diaobjectid, o.createdtai, true
    FROM lost CROSS JOIN LATERAL (
      SELECT o.diaobjectid, o.createdtai FROM prompt_store.diaobject AS o
      WHERE o.diaobjectid = lost.diaobjectid OFFSET 0) AS o
    WHERE lost.diaobjectid NOT IN (SELECT s.diaobjectid FROM staging.diasource AS s
        WHERE s.slot = in_slot AND s.diaobjectid IS NOT NULL AND s.iswithdrawal IS NOT TRUE)
      AND lost.n = (SELECT count(*) FROM prompt_store.diasource AS c
        WHERE c.diaobjectid = lost.diaobjectid)
      AND NOT EXISTS (SELECT FROM prompt_store.diaforcedsource AS f
        WHERE f.diaobjectid = lost.diaobjectid
          AND f.diaforcedsourceid NOT IN (SELECT w.diaforcedsourceid FROM staging.diaforcedsource AS w
            WHERE w.slot = in_slot AND w.iswithdrawal AND w.diaforcedsourceid IS NOT NULL))
    RETURNING 1
  )
  SELECT (SELECT count(*) FROM lost) - (SELECT count(*) FROM ended) INTO n;
  RETURN n;
END $$;

COMMENT ON FUNCTION staging.end_orphans(smallint)
IS 'Stages the end of the DIAObjects that lose all data by a slot; returns how many losers go on.';
