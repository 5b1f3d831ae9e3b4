-- sample_sigma: unweighted sample standard deviation, the Sigma of light-curve columns
-- (DPDD section 2.2a). PostgreSQL's own accumulators, which update the sum of squared deviations
-- (Youngs and Cramer 1971), so a large common offset does not spoil it.
CREATE OR REPLACE AGGREGATE science.sample_sigma(value double precision) (
    SFUNC = pg_catalog.float8_accum,
    STYPE = double precision[],
    INITCOND = '{0,0,0}',
    COMBINEFUNC = pg_catalog.float8_combine,
    FINALFUNC = pg_catalog.float8_stddev_samp,
    PARALLEL = SAFE
);

COMMENT ON AGGREGATE science.sample_sigma(double precision)
IS 'Sample standard deviation [unit of the values], N - 1 in the denominator; NULL when N < 2.';
