-- bd_chi2_dof: reduced chi-square of the bulge+disk fit in one band (ra, decl, e1, e2, two fluxes,
-- two radii; ndata in pixels); ndata - 8 degrees of freedom (DPDD section 21, GEN-06).
CREATE OR REPLACE FUNCTION science.bd_chi2_dof(chi2 double precision, ndata double precision)
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN ndata > 8 THEN chi2 / (ndata - 8) END;

COMMENT ON FUNCTION science.bd_chi2_dof(double precision, double precision)
IS 'Reduced chi-square [dimensionless] of the bulge+disk fit in one band (ra, decl, e1, e2, '
   'two fluxes, two radii; ndata in pixels): chi2 / (ndata - 8); NULL when that is not '
   'positive.';
