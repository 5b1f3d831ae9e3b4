-- light_curve: everything known of DIAObjects over time: for each visit of the window that covers
-- the object one row, its DIASource, else its forced measurement, else the noise of the difference
-- image there, which tells how bright it can have been. DPDD section 3.2.1 step 7, DIA-15.
--
-- A visit that was not differenced gives no limit. Of two detectors of one visit the one with the
-- better kind of row counts, then the one with the smaller error. The position is that of the
-- object at the instant.
-- needs: science.covering_visits, ledger.settled, ledger.as_of, prompt_history.ccdvisit, prompt_history.diasource, prompt_history.diaforcedsource, prompt_history.diaobject
CREATE OR REPLACE FUNCTION science.light_curve(
  ids bigint[],
  since double precision DEFAULT NULL,
  until double precision DEFAULT NULL,
  direct boolean DEFAULT false,
  instant timestamp DEFAULT NULL
)
RETURNS TABLE (
  diaobjectid bigint, midpointtai double precision, band text, kind text,
  flux real, fluxerr real, noise real, ccdvisitid bigint, visitid bigint, diasourceid bigint
)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1000
BEGIN ATOMIC
  SELECT DISTINCT ON (p.diaobjectid, p.visitid)
    p.diaobjectid, p.midpointtai, coalesce(p.band, v.band), (ARRAY['source', 'forced', 'limit'])[p.rank],
    p.flux, p.fluxerr, p.noise, p.ccdvisitid, p.visitid, p.diasourceid
  FROM (
    SELECT s.diaobjectid, s.midpointtai, NULL::text AS band, 1 AS rank,
      CASE WHEN light_curve.direct THEN s.totflux ELSE s.psflux END AS flux,
      CASE WHEN light_curve.direct THEN s.totfluxerr ELSE s.psfluxerr END AS fluxerr,
      NULL::real AS noise, s.ccdvisitid, s.visitid, s.diasourceid
    FROM prompt_history.diasource AS s
    WHERE s.diaobjectid = ANY (light_curve.ids)
      AND s.createdtai <= coalesce(light_curve.instant, (SELECT ledger.as_of()))
      AND s.deletedtai >= coalesce(light_curve.instant, (SELECT ledger.as_of()))
      AND (light_curve.since IS NULL OR s.midpointtai >= light_curve.since)
      AND (light_curve.until IS NULL OR s.midpointtai < light_curve.until)
    UNION ALL
    SELECT f.diaobjectid, f.midpointtai, NULL, 2,
      CASE WHEN light_curve.direct THEN f.totflux ELSE f.psflux END,
      CASE WHEN light_curve.direct THEN f.totfluxerr ELSE f.psfluxerr END,
      NULL, f.ccdvisitid, f.visitid, NULL
    FROM prompt_history.diaforcedsource AS f
    WHERE f.diaobjectid = ANY (light_curve.ids)
      AND f.createdtai <= coalesce(light_curve.instant, (SELECT ledger.as_of()))
      AND f.deletedtai >= coalesce(light_curve.instant, (SELECT ledger.as_of()))
      AND (light_curve.since IS NULL OR f.midpointtai >= light_curve.since)
      AND (light_curve.until IS NULL OR f.midpointtai < light_curve.until)
    UNION ALL
    SELECT o.diaobjectid, c.midpointtai, c.band, 3, NULL, NULL, c.noise, c.ccdvisitid, c.visitid, NULL
    FROM prompt_history.diaobject AS o
    CROSS JOIN LATERAL science.covering_visits(
      o.ra, o.decl, light_curve.since, light_curve.until, light_curve.instant) AS c
    WHERE o.diaobjectid = ANY (light_curve.ids) AND c.noise IS NOT NULL
      AND o.createdtai <= coalesce(light_curve.instant, (SELECT ledger.as_of()))
      AND o.deletedtai >= coalesce(light_curve.instant, (SELECT ledger.as_of()))
    -- Planned apart: the join would be tried with each partition of each arm, which took twice as long.
    OFFSET 0
  ) AS p
  LEFT JOIN prompt_history.ccdvisit AS v ON p.rank < 3 AND v.ccdvisitid = p.ccdvisitid
    AND v.createdtai <= coalesce(light_curve.instant, (SELECT ledger.as_of()))
    AND v.deletedtai >= coalesce(light_curve.instant, (SELECT ledger.as_of()))
  WHERE light_curve.instant IS NULL OR (SELECT ledger.settled(light_curve.instant))
  ORDER BY p.diaobjectid, p.visitid, p.rank, p.fluxerr, p.noise, p.ccdvisitid;
END;

COMMENT ON FUNCTION science.light_curve(
  bigint[], double precision, double precision, boolean, timestamp)
IS 'Light curves of DIAObjects: one row for each visit, from since to before until [d, MJD TAI; NULL: '
   'no limit], of kind source, forced or limit; flux and its error [nJy] on the difference image, or '
   'on the visit image if direct; noise [nJy], one sigma of a point source on the difference image, '
   'for limits; as known at an instant (TAI; NULL: that of the session, else now). In no order.';
