-- audit: looks for what must never be in the store, one row a finding (design section 5; GEN-19,
-- GEN-20). One statement, hence one snapshot: publications may go on meanwhile.
-- needs: ledger.versions, ledger.horizon, prompt_history.diasource, prompt_live.diasource
-- needs: prompt_live.diaforcedsource, prompt_live.diaobject, ledger.audit_sums
CREATE OR REPLACE FUNCTION ledger.audit()
RETURNS TABLE (relation text, key text, kind text, detail text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
AS $$
WITH version AS MATERIALIZED (
  SELECT v.relation, v.key, v.insertedtai, v.createdtai, v.deletedtai,
    CASE WHEN v.deletedtai < '9999-12-31' THEN v.deletedtai + interval '1 microsecond' END AS closed,
    lag(v.insertedtai) OVER w AS inserted_before,
    lag(v.createdtai) OVER w AS created_before,
    max(v.deletedtai) OVER (w ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS valid_before,
    first_value(v.createdtai) OVER w AS first,
    lead(v.createdtai) OVER w AS next
  FROM ledger.versions() AS v
  WINDOW w AS (PARTITION BY v.relation, v.key ORDER BY v.createdtai, v.deletedtai)
), touched AS (
  -- What an epoch did, counted as publications count it: a row opened, replaced or closed is one.
  SELECT epochtai, count(*) AS n FROM (
    SELECT createdtai FROM version
    UNION ALL
    SELECT closed FROM version WHERE closed IS DISTINCT FROM next AND closed IS NOT NULL
  ) AS t(epochtai) GROUP BY epochtai
)
SELECT v.relation, v.key, f.kind, f.detail
FROM version AS v
CROSS JOIN (SELECT ledger.horizon() AS horizon OFFSET 0) AS h
LEFT JOIN ledger.epoch AS opening ON opening.epochtai = v.createdtai
LEFT JOIN ledger.epoch AS closing ON closing.epochtai = v.closed
CROSS JOIN LATERAL (VALUES
  ('interval', CASE WHEN v.createdtai > v.deletedtai
    THEN format('valid from %s to %s', v.createdtai, v.deletedtai) END),
  ('duplicate', CASE WHEN v.createdtai = v.created_before
    THEN format('two versions from %s on', v.createdtai) END),
  ('overlap', CASE WHEN v.createdtai > v.created_before AND v.createdtai <= v.valid_before
    THEN format('valid from %s, an earlier version up to %s', v.createdtai, v.valid_before) END),
  ('gap', CASE WHEN v.closed IS DISTINCT FROM v.next AND v.closed IS NOT NULL
      AND coalesce(v.next > v.closed, true)
      AND closing.kind IN ('created', 'visit', 'template', 'precovery', 'resolve', 'heartbeat')
    THEN format('nothing from %s to %s, and no withdrawal says why', v.closed,
      coalesce(v.next::text, 'now')) END),
  ('newer than the horizon', CASE WHEN v.createdtai > h.horizon OR v.closed > h.horizon
    THEN format('%s is later than the horizon %s', greatest(v.createdtai, v.closed), h.horizon) END),
  ('no epoch', CASE WHEN opening.epochtai IS NULL AND v.createdtai <= h.horizon
    THEN format('createdTai %s is no epoch', v.createdtai) END),
  ('no epoch', CASE WHEN closing.epochtai IS NULL AND v.closed <= h.horizon
    THEN format('deletedTai %s is not the end of an epoch', v.deletedtai) END),
  -- A row that was withdrawn may begin anew when it returns.
  ('insertedTai', CASE WHEN
      CASE WHEN v.createdtai = v.valid_before + interval '1 microsecond'
        THEN v.insertedtai <> v.inserted_before
        ELSE v.insertedtai NOT IN (v.createdtai, v.first) END
    THEN format('insertedTai %s, but it was first seen at %s', v.insertedtai, v.first) END)
) AS f(kind, detail)
WHERE f.detail IS NOT NULL

UNION ALL
SELECT 'Epoch', e.epochtai::text, f.kind, f.detail
FROM ledger.epoch AS e
LEFT JOIN ledger.batch AS b ON b.batchid = e.batchid
LEFT JOIN touched AS t ON t.epochtai = e.epochtai
CROSS JOIN LATERAL (VALUES
  ('rows', CASE WHEN e.nrows <> coalesce(t.n, 0)
    THEN format('the epoch says %s rows, the store has %s of it', e.nrows, coalesce(t.n, 0)) END),
  ('batch', CASE WHEN e.batchid IS NOT NULL AND b.batchid IS NULL
    THEN format('batch %s does not exist', e.batchid) END),
  ('batch', CASE WHEN e.batchid IS NULL AND e.nrows > 0 THEN 'rows, but no batch' END),
  ('order', CASE WHEN e.epochtai < b.startedtai
    THEN format('before its batch %s was opened, at %s', b.batchid, b.startedtai) END),
  ('order', CASE WHEN e.epochtai > b.epochtai
    THEN format('after its batch %s was published, at %s', b.batchid, b.epochtai) END)
) AS f(kind, detail)
WHERE f.detail IS NOT NULL

UNION ALL
SELECT 'Batch', b.batchid::text, 'batch', format('published, but %s is no epoch of it', b.epochtai)
FROM ledger.batch AS b
LEFT JOIN ledger.epoch AS e ON e.batchid = b.batchid AND e.epochtai = b.epochtai
WHERE b.state = 'published' AND e.epochtai IS NULL

UNION ALL
SELECT 'DIASource', s.diasourceid::text, 'two objects',
  format('diaObjectId %s and ssObjectId %s', s.diaobjectid, s.ssobjectid)
FROM prompt_history.diasource AS s WHERE s.diaobjectid IS NOT NULL AND s.ssobjectid IS NOT NULL

UNION ALL
SELECT 'DIASource', a.diasourceid::text, 'two sources of a visit',
  format('and %s of visit %s in object %s', b.diasourceid, a.visitid, a.diaobjectid)
FROM prompt_history.diasource AS a
JOIN prompt_history.diasource AS b USING (diaobjectid, visitid)
WHERE a.diasourceid < b.diasourceid
  AND a.createdtai <= b.deletedtai AND b.createdtai <= a.deletedtai

UNION ALL
SELECT m.relation, m.id::text, 'no object', format('diaObjectId %s is not there', m.diaobjectid)
FROM (
  SELECT 'DIASource', diasourceid, diaobjectid FROM prompt_live.diasource
  UNION ALL
  SELECT 'DIAForcedSource', diaforcedsourceid, diaobjectid FROM prompt_live.diaforcedsource
) AS m(relation, id, diaobjectid)
LEFT JOIN prompt_live.diaobject AS o ON o.diaobjectid = m.diaobjectid
WHERE m.diaobjectid IS NOT NULL AND o.diaobjectid IS NULL

UNION ALL
SELECT 'DIAObjectSums', s.key, 'sums', s.detail FROM ledger.audit_sums() AS s
$$;

COMMENT ON FUNCTION ledger.audit()
IS 'What must never be in the store: overlapping or missing versions, times that are no epochs, wrong associations; one row a finding.';
