-- ln_same_moving: the case of science.ln_same_object in which the DIAObject has a motion of its own:
-- position and motion, integrated over the true ones. DPDD footnote 52, L1DB-19.
--
-- Given the true motion m, the offset is normal about m t with covariance v; m itself has both
-- ellipses, (b, B) and (a, A). The integral over m is N(a - b; A + B) times the normal density of the
-- offset with mean t (b + G (a - b)) and covariance v + t**2 (B - G B), where G = B (A + B)**-1.
-- needs: science.ln_normal_density
CREATE OR REPLACE FUNCTION science.ln_same_moving(
  x double precision, y double precision,
  vx double precision, vxy double precision, vy double precision,
  years double precision,
  bx double precision, by double precision,
  bvx double precision, bvxy double precision, bvy double precision,
  ax double precision, ay double precision,
  avx double precision, avxy double precision, avy double precision
)
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
  SELECT science.ln_normal_density(g.dx, g.dy, g.sx, g.sxy, g.sy)
    + science.ln_normal_density(
      $1 - $6 * ($7 + g.g11 * g.dx + g.g12 * g.dy), $2 - $6 * ($8 + g.g21 * g.dx + g.g22 * g.dy),
      $3 + $6 ^ 2 * ($9 - g.g11 * $9 - g.g12 * $10), $4 + $6 ^ 2 * ($10 - g.g11 * $10 - g.g12 * $11),
      $5 + $6 ^ 2 * ($11 - g.g21 * $10 - g.g22 * $11))
  FROM (
    SELECT s.*,
      ($9 * s.sy - $10 * s.sxy) / s.det AS g11, ($10 * s.sx - $9 * s.sxy) / s.det AS g12,
      ($10 * s.sy - $11 * s.sxy) / s.det AS g21, ($11 * s.sx - $10 * s.sxy) / s.det AS g22
    FROM (
      SELECT $12 - $7 AS dx, $13 - $8 AS dy, $14 + $9 AS sx, $15 + $10 AS sxy, $16 + $11 AS sy,
        ($14 + $9) * ($16 + $11) - ($15 + $10) ^ 2 AS det
    ) AS s
  ) AS g
$$;

COMMENT ON FUNCTION science.ln_same_moving(
  double precision, double precision, double precision, double precision, double precision,
  double precision, double precision, double precision, double precision, double precision,
  double precision, double precision, double precision, double precision, double precision,
  double precision)
IS 'science.ln_same_object for a DIAObject with a motion; the density is in [arcsec**-4 yr**2].';
