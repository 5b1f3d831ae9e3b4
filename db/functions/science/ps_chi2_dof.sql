-- ps_chi2_dof: reduced chi-square of the point-source fit of a DIASource or Source (flux, ra, decl;
-- ndata in pixels); ndata - 3 degrees of freedom (DPDD section 21, GEN-06).
CREATE OR REPLACE FUNCTION science.ps_chi2_dof(chi2 double precision, ndata double precision)
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN ndata > 3 THEN chi2 / (ndata - 3) END;

COMMENT ON FUNCTION science.ps_chi2_dof(double precision, double precision)
IS 'Reduced chi-square [dimensionless] of the point-source fit of a DIASource or Source (flux, '
   'ra, decl; ndata in pixels): chi2 / (ndata - 3); NULL when that is not positive.';
