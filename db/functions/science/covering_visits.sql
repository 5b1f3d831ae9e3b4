-- covering_visits: the ccdVisits that saw a position: inside the outline of the detector, and where
-- the geometric mask says usable. DPDD section 3.2.1 step 7, GEN-13, DIA-15.
--
-- Found by the sky index on the middles of the detectors, within the largest half diagonal that
-- ledger.Detector knows. The outline is a polygon of great circles: a position is inside if it lies
-- on the same side of all four. Its share of the way between two opposite sides is the column or
-- row of the grids, to half a pixel for a detector 2 degrees from the boresight. Where a ccdVisit
-- has no mask, a cell of diffNoiseGrid without a value stands for one.
--
-- The instant is the one given, else that of the session, as for the views of schema prompt. OFFSET 0 keeps it from writing out each step into the next,
-- which would compute the corners once for every time they are named.
-- needs: ledger.settled, ledger.as_of, prompt_history.ccdvisit
CREATE OR REPLACE FUNCTION science.covering_visits(
  ra double precision,
  decl double precision,
  since double precision DEFAULT NULL,
  until double precision DEFAULT NULL,
  instant timestamp DEFAULT NULL
)
RETURNS TABLE (
  ccdvisitid bigint, visitid bigint, midpointtai double precision, band text, noise real
)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 100
BEGIN ATOMIC
  SELECT p.ccdvisitid, p.visitid, p.midpointtai, p.band,
    coalesce(p.diffnoisegrid[1 + 8 * (p.row_ / 8) + p.column_ / 8], p.diffnoise)
  FROM (
    SELECT s.ccdvisitid, s.visitid, s.midpointtai, s.band, s.usablemask, s.diffnoisegrid, s.diffnoise,
      least(floor(64 * s.left_ / nullif(s.left_ + s.right_, 0)), 63)::integer AS column_,
      least(floor(64 * s.lower_ / nullif(s.lower_ + s.upper_, 0)), 63)::integer AS row_
    FROM (
      -- Six times the volumes spanned by the position and each side.
      SELECT c.*,
        x * (y1 * z2 - z1 * y2) + y * (z1 * x2 - x1 * z2) + z * (x1 * y2 - y1 * x2) AS lower_,
        x * (y2 * z3 - z2 * y3) + y * (z2 * x3 - x2 * z3) + z * (x2 * y3 - y2 * x3) AS right_,
        x * (y3 * z4 - z3 * y4) + y * (z3 * x4 - x3 * z4) + z * (x3 * y4 - y3 * x4) AS upper_,
        x * (y4 * z1 - z4 * y1) + y * (z4 * x1 - x4 * z1) + z * (x4 * y1 - y4 * x1) AS left_
      FROM (
        SELECT v.ccdvisitid, v.visitid, v.midpointtai, v.band, v.usablemask, v.diffnoisegrid,
          v.diffnoise,
          cosd(f[2]) * cosd(f[1]) AS x1, cosd(f[2]) * sind(f[1]) AS y1, sind(f[2]) AS z1,
          cosd(f[4]) * cosd(f[3]) AS x2, cosd(f[4]) * sind(f[3]) AS y2, sind(f[4]) AS z2,
          cosd(f[6]) * cosd(f[5]) AS x3, cosd(f[6]) * sind(f[5]) AS y3, sind(f[6]) AS z3,
          cosd(f[8]) * cosd(f[7]) AS x4, cosd(f[8]) * sind(f[7]) AS y4, sind(f[8]) AS z4,
          cosd(covering_visits.decl) * cosd(covering_visits.ra) AS x,
          cosd(covering_visits.decl) * sind(covering_visits.ra) AS y,
          sind(covering_visits.decl) AS z
        FROM (
          SELECT w.*, w.footprint AS f FROM prompt_history.ccdvisit AS w
          WHERE spoint(radians(w.ra), radians(w.decl))
              <@ scircle(spoint(radians(covering_visits.ra), radians(covering_visits.decl)),
                -- Half the diagonal, and a little for the curvature of the sky.
                (SELECT max(radians(1.01 * pixelscale / 7200 * sqrt(nx::double precision ^ 2 + ny ^ 2)))
                 FROM ledger.detector))
            AND w.createdtai <= coalesce(covering_visits.instant, (SELECT ledger.as_of()))
            AND w.deletedtai >= coalesce(covering_visits.instant, (SELECT ledger.as_of()))
            AND (covering_visits.instant IS NULL OR (SELECT ledger.settled(covering_visits.instant)))
            AND (covering_visits.since IS NULL OR w.midpointtai >= covering_visits.since)
            AND (covering_visits.until IS NULL OR w.midpointtai < covering_visits.until)
        ) AS v
        OFFSET 0
      ) AS c
      OFFSET 0
    ) AS s
    WHERE least(s.lower_, s.right_, s.upper_, s.left_) >= 0
      OR greatest(s.lower_, s.right_, s.upper_, s.left_) <= 0
    OFFSET 0
  ) AS p
  WHERE CASE
    WHEN p.usablemask IS NOT NULL THEN (p.usablemask[1 + p.row_] >> p.column_) & 1 = 1
    WHEN p.diffnoisegrid IS NOT NULL
      THEN p.diffnoisegrid[1 + 8 * (p.row_ / 8) + p.column_ / 8] IS NOT NULL
    ELSE true END;
END;

COMMENT ON FUNCTION science.covering_visits(
  double precision, double precision, double precision, double precision, timestamp)
IS 'ccdVisits that saw the position ra, decl [deg] on usable pixels, observed from since to before '
   'until [d, MJD TAI; NULL: no limit], as known at an instant (TAI; NULL: that of the session, else now). noise [nJy] is that '
   'of a point source there on the difference image; NULL for visits that were not differenced.';
