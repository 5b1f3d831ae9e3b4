-- weighted_mean_final: final step of the aggregate weighted_mean.
CREATE OR REPLACE FUNCTION science.weighted_mean_final(state double precision[])
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN state[1] > 0 THEN state[3] END;

COMMENT ON FUNCTION science.weighted_mean_final(double precision[])
IS 'Weighted mean [unit of the values] from a state of the weighted aggregates.';
