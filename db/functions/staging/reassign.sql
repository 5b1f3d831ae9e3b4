-- reassign: stages new versions of DIASources that differ from the current ones in their owner
-- only: an SSObject or a DIAObject. Publication changes nothing else of a measurement, so what its
-- DIAObject is computed from is enough. Returns how many there are.
CREATE OR REPLACE FUNCTION staging.reassign(
  in_slot smallint, in_sources bigint[], in_ssobjects bigint[], in_objects bigint[])
RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
  n bigint;
BEGIN
  -- One by one (OFFSET 0): each id leads to its partition, however many rows there are in all.
  INSERT INTO staging.diasource (slot, replacestai, ssobjectid, diaobjectid, diasourceid, ccdvisitid,
    visitid, midpointtai, ra, decl, raerr, declerr, radeclcov, hpx29, flags, psflux, psfluxerr,
    totflux, totfluxerr, templateid)
  SELECT in_slot, c.createdtai, l.ssobject, l.object, c.diasourceid, c.ccdvisitid,
    c.visitid, c.midpointtai, c.ra, c.decl, c.raerr, c.declerr, c.radeclcov, c.hpx29, c.flags,
    c.psflux, c.psfluxerr, c.totflux, c.totfluxerr, c.templateid
  FROM unnest(in_sources, in_ssobjects, in_objects) AS l(source, ssobject, object)
  CROSS JOIN LATERAL (
    SELECT * FROM prompt_store.diasource AS s WHERE s.diasourceid = l.source OFFSET 0) AS c;
  GET DIAGNOSTICS n = ROW_COUNT;
  -- The plans of what follows depend on whether there are three rows or ten thousand.
  EXECUTE format('ANALYZE staging.%I (slot, diasourceid, diaobjectid)', 'diasource_s' || in_slot);
  RETURN n;
END $$;

COMMENT ON FUNCTION staging.reassign(smallint, bigint[], bigint[], bigint[])
IS 'Stages DIASources with another owner, SSObject or DIAObject, to be published; returns how many.';
