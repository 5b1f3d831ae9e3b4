-- chi2_per_dof: chi-square over degrees of freedom (DPDD sections 2.1 and 21, GEN-06).
CREATE OR REPLACE FUNCTION science.chi2_per_dof(
    chi2 double precision,
    ndata double precision,
    nparam double precision
)
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN ndata > nparam THEN chi2 / (ndata - nparam) END;

COMMENT ON FUNCTION science.chi2_per_dof(double precision, double precision, double precision)
IS 'Reduced chi-square [dimensionless] of a fit of nparam parameters to ndata numbers; NULL '
   'when ndata <= nparam.';
