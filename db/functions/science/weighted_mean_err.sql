-- weighted_mean_err: standard error of the inverse-variance weighted mean, 1 / sqrt(sum of weights)
-- (DPDD section 2.2a).
-- needs: science.weighted_accumulate, science.weighted_combine, science.weighted_mean_err_final
CREATE OR REPLACE AGGREGATE science.weighted_mean_err(
    value double precision, err double precision
) (
    SFUNC = science.weighted_accumulate,
    STYPE = double precision[],
    INITCOND = '{0,0,0,0}',
    COMBINEFUNC = science.weighted_combine,
    FINALFUNC = science.weighted_mean_err_final,
    PARALLEL = SAFE
);

COMMENT ON AGGREGATE science.weighted_mean_err(double precision, double precision)
IS 'Standard error [unit of the values] of their inverse-variance weighted mean; rows without '
   'value or with err <= 0 are left out; NULL when none is left.';
