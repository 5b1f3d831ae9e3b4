-- tai_to_utc: TAI to UTC (DPDD section 2.5). The list holds the instants, in TAI, at which UTC has
-- counted a leap second. Within a leap second the answer is that of the first second of the next
-- day, as PostgreSQL reads 23:59:60. Before 1972 UTC ran at another rate: NULL.
CREATE OR REPLACE FUNCTION science.tai_to_utc(tai timestamp without time zone)
RETURNS timestamp without time zone
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN tai - interval '1 second' * nullif(9 + width_bucket(tai, '{
    1972-01-01 00:00:10, 1972-07-01 00:00:11, 1973-01-01 00:00:12, 1974-01-01 00:00:13,
    1975-01-01 00:00:14, 1976-01-01 00:00:15, 1977-01-01 00:00:16, 1978-01-01 00:00:17,
    1979-01-01 00:00:18, 1980-01-01 00:00:19, 1981-07-01 00:00:20, 1982-07-01 00:00:21,
    1983-07-01 00:00:22, 1985-07-01 00:00:23, 1988-01-01 00:00:24, 1990-01-01 00:00:25,
    1991-01-01 00:00:26, 1992-07-01 00:00:27, 1993-07-01 00:00:28, 1994-07-01 00:00:29,
    1996-01-01 00:00:30, 1997-07-01 00:00:31, 1999-01-01 00:00:32, 2006-01-01 00:00:33,
    2009-01-01 00:00:34, 2012-07-01 00:00:35, 2015-07-01 00:00:36, 2017-01-01 00:00:37
}'::timestamp[]), 9);

COMMENT ON FUNCTION science.tai_to_utc(timestamp without time zone)
IS 'Instant [UTC] of an instant [TAI]; NULL before 1972; within a leap second 23:59:60 it is '
   '00:00:00 of the next day.';
