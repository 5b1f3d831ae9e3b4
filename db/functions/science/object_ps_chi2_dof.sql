-- object_ps_chi2_dof: reduced chi-square of the point-source fit of an Object (position, motion,
-- parallax, six fluxes; ndata in pixels); ndata - 11 degrees of freedom (DPDD section 21, GEN-06).
CREATE OR REPLACE FUNCTION science.object_ps_chi2_dof(chi2 double precision, ndata double precision)
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN ndata > 11 THEN chi2 / (ndata - 11) END;

COMMENT ON FUNCTION science.object_ps_chi2_dof(double precision, double precision)
IS 'Reduced chi-square [dimensionless] of the point-source fit of an Object (position, motion, '
   'parallax, six fluxes; ndata in pixels): chi2 / (ndata - 11); NULL when that is not '
   'positive.';
