-- mjd_tai_to_utc: Modified Julian Date in TAI to UTC timestamp (DPDD section 3).
-- needs: science.mjd_to_tai, science.tai_to_utc
CREATE OR REPLACE FUNCTION science.mjd_tai_to_utc(mjd double precision)
RETURNS timestamp without time zone
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN science.tai_to_utc(science.mjd_to_tai(mjd));

COMMENT ON FUNCTION science.mjd_tai_to_utc(double precision)
IS 'Instant [UTC] of a Modified Julian Date [MJD TAI, d]; NULL before 1972 and after 9999.';
