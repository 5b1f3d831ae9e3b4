-- characterize: recomputes the DIAObjects whose data the staged rows of a slot change, from the
-- sources of the twelve months up to the newest (diaCharacterizationCutoff, 365.25 d), and stages
-- the new versions. DPDD section 3.2.1 step 6, conventions of section 2.1; DIA-14, L1DB-17.
--
-- Each source is weighted by the inverse of its covariance plus the systematic one of its ccdVisit
-- (10 mas where that is unknown); a source whose centroid failed counts with an error of 1 arcsec.
-- Position, proper motion and parallax are fitted together once there are 5 points over 60 days
-- (staging.fit_motion); before, the position is the maximum likelihood mean, its epoch the mean of
-- the times with the same weights. Offsets are orthographic, (cos d sin da, sin d cos d0 - ...).
-- needs: science.earth_position, staging.fit_motion, staging.touched, staging.member_sources, staging.member_forced
CREATE OR REPLACE FUNCTION staging.characterize(
  in_slot smallint, cutoff_days double precision DEFAULT 365.25)
RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
  no_motion bigint;
  no_parallax bigint;
  orphan bigint;
  oldest double precision := '-infinity';
  done bigint;
  loops CONSTANT text := current_setting('enable_nestloop');
BEGIN
  SELECT sum(1::bigint << bit) FILTER (WHERE name = 'MOTION_NOT_FITTED'),
    sum(1::bigint << bit) FILTER (WHERE name = 'PARALLAX_NOT_FITTED'),
    sum(1::bigint << bit) FILTER (WHERE name = 'ORPHAN_KEPT')
  INTO STRICT no_motion, no_parallax, orphan FROM ledger.flagdefinition WHERE relation = 'DIAObject';

  -- The old position, or that of one source, is where offsets are counted from.
  INSERT INTO staging.diaobject (slot, diaobjectid, replacestai, ra, decl, lastdiasourcetai)
  SELECT in_slot, t.diaobjectid, o.createdtai, coalesce(o.ra, s.ra), coalesce(o.decl, s.decl),
    greatest(o.lastdiasourcetai, s.newest)
  FROM staging.touched(in_slot) AS t
  LEFT JOIN (
    SELECT diaobjectid, (array_agg(ra ORDER BY diasourceid))[1] AS ra,
      (array_agg(decl ORDER BY diasourceid))[1] AS decl, max(midpointtai) AS newest
    FROM staging.diasource WHERE slot = in_slot AND iswithdrawal IS NOT TRUE GROUP BY diaobjectid
  ) AS s USING (diaobjectid)
  LEFT JOIN prompt_store.diaobject AS o USING (diaobjectid);

  -- Months before all windows need not be looked at; a source that leaves may move a window back.
  IF NOT EXISTS (SELECT FROM staging.diasource WHERE slot = in_slot AND replacestai IS NOT NULL) THEN
    SELECT min(lastdiasourcetai) - cutoff_days INTO oldest FROM staging.diaobject
    WHERE slot = in_slot;
  END IF;

  -- Three tables that the planner knows the size of: guesses would join them row by row.
  CREATE TEMP TABLE IF NOT EXISTS characterize_member (
    diaobjectid bigint, ccdvisitid bigint, midpointtai double precision, ra double precision,
    decl double precision, raerr real, declerr real, radeclcov real) ON COMMIT DROP;
  CREATE TEMP TABLE IF NOT EXISTS characterize_object (
    diaobjectid bigint, ra0 double precision, decl0 double precision, newest double precision
  ) ON COMMIT DROP;
  CREATE TEMP TABLE IF NOT EXISTS characterize_frame (
    ccdvisitid bigint, minute double precision, vra double precision, vdecl double precision,
    cov double precision) ON COMMIT DROP;
  TRUNCATE characterize_member, characterize_object, characterize_frame;
  INSERT INTO characterize_member
  SELECT diaobjectid, ccdvisitid, midpointtai, ra, decl, raerr, declerr, radeclcov
  FROM staging.member_sources(in_slot) WHERE midpointtai > oldest;
  ANALYZE characterize_member (diaobjectid, ccdvisitid);
  INSERT INTO characterize_object
  SELECT t.diaobjectid, t.ra, t.decl, m.newest
  FROM (SELECT diaobjectid, max(midpointtai) AS newest FROM characterize_member GROUP BY 1) AS m
  JOIN staging.diaobject AS t ON t.slot = in_slot AND t.diaobjectid = m.diaobjectid;
  INSERT INTO characterize_frame
  SELECT c.ccdvisitid, round(c.mjd * 1440), coalesce(v.astromsysraerr, 0.01) ^ 2,
    coalesce(v.astromsysdeclerr, 0.01) ^ 2, coalesce(v.astromsyscov, 0)
  FROM (SELECT ccdvisitid, min(midpointtai) AS mjd FROM characterize_member GROUP BY 1) AS c
  LEFT JOIN LATERAL (
    SELECT astromsysraerr, astromsysdeclerr, astromsyscov FROM staging.ccdvisit AS v
    WHERE v.slot = in_slot AND v.ccdvisitid = c.ccdvisitid
    UNION ALL
    SELECT astromsysraerr, astromsysdeclerr, astromsyscov FROM prompt_store.ccdvisit AS v
    WHERE v.ccdvisitid = c.ccdvisitid
    LIMIT 1
  ) AS v ON true;
  ANALYZE characterize_object, characterize_frame;

  -- Nothing tells how many rows the staging table or the fit has: no loops over both.
  PERFORM set_config('enable_nestloop', 'off', true);
  WITH earth AS MATERIALIZED (
    -- Once a minute: the Earth moves 1e-5 AU in that time.
    SELECT minute, e[1] AS ex, e[2] AS ey, e[3] AS ez
    FROM (SELECT minute, science.earth_position(minute / 1440) AS e
          FROM (SELECT DISTINCT minute FROM characterize_frame) AS m OFFSET 0) AS p
  ), weighed AS (
    SELECT m.diaobjectid, m.midpointtai, o.ra0, o.decl0, o.newest, w.det,
      w.vdecl / w.det AS a, -w.cov / w.det AS b, w.vra / w.det AS c,
      (m.midpointtai - o.newest) / 365.25 AS t,
      206264.80624709636 * cosd(m.decl) * sind(m.ra - o.ra0) AS x,
      206264.80624709636 * (sind(m.decl - o.decl0)
        + 2 * cosd(m.decl) * sind(o.decl0) * sind((m.ra - o.ra0) / 2) ^ 2) AS y,
      e.ex * sind(o.ra0) - e.ey * cosd(o.ra0) AS f,
      (e.ex * cosd(o.ra0) + e.ey * sind(o.ra0)) * sind(o.decl0) - e.ez * cosd(o.decl0) AS g
    FROM characterize_member AS m
    JOIN characterize_object AS o ON o.diaobjectid = m.diaobjectid
      AND m.midpointtai > o.newest - cutoff_days
    JOIN characterize_frame AS v ON v.ccdvisitid = m.ccdvisitid
    JOIN earth AS e ON e.minute = v.minute
    CROSS JOIN LATERAL (
      SELECT q.*, q.vra * q.vdecl - q.cov * q.cov AS det
      FROM (
        SELECT coalesce(m.raerr, 1)::double precision ^ 2 + v.vra AS vra,
          coalesce(m.declerr, 1)::double precision ^ 2 + v.vdecl AS vdecl,
          coalesce(m.radeclcov, 0) + v.cov AS cov
      ) AS q
    ) AS w
  ), summed AS MATERIALIZED (
    SELECT diaobjectid, min(ra0) AS ra0, min(decl0) AS decl0, min(newest) AS newest,
      count(*) AS n, min(midpointtai) AS first,
      sum(a) AS a, sum(b) AS b, sum(c) AS c,
      sum(t * a) AS ta, sum(t * b) AS tb, sum(t * c) AS tc,
      sum(t * t * a) AS tta, sum(t * t * b) AS ttb, sum(t * t * c) AS ttc,
      sum(h) AS h, sum(k) AS k, sum(t * h) AS th, sum(t * k) AS tk, sum(f * h + g * k) AS hk,
      sum(u) AS u, sum(v) AS v, sum(t * u) AS tu, sum(t * v) AS tv, sum(f * u + g * v) AS uv,
      sum(x * u + y * v) AS xx, -sum(ln(det)) AS lndet
    FROM weighed
    CROSS JOIN LATERAL (SELECT a * f + b * g AS h, b * f + c * g AS k,
      a * x + b * y AS u, b * x + c * y AS v) AS p
    GROUP BY diaobjectid
  ), motion AS (
    SELECT f.*
    FROM (
      SELECT array_agg(diaobjectid) AS ids, array_agg(ARRAY[a, b, c, ta, tb, tc, tta, ttb, ttc,
        h, k, th, tk, hk, u, v, tu, tv, uv, xx, lndet, n, newest - first]) AS sums
      FROM summed WHERE n >= 5 AND newest - first >= 60
    ) AS s CROSS JOIN LATERAL staging.fit_motion(s.ids, s.sums) AS f
  ), solved AS (
    SELECT s.diaobjectid, s.ra0, s.decl0, s.n, s.first, s.newest,
      s.newest + 365.25 * coalesce(m.epoch, (s.ta + s.tc) / (s.a + s.c)) AS epoch,
      coalesce(m.x, (s.c * s.u - s.b * s.v) / d.det) / 206264.80624709636 AS x,
      coalesce(m.y, (s.a * s.v - s.b * s.u) / d.det) / 206264.80624709636 AS y,
      coalesce(m.varx, s.c / d.det) AS varx, coalesce(m.vary, s.a / d.det) AS vary,
      coalesce(m.covxy, -s.b / d.det) AS covxy,
      m.pmx, m.pmy, m.parallax, m.motioncov, m.lnl, m.chi2,
      CASE WHEN m.chi2 IS NOT NULL THEN s.n END AS nfit
    FROM summed AS s CROSS JOIN LATERAL (SELECT s.a * s.c - s.b * s.b AS det) AS d
    LEFT JOIN motion AS m ON m.diaobjectid = s.diaobjectid
  ), placed AS (
    SELECT s.*, s.ra0 + atan2d(s.x, h.z * cosd(s.decl0) - s.y * sind(s.decl0)) AS ra,
      atan2d(h.z * sind(s.decl0) + s.y * cosd(s.decl0),
        sqrt(s.x ^ 2 + (h.z * cosd(s.decl0) - s.y * sind(s.decl0)) ^ 2)) AS decl
    FROM solved AS s CROSS JOIN LATERAL (SELECT sqrt(1 - s.x ^ 2 - s.y ^ 2) AS z) AS h
  )
  UPDATE staging.diaobject AS t
  SET ra = p.ra - 360 * floor(p.ra / 360), decl = p.decl,
    raerr = sqrt(p.varx), declerr = sqrt(p.vary), radeclcov = p.covxy,
    hpx29 = healpix_nest(29, spoint(radians(p.ra), radians(p.decl))),
    radectai = p.epoch, ndiasources = p.n,
    firstdiasourcetai = p.first, lastdiasourcetai = p.newest,
    pmra = p.pmx * 1000, pmdecl = p.pmy * 1000, parallax = p.parallax * 1000,
    pmparallaxcov = CASE WHEN p.chi2 IS NOT NULL THEN ARRAY[
      p.motioncov[1] * 1e6, p.motioncov[2] * 1e6, p.motioncov[3] * 1e6,
      p.motioncov[4] * 1e6, p.motioncov[5] * 1e6, p.motioncov[6] * 1e6] END,
    pmparallaxlnl = p.lnl, pmparallaxchi2 = p.chi2, pmparallaxndata = p.nfit,
    flags = CASE WHEN p.pmx IS NULL THEN no_motion ELSE 0 END
      | CASE WHEN p.parallax IS NULL THEN no_parallax ELSE 0 END
  FROM placed AS p
  WHERE t.slot = in_slot AND t.diaobjectid = p.diaobjectid;
  GET DIAGNOSTICS done = ROW_COUNT;
  PERFORM set_config('enable_nestloop', loops, true);

  IF EXISTS (SELECT FROM staging.diaobject WHERE slot = in_slot AND ndiasources IS NULL) THEN
    EXECUTE format('ANALYZE staging.%I (diaobjectid, ndiasources)', 'diaobject_s' || in_slot);
  END IF;
  -- Without sources an object ends, unless forced photometry of it remains: it keeps its place.
  UPDATE staging.diaobject AS t
  SET hpx29 = o.hpx29, raerr = o.raerr, declerr = o.declerr, radeclcov = o.radeclcov,
    radectai = o.radectai, ndiasources = 0, lastdiasourcetai = NULL,
    flags = no_motion | no_parallax | orphan
  FROM prompt_store.diaobject AS o
  WHERE t.slot = in_slot AND t.ndiasources IS NULL AND o.diaobjectid = t.diaobjectid
    AND t.diaobjectid IN (SELECT f.diaobjectid FROM staging.member_forced(in_slot) AS f);
  UPDATE staging.diaobject SET iswithdrawal = true WHERE slot = in_slot AND ndiasources IS NULL;
  RETURN done;
END $$;

COMMENT ON FUNCTION staging.characterize(smallint, double precision)
IS 'Stages new versions of the DIAObjects that staged rows change: position, proper motion, '
   'parallax, counts, times; ends those without data.';
