-- characterize: recomputes the DIAObjects that the staged DIASources of a slot belong to, from the
-- sources of the twelve months up to the newest (diaCharacterizationCutoff, 365.25 d), and stages
-- the new versions. DPDD section 3.2.1 step 6, conventions of section 2.1; DIA-14, GEN-03, GEN-08.
--
-- Position: maximum likelihood of the mean, each source weighted by the inverse of its covariance
-- plus the systematic one of its ccdVisit, in the tangent plane of the newest source. A source
-- whose centroid failed counts with an error of 1 arcsec.
-- needs: science.tai_now
CREATE OR REPLACE FUNCTION staging.characterize(
  in_slot smallint, cutoff_days double precision DEFAULT 365.25)
RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
  unfitted bigint;
  n bigint;
BEGIN
  SELECT coalesce(sum(1::bigint << bit), 0) INTO unfitted FROM ledger.flagdefinition
  WHERE relation = 'DIAObject' AND name IN ('MOTION_NOT_FITTED', 'PARALLAX_NOT_FITTED');

  INSERT INTO staging.diaobject (slot, diaobjectid, replacestai)
  SELECT in_slot, t.diaobjectid, o.createdtai
  FROM (SELECT DISTINCT diaobjectid FROM staging.diasource
        WHERE slot = in_slot AND diaobjectid IS NOT NULL) AS t
  LEFT JOIN prompt_store.diaobject AS o USING (diaobjectid);

  WITH member AS (
    SELECT s.diaobjectid, s.ccdvisitid, s.midpointtai, s.ra, s.decl, s.raerr, s.declerr,
      s.radeclcov, s.hpx29
    FROM prompt_store.diasource AS s
    JOIN staging.diaobject AS t ON t.slot = in_slot AND t.diaobjectid = s.diaobjectid
    UNION ALL
    SELECT s.diaobjectid, s.ccdvisitid, s.midpointtai, s.ra, s.decl, s.raerr, s.declerr,
      s.radeclcov, s.hpx29
    FROM staging.diasource AS s WHERE s.slot = in_slot AND s.diaobjectid IS NOT NULL
  ), dated AS (
    SELECT m.*, max(midpointtai) OVER w AS newest,
      first_value(ra) OVER (w ORDER BY midpointtai DESC, ccdvisitid) AS ra0,
      first_value(decl) OVER (w ORDER BY midpointtai DESC, ccdvisitid) AS decl0,
      first_value(hpx29) OVER (w ORDER BY midpointtai DESC, ccdvisitid) AS hpx0
    FROM member AS m WINDOW w AS (PARTITION BY diaobjectid)
  ), weighed AS (
    SELECT d.*, e.vra, e.vdecl, e.cov, e.vra * e.vdecl - e.cov * e.cov AS det,
      (d.ra - d.ra0 - 360 * round((d.ra - d.ra0) / 360)) * cos(radians(d.decl0)) AS x,
      d.decl - d.decl0 AS y
    FROM dated AS d
    LEFT JOIN LATERAL (
      SELECT astromsysraerr, astromsysdeclerr, astromsyscov FROM staging.ccdvisit AS v
      WHERE v.slot = in_slot AND v.ccdvisitid = d.ccdvisitid
      UNION ALL
      SELECT astromsysraerr, astromsysdeclerr, astromsyscov FROM prompt_store.ccdvisit AS v
      WHERE v.ccdvisitid = d.ccdvisitid
      LIMIT 1
    ) AS v ON true
    CROSS JOIN LATERAL (
      SELECT coalesce(d.raerr, 1)::double precision ^ 2 + coalesce(v.astromsysraerr, 0) ^ 2 AS vra,
        coalesce(d.declerr, 1)::double precision ^ 2 + coalesce(v.astromsysdeclerr, 0) ^ 2 AS vdecl,
        coalesce(d.radeclcov, 0) + coalesce(v.astromsyscov, 0) AS cov
    ) AS e
    WHERE d.midpointtai > d.newest - cutoff_days
  ), summed AS (
    -- Elements of the summed information matrix, and of the information-weighted positions.
    SELECT diaobjectid, min(ra0) AS ra0, min(decl0) AS decl0, min(hpx0) AS hpx0,
      count(*) AS n, min(midpointtai) AS first, max(midpointtai) AS last,
      avg(midpointtai) AS epoch,
      sum(vdecl / det) AS a, sum(-cov / det) AS b, sum(vra / det) AS c,
      sum((vdecl * x - cov * y) / det) AS p, sum((vra * y - cov * x) / det) AS q
    FROM weighed GROUP BY diaobjectid
  )
  UPDATE staging.diaobject AS t
  SET ra = f.ra - 360 * floor(f.ra / 360),
    decl = s.decl0 + (s.a * s.q - s.b * s.p) / f.det,
    raerr = sqrt(s.c / f.det), declerr = sqrt(s.a / f.det), radeclcov = -s.b / f.det,
    hpx29 = s.hpx0, radectai = s.epoch, ndiasources = s.n,
    firstdiasourcetai = s.first, lastdiasourcetai = s.last, flags = unfitted
  FROM summed AS s CROSS JOIN LATERAL (SELECT s.a * s.c - s.b * s.b AS det) AS g
  CROSS JOIN LATERAL (
    SELECT g.det, s.ra0 + (s.c * s.p - s.b * s.q) / g.det / cos(radians(s.decl0)) AS ra) AS f
  WHERE t.slot = in_slot AND t.diaobjectid = s.diaobjectid;
  GET DIAGNOSTICS n = ROW_COUNT;
  RETURN n;
END $$;

COMMENT ON FUNCTION staging.characterize(smallint, double precision)
IS 'Stages new versions of the DIAObjects that staged DIASources belong to: position, counts, times.';
