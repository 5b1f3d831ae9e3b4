-- tai_now: the clock everything takes its time from (DPDD section 2.5). The setting
-- skyledger.clock_offset, an interval, moves it, so that rules about days and months can be tested.
-- Advances within a transaction, unlike now().
-- needs: science.utc_to_tai
CREATE OR REPLACE FUNCTION science.tai_now()
RETURNS timestamp without time zone
LANGUAGE sql VOLATILE PARALLEL SAFE
RETURN science.utc_to_tai(
    (clock_timestamp() AT TIME ZONE 'UTC')
    + coalesce(nullif(current_setting('skyledger.clock_offset', true), ''), '0')::interval
);

COMMENT ON FUNCTION science.tai_now()
IS 'The present instant [TAI], microseconds, moved by the setting skyledger.clock_offset '
   '[interval].';
