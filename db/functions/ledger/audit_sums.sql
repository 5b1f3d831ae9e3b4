-- audit_sums: sums of DIAObjects (DIAObjectSums) that are not those of the rows they stand for: numbers,
-- and weights to 1e-9. Part of ledger.audit. DIA-14.
-- needs: prompt_live.diasource, prompt_live.diaforcedsource, prompt_live.ccdvisit, prompt_live.diaobject
CREATE OR REPLACE FUNCTION ledger.audit_sums()
RETURNS TABLE (key text, detail text)
LANGUAGE sql STABLE
AS $$
WITH point AS (
  SELECT b.diaobjectid, v.band, false AS forced, s.midpointtai, b.epoch0, s.psflux, s.psfluxerr,
    (f.vra + f.vdecl) / (f.vra * f.vdecl - f.cov * f.cov) AS weight
  FROM prompt_store.diaobjectsums AS b
  JOIN prompt_live.diasource AS s ON s.diaobjectid = b.diaobjectid AND s.midpointtai > b.sincetai
  LEFT JOIN prompt_live.ccdvisit AS v ON v.ccdvisitid = s.ccdvisitid
  CROSS JOIN LATERAL (SELECT
    coalesce(s.raerr, 1)::double precision ^ 2 + coalesce(v.astromsysraerr, 0.01)::double precision ^ 2
      AS vra,
    coalesce(s.declerr, 1)::double precision ^ 2
      + coalesce(v.astromsysdeclerr, 0.01)::double precision ^ 2 AS vdecl,
    coalesce(s.radeclcov, 0)::double precision + coalesce(v.astromsyscov, 0) AS cov) AS f
  UNION ALL
  SELECT b.diaobjectid, v.band, true, s.midpointtai, b.epoch0, s.psflux, s.psfluxerr, NULL
  FROM prompt_store.diaobjectsums AS b
  JOIN prompt_live.diaforcedsource AS s ON s.diaobjectid = b.diaobjectid
    AND s.midpointtai > b.sincetai AND s.midpointtai <= b.newesttai
  LEFT JOIN prompt_live.ccdvisit AS v ON v.ccdvisitid = s.ccdvisitid
), position_truth AS (
  -- The trace of the weights does not depend on directions.
  SELECT diaobjectid, count(*) AS n, sum(weight) AS w,
    sum(weight * (midpointtai - epoch0) / 365.25) AS tw,
    sum(weight * abs(midpointtai - epoch0) / 365.25) AS size
  FROM point WHERE NOT forced GROUP BY diaobjectid
), flux_truth AS (
  SELECT diaobjectid, band,
    count(*) FILTER (WHERE NOT forced) AS n,
    coalesce(sum(1 / psfluxerr::double precision ^ 2) FILTER (WHERE NOT forced), 0) AS w,
    count(*) FILTER (WHERE forced) AS forced_n,
    coalesce(sum(1 / psfluxerr::double precision ^ 2) FILTER (WHERE forced), 0) AS forced_w,
    sum(1 / psfluxerr::double precision ^ 2) AS size
  FROM point WHERE psflux IS NOT NULL AND psfluxerr > 0 GROUP BY diaobjectid, band
)
SELECT b.diaobjectid::text, format('%s DIASources, weights %s and %s; the rows say %s, %s and %s',
  s[1], s[2] + s[4], s[5] + s[7], t.n, t.w, t.tw)
FROM (SELECT diaobjectid, positionsums AS s FROM prompt_store.diaobjectsums) AS b
LEFT JOIN position_truth AS t ON t.diaobjectid = b.diaobjectid
WHERE t.n IS NULL OR s[1] <> t.n OR abs(s[2] + s[4] - t.w) > 1e-9 * t.w
  OR abs(s[5] + s[7] - t.tw) > 1e-9 * t.size
UNION ALL
SELECT coalesce(b.diaobjectid, t.diaobjectid)::text,
  format('%s: %s and %s difference fluxes, weights %s and %s; the rows say %s and %s, %s and %s',
    coalesce(b.band, t.band), s[3], s[9], s[4], s[10], t.n, t.forced_n, t.w, t.forced_w)
FROM (
  SELECT diaobjectid, f.band, f.s FROM prompt_store.diaobjectsums
  CROSS JOIN LATERAL (VALUES ('u', ufluxsums), ('g', gfluxsums), ('r', rfluxsums), ('i', ifluxsums),
    ('z', zfluxsums), ('y', yfluxsums)) AS f(band, s)
  WHERE f.s[3] + f.s[9] > 0
) AS b
FULL JOIN flux_truth AS t ON t.diaobjectid = b.diaobjectid AND t.band = b.band
WHERE t.n IS NULL OR b.s IS NULL OR s[3] <> t.n OR s[9] <> t.forced_n
  OR abs(s[4] - t.w) > 1e-9 * t.size OR abs(s[10] - t.forced_w) > 1e-9 * t.size
UNION ALL
SELECT b.diaobjectid::text, 'sums of an object that is not there'
FROM prompt_store.diaobjectsums AS b
WHERE NOT EXISTS (SELECT FROM prompt_live.diaobject AS o WHERE o.diaobjectid = b.diaobjectid)
$$;

COMMENT ON FUNCTION ledger.audit_sums()
IS 'Sums of DIAObjects that are not those of their rows, one row a finding; part of ledger.audit.';
