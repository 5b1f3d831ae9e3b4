-- dip_chi2_dof: reduced chi-square of the dipole fit (meanFlux, fluxDiff, ra, decl, length, angle;
-- ndata in pixels); ndata - 6 degrees of freedom (DPDD section 21, GEN-06).
CREATE OR REPLACE FUNCTION science.dip_chi2_dof(chi2 double precision, ndata double precision)
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN ndata > 6 THEN chi2 / (ndata - 6) END;

COMMENT ON FUNCTION science.dip_chi2_dof(double precision, double precision)
IS 'Reduced chi-square [dimensionless] of the dipole fit (meanFlux, fluxDiff, ra, decl, '
   'length, angle; ndata in pixels): chi2 / (ndata - 6); NULL when that is not positive.';
