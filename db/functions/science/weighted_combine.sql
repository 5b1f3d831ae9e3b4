-- weighted_combine: joins two states of the weighted aggregates, for parallel plans.
-- State: number of rows, sum of weights, weighted mean, weighted sum of squares about it.
CREATE OR REPLACE FUNCTION science.weighted_combine(a double precision[], b double precision[])
RETURNS double precision[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
DECLARE
    total double precision := a[2] + b[2];
    step double precision := b[3] - a[3];
BEGIN
    IF a[1] = 0 THEN
        RETURN b;
    ELSIF b[1] = 0 THEN
        RETURN a;
    END IF;
    RETURN ARRAY[
        a[1] + b[1],
        total,
        a[3] + step * b[2] / total,
        a[4] + b[4] + step * step * a[2] * b[2] / total
    ];
END
$$;

COMMENT ON FUNCTION science.weighted_combine(double precision[], double precision[])
IS 'Combine function of the weighted aggregates; the states are in [units of the values].';
