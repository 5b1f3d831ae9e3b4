-- mjd_now: the present as Modified Julian Date; honours skyledger.clock_offset (DPDD section 3).
-- needs: science.tai_now, science.tai_to_mjd
CREATE OR REPLACE FUNCTION science.mjd_now()
RETURNS double precision
LANGUAGE sql VOLATILE PARALLEL SAFE
RETURN science.tai_to_mjd(science.tai_now());

COMMENT ON FUNCTION science.mjd_now()
IS 'The present time [MJD TAI, d], moved by the setting skyledger.clock_offset [interval].';
