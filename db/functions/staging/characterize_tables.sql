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
  CREATE TEMP TABLE characterize_sum (
    diaobjectid bigint, first double precision, s double precision[]) ON COMMIT DROP;
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
  CREATE TEMP TABLE flux_sum (
    diaobjectid bigint, band smallint, s double precision[], templateid bigint,
    newest double precision, oldest double precision, poor boolean) ON COMMIT DROP;
END $$;

COMMENT ON FUNCTION staging.characterize_tables()
IS 'Creates the temporary tables that recomputing DIAObjects uses, once a transaction.';
