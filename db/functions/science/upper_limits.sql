-- upper_limits: the visits that cover a DIAObject without a DIASource or forced measurement of it,
-- with the noise of the difference image there, so that upper limits can be drawn: DPDD section
-- 3.2.1 step 7, DIA-15. Five times the noise is the faintest flux that would have been detected.
-- needs: science.light_curve
CREATE OR REPLACE FUNCTION science.upper_limits(
  diaobjectid bigint,
  since double precision DEFAULT NULL,
  until double precision DEFAULT NULL,
  instant timestamp DEFAULT NULL
)
RETURNS TABLE (
  midpointtai double precision, band text, noise real, ccdvisitid bigint, visitid bigint
)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 100
BEGIN ATOMIC
  SELECT l.midpointtai, l.band, l.noise, l.ccdvisitid, l.visitid
  FROM science.light_curve(ARRAY[upper_limits.diaobjectid], upper_limits.since, upper_limits.until,
    false, upper_limits.instant) AS l
  WHERE l.kind = 'limit';
END;

COMMENT ON FUNCTION science.upper_limits(bigint, double precision, double precision, timestamp)
IS 'Visits from since to before until [d, MJD TAI; NULL: no limit] that cover a DIAObject without a '
   'DIASource or forced measurement of it, and the noise [nJy], one sigma of a point source on the '
   'difference image there; as known at an instant (TAI; NULL: that of the session, else now).';
