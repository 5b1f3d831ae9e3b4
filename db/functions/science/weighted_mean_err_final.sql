-- weighted_mean_err_final: final step of the aggregate weighted_mean_err.
CREATE OR REPLACE FUNCTION science.weighted_mean_err_final(state double precision[])
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN state[1] > 0 THEN 1 / sqrt(state[2]) END;

COMMENT ON FUNCTION science.weighted_mean_err_final(double precision[])
IS 'Error of the weighted mean [unit of the values] from a state of the weighted aggregates.';
