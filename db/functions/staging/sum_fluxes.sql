-- sum_fluxes: the flux sums (DIAObjectSums) of the objects of one turn of staging.characterize_fluxes,
-- in the bands of its rows: those kept, plus what comes and less what the window leaves behind.
-- From its temporary tables flux_object, flux_row and flux_band into flux_sum; with in_turn 2 the
-- objects are summed from their rows alone. A part of staging.characterize_fluxes.
-- needs: staging.shrinkage
CREATE OR REPLACE FUNCTION staging.sum_fluxes(in_turn integer)
RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  in_band text;
BEGIN
  -- The kept sums of the bands with news, and of no others: they are long.
  TRUNCATE flux_base;
  FOR in_band IN SELECT DISTINCT band FROM flux_band LOOP
    EXECUTE format($statement$
      INSERT INTO flux_base
      SELECT o.diaobjectid, $1, o.since, b.s,
        -- Reference and template stay as long as there are values.
        CASE WHEN b.s[3] + b.s[9] > 0 THEN b.s[1] END, CASE WHEN b.s[12] > 0 THEN b.s[2] END,
        CASE WHEN b.s[3] + b.s[9] > 0 THEN b.templateid END, o.basis IS NOT NULL AND b.found IS NULL
      FROM flux_object AS o LEFT JOIN LATERAL (
        SELECT true AS found, k.%1$sfluxsums AS s, k.%1$stemplateid AS templateid
        FROM prompt_store.diaobjectsums AS k
        WHERE k.diaobjectid = o.diaobjectid AND k.asoftai = o.basis OFFSET 0
      ) AS b ON true
      WHERE o.turn = $2 AND o.diaobjectid IN (
        SELECT r.diaobjectid FROM flux_row AS r JOIN flux_band AS v ON v.ccdvisitid = r.ccdvisitid
        WHERE v.band = $1)
      $statement$, in_band) USING in_band, in_turn;
  END LOOP;

  INSERT INTO flux_sum
  WITH total AS MATERIALIZED (
    -- One value of totFlux a ccdVisit: of the forced row, else of the source.
    SELECT diaobjectid, ccdvisitid, min(id) AS id
    FROM flux_row WHERE totflux IS NOT NULL GROUP BY diaobjectid, ccdvisitid
  ), banded AS MATERIALIZED (
    SELECT r.diaobjectid, r.forced, r.templateid, v.band,
      CASE WHEN r.psfluxerr > 0 THEN r.psflux::double precision END AS f,
      1 / nullif(r.psfluxerr::double precision * r.psfluxerr, 0) AS w,
      CASE WHEN r.totfluxerr > 0 AND t.id = r.id THEN r.totflux::double precision END AS g,
      1 / nullif(r.totfluxerr::double precision * r.totfluxerr, 0) AS wg,
      CASE WHEN r.sign <= 0 OR r.midpointtai > k.since THEN r.sign ELSE 0 END AS sign,
      k.f0, k.g0, k.t0
    FROM flux_row AS r
    JOIN flux_band AS v ON v.ccdvisitid = r.ccdvisitid
    JOIN flux_base AS k ON k.diaobjectid = r.diaobjectid AND k.band = v.band
    LEFT JOIN total AS t ON t.diaobjectid = r.diaobjectid AND t.ccdvisitid = r.ccdvisitid
    OFFSET 0
  ), mean AS (
    -- In single precision: of equal values it is the value itself.
    SELECT diaobjectid, band, max(templateid) AS templateid,
      (sum(w * f) / sum(w) FILTER (WHERE f IS NOT NULL))::real AS f,
      (sum(wg * g) / sum(wg) FILTER (WHERE g IS NOT NULL))::real AS g
    FROM banded WHERE sign <> 0 AND (f0 IS NULL OR g0 IS NULL) GROUP BY diaobjectid, band
  ), change AS (
    SELECT diaobjectid, band, min(f0) AS f0, min(g0) AS g0, min(t0) AS t0,
      sum(sign) FILTER (WHERE one) AS n, sum(sign * w) FILTER (WHERE one) AS w,
      sum(sign * w * d) FILTER (WHERE one) AS wf, sum(sign * w * d * d) FILTER (WHERE one) AS wff,
      sum(sign * d) FILTER (WHERE one) AS f, sum(sign * d * d) FILTER (WHERE one) AS ff,
      sum(sign) FILTER (WHERE two) AS forced_n, sum(sign * w) FILTER (WHERE two) AS forced_w,
      sum(sign * w * d) FILTER (WHERE two) AS forced_wf,
      sum(sign) FILTER (WHERE three) AS tot_n, sum(sign * wg) FILTER (WHERE three) AS tot_w,
      sum(sign * wg * e) FILTER (WHERE three) AS tot_wf, sum(sign * e) FILTER (WHERE three) AS tot_f,
      sum(sign * e * e) FILTER (WHERE three) AS tot_ff,
      sum(sign) FILTER (WHERE (one OR two) AND templateid <> t0) AS others
    FROM (
      SELECT *, f - f0 AS d, g - g0 AS e
      FROM (
        SELECT b.diaobjectid, b.band, b.sign, b.w, b.wg, b.f, b.g, b.templateid,
          NOT b.forced AND b.f IS NOT NULL AS one, b.forced AND b.f IS NOT NULL AS two,
          b.g IS NOT NULL AS three,
          coalesce(b.f0, m.f, 0)::double precision AS f0,
          coalesce(b.g0, m.g, 0)::double precision AS g0, coalesce(b.t0, m.templateid) AS t0
        FROM banded AS b
        LEFT JOIN mean AS m ON m.diaobjectid = b.diaobjectid AND m.band = b.band
        WHERE b.sign <> 0 OFFSET 0
      ) AS q OFFSET 0
    ) AS o
    GROUP BY diaobjectid, band
  )
  SELECT diaobjectid, band,
    ARRAY[f0, g0,
      coalesce(s[3], 0) + coalesce(n, 0), coalesce(s[4], 0) + coalesce(w, 0),
      coalesce(s[5], 0) + coalesce(wf, 0), coalesce(s[6], 0) + coalesce(wff, 0),
      coalesce(s[7], 0) + coalesce(f, 0), coalesce(s[8], 0) + coalesce(ff, 0),
      coalesce(s[9], 0) + coalesce(forced_n, 0), coalesce(s[10], 0) + coalesce(forced_w, 0),
      coalesce(s[11], 0) + coalesce(forced_wf, 0),
      coalesce(s[12], 0) + coalesce(tot_n, 0), coalesce(s[13], 0) + coalesce(tot_w, 0),
      coalesce(s[14], 0) + coalesce(tot_wf, 0), coalesce(s[15], 0) + coalesce(tot_f, 0),
      coalesce(s[16], 0) + coalesce(tot_ff, 0), coalesce(s[17], 0) + coalesce(others, 0),
      coalesce(s[18] * greatest(staging.shrinkage(s[4], w), staging.shrinkage(s[6], wff),
        staging.shrinkage(s[8], ff), staging.shrinkage(s[10], forced_w),
        staging.shrinkage(s[13], tot_w), staging.shrinkage(s[16], tot_ff)), 1)],
    t0, lost
  FROM (
    SELECT c.*, k.s, k.lost FROM change AS c
    JOIN flux_base AS k ON k.diaobjectid = c.diaobjectid AND k.band = c.band OFFSET 0
  ) AS n;
END $$;

COMMENT ON FUNCTION staging.sum_fluxes(integer)
IS 'Adds up the fluxes of DIAObjects in their bands: part of staging.characterize_fluxes.';
