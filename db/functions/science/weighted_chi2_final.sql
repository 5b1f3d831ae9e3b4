-- weighted_chi2_final: final step of the aggregate weighted_chi2.
CREATE OR REPLACE FUNCTION science.weighted_chi2_final(state double precision[])
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN state[1] > 0 THEN state[4] END;

COMMENT ON FUNCTION science.weighted_chi2_final(double precision[])
IS 'Chi-square [dimensionless] about the weighted mean from a state of the weighted '
   'aggregates.';
