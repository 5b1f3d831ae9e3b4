-- member_forced: the forced measurements of the DIAObjects staged in a slot, as they will be once
-- the slot is published. Inlined.
CREATE OR REPLACE FUNCTION staging.member_forced(in_slot smallint)
RETURNS TABLE (diaobjectid bigint, ccdvisitid bigint, midpointtai double precision,
  psflux real, psfluxerr real, totflux real, totfluxerr real)
LANGUAGE sql STABLE
AS $$
  SELECT f.diaobjectid, f.ccdvisitid, f.midpointtai, f.psflux, f.psfluxerr, f.totflux, f.totfluxerr
  FROM prompt_store.diaforcedsource AS f
  JOIN staging.diaobject AS t ON t.slot = in_slot AND t.diaobjectid = f.diaobjectid
  -- Hashed whatever the planner thinks of the staged rows; none lacks its id.
  WHERE f.diaforcedsourceid NOT IN (SELECT r.diaforcedsourceid FROM staging.diaforcedsource AS r
    WHERE r.slot = in_slot AND r.replacestai IS NOT NULL AND r.diaforcedsourceid IS NOT NULL)
  UNION ALL
  SELECT f.diaobjectid, f.ccdvisitid, f.midpointtai, f.psflux, f.psfluxerr, f.totflux, f.totfluxerr
  FROM staging.diaforcedsource AS f
  JOIN staging.diaobject AS t ON t.slot = in_slot AND t.diaobjectid = f.diaobjectid
  WHERE f.slot = in_slot AND f.iswithdrawal IS NOT TRUE
$$;

COMMENT ON FUNCTION staging.member_forced(smallint)
IS 'Forced measurements of the DIAObjects staged in a slot, as they will be after its publication.';
