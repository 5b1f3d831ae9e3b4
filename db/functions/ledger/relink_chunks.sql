-- relink_chunks: cuts a re-linking into chunks that are closed: sources that share an owner, old
-- or new, are in one chunk, so no epoch shows an object with half of its sources. A chunk is
-- larger than chunk_size only where a single closed set is. Sources that have the owner already are
-- left out, so a repetition changes nothing. With each source come its version and the DIAObject it
-- belongs to.
--
-- DIAObjects that only end need no computation, which costs a chunk more to begin than to do. What
-- may leave an object with data (it has several sources; or it has forced photometry, most of which
-- is of such objects) and what gives one a source is gathered in the last chunks.
-- needs: staging.components
CREATE OR REPLACE FUNCTION ledger.relink_chunks(
  in_sources bigint[], in_ssobjects bigint[], in_objects bigint[], chunk_size integer)
RETURNS TABLE (sources bigint[], ssobjects bigint[], objects bigint[], versions timestamp[],
  owners bigint[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_catalog
AS $$
DECLARE
  old_owners bigint[];
  new_owners bigint[];
  old_versions timestamp[];
BEGIN
  -- SSObjects are numbered below zero, so that they and DIAObjects cannot be mixed up. Looked up
  -- one by one (OFFSET 0): each id leads to its partition, however many rows there are in all.
  SELECT array_agg(source), array_agg(ssobject), array_agg(object), array_agg(old), array_agg(new),
    array_agg(createdtai)
  INTO in_sources, in_ssobjects, in_objects, old_owners, new_owners, old_versions
  FROM (
    SELECT l.*, s.createdtai, coalesce(s.diaobjectid, -1 - s.ssobjectid) AS old,
      coalesce(l.object, -1 - l.ssobject) AS new
    FROM unnest(in_sources, in_ssobjects, in_objects) AS l(source, ssobject, object)
    LEFT JOIN LATERAL (
      SELECT c.diasourceid, c.createdtai, c.diaobjectid, c.ssobjectid FROM prompt_store.diasource AS c
      WHERE c.diasourceid = l.source OFFSET 0) AS s ON true
    WHERE s.diasourceid IS NULL
      OR s.ssobjectid IS DISTINCT FROM l.ssobject OR s.diaobjectid IS DISTINCT FROM l.object
    ORDER BY l.source
  ) AS changed;
  IF in_sources IS NULL THEN
    RETURN;
  END IF;
  RETURN QUERY
  WITH labelled AS MATERIALIZED (
    SELECT * FROM unnest(in_sources, in_ssobjects, in_objects, old_versions, old_owners,
      staging.components(new_owners, old_owners)) AS l(source, ssobject, object, version, old, label)
  ), going_on AS MATERIALIZED (
    SELECT l.label FROM labelled AS l CROSS JOIN LATERAL (SELECT FROM prompt_store.diaobject AS o
      WHERE o.diaobjectid = l.old AND o.ndiasources > 1 OFFSET 0) AS o
    UNION
    SELECT label FROM labelled WHERE object IS NOT NULL
  ), sized AS (
    SELECT label, (sum(count(*)) OVER (ORDER BY going_on, label) - 1)::bigint / chunk_size AS chunk
    FROM (SELECT label, label IN (SELECT g.label FROM going_on AS g) AS going_on FROM labelled) AS l
    GROUP BY going_on, label
  )
  SELECT array_agg(source), array_agg(ssobject), array_agg(object), array_agg(version),
    array_agg(CASE WHEN old >= 0 THEN old END)
  FROM (SELECT * FROM labelled JOIN sized USING (label) ORDER BY chunk, source) AS l
  GROUP BY chunk ORDER BY chunk;
END $$;

COMMENT ON FUNCTION ledger.relink_chunks(bigint[], bigint[], bigint[], integer)
IS 'Cuts a re-linking into chunks closed over objects and their sources.';
