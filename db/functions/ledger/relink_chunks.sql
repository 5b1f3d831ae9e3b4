-- relink_chunks: cuts a re-linking into chunks that are closed: sources that share an owner, old
-- or new, are in one chunk, so no epoch shows an object with half of its sources. A chunk is
-- larger than chunk_size only where a single closed set is. Sources that have the owner already are
-- left out, so a repetition changes nothing.
CREATE OR REPLACE FUNCTION ledger.relink_chunks(
  in_sources bigint[], in_ssobjects bigint[], in_objects bigint[], chunk_size integer)
RETURNS TABLE (sources bigint[], ssobjects bigint[], objects bigint[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_catalog
AS $$
BEGIN
  CREATE TEMP TABLE relink_source (
    source bigint PRIMARY KEY, ssobject bigint, object bigint, label bigint NOT NULL) ON COMMIT DROP;
  -- Owners are numbered so that SSObjects (negative) and DIAObjects cannot be mixed up.
  CREATE TEMP TABLE relink_owner (source bigint, owner bigint) ON COMMIT DROP;
  INSERT INTO relink_source
  SELECT l.source, l.ssobject, l.object, l.source
  FROM unnest(in_sources, in_ssobjects, in_objects) AS l(source, ssobject, object)
  WHERE NOT EXISTS (
    SELECT FROM prompt_store.diasource AS s WHERE s.diasourceid = l.source
      AND s.ssobjectid IS NOT DISTINCT FROM l.ssobject AND s.diaobjectid IS NOT DISTINCT FROM l.object);
  INSERT INTO relink_owner
  SELECT l.source, coalesce(l.object, -1 - l.ssobject) FROM relink_source AS l
  UNION
  SELECT s.diasourceid, coalesce(s.diaobjectid, -1 - s.ssobjectid)
  FROM prompt_store.diasource AS s JOIN relink_source AS l ON l.source = s.diasourceid
  WHERE s.diaobjectid IS NOT NULL OR s.ssobjectid IS NOT NULL;
  ANALYZE relink_source, relink_owner;
  LOOP
    -- Every source takes the lowest label among those it shares an owner with.
    UPDATE relink_source AS l SET label = m.low
    FROM (
      SELECT o.source, min(n.low) AS low FROM relink_owner AS o
      JOIN (SELECT o.owner, min(l.label) AS low FROM relink_owner AS o
            JOIN relink_source AS l USING (source) GROUP BY o.owner) AS n USING (owner)
      GROUP BY o.source) AS m
    WHERE m.source = l.source AND m.low < l.label;
    EXIT WHEN NOT FOUND;
  END LOOP;
  RETURN QUERY
  SELECT array_agg(l.source ORDER BY l.source), array_agg(l.ssobject ORDER BY l.source),
    array_agg(l.object ORDER BY l.source)
  FROM relink_source AS l
  JOIN (SELECT label, (sum(count(*)) OVER (ORDER BY label) - 1)::bigint / chunk_size AS chunk
        FROM relink_source GROUP BY label) AS c USING (label)
  GROUP BY c.chunk ORDER BY c.chunk;
  DROP TABLE relink_source, relink_owner;
END $$;

COMMENT ON FUNCTION ledger.relink_chunks(bigint[], bigint[], bigint[], integer)
IS 'Cuts a re-linking into chunks closed over objects and their sources.';
