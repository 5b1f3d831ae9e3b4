-- levelled_fluxes: forced difference fluxes of DIAObjects as if one template had been subtracted from
-- all visits of a band: that of the newest visit. DPDD section 2.2a (statistics are taken on one
-- reference, moved by the measured template flux).
--
-- What a flux is moved by is the same for all visits of its template, and so is the error of that:
-- it is given apart, 0 for the template of reference, and does not average out.
-- needs: science.template_levels, ledger.settled, ledger.as_of, prompt_history.ccdvisit, prompt_history.diaforcedsource
CREATE OR REPLACE FUNCTION science.levelled_fluxes(
  ids bigint[],
  instant timestamp DEFAULT NULL
)
RETURNS TABLE (
  diaobjectid bigint, midpointtai double precision, band text, flux double precision,
  fluxerr real, levelerr double precision, templateid bigint, ccdvisitid bigint, visitid bigint
)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 100
BEGIN ATOMIC
  WITH levels AS MATERIALIZED (
    SELECT l.diaobjectid, l.band, l.templateid, l.level, l.levelerr,
      first_value(l.templateid) OVER newest AS reference,
      first_value(l.level) OVER newest AS referencelevel,
      first_value(l.levelerr) OVER newest AS referenceerr
    FROM science.template_levels(levelled_fluxes.ids, levelled_fluxes.instant) AS l
    WINDOW newest AS (
      PARTITION BY l.diaobjectid, l.band ORDER BY l.newesttai DESC, l.templateid DESC)
  )
  SELECT f.diaobjectid, f.midpointtai, v.band,
    CASE WHEN l.templateid = l.reference THEN f.psflux
      ELSE f.psflux + (l.level - l.referencelevel) END,
    f.psfluxerr,
    CASE WHEN l.templateid = l.reference THEN 0
      ELSE sqrt(l.levelerr * l.levelerr + l.referenceerr * l.referenceerr) END,
    f.templateid, f.ccdvisitid, f.visitid
  FROM prompt_history.diaforcedsource AS f
  JOIN prompt_history.ccdvisit AS v ON v.ccdvisitid = f.ccdvisitid
    AND v.createdtai <= coalesce(levelled_fluxes.instant, (SELECT ledger.as_of()))
    AND v.deletedtai >= coalesce(levelled_fluxes.instant, (SELECT ledger.as_of()))
  JOIN levels AS l ON l.diaobjectid = f.diaobjectid AND l.band = v.band
    AND l.templateid = f.templateid
  WHERE f.diaobjectid = ANY (levelled_fluxes.ids) AND f.psflux IS NOT NULL
    AND f.createdtai <= coalesce(levelled_fluxes.instant, (SELECT ledger.as_of()))
    AND f.deletedtai >= coalesce(levelled_fluxes.instant, (SELECT ledger.as_of()));
END;

COMMENT ON FUNCTION science.levelled_fluxes(bigint[], timestamp)
IS 'Forced difference fluxes of DIAObjects [nJy] on one zero level a band, that of the template of '
   'its newest visit, whatever template was subtracted; fluxErr as measured, levelErr [nJy] the '
   'error that all fluxes of a template share. As known at an instant (TAI; NULL: that of the '
   'session, else now). In no order.';
