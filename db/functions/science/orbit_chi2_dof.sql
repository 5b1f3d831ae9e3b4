-- orbit_chi2_dof: reduced chi-square of the orbit fit (six elements; ndata in observations of two
-- numbers each); 2 * ndata - 6 degrees of freedom (DPDD section 21, GEN-06).
CREATE OR REPLACE FUNCTION science.orbit_chi2_dof(chi2 double precision, ndata double precision)
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN 2 * ndata > 6 THEN chi2 / (2 * ndata - 6) END;

COMMENT ON FUNCTION science.orbit_chi2_dof(double precision, double precision)
IS 'Reduced chi-square [dimensionless] of the orbit fit (six elements; ndata in observations '
   'of two numbers each): chi2 / (2 * ndata - 6); NULL when that is not positive.';
