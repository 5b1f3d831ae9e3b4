-- sum_positions: the sums of the normal equations (staging.fit_motion) of the objects of one turn of
-- staging.characterize: those kept, plus what comes and less what the window leaves behind. From its
-- temporary tables characterize_object, characterize_row and characterize_frame into
-- characterize_sum; with in_turn 2 the objects are summed from their rows alone. A part of
-- staging.characterize, which says how sources are weighted and where offsets are counted from.
-- needs: staging.shrinkage
CREATE OR REPLACE FUNCTION staging.sum_positions(in_slot smallint, in_turn integer)
RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO characterize_sum
  WITH offsets AS (
    SELECT m.diaobjectid, m.sign, m.midpointtai, (m.midpointtai - o.epoch0) / 365.25 AS t,
      206264.80624709636 * p.cd * sin(p.da) AS x,
      206264.80624709636 * (sin(p.dd) + 2 * p.cd * p.sd0 * sin(p.da / 2) * sin(p.da / 2)) AS y,
      v.ex * p.sa0 - v.ey * p.ca0 AS f, (v.ex * p.ca0 + v.ey * p.sa0) * p.sd0 - v.ez * p.cd0 AS g,
      -- North there is not quite North here.
      sin(p.da) * p.sd0 AS r,
      coalesce(m.raerr, 1)::double precision ^ 2 + v.vra AS vra,
      coalesce(m.declerr, 1)::double precision ^ 2 + v.vdecl AS vdecl,
      coalesce(m.radeclcov, 0)::double precision + v.cov AS cov
    FROM characterize_row AS m
    JOIN characterize_object AS o ON o.diaobjectid = m.diaobjectid AND o.turn = in_turn
      AND (m.sign < 0 OR m.midpointtai > o.since)
    JOIN characterize_frame AS v
      ON v.ccdvisitid = m.ccdvisitid AND v.minute = round(m.midpointtai * 1440)
    CROSS JOIN LATERAL (
      SELECT radians(m.ra - o.ra0) AS da, radians(m.decl - o.decl0) AS dd, cosd(m.decl) AS cd,
        sind(o.ra0) AS sa0, cosd(o.ra0) AS ca0, sind(o.decl0) AS sd0, cosd(o.decl0) AS cd0
    ) AS p
    OFFSET 0
  ), weighed AS (
    SELECT *, sign * vy / det AS a, -sign * vxy / det AS b, sign * vx / det AS c
    FROM (
      SELECT *, vra * vdecl - cov * cov AS det, vra - 2 * r * cov AS vx, vdecl + 2 * r * cov AS vy,
        cov + r * (vra - vdecl) AS vxy
      FROM offsets OFFSET 0
    ) AS q
    OFFSET 0
  ), change AS (
    SELECT diaobjectid, sum(sign) AS n, min(midpointtai) FILTER (WHERE sign > 0) AS first,
      sum(a) AS a, sum(b) AS b, sum(c) AS c,
      sum(t * a) AS ta, sum(t * b) AS tb, sum(t * c) AS tc,
      sum(t * t * a) AS tta, sum(t * t * b) AS ttb, sum(t * t * c) AS ttc,
      sum(h) AS h, sum(k) AS k, sum(t * h) AS th, sum(t * k) AS tk, sum(f * h + g * k) AS hk,
      sum(u) AS u, sum(v) AS v, sum(t * u) AS tu, sum(t * v) AS tv, sum(f * u + g * v) AS uv,
      sum(x * u + y * v) AS xx, -sum(sign * ln(det)) AS lndet
    FROM (SELECT *, a * f + b * g AS h, b * f + c * g AS k, a * x + b * y AS u, b * x + c * y AS v
      FROM weighed OFFSET 0) AS p
    GROUP BY diaobjectid
  )
  SELECT o.diaobjectid, c.first,
    coalesce(s[1], 0) + c.n, coalesce(s[2], 0) + c.a, coalesce(s[3], 0) + c.b,
    coalesce(s[4], 0) + c.c, coalesce(s[5], 0) + c.ta, coalesce(s[6], 0) + c.tb,
    coalesce(s[7], 0) + c.tc, coalesce(s[8], 0) + c.tta, coalesce(s[9], 0) + c.ttb,
    coalesce(s[10], 0) + c.ttc, coalesce(s[11], 0) + c.h, coalesce(s[12], 0) + c.k,
    coalesce(s[13], 0) + c.th, coalesce(s[14], 0) + c.tk, coalesce(s[15], 0) + c.hk,
    coalesce(s[16], 0) + c.u, coalesce(s[17], 0) + c.v, coalesce(s[18], 0) + c.tu,
    coalesce(s[19], 0) + c.tv, coalesce(s[20], 0) + c.uv, coalesce(s[21], 0) + c.xx,
    coalesce(s[22], 0) + c.lndet,
    CASE WHEN s IS NULL THEN 1 WHEN c.a + c.c < 0 OR c.xx < 0 THEN s[23] * greatest(
      staging.shrinkage(s[2] + s[4], c.a + c.c), staging.shrinkage(s[21], c.xx)) ELSE s[23] END
  FROM (SELECT diaobjectid, CASE WHEN basis IS NOT NULL THEN kept END AS s
    FROM characterize_object WHERE slot = in_slot) AS o
  JOIN change AS c ON c.diaobjectid = o.diaobjectid;
END $$;

COMMENT ON FUNCTION staging.sum_positions(smallint, integer)
IS 'Adds up the normal equations of DIAObjects: part of staging.characterize.';
