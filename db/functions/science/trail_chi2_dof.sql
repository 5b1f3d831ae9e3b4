-- trail_chi2_dof: reduced chi-square of the trailed-source fit (flux, ra, decl, length, angle;
-- ndata in pixels); ndata - 5 degrees of freedom (DPDD section 21, GEN-06).
CREATE OR REPLACE FUNCTION science.trail_chi2_dof(chi2 double precision, ndata double precision)
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN ndata > 5 THEN chi2 / (ndata - 5) END;

COMMENT ON FUNCTION science.trail_chi2_dof(double precision, double precision)
IS 'Reduced chi-square [dimensionless] of the trailed-source fit (flux, ra, decl, length, '
   'angle; ndata in pixels): chi2 / (ndata - 5); NULL when that is not positive.';
