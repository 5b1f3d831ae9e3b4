-- tai_to_mjd: TAI timestamp to Modified Julian Date (DPDD section 3). A double resolves about 1
-- microsecond.
CREATE OR REPLACE FUNCTION science.tai_to_mjd(tai timestamp without time zone)
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN 40587 + date_part('epoch', tai) / 86400;

COMMENT ON FUNCTION science.tai_to_mjd(timestamp without time zone)
IS 'Modified Julian Date [MJD TAI, d] of an instant [TAI].';
