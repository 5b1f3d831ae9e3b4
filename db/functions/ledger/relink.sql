-- relink: gives DIASources another owner: an SSObject (in_ssobjects) or another DIAObject
-- (in_objects), one of the two for every source. DPDD section 3.2.2 step 4; SSO-05, GEN-19.
-- Chunks closed over objects and their sources are published one by one, each in an epoch and a
-- transaction of its own, so that visits are published in between. To be called outside a
-- transaction; after an interruption it can be called again with the same arguments.
-- needs: ledger.relink_chunks, ledger.relink_chunk
CREATE OR REPLACE PROCEDURE ledger.relink(
  in_sources bigint[], in_ssobjects bigint[] DEFAULT NULL, in_objects bigint[] DEFAULT NULL,
  chunk_size integer DEFAULT 5000, INOUT n_chunks bigint DEFAULT 0)
LANGUAGE plpgsql
AS $$
DECLARE
  wrong text;
  chunk record;
BEGIN
  SELECT CASE
    WHEN source IS NULL THEN 'a diaSourceId is missing'
    WHEN count(*) > 1 THEN format('diaSourceId %s is given twice', source)
    ELSE format('diaSourceId %s needs either an SSObject or a DIAObject', source)
    END INTO wrong
  FROM unnest(in_sources, in_ssobjects, in_objects) AS l(source, ssobject, object)
  GROUP BY source HAVING count(*) > 1 OR source IS NULL OR bool_or((ssobject IS NULL) = (object IS NULL))
  LIMIT 1;
  IF wrong IS NOT NULL OR chunk_size < 1 THEN
    RAISE EXCEPTION 'nothing was re-linked: %', coalesce(wrong, format('chunk_size is %s', chunk_size))
      USING ERRCODE = 'invalid_parameter_value',
        HINT = 'Give arrays of one length, each source once, with one new owner, and a chunk_size of at least 1.';
  END IF;
  n_chunks := 0;
  FOR chunk IN SELECT * FROM ledger.relink_chunks(in_sources, in_ssobjects, in_objects, chunk_size) LOOP
    PERFORM ledger.relink_chunk(chunk.sources, chunk.ssobjects, chunk.objects, chunk.versions, chunk.owners);
    n_chunks := n_chunks + 1;
    COMMIT;
  END LOOP;
END $$;

COMMENT ON PROCEDURE ledger.relink(bigint[], bigint[], bigint[], integer, bigint)
IS 'Links DIASources to SSObjects or DIAObjects, in chunks with an epoch each; returns their number.';
