-- n_used: number of values that take part in the weighted aggregates (DPDD section 21).
-- needs: science.weighted_accumulate, science.weighted_combine, science.n_used_final
CREATE OR REPLACE AGGREGATE science.n_used(value double precision, err double precision) (
    SFUNC = science.weighted_accumulate,
    STYPE = double precision[],
    INITCOND = '{0,0,0,0}',
    COMBINEFUNC = science.weighted_combine,
    FINALFUNC = science.n_used_final,
    PARALLEL = SAFE
);

COMMENT ON AGGREGATE science.n_used(double precision, double precision)
IS 'Number [count] of rows with a value and err > 0, those the weighted aggregates use.';
