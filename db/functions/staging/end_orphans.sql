-- end_orphans: stages the end of the DIAObjects that lose their last DIASource by the staged rows of
-- a slot and have no forced photometry left. There is nothing to compute for them, and a night's
-- asteroids leave one such object a source. DPDD section 3.2.2 step 4; SSO-05. Returns how many of
-- the objects that lose a source go on.
--
-- in_losers are the objects that lose sources, once for each of them; NULL: they are looked up. An
-- object that is not staged here although it ends is computed, and ends then.
CREATE OR REPLACE FUNCTION staging.end_orphans(in_slot smallint, in_losers bigint[] DEFAULT NULL)
RETURNS bigint
-- Probed object by object: no bitmap is worth its making.
LANGUAGE plpgsql SET enable_bitmapscan = off AS $$
DECLARE
  losers bigint;
  ids bigint[];
  versions timestamp[];
  lost bigint[];
  ended bigint;
BEGIN
  IF in_losers IS NULL THEN
    in_losers := ARRAY(SELECT c.diaobjectid FROM staging.diasource AS s
      CROSS JOIN LATERAL (SELECT c.diaobjectid FROM prompt_store.diasource AS c
        WHERE c.diasourceid = s.diasourceid OFFSET 0) AS c
      WHERE s.slot = in_slot AND s.replacestai IS NOT NULL);
  END IF;
  -- The version of an object knows of sources and forced rows that stay, though not of all. In the
  -- order of the ids: neighbours on the sky are neighbours in the store.
  WITH loser AS MATERIALIZED (
    SELECT id, count(*) AS n FROM unnest(in_losers) AS l(id) WHERE id IS NOT NULL
    GROUP BY id ORDER BY id
  )
  SELECT (SELECT count(*) FROM loser), array_agg(l.id), array_agg(o.createdtai), array_agg(l.n)
  INTO losers, ids, versions, lost
  FROM loser AS l CROSS JOIN LATERAL (
    SELECT o.createdtai FROM prompt_store.diaobject AS o
    WHERE o.diaobjectid = l.id AND o.ndiasources <= l.n
      AND coalesce(greatest(o.upsforcedfluxndata, o.gpsforcedfluxndata, o.rpsforcedfluxndata,
        o.ipsforcedfluxndata, o.zpsforcedfluxndata, o.ypsforcedfluxndata), 0) = 0 OFFSET 0) AS o
  WHERE l.id NOT IN (SELECT s.diaobjectid FROM staging.diasource AS s
    WHERE s.slot = in_slot AND s.diaobjectid IS NOT NULL AND s.iswithdrawal IS NOT TRUE);
  -- The array is hidden from the planner, which would weigh each of its elements.
  WITH held AS MATERIALIZED (
    SELECT c.diaobjectid AS id, count(*) AS n FROM prompt_store.diasource AS c
    WHERE c.diaobjectid = ANY ((SELECT ids)::bigint[]) GROUP BY c.diaobjectid
  )
  INSERT INTO staging.diaobject (slot, diaobjectid, replacestai, iswithdrawal)
  SELECT in_slot, o.id, o.version, true
  FROM unnest(ids, versions, lost) AS o(id, version, n) JOIN held ON held.id = o.id AND held.n = o.n
  WHERE NOT EXISTS (SELECT FROM prompt_store.diaforcedsource AS f
    WHERE f.diaobjectid = o.id
      AND f.diaforcedsourceid NOT IN (SELECT w.diaforcedsourceid FROM staging.diaforcedsource AS w
        WHERE w.slot = in_slot AND w.iswithdrawal AND w.diaforcedsourceid IS NOT NULL) OFFSET 0);
  GET DIAGNOSTICS ended = ROW_COUNT;
  RETURN losers - ended;
END $$;

COMMENT ON FUNCTION staging.end_orphans(smallint, bigint[])
IS 'Stages the end of the DIAObjects that lose all data by a slot; returns how many losers go on.';
