-- leap_second_steps: UTC midnights from which TAI - UTC is one second larger, 10 s from the first
-- on (IERS Bulletin C; DPDD section 2.5). One literal, so that calls fold to a constant.
CREATE OR REPLACE FUNCTION science.leap_second_steps()
RETURNS timestamp without time zone[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN '{
    1972-01-01, 1972-07-01, 1973-01-01, 1974-01-01,
    1975-01-01, 1976-01-01, 1977-01-01, 1978-01-01,
    1979-01-01, 1980-01-01, 1981-07-01, 1982-07-01,
    1983-07-01, 1985-07-01, 1988-01-01, 1990-01-01,
    1991-01-01, 1992-07-01, 1993-07-01, 1994-07-01,
    1996-01-01, 1997-07-01, 1999-01-01, 2006-01-01,
    2009-01-01, 2012-07-01, 2015-07-01, 2017-01-01
}'::timestamp[];

COMMENT ON FUNCTION science.leap_second_steps()
IS 'Instants [UTC] at which TAI - UTC grew by 1 s, 1972 to 2017; it is 10 s from the first and '
   '37 s from the last.';
