-- precovery_targets: where forced photometry of new DIAObjects is missing: the objects that the batches
-- of visits have brought, and the difference images around them that were published before and were
-- observed at most so many days before the object was first seen (precoveryWindow, 30 d). Whatever the
-- forced policy: each object is measured once. DPDD section 3.2.1 step 11; DIA-20, PRECOV-01.
CREATE OR REPLACE FUNCTION staging.precovery_targets(
  in_batches bigint[], in_days double precision DEFAULT 30)
RETURNS TABLE (batchid bigint, diaobjectid bigint, ra double precision, decl double precision,
  ccdvisitid bigint)
LANGUAGE sql STABLE
AS $$
  WITH new AS MATERIALIZED (
    SELECT DISTINCT b.batchid, o.diaobjectid, o.ra, o.decl, o.insertedtai, o.firstdiasourcetai
    FROM ledger.batch AS b
    JOIN prompt_store.ccdvisit AS c ON c.visitid = b.visitid
    JOIN prompt_store.diasource AS s ON s.ccdvisitid = c.ccdvisitid
    JOIN prompt_store.diaobject AS o ON o.diaobjectid = s.diaobjectid
    WHERE b.batchid = ANY (in_batches) AND o.insertedtai = b.epochtai AND o.ndiasources > 0
  ), reach AS MATERIALIZED (
    -- Half the diagonal of the largest detector, and a little for the curvature of the sky.
    SELECT max(radians(1.01 * pixelscale / 7200 * sqrt(nx::double precision ^ 2 + ny ^ 2))) AS radius
    FROM ledger.detector
  )
  SELECT n.batchid, n.diaobjectid, n.ra, n.decl, v.ccdvisitid
  FROM new AS n CROSS JOIN reach
  JOIN prompt_store.ccdvisit AS v
    ON spoint(radians(v.ra), radians(v.decl)) <@ scircle(spoint(radians(n.ra), radians(n.decl)), reach.radius)
  WHERE v.differencepath IS NOT NULL AND v.insertedtai < n.insertedtai
    AND v.midpointtai >= n.firstdiasourcetai - in_days
    AND NOT EXISTS (SELECT FROM prompt_store.diaforcedsource AS f
      WHERE f.diaobjectid = n.diaobjectid AND f.ccdvisitid = v.ccdvisitid)
  ORDER BY v.ccdvisitid, n.diaobjectid
$$;

COMMENT ON FUNCTION staging.precovery_targets(bigint[], double precision)
IS 'New DIAObjects of published batches, positions [deg], and the ccdVisits of the last days [d] before them that lack forced photometry.';
