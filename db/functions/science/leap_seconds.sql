-- leap_seconds: table of the leap seconds (IERS Bulletin C; DPDD section 2.5).
-- needs: science.leap_second_steps
CREATE OR REPLACE FUNCTION science.leap_seconds()
RETURNS TABLE (utc timestamp without time zone, tai_minus_utc integer)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 28
BEGIN ATOMIC
    SELECT step.utc, 9 + step.n::integer
    FROM unnest(science.leap_second_steps()) WITH ORDINALITY AS step (utc, n);
END;

COMMENT ON FUNCTION science.leap_seconds()
IS 'The 28 instants [UTC] from which TAI - UTC [s] has a new value, 1972 to 2017.';
