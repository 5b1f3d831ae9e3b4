-- member_sources: the DIASources of the DIAObjects staged in a slot, as they will be once the slot
-- is published: stored rows, with staged versions in place of those they replace. Inlined.
CREATE OR REPLACE FUNCTION staging.member_sources(in_slot smallint)
RETURNS TABLE (diaobjectid bigint, ccdvisitid bigint, midpointtai double precision,
  ra double precision, decl double precision, raerr real, declerr real, radeclcov real,
  hpx29 bigint, psflux real, psfluxerr real, totflux real, totfluxerr real)
LANGUAGE sql STABLE
AS $$
  SELECT s.diaobjectid, s.ccdvisitid, s.midpointtai, s.ra, s.decl, s.raerr, s.declerr,
    s.radeclcov, s.hpx29, s.psflux, s.psfluxerr, s.totflux, s.totfluxerr
  FROM prompt_store.diasource AS s
  JOIN staging.diaobject AS t ON t.slot = in_slot AND t.diaobjectid = s.diaobjectid
  -- Hashed whatever the planner thinks of the staged rows; none lacks its id.
  WHERE s.diasourceid NOT IN (SELECT r.diasourceid FROM staging.diasource AS r
    WHERE r.slot = in_slot AND r.replacestai IS NOT NULL AND r.diasourceid IS NOT NULL)
  UNION ALL
  SELECT s.diaobjectid, s.ccdvisitid, s.midpointtai, s.ra, s.decl, s.raerr, s.declerr,
    s.radeclcov, s.hpx29, s.psflux, s.psfluxerr, s.totflux, s.totfluxerr
  FROM staging.diasource AS s
  WHERE s.slot = in_slot AND s.diaobjectid IS NOT NULL AND s.iswithdrawal IS NOT TRUE
$$;

COMMENT ON FUNCTION staging.member_sources(smallint)
IS 'DIASources of the DIAObjects staged in a slot, as they will be after its publication.';
