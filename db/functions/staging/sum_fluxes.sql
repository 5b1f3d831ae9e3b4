-- sum_fluxes: the flux sums (DIAObjectSums) of the objects of one turn of staging.characterize_fluxes,
-- in the bands of its rows: those kept, plus what comes and less what the window leaves behind.
-- From its temporary tables flux_object, flux_row and flux_band into flux_sum; with in_turn 2 the
-- objects are summed from their rows alone. A part of staging.characterize_fluxes.
-- needs: staging.shrinkage
CREATE OR REPLACE FUNCTION staging.sum_fluxes(in_turn integer)
RETURNS void
-- Rows are grouped by hash: they come in no order.
LANGUAGE plpgsql SET enable_sort = off
AS $$
BEGIN
  INSERT INTO flux_sum
  WITH mine AS MATERIALIZED (
    -- Measurements without flux, or of unknown error, say only that they are there.
    SELECT r.diaobjectid, v.band, r.forced, r.templateid, r.midpointtai, r.id, r.ccdvisitid, o.basis,
      o.band AS own,
      r.totflux IS NOT NULL AS measured,
      CASE WHEN r.sign <= 0 OR r.midpointtai > o.since THEN r.sign ELSE 0 END AS sign,
      CASE WHEN r.psfluxerr > 0 THEN r.psflux::double precision END AS f,
      1 / nullif(r.psfluxerr::double precision * r.psfluxerr, 0) AS w,
      CASE WHEN r.totfluxerr > 0 THEN r.totflux::double precision END AS g,
      1 / nullif(r.totfluxerr::double precision * r.totfluxerr, 0) AS wg
    FROM flux_row AS r
    JOIN flux_object AS o ON o.diaobjectid = r.diaobjectid AND o.turn = in_turn
    JOIN flux_band AS v ON v.ccdvisitid = r.ccdvisitid
    OFFSET 0
  ), total AS MATERIALIZED (
    -- One value of totFlux a ccdVisit: of the forced row, else of the source.
    SELECT diaobjectid, ccdvisitid, min(id) AS id
    FROM mine WHERE measured GROUP BY diaobjectid, ccdvisitid HAVING count(*) > 1
  ), base AS MATERIALIZED (
    -- The kept sums of the bands with news, and of no others: they are long. Reference and template
    -- stay as long as there are values.
    SELECT diaobjectid, band, s, lost, CASE WHEN s[3] + s[9] > 0 THEN s[1] END AS f0,
      CASE WHEN s[12] > 0 THEN s[2] END AS g0, CASE WHEN s[3] + s[9] > 0 THEN templateid END AS t0
    FROM (
      SELECT o.diaobjectid, o.band, false AS lost, CASE WHEN o.basis IS NOT NULL THEN o.s END AS s,
        o.templateid
      FROM flux_object AS o WHERE o.turn = in_turn AND o.band IS NOT NULL
      UNION ALL
      SELECT n.diaobjectid, n.band, n.basis IS NOT NULL AND b.found IS NULL, b.s, b.templateid
      FROM (SELECT diaobjectid, band, min(basis) AS basis FROM mine
        WHERE band IS DISTINCT FROM own GROUP BY diaobjectid, band) AS n
      LEFT JOIN LATERAL (
        SELECT true AS found,
          CASE n.band WHEN 1 THEN k.ufluxsums WHEN 2 THEN k.gfluxsums WHEN 3 THEN k.rfluxsums
            WHEN 4 THEN k.ifluxsums WHEN 5 THEN k.zfluxsums ELSE k.yfluxsums END AS s,
          CASE n.band WHEN 1 THEN k.utemplateid WHEN 2 THEN k.gtemplateid WHEN 3 THEN k.rtemplateid
            WHEN 4 THEN k.itemplateid WHEN 5 THEN k.ztemplateid ELSE k.ytemplateid END AS templateid
        FROM prompt_store.diaobjectsums AS k
        WHERE k.diaobjectid = n.diaobjectid AND k.asoftai = n.basis OFFSET 0
      ) AS b ON true
      OFFSET 0
    ) AS b
    OFFSET 0
  ), mean AS (
    -- In single precision: of equal values it is the value itself.
    SELECT m.diaobjectid, m.band, max(m.templateid) AS templateid,
      (sum(m.w * m.f) / sum(m.w) FILTER (WHERE m.f IS NOT NULL))::real AS f,
      (sum(m.wg * m.g) FILTER (WHERE t.id IS NULL OR t.id = m.id)
        / sum(m.wg) FILTER (WHERE m.g IS NOT NULL AND (t.id IS NULL OR t.id = m.id)))::real AS g
    FROM mine AS m JOIN base AS k ON k.diaobjectid = m.diaobjectid AND k.band = m.band
      AND (k.f0 IS NULL OR k.g0 IS NULL)
    LEFT JOIN total AS t ON t.diaobjectid = m.diaobjectid AND t.ccdvisitid = m.ccdvisitid
    WHERE m.sign <> 0 GROUP BY m.diaobjectid, m.band
  ), reference AS MATERIALIZED (
    SELECT k.diaobjectid, k.band, k.s, k.lost, coalesce(k.f0, m.f, 0)::double precision AS f0,
      coalesce(k.g0, m.g, 0)::double precision AS g0, coalesce(k.t0, m.templateid) AS t0
    FROM base AS k LEFT JOIN mean AS m ON m.diaobjectid = k.diaobjectid AND m.band = k.band
    OFFSET 0
  ), change AS (
    -- Of sources w, d; of forced rows w2, d2; of either totFlux wg, e.
    SELECT diaobjectid, band, max(midpointtai) FILTER (WHERE sign > 0) AS newest,
      min(midpointtai) AS oldest, sum(n) AS n, sum(w) AS w, sum(w * d) AS wf, sum(w * d * d) AS wff,
      sum(n * d) AS f, sum(n * d * d) AS ff,
      sum(n2) AS forced_n, sum(w2) AS forced_w, sum(w2 * d2) AS forced_wf,
      sum(ng) AS tot_n, sum(wg) AS tot_w, sum(wg * e) AS tot_wf, sum(ng * e) AS tot_f,
      sum(ng * e * e) AS tot_ff, sum(others) AS others
    FROM (
      SELECT m.diaobjectid, m.band, m.midpointtai, m.sign,
        CASE WHEN NOT m.forced THEN m.f - k.f0 END AS d,
        CASE WHEN NOT m.forced AND m.f IS NOT NULL THEN m.sign END AS n,
        CASE WHEN NOT m.forced AND m.f IS NOT NULL THEN m.sign * m.w END AS w,
        CASE WHEN m.forced THEN m.f - k.f0 END AS d2,
        CASE WHEN m.forced AND m.f IS NOT NULL THEN m.sign END AS n2,
        CASE WHEN m.forced AND m.f IS NOT NULL THEN m.sign * m.w END AS w2,
        m.g - k.g0 AS e,
        CASE WHEN m.g IS NOT NULL AND (t.id IS NULL OR t.id = m.id) THEN m.sign END AS ng,
        CASE WHEN m.g IS NOT NULL AND (t.id IS NULL OR t.id = m.id) THEN m.sign * m.wg END AS wg,
        CASE WHEN m.templateid <> k.t0 AND m.f IS NOT NULL THEN m.sign END AS others
      FROM mine AS m
      JOIN reference AS k ON k.diaobjectid = m.diaobjectid AND k.band = m.band
      LEFT JOIN total AS t ON t.diaobjectid = m.diaobjectid AND t.ccdvisitid = m.ccdvisitid
      WHERE m.sign <> 0 OFFSET 0
    ) AS q
    GROUP BY diaobjectid, band
  )
  SELECT diaobjectid, band, t0, newest, oldest,
    -- Sums that have lost digits, or whose reference or template is of values that have left; and
    -- those that another publication has just forgotten.
    lost OR shrunk > 1e4 OR (others > 0 AND others >= n + fn)
      OR (n > 1 AND (wff > 1e6 * (wff - wf * wf / w) OR ff > 1e6 * (ff - f * f / n)))
      OR (tn > 1 AND tff > 1e6 * (tff - tf * tf / tn)),
    f0, g0, n, w, wf, wff, f, ff, fn, fw, fwf, tn, tw, twf, tf, tff, others, shrunk
  FROM (
    SELECT c.diaobjectid, c.band, k.t0, k.lost, c.newest, c.oldest, k.f0, k.g0,
      coalesce(s[3], 0) + coalesce(n, 0) AS n, coalesce(s[4], 0) + coalesce(w, 0) AS w,
      coalesce(s[5], 0) + coalesce(wf, 0) AS wf, coalesce(s[6], 0) + coalesce(wff, 0) AS wff,
      coalesce(s[7], 0) + coalesce(f, 0) AS f, coalesce(s[8], 0) + coalesce(ff, 0) AS ff,
      coalesce(s[9], 0) + coalesce(forced_n, 0) AS fn, coalesce(s[10], 0) + coalesce(forced_w, 0) AS fw,
      coalesce(s[11], 0) + coalesce(forced_wf, 0) AS fwf,
      coalesce(s[12], 0) + coalesce(tot_n, 0) AS tn, coalesce(s[13], 0) + coalesce(tot_w, 0) AS tw,
      coalesce(s[14], 0) + coalesce(tot_wf, 0) AS twf, coalesce(s[15], 0) + coalesce(tot_f, 0) AS tf,
      coalesce(s[16], 0) + coalesce(tot_ff, 0) AS tff, coalesce(s[17], 0) + coalesce(others, 0) AS others,
      CASE WHEN s IS NULL THEN 1
        WHEN w < 0 OR wff < 0 OR ff < 0 OR forced_w < 0 OR tot_w < 0 OR tot_ff < 0 THEN
          s[18] * greatest(staging.shrinkage(s[4], w), staging.shrinkage(s[6], wff),
            staging.shrinkage(s[8], ff), staging.shrinkage(s[10], forced_w),
            staging.shrinkage(s[13], tot_w), staging.shrinkage(s[16], tot_ff))
        ELSE s[18] END AS shrunk
    FROM change AS c JOIN reference AS k ON k.diaobjectid = c.diaobjectid AND k.band = c.band
    OFFSET 0
  ) AS q;
END $$;

COMMENT ON FUNCTION staging.sum_fluxes(integer)
IS 'Adds up the fluxes of DIAObjects in their bands: part of staging.characterize_fluxes.';
