-- ln_same_object: how likely the position, and the proper motion if there is one, of a DIAObject is
-- if it is the neighbour: the product of the error ellipses of both, integrated over the true
-- position and motion. DPDD Table 3 and footnote 52, L1DB-19. Without a motion of the DIAObject the
-- integral is the normal density of the offset, widened by what the neighbour may have moved.
-- needs: science.ln_normal_density, science.ln_same_moving
CREATE OR REPLACE FUNCTION science.ln_same_object(
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
RETURN CASE
  WHEN ax IS NULL THEN science.ln_normal_density(x - years * bx, y - years * by,
    vx + years * years * bvx, vxy + years * years * bvxy, vy + years * years * bvy)
  ELSE science.ln_same_moving(
    x, y, vx, vxy, vy, years, bx, by, bvx, bvxy, bvy, ax, ay, avx, avxy, avy) END;

COMMENT ON FUNCTION science.ln_same_object(
  double precision, double precision, double precision, double precision, double precision,
  double precision, double precision, double precision, double precision, double precision,
  double precision, double precision, double precision, double precision, double precision,
  double precision)
IS 'Logarithm of the density [arcsec**-2; arcsec**-4 yr**2 with a motion of the DIAObject] of a '
   'DIAObject at offset x, y [arcsec] from where a neighbour was some years before, if the two are the '
   'same: v the sum of both covariances [arcsec**2]; b the motion of the neighbour [arcsec/yr] and bv '
   'its covariance [arcsec**2/yr**2]; a and av those of the DIAObject, or NULL.';
