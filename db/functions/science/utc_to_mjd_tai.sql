-- utc_to_mjd_tai: UTC timestamp to Modified Julian Date in TAI (DPDD section 3).
-- needs: science.tai_to_mjd, science.utc_to_tai
CREATE OR REPLACE FUNCTION science.utc_to_mjd_tai(utc timestamp without time zone)
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN science.tai_to_mjd(science.utc_to_tai(utc));

COMMENT ON FUNCTION science.utc_to_mjd_tai(timestamp without time zone)
IS 'Modified Julian Date [MJD TAI, d] of an instant [UTC]; NULL before 1972.';
