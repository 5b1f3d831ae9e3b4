-- touched: the DIAObjects whose data the staged rows of a slot change: those that gain a source,
-- lose one (re-linked or withdrawn), or lose a forced measurement. Without those whose end is
-- staged already (staging.end_orphans).
CREATE OR REPLACE FUNCTION staging.touched(in_slot smallint)
RETURNS TABLE (diaobjectid bigint)
LANGUAGE sql STABLE
AS $$
  SELECT t.diaobjectid FROM (
    SELECT s.diaobjectid FROM staging.diasource AS s
    WHERE s.slot = in_slot AND s.diaobjectid IS NOT NULL AND s.iswithdrawal IS NOT TRUE
    UNION
    SELECT c.diaobjectid FROM staging.diasource AS s
    JOIN prompt_store.diasource AS c ON c.diasourceid = s.diasourceid
    WHERE s.slot = in_slot AND s.replacestai IS NOT NULL AND c.diaobjectid IS NOT NULL
    UNION
    SELECT f.diaobjectid FROM staging.diaforcedsource AS f
    WHERE f.slot = in_slot AND f.replacestai IS NOT NULL
  ) AS t
  WHERE t.diaobjectid NOT IN (SELECT o.diaobjectid FROM staging.diaobject AS o
    WHERE o.slot = in_slot AND o.diaobjectid IS NOT NULL)
$$;

COMMENT ON FUNCTION staging.touched(smallint)
IS 'DIAObjects that gain or lose data by the staged rows of a slot and are not staged themselves.';
