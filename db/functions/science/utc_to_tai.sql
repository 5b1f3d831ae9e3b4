-- utc_to_tai: UTC to TAI (DPDD section 2.5). An instant within a leap second has no timestamp:
-- PostgreSQL reads 23:59:60 as 00:00:00 of the next day, and so does this.
-- needs: science.tai_minus_utc
CREATE OR REPLACE FUNCTION science.utc_to_tai(utc timestamp without time zone)
RETURNS timestamp without time zone
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN utc + interval '1 second' * science.tai_minus_utc(utc);

COMMENT ON FUNCTION science.utc_to_tai(timestamp without time zone)
IS 'Instant [TAI] of an instant [UTC]; NULL before 1972; 23:59:60 counts as 00:00:00 of the '
   'next day.';
