-- reassign: stages new versions of DIASources that differ from the current ones in their owner
-- only: an SSObject or a DIAObject. Publication changes nothing else of a measurement, so what its
-- new DIAObject is computed from is enough, and nothing of one that is given to an SSObject. Returns
-- the DIAObjects that they leave, one for each source that is there; NULL for one of an SSObject.
-- in_versions and in_owners: the versions to replace, and the DIAObjects that they belong to, if that
-- is known; publication finds out what has changed since.
CREATE OR REPLACE FUNCTION staging.reassign(
  in_slot smallint, in_sources bigint[], in_ssobjects bigint[], in_objects bigint[],
  in_versions timestamp[] DEFAULT NULL, in_owners bigint[] DEFAULT NULL)
RETURNS bigint[]
-- Three hundred rows tell all there is to know about a slot: one number, distinct sources.
LANGUAGE plpgsql SET default_statistics_target = 1 AS $$
BEGIN
  -- One by one (OFFSET 0): each id leads to its partition, however many rows there are in all.
  IF in_versions IS NULL OR array_position(in_versions, NULL) IS NOT NULL THEN
    SELECT array_agg(l.source), array_agg(l.ssobject), array_agg(l.object),
      array_agg(c.createdtai), array_agg(c.diaobjectid)
    INTO in_sources, in_ssobjects, in_objects, in_versions, in_owners
    FROM unnest(in_sources, in_ssobjects, in_objects) AS l(source, ssobject, object)
    CROSS JOIN LATERAL (
      SELECT s.createdtai, s.diaobjectid FROM prompt_store.diasource AS s
      WHERE s.diasourceid = l.source OFFSET 0) AS c;
  END IF;
  INSERT INTO staging.diasource (slot, replacestai, ssobjectid, diasourceid)
  SELECT in_slot, version, ssobject, source
  FROM unnest(in_sources, in_ssobjects, in_objects, in_versions) AS l(source, ssobject, object, version)
  WHERE object IS NULL;
  INSERT INTO staging.diasource (slot, replacestai, diaobjectid, diasourceid, ccdvisitid,
    visitid, midpointtai, ra, decl, raerr, declerr, radeclcov, hpx29, flags, psflux, psfluxerr,
    totflux, totfluxerr, templateid)
  SELECT in_slot, l.version, l.object, c.diasourceid, c.ccdvisitid,
    c.visitid, c.midpointtai, c.ra, c.decl, c.raerr, c.declerr, c.radeclcov, c.hpx29, c.flags,
    c.psflux, c.psfluxerr, c.totflux, c.totfluxerr, c.templateid
  FROM unnest(in_sources, in_objects, in_versions) AS l(source, object, version)
  CROSS JOIN LATERAL (
    SELECT * FROM prompt_store.diasource AS s WHERE s.diasourceid = l.source OFFSET 0) AS c
  WHERE l.object IS NOT NULL;
  -- The plans of what follows depend on whether there are three rows or ten thousand.
  EXECUTE format('ANALYZE staging.%I (slot, diasourceid, diaobjectid)', 'diasource_s' || in_slot);
  RETURN coalesce(in_owners, '{}');
END $$;

COMMENT ON FUNCTION staging.reassign(smallint, bigint[], bigint[], bigint[], timestamp[], bigint[])
IS 'Stages DIASources with another owner, SSObject or DIAObject, to be published; returns the DIAObjects they leave.';
