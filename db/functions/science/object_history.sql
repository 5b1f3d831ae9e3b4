-- object_history: what the archive came to know of DIAObjects, and when: in ledger time, not in
-- time of observation (design section 8; GEN-20). Instants beyond the horizon of the role do not
-- show, and what is shown does not change by what comes after. An object's own versions follow from
-- its sources and forced measurements; their number is in nDiaSources of prompt_history.DIAObject.
-- needs: prompt_history.diaobject, prompt_history.diasource, ledger.horizon
CREATE OR REPLACE FUNCTION science.object_history(ids bigint[])
RETURNS TABLE (diaobjectid bigint, tai timestamp, event text, diasourceid bigint, midpointtai double precision)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1000
BEGIN ATOMIC
  SELECT h.diaobjectid, h.tai, h.event, h.diasourceid, h.midpointtai
  FROM (
    SELECT o.diaobjectid, o.createdtai AS tai,
      CASE WHEN o.createdtai = o.insertedtai THEN 'founded' ELSE 'version' END AS event,
      NULL::bigint AS diasourceid, NULL::double precision AS midpointtai
    FROM prompt_history.diaobject AS o WHERE o.diaobjectid = ANY (ids)
    UNION ALL
    SELECT o.diaobjectid, o.deletedtai + interval '1 microsecond', 'closed', NULL, NULL
    FROM prompt_history.diaobject AS o
    WHERE o.diaobjectid = ANY (ids) AND o.deletedtai < '9999-12-31' AND NOT EXISTS (
      SELECT FROM prompt_history.diaobject AS n
      WHERE n.diaobjectid = o.diaobjectid AND n.createdtai = o.deletedtai + interval '1 microsecond')
    UNION ALL
    -- A version of a source counts where the one before, or after, belongs to something else.
    SELECT s.diaobjectid, s.createdtai, 'source gained', s.diasourceid, s.midpointtai
    FROM prompt_history.diasource AS s
    WHERE s.diaobjectid = ANY (ids) AND NOT EXISTS (
      SELECT FROM prompt_history.diasource AS p
      WHERE p.diasourceid = s.diasourceid AND p.diaobjectid = s.diaobjectid
        AND p.deletedtai = s.createdtai - interval '1 microsecond')
    UNION ALL
    SELECT s.diaobjectid, s.deletedtai + interval '1 microsecond', 'source lost', s.diasourceid, s.midpointtai
    FROM prompt_history.diasource AS s
    WHERE s.diaobjectid = ANY (ids) AND s.deletedtai < '9999-12-31' AND NOT EXISTS (
      SELECT FROM prompt_history.diasource AS n
      WHERE n.diasourceid = s.diasourceid AND n.diaobjectid = s.diaobjectid
        AND n.createdtai = s.deletedtai + interval '1 microsecond')
  ) AS h
  WHERE h.tai <= (SELECT ledger.horizon());
END;

COMMENT ON FUNCTION science.object_history(bigint[])
IS 'What the archive came to know of DIAObjects, at instants tai of ledger time [TAI]: founded, version, '
   'source gained, source lost, closed; with the source and its time of observation [d, MJD TAI].';
