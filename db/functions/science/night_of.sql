-- night_of: night of an observation, days since 1990-01-01, changing at 12:00 TAI (DPDD section
-- 2.4, GEN-18; the layout of skyledger.ids).
CREATE OR REPLACE FUNCTION science.night_of(mjd double precision)
RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN floor(mjd - 0.5)::bigint - 47892;

COMMENT ON FUNCTION science.night_of(double precision)
IS 'Night number [d since 1990-01-01] of a time [MJD TAI, d].';
