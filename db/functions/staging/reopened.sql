-- reopened: the DIAObjects whose sums (DIAObjectSums) the staged rows of a slot make void: those
-- that lose, gain or change a row that is published already, and those seen on a ccdVisit whose
-- systematic astrometric error changes, and those measured on images of the past (precovery); without those whose end is staged (staging.end_orphans).
CREATE OR REPLACE FUNCTION staging.reopened(in_slot smallint)
RETURNS TABLE (diaobjectid bigint)
LANGUAGE sql STABLE
AS $$
  SELECT r.diaobjectid FROM (
    SELECT c.diaobjectid FROM staging.diasource AS s
    -- By its key: few or no rows are replaced, which the planner cannot know.
    CROSS JOIN LATERAL (SELECT c.diaobjectid FROM prompt_store.diasource AS c
      WHERE c.diasourceid = s.diasourceid OFFSET 0) AS c
    WHERE s.slot = in_slot AND s.replacestai IS NOT NULL AND c.diaobjectid IS NOT NULL
    UNION
    SELECT s.diaobjectid FROM staging.diasource AS s
    WHERE s.slot = in_slot AND s.replacestai IS NOT NULL AND s.diaobjectid IS NOT NULL
    UNION
    SELECT f.diaobjectid FROM staging.diaforcedsource AS f
    WHERE f.slot = in_slot AND f.replacestai IS NOT NULL
    UNION
    -- New rows on images that were published before: those of a visit lie on its own.
    SELECT f.diaobjectid FROM staging.diaforcedsource AS f
    WHERE f.slot = in_slot AND f.replacestai IS NULL AND f.iswithdrawal IS NOT TRUE
      AND f.ccdvisitid NOT IN (SELECT v.ccdvisitid FROM staging.ccdvisit AS v
        WHERE v.slot = in_slot AND v.ccdvisitid IS NOT NULL)
    UNION
    SELECT s.diaobjectid FROM staging.ccdvisit AS v
    CROSS JOIN LATERAL (SELECT * FROM prompt_store.ccdvisit AS c
      WHERE c.ccdvisitid = v.ccdvisitid OFFSET 0) AS c
    CROSS JOIN LATERAL (SELECT s.diaobjectid FROM prompt_store.diasource AS s
      WHERE s.ccdvisitid = c.ccdvisitid AND s.diaobjectid IS NOT NULL
        AND (v.astromsysraerr, v.astromsysdeclerr, v.astromsyscov)
          IS DISTINCT FROM (c.astromsysraerr, c.astromsysdeclerr, c.astromsyscov) OFFSET 0) AS s
    WHERE v.slot = in_slot AND v.replacestai IS NOT NULL AND v.iswithdrawal IS NOT TRUE
  ) AS r
  WHERE r.diaobjectid NOT IN (SELECT o.diaobjectid FROM staging.diaobject AS o
    WHERE o.slot = in_slot AND o.iswithdrawal AND o.diaobjectid IS NOT NULL)
$$;

COMMENT ON FUNCTION staging.reopened(smallint)
IS 'DIAObjects whose published data the staged rows of a slot change, beyond adding to them.';
