-- mjd_to_tai: Modified Julian Date to TAI timestamp (DPDD section 3). A double resolves about 1
-- microsecond.
CREATE OR REPLACE FUNCTION science.mjd_to_tai(mjd double precision)
RETURNS timestamp without time zone
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN mjd >= -678575 AND mjd < 2973484
    THEN timestamp '1858-11-17' + interval '1 day' * mjd
END;

COMMENT ON FUNCTION science.mjd_to_tai(double precision)
IS 'Instant [TAI] of a Modified Julian Date [MJD TAI, d]; NULL outside the years 1 to 9999.';
