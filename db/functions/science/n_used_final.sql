-- n_used_final: final step of the aggregate n_used.
CREATE OR REPLACE FUNCTION science.n_used_final(state double precision[])
RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN state[1]::bigint;

COMMENT ON FUNCTION science.n_used_final(double precision[])
IS 'Number of values [count] in a state of the weighted aggregates.';
