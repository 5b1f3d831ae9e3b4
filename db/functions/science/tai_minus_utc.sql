-- tai_minus_utc: leap seconds in force at a UTC instant (DPDD section 2.5). Before 1972 UTC ran at
-- another rate: NULL.
-- needs: science.leap_second_steps
CREATE OR REPLACE FUNCTION science.tai_minus_utc(utc timestamp without time zone)
RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN nullif(9 + width_bucket(utc, science.leap_second_steps()), 9);

COMMENT ON FUNCTION science.tai_minus_utc(timestamp without time zone)
IS 'TAI - UTC [s] at an instant [UTC]; NULL before 1972.';
