-- characterize_fluxes: the flux statistics of the DIAObjects staged in a slot, per band, from the
-- measurements of the twelve months up to the newest source. DPDD sections 2.1 and 3.2.1 step 6,
-- conventions of section 2.2a:
--   psFlux*        from the DIASources: inverse-variance weighted mean, its error, chi2 about it,
--                  unweighted sample standard deviation (NULL for one point), number
--   psForcedFlux*  from the forced rows
--   totFlux*       one value a ccdVisit: the forced row, else the DIASource
-- To be called after the forced photometry of the visit is staged.
-- needs: staging.characterize, staging.member_sources, staging.member_forced
CREATE OR REPLACE FUNCTION staging.characterize_fluxes(
  in_slot smallint, cutoff_days double precision DEFAULT 365.25)
RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
  n bigint;
BEGIN
  WITH wanted AS (
    -- An object without sources is described by the months up to its newest forced measurement.
    SELECT o.diaobjectid, coalesce(o.lastdiasourcetai,
        (SELECT max(f.midpointtai) FROM staging.member_forced(in_slot) AS f
         WHERE f.diaobjectid = o.diaobjectid)) - cutoff_days AS since
    FROM staging.diaobject AS o WHERE o.slot = in_slot AND o.iswithdrawal IS NOT TRUE
  ), point AS (
    SELECT s.diaobjectid, s.ccdvisitid, false AS forced, s.psflux, s.psfluxerr, s.totflux, s.totfluxerr
    FROM staging.member_sources(in_slot) AS s
    JOIN wanted AS w ON w.diaobjectid = s.diaobjectid AND s.midpointtai > w.since
    UNION ALL
    SELECT f.diaobjectid, f.ccdvisitid, true, f.psflux, f.psfluxerr, f.totflux, f.totfluxerr
    FROM staging.member_forced(in_slot) AS f
    JOIN wanted AS w ON w.diaobjectid = f.diaobjectid AND f.midpointtai > w.since
  ), in_band AS (
    SELECT p.*, v.band,
      row_number() OVER (PARTITION BY p.diaobjectid, p.ccdvisitid
        ORDER BY p.totflux IS NULL, p.forced DESC) = 1 AS counts_total
    FROM point AS p
    JOIN (
      SELECT ccdvisitid, band FROM prompt_store.ccdvisit
      UNION ALL
      SELECT ccdvisitid, band FROM staging.ccdvisit AS v
      WHERE v.slot = in_slot AND v.replacestai IS NULL
    ) AS v USING (ccdvisitid)
  ), flux AS (
    SELECT diaobjectid, band, 'psflux' AS kind, psflux::double precision AS f, psfluxerr AS e
    FROM in_band WHERE NOT forced
    UNION ALL
    SELECT diaobjectid, band, 'psforcedflux', psflux, psfluxerr FROM in_band WHERE forced
    UNION ALL
    SELECT diaobjectid, band, 'totflux', totflux, totfluxerr FROM in_band WHERE counts_total
  ), centred AS (
    -- Sums of squares are taken about the weighted mean: nothing cancels.
    SELECT x.*, 1 / (e::double precision ^ 2) AS w,
      sum(f / e::double precision ^ 2) OVER k / sum(1 / e::double precision ^ 2) OVER k AS mean
    FROM flux AS x WHERE f IS NOT NULL AND e > 0
    WINDOW k AS (PARTITION BY diaobjectid, band, kind)
  ), statistic AS (
    SELECT diaobjectid, band || kind AS name, min(mean) AS mean, 1 / sqrt(sum(w)) AS err,
      stddev_samp(f) AS sigma, sum((f - mean) ^ 2 * w) AS chi2, count(*) AS ndata
    FROM centred GROUP BY diaobjectid, band, kind
  ), named AS (
    SELECT diaobjectid, jsonb_object_agg(key, value) AS content
    FROM statistic CROSS JOIN LATERAL (VALUES
      (name || 'mean', to_jsonb(mean)), (name || 'meanerr', to_jsonb(err)),
      (name || 'sigma', to_jsonb(sigma)), (name || 'chi2', to_jsonb(chi2)),
      (name || 'ndata', to_jsonb(ndata))) AS v(key, value)
    GROUP BY diaobjectid
  ), filled AS (
    DELETE FROM staging.diaobject AS t USING named AS d
    WHERE t.slot = in_slot AND t.diaobjectid = d.diaobjectid
    RETURNING jsonb_populate_record(t, d.content) AS r
  )
  INSERT INTO staging.diaobject SELECT (r).* FROM filled;
  GET DIAGNOSTICS n = ROW_COUNT;
  RETURN n;
END $$;

COMMENT ON FUNCTION staging.characterize_fluxes(smallint, double precision)
IS 'Fills the per-band flux statistics of the DIAObjects staged in a slot.';
