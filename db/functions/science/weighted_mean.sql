-- weighted_mean: inverse-variance weighted mean (DPDD section 2.2a).
-- needs: science.weighted_accumulate, science.weighted_combine, science.weighted_mean_final
CREATE OR REPLACE AGGREGATE science.weighted_mean(value double precision, err double precision) (
    SFUNC = science.weighted_accumulate,
    STYPE = double precision[],
    INITCOND = '{0,0,0,0}',
    COMBINEFUNC = science.weighted_combine,
    FINALFUNC = science.weighted_mean_final,
    PARALLEL = SAFE
);

COMMENT ON AGGREGATE science.weighted_mean(double precision, double precision)
IS 'Inverse-variance weighted mean [unit of the values] of values with errors in the same '
   'unit; rows without value or with err <= 0 are left out; NULL when none is left.';
