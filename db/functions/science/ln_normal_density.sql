-- ln_normal_density: logarithm of a two-dimensional normal density (DPDD section 2.1).
CREATE OR REPLACE FUNCTION science.ln_normal_density(
  x double precision,
  y double precision,
  vx double precision,
  vxy double precision,
  vy double precision
)
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN -1.8378770664093453 - 0.5 * ln(vx * vy - vxy * vxy)
  - 0.5 * (vy * x * x - 2 * vxy * x * y + vx * y * y) / (vx * vy - vxy * vxy);

COMMENT ON FUNCTION science.ln_normal_density(
  double precision, double precision, double precision, double precision, double precision)
IS 'Logarithm of the normal density at offset x, y [arcsec] from its centre, with variances vx, vy and '
   'covariance vxy [arcsec**2]; the density is in [arcsec**-2].';
