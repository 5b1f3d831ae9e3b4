-- weighted_chi2: chi-square about the inverse-variance weighted mean (DPDD sections 2.1, eq. 2, and
-- 2.2a).
-- needs: science.weighted_accumulate, science.weighted_combine, science.weighted_chi2_final
CREATE OR REPLACE AGGREGATE science.weighted_chi2(value double precision, err double precision) (
    SFUNC = science.weighted_accumulate,
    STYPE = double precision[],
    INITCOND = '{0,0,0,0}',
    COMBINEFUNC = science.weighted_combine,
    FINALFUNC = science.weighted_chi2_final,
    PARALLEL = SAFE
);

COMMENT ON AGGREGATE science.weighted_chi2(double precision, double precision)
IS 'Chi-square [dimensionless] of the values about their inverse-variance weighted mean, '
   'n_used - 1 degrees of freedom; rows without value or with err <= 0 are left out; NULL when '
   'none is left.';
