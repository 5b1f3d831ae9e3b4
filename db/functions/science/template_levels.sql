-- template_levels: the flux of DIAObjects in each template that was subtracted where they lie. A
-- difference flux is that of a visit minus that of its template, so that fluxes of two templates
-- differ by the difference of these. DPDD section 2.2a (one reference, moved by the measured template
-- flux), MIXED_TEMPLATE.
--
-- A forced measurement has both: totFlux on the visit image and psFlux on the difference image, from
-- the same pixels at the same place; their difference is the flux of the template, in which the
-- noise of the visit all but cancels. The mean over the visits of a template is weighted by
-- 1 / totFluxErr**2. Its error is that of the mean by their scatter; of fewer than three visits,
-- whose scatter says little, it is that of uncorrelated fluxes, which is an upper limit.
-- needs: ledger.settled, ledger.as_of, prompt_history.ccdvisit, prompt_history.diaforcedsource
CREATE OR REPLACE FUNCTION science.template_levels(
  ids bigint[],
  instant timestamp DEFAULT NULL
)
RETURNS TABLE (
  diaobjectid bigint, band text, templateid bigint, level double precision,
  levelerr double precision, nvisits bigint, newesttai double precision
)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 10
BEGIN ATOMIC
  SELECT p.diaobjectid, p.band, p.templateid, p.mean,
    CASE WHEN p.n < 3 THEN sqrt(p.both / p.weight)
      ELSE sqrt(greatest(p.squares / p.weight - p.offset_ * p.offset_, 0) / (p.n - 1)) END,
    p.n, p.newest
  FROM (
    SELECT q.diaobjectid, q.band, q.templateid, count(*) AS n, max(q.midpointtai) AS newest,
      sum(q.w) AS weight, min(q.first_) + sum(q.w * (q.flux - q.first_)) / sum(q.w) AS mean,
      sum(q.w * (q.flux - q.first_)) / sum(q.w) AS offset_,
      sum(q.w * (q.flux - q.first_) * (q.flux - q.first_)) AS squares,
      sum(q.w * q.w * (q.toterr * q.toterr + q.pserr * q.pserr)) / sum(q.w) AS both
    FROM (
      SELECT f.diaobjectid, v.band, f.templateid, f.midpointtai,
        f.totflux::double precision - f.psflux AS flux,
        f.totfluxerr::double precision AS toterr, f.psfluxerr::double precision AS pserr,
        1 / (f.totfluxerr::double precision * f.totfluxerr) AS w,
        -- Counted from one of them, so that nothing cancels.
        first_value(f.totflux::double precision - f.psflux) OVER (
          PARTITION BY f.diaobjectid, v.band, f.templateid ORDER BY f.diaforcedsourceid) AS first_
      FROM prompt_history.diaforcedsource AS f
      JOIN prompt_history.ccdvisit AS v ON v.ccdvisitid = f.ccdvisitid
        AND v.createdtai <= coalesce(template_levels.instant, (SELECT ledger.as_of()))
        AND v.deletedtai >= coalesce(template_levels.instant, (SELECT ledger.as_of()))
      WHERE f.diaobjectid = ANY (template_levels.ids)
        AND f.createdtai <= coalesce(template_levels.instant, (SELECT ledger.as_of()))
        AND f.deletedtai >= coalesce(template_levels.instant, (SELECT ledger.as_of()))
        AND f.totflux IS NOT NULL AND f.psflux IS NOT NULL AND f.totfluxerr > 0
        AND f.psfluxerr > 0
    ) AS q
    GROUP BY q.diaobjectid, q.band, q.templateid
  ) AS p
  WHERE template_levels.instant IS NULL OR (SELECT ledger.settled(template_levels.instant));
END;

COMMENT ON FUNCTION science.template_levels(bigint[], timestamp)
IS 'Flux of DIAObjects in the templates that were subtracted where they lie [nJy], its error and the '
   'number of visits it was measured in; newestTai [d, MJD TAI]: the last of them. As known at an '
   'instant (TAI; NULL: that of the session, else now). In no order.';
