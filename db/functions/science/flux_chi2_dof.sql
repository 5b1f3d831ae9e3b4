-- flux_chi2_dof: reduced chi-square of the constant-flux hypothesis (ndata fluxes about their
-- weighted mean); ndata - 1 degrees of freedom (DPDD section 21, GEN-06).
CREATE OR REPLACE FUNCTION science.flux_chi2_dof(chi2 double precision, ndata double precision)
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN ndata > 1 THEN chi2 / (ndata - 1) END;

COMMENT ON FUNCTION science.flux_chi2_dof(double precision, double precision)
IS 'Reduced chi-square [dimensionless] of the constant-flux hypothesis (ndata fluxes about '
   'their weighted mean): chi2 / (ndata - 1); NULL when that is not positive.';
