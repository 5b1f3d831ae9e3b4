-- characterize_tables: the temporary tables of staging.characterize and staging.characterize_fluxes,
-- made once a transaction: what the first finds out of objects, the second goes on with.
-- Staging tables would not do: of those the planner may believe that they are still empty.
CREATE OR REPLACE FUNCTION staging.characterize_tables()
RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  IF to_regclass('pg_temp.characterize_object') IS NOT NULL THEN
    RETURN;
  END IF;
  -- Sums go on from those of basis, or begin anew; kept* are what is kept, of the fluxes in the band
  -- of the slot if it has one only.
  CREATE TEMP TABLE characterize_object (
    slot smallint, diaobjectid bigint, replacestai timestamp, basis timestamp, turn integer,
    ra double precision, decl double precision, ra0 double precision, decl0 double precision,
    epoch0 double precision, oldsince double precision, since double precision,
    newest double precision, oldfirst double precision, first double precision,
    keptoldest double precision, keptnewest double precision, keptmixed smallint,
    kept double precision[], fluxkept double precision[], templatekept bigint) ON COMMIT DROP;
  -- The staged DIASources, read once: rows of a hundred columns.
  CREATE TEMP TABLE characterize_staged (
    diaobjectid bigint, diasourceid bigint, ccdvisitid bigint, midpointtai double precision,
    ra double precision, decl double precision, raerr real, declerr real, radeclcov real, psflux real,
    psfluxerr real, totflux real, totfluxerr real, templateid bigint, replaces boolean,
    iswithdrawal boolean) ON COMMIT DROP;
  CREATE TEMP TABLE characterize_row (
    diaobjectid bigint, sign double precision, ccdvisitid bigint, midpointtai double precision,
    ra double precision, decl double precision, raerr real, declerr real, radeclcov real
  ) ON COMMIT DROP;
  -- Once a minute: the Earth (e) moves 1e-5 AU in that time.
  CREATE TEMP TABLE characterize_frame (
    ccdvisitid bigint, minute double precision, vra double precision, vdecl double precision,
    cov double precision, ex double precision, ey double precision, ez double precision
  ) ON COMMIT DROP;
  -- The numbers of DIAObjectSums.positionSums one by one: to take them out of arrays is slow.
  CREATE TEMP TABLE characterize_sum (
    diaobjectid bigint, first double precision,
    n double precision, a double precision, b double precision, c double precision,
    ta double precision, tb double precision, tc double precision, tta double precision,
    ttb double precision, ttc double precision, h double precision, k double precision,
    th double precision, tk double precision, hk double precision, u double precision,
    v double precision, tu double precision, tv double precision, uv double precision,
    xx double precision, lndet double precision, shrunk double precision) ON COMMIT DROP;
  -- Of staging.fit_motion: time [yr] since epoch0, offsets [arcsec] and their covariance there, motion
  -- [arcsec/yr], parallax [arcsec] and their covariance, NULL where they are not fitted.
  CREATE TEMP TABLE characterize_fit (
    diaobjectid bigint, n double precision, firsttai double precision, epoch double precision,
    x double precision, y double precision, varx double precision, vary double precision,
    covxy double precision, pmx double precision, pmy double precision, parallax double precision,
    motioncov double precision[], lnl double precision, chi2 double precision) ON COMMIT DROP;
  CREATE TEMP TABLE flux_object (
    diaobjectid bigint, basis timestamp, turn integer, published boolean,
    oldsince double precision, since double precision, oldest double precision,
    newest double precision, mixedbands smallint, band smallint, s double precision[],
    templateid bigint) ON COMMIT DROP;
  CREATE TEMP TABLE flux_row (
    diaobjectid bigint, known boolean, sign double precision, forced boolean, id bigint,
    ccdvisitid bigint, midpointtai double precision, psflux real, psfluxerr real, totflux real,
    totfluxerr real, templateid bigint) ON COMMIT DROP;
  CREATE TEMP TABLE flux_band (ccdvisitid bigint, band smallint) ON COMMIT DROP;
  -- The numbers of DIAObjectSums.{b}FluxSums one by one: to take them out of arrays is slow.
  CREATE TEMP TABLE flux_sum (
    diaobjectid bigint, band smallint, templateid bigint, newest double precision,
    oldest double precision, poor boolean, f0 double precision, g0 double precision,
    n double precision, w double precision, wf double precision, wff double precision,
    f double precision, ff double precision, fn double precision, fw double precision,
    fwf double precision, tn double precision, tw double precision, twf double precision,
    tf double precision, tff double precision, others double precision, shrunk double precision)
    ON COMMIT DROP;
END $$;

COMMENT ON FUNCTION staging.characterize_tables()
IS 'Creates the temporary tables that recomputing DIAObjects uses, once a transaction.';
