-- fit_motion: position, proper motion and parallax from the sums of the normal equations, by
-- weighted linear least squares (maximum likelihood for normal errors). DPDD section 2.2 and Table
-- 3, L1DB-17; promotion of section 20: motion always, parallax from 8 points over 180 d where the
-- condition number (Frobenius norm) of the normal matrix, scaled to a unit diagonal and with times
-- counted from their mean, is below 1e4. From the temporary tables
-- characterize_object and characterize_sum into characterize_fit: one statement over all objects.
-- Objects with fewer points get the weighted mean. A part of staging.characterize.
--
-- The sums, over the sources of an object with weight matrix ((a, b), (b, c)), offsets (x, y)
-- [arcsec] towards East and North, times t [yr] and parallax factors (f, g):
--   a, b, c, ta, tb, tc, tta, ttb, ttc    weights, also times t and t^2
--   h, k = af + bg, bf + cg, th, tk       the same times t       hk = f h + g k
--   u, v = ax + by, bx + cy, tu, tv       the same times t       uv = f u + g v, xx = x u + y v
--   lndet                                 logarithms of the determinants of the weight matrices
-- and n sources over span [d].
--
-- The position is given for the epoch at which its variance is smallest: there it does not depend
-- on the proper motion, so that the two can be used one without the other.
CREATE OR REPLACE FUNCTION staging.fit_motion()
RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO characterize_fit
  -- Times are counted from their mean; then position (2), motion (2) and parallax are eliminated
  -- one after the other. Each level is computed once, hence OFFSET 0.
  WITH given AS MATERIALIZED (
    SELECT p.*, o.newest - f.firsttai AS span, f.firsttai, p.a * p.c - p.b * p.b AS det
    FROM characterize_object AS o JOIN characterize_sum AS p ON p.diaobjectid = o.diaobjectid
    CROSS JOIN LATERAL (
      SELECT CASE WHEN o.basis IS NULL THEN p.first ELSE o.oldfirst END AS firsttai) AS f
    OFFSET 0
  ), centred AS (
    SELECT *, c / det AS ia, -b / det AS ib, a / det AS ic,
      ta - s * a AS ta1, tb - s * b AS tb1, tc - s * c AS tc1,
      tta - s * (2 * ta - s * a) AS tta1, ttb - s * (2 * tb - s * b) AS ttb1,
      ttc - s * (2 * tc - s * c) AS ttc1,
      th - s * h AS th1, tk - s * k AS tk1, tu - s * u AS tu1, tv - s * v AS tv1
    FROM (SELECT *, (ta + tc) / (a + c) AS s FROM given WHERE n >= 5 AND span >= 60 OFFSET 0) AS q
    OFFSET 0
  ), crossed AS (
    SELECT *, ia * ta1 + ib * tb1 AS m11, ia * tb1 + ib * tc1 AS m12,
      ib * ta1 + ic * tb1 AS m21, ib * tb1 + ic * tc1 AS m22
    FROM centred OFFSET 0
  ), reduced AS (
    SELECT *, tta1 - (ta1 * m11 + tb1 * m21) AS s11, ttb1 - (ta1 * m12 + tb1 * m22) AS s12,
      ttc1 - (tb1 * m12 + tc1 * m22) AS s22
    FROM crossed OFFSET 0
  ), inverse AS (
    SELECT *, s22 / (s11 * s22 - s12 * s12) AS j11, -s12 / (s11 * s22 - s12 * s12) AS j12,
      s11 / (s11 * s22 - s12 * s12) AS j22
    FROM reduced OFFSET 0
  ), mixed AS (
    SELECT *, -(m11 * j11 + m12 * j12) AS q11, -(m11 * j12 + m12 * j22) AS q12,
      -(m21 * j11 + m22 * j12) AS q21, -(m21 * j12 + m22 * j22) AS q22
    FROM inverse OFFSET 0
  ), four AS (
    -- Covariance ((p, q), (q', j)) of position and motion without parallax.
    SELECT *, ia - (q11 * m11 + q12 * m12) AS p11, ib - (q11 * m21 + q12 * m22) AS p12,
      ic - (q21 * m21 + q22 * m22) AS p22
    FROM mixed OFFSET 0
  ), solved AS (
    SELECT *, p11 * h + p12 * k + q11 * th1 + q12 * tk1 AS w1,
      p12 * h + p22 * k + q21 * th1 + q22 * tk1 AS w2,
      q11 * h + q21 * k + j11 * th1 + j12 * tk1 AS w3,
      q12 * h + q22 * k + j12 * th1 + j22 * tk1 AS w4,
      p11 * u + p12 * v + q11 * tu1 + q12 * tv1 AS z1,
      p12 * u + p22 * v + q21 * tu1 + q22 * tv1 AS z2,
      q11 * u + q21 * v + j11 * tu1 + j12 * tv1 AS z3,
      q12 * u + q22 * v + j12 * tu1 + j22 * tv1 AS z4
    FROM four OFFSET 0
  ), left_over AS (
    SELECT *, nullif(hk - (h * w1 + k * w2 + th1 * w3 + tk1 * w4), 0) AS rest FROM solved OFFSET 0
  ), full_fit AS (
    -- Covariance with the parallax.
    SELECT *, 1 / rest AS vpar, p11 + w1 * w1 / rest AS g11, p12 + w1 * w2 / rest AS g12,
      p22 + w2 * w2 / rest AS g22, q11 + w1 * w3 / rest AS g13, q12 + w1 * w4 / rest AS g14,
      q21 + w2 * w3 / rest AS g23, q22 + w2 * w4 / rest AS g24, j11 + w3 * w3 / rest AS g33,
      j12 + w3 * w4 / rest AS g34, j22 + w4 * w4 / rest AS g44
    FROM left_over OFFSET 0
  ), judged AS (
    SELECT *, n >= 8 AND span >= 180 AND rest > 0
        AND (5 + 2 * (b * b / (a * c) + ttb1 * ttb1 / (tta1 * ttc1) + ta1 * ta1 / (a * tta1)
            + tb1 * tb1 / (a * ttc1) + tb1 * tb1 / (c * tta1) + tc1 * tc1 / (c * ttc1)
            + (h * h / a + k * k / c + th1 * th1 / tta1 + tk1 * tk1 / ttc1) / hk))
          * (g11 * g11 * a * a + g22 * g22 * c * c + g33 * g33 * tta1 * tta1
            + g44 * g44 * ttc1 * ttc1 + vpar * vpar * hk * hk
            + 2 * (g12 * g12 * a * c + g13 * g13 * a * tta1 + g14 * g14 * a * ttc1
              + g23 * g23 * c * tta1 + g24 * g24 * c * ttc1 + g34 * g34 * tta1 * ttc1
              + (w1 * w1 * a + w2 * w2 * c + w3 * w3 * tta1 + w4 * w4 * ttc1) * vpar * vpar * hk))
          < 1e8 AS good
    FROM full_fit OFFSET 0
  ), chosen AS (
    SELECT *, CASE WHEN good THEN vpar * (uv - (h * z1 + k * z2 + th1 * z3 + tk1 * z4)) ELSE 0 END
        AS par,
      CASE WHEN good THEN g33 ELSE j11 END AS v33, CASE WHEN good THEN g34 ELSE j12 END AS v34,
      CASE WHEN good THEN g44 ELSE j22 END AS v44, CASE WHEN good THEN g13 ELSE q11 END AS v13,
      CASE WHEN good THEN g14 ELSE q12 END AS v14, CASE WHEN good THEN g23 ELSE q21 END AS v23,
      CASE WHEN good THEN g24 ELSE q22 END AS v24, CASE WHEN good THEN g11 ELSE p11 END AS v11,
      CASE WHEN good THEN g12 ELSE p12 END AS v12, CASE WHEN good THEN g22 ELSE p22 END AS v22
    FROM judged OFFSET 0
  ), placed AS (
    SELECT *, -(v13 + v24) / (v33 + v44) AS e,
      z1 - w1 * par AS x1, z2 - w2 * par AS x2, z3 - w3 * par AS x3, z4 - w4 * par AS x4
    FROM chosen OFFSET 0
  ), fitted AS (
    SELECT *, abs(xx - (x1 * u + x2 * v + x3 * tu1 + x4 * tv1 + par * uv)) AS left_chi2
    FROM placed OFFSET 0
  )
  SELECT diaobjectid, n, firsttai, s + e, x1 + e * x3, x2 + e * x4, v11 + e * (2 * v13 + e * v33),
    v22 + e * (2 * v24 + e * v44), v12 + e * (v14 + v23 + e * v34),
    x3, x4, CASE WHEN good THEN par END,
    ARRAY[v33, v34, v44, CASE WHEN good THEN -w3 * vpar END,
      CASE WHEN good THEN -w4 * vpar END, CASE WHEN good THEN vpar END],
    -0.5 * left_chi2 - n * ln(2 * pi()) + 0.5 * lndet, left_chi2
  FROM fitted
  UNION ALL
  SELECT diaobjectid, n, firsttai, (ta + tc) / (a + c), (c * u - b * v) / det, (a * v - b * u) / det,
    c / det, a / det, -b / det, NULL, NULL, NULL, NULL, NULL, NULL
  FROM given WHERE (n >= 5 AND span >= 60) IS NOT TRUE;
END $$;

COMMENT ON FUNCTION staging.fit_motion()
IS 'Fits position, proper motion and parallax of DIAObjects from their normal equations: part of '
   'staging.characterize.';
