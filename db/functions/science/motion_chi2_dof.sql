-- motion_chi2_dof: reduced chi-square of the fit of position, proper motion and parallax (ndata in
-- observations of two numbers each); 2 * ndata - 5 degrees of freedom (DPDD section 21, GEN-06).
CREATE OR REPLACE FUNCTION science.motion_chi2_dof(chi2 double precision, ndata double precision)
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN 2 * ndata > 5 THEN chi2 / (2 * ndata - 5) END;

COMMENT ON FUNCTION science.motion_chi2_dof(double precision, double precision)
IS 'Reduced chi-square [dimensionless] of the fit of position, proper motion and parallax '
   '(ndata in observations of two numbers each): chi2 / (2 * ndata - 5); NULL when that is not '
   'positive.';
