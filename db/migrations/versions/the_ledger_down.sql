-- Undoes the_ledger.sql, sections in reverse order.

-- Identifiers: rows keep theirs.
ALTER TABLE ledger.database DROP CONSTRAINT database_values;
ALTER TABLE ledger.database ADD CONSTRAINT database_values CHECK (databaseid >= 1 AND databaseid <= 1023);

ALTER TABLE prompt_store.diaobject RESET (autovacuum_vacuum_scale_factor);

DROP INDEX prompt_store.diasource_diaobjectid_midpointtai_idx;
CREATE INDEX diasource_diaobjectid_midpointtai_idx ON prompt_store.diasource (diaobjectid, midpointtai) INCLUDE (psflux, psfluxerr, totflux, totfluxerr, ra, decl, raerr, declerr, ccdvisitid);
DROP INDEX prompt_store.diasource_ssobjectid_idx;
CREATE INDEX diasource_ssobjectid_idx ON prompt_store.diasource (ssobjectid);
DROP INDEX prompt_store.diasource_history_diaobjectid_midpointtai_idx;
CREATE INDEX diasource_history_diaobjectid_midpointtai_idx ON prompt_store.diasource_history (diaobjectid, midpointtai) INCLUDE (psflux, psfluxerr, totflux, totfluxerr, ra, decl, raerr, declerr, ccdvisitid);
DROP INDEX prompt_store.diasource_history_ssobjectid_idx;
CREATE INDEX diasource_history_ssobjectid_idx ON prompt_store.diasource_history (ssobjectid);

ALTER TABLE prompt_store.diaobject DROP CONSTRAINT diaobject_values;
ALTER TABLE prompt_store.diaobject ADD CONSTRAINT diaobject_values CHECK (diaobjectid >= 0 AND ra NOT IN ('NaN', 'Infinity', '-Infinity') AND ra >= 0 AND ra <= 360 AND decl NOT IN ('NaN', 'Infinity', '-Infinity') AND decl >= -90 AND decl <= 90 AND raerr NOT IN ('NaN', 'Infinity', '-Infinity') AND raerr >= 0 AND declerr NOT IN ('NaN', 'Infinity', '-Infinity') AND declerr >= 0 AND radeclcov NOT IN ('NaN', 'Infinity', '-Infinity') AND hpx29 >= 0 AND radectai NOT IN ('NaN', 'Infinity', '-Infinity') AND radectai >= 0 AND ndiasources >= 0 AND firstdiasourcetai NOT IN ('NaN', 'Infinity', '-Infinity') AND firstdiasourcetai >= 0 AND lastdiasourcetai NOT IN ('NaN', 'Infinity', '-Infinity') AND lastdiasourcetai >= 0 AND pmra NOT IN ('NaN', 'Infinity', '-Infinity') AND pmdecl NOT IN ('NaN', 'Infinity', '-Infinity') AND parallax NOT IN ('NaN', 'Infinity', '-Infinity') AND NOT ('NaN' = ANY (pmparallaxcov)) AND cardinality(pmparallaxcov) = 6 AND pmparallaxlnl NOT IN ('NaN', 'Infinity', '-Infinity') AND pmparallaxchi2 NOT IN ('NaN', 'Infinity', '-Infinity') AND pmparallaxchi2 >= 0 AND pmparallaxndata >= 0 AND upsfluxmean NOT IN ('NaN', 'Infinity', '-Infinity') AND gpsfluxmean NOT IN ('NaN', 'Infinity', '-Infinity') AND rpsfluxmean NOT IN ('NaN', 'Infinity', '-Infinity') AND ipsfluxmean NOT IN ('NaN', 'Infinity', '-Infinity') AND zpsfluxmean NOT IN ('NaN', 'Infinity', '-Infinity') AND ypsfluxmean NOT IN ('NaN', 'Infinity', '-Infinity') AND upsfluxmeanerr NOT IN ('NaN', 'Infinity', '-Infinity') AND upsfluxmeanerr >= 0 AND gpsfluxmeanerr NOT IN ('NaN', 'Infinity', '-Infinity') AND gpsfluxmeanerr >= 0 AND rpsfluxmeanerr NOT IN ('NaN', 'Infinity', '-Infinity') AND rpsfluxmeanerr >= 0 AND ipsfluxmeanerr NOT IN ('NaN', 'Infinity', '-Infinity') AND ipsfluxmeanerr >= 0 AND zpsfluxmeanerr NOT IN ('NaN', 'Infinity', '-Infinity') AND zpsfluxmeanerr >= 0 AND ypsfluxmeanerr NOT IN ('NaN', 'Infinity', '-Infinity') AND ypsfluxmeanerr >= 0 AND upsfluxsigma NOT IN ('NaN', 'Infinity', '-Infinity') AND upsfluxsigma >= 0 AND gpsfluxsigma NOT IN ('NaN', 'Infinity', '-Infinity') AND gpsfluxsigma >= 0 AND rpsfluxsigma NOT IN ('NaN', 'Infinity', '-Infinity') AND rpsfluxsigma >= 0 AND ipsfluxsigma NOT IN ('NaN', 'Infinity', '-Infinity') AND ipsfluxsigma >= 0 AND zpsfluxsigma NOT IN ('NaN', 'Infinity', '-Infinity') AND zpsfluxsigma >= 0 AND ypsfluxsigma NOT IN ('NaN', 'Infinity', '-Infinity') AND ypsfluxsigma >= 0 AND upsfluxchi2 NOT IN ('NaN', 'Infinity', '-Infinity') AND upsfluxchi2 >= 0 AND gpsfluxchi2 NOT IN ('NaN', 'Infinity', '-Infinity') AND gpsfluxchi2 >= 0 AND rpsfluxchi2 NOT IN ('NaN', 'Infinity', '-Infinity') AND rpsfluxchi2 >= 0 AND ipsfluxchi2 NOT IN ('NaN', 'Infinity', '-Infinity') AND ipsfluxchi2 >= 0 AND zpsfluxchi2 NOT IN ('NaN', 'Infinity', '-Infinity') AND zpsfluxchi2 >= 0 AND ypsfluxchi2 NOT IN ('NaN', 'Infinity', '-Infinity') AND ypsfluxchi2 >= 0 AND upsfluxndata >= 0 AND gpsfluxndata >= 0 AND rpsfluxndata >= 0 AND ipsfluxndata >= 0 AND zpsfluxndata >= 0 AND ypsfluxndata >= 0 AND utotfluxmean NOT IN ('NaN', 'Infinity', '-Infinity') AND gtotfluxmean NOT IN ('NaN', 'Infinity', '-Infinity') AND rtotfluxmean NOT IN ('NaN', 'Infinity', '-Infinity') AND itotfluxmean NOT IN ('NaN', 'Infinity', '-Infinity') AND ztotfluxmean NOT IN ('NaN', 'Infinity', '-Infinity') AND ytotfluxmean NOT IN ('NaN', 'Infinity', '-Infinity') AND utotfluxmeanerr NOT IN ('NaN', 'Infinity', '-Infinity') AND utotfluxmeanerr >= 0 AND gtotfluxmeanerr NOT IN ('NaN', 'Infinity', '-Infinity') AND gtotfluxmeanerr >= 0 AND rtotfluxmeanerr NOT IN ('NaN', 'Infinity', '-Infinity') AND rtotfluxmeanerr >= 0 AND itotfluxmeanerr NOT IN ('NaN', 'Infinity', '-Infinity') AND itotfluxmeanerr >= 0 AND ztotfluxmeanerr NOT IN ('NaN', 'Infinity', '-Infinity') AND ztotfluxmeanerr >= 0 AND ytotfluxmeanerr NOT IN ('NaN', 'Infinity', '-Infinity') AND ytotfluxmeanerr >= 0 AND utotfluxsigma NOT IN ('NaN', 'Infinity', '-Infinity') AND utotfluxsigma >= 0 AND gtotfluxsigma NOT IN ('NaN', 'Infinity', '-Infinity') AND gtotfluxsigma >= 0 AND rtotfluxsigma NOT IN ('NaN', 'Infinity', '-Infinity') AND rtotfluxsigma >= 0 AND itotfluxsigma NOT IN ('NaN', 'Infinity', '-Infinity') AND itotfluxsigma >= 0 AND ztotfluxsigma NOT IN ('NaN', 'Infinity', '-Infinity') AND ztotfluxsigma >= 0 AND ytotfluxsigma NOT IN ('NaN', 'Infinity', '-Infinity') AND ytotfluxsigma >= 0 AND upsforcedfluxmean NOT IN ('NaN', 'Infinity', '-Infinity') AND gpsforcedfluxmean NOT IN ('NaN', 'Infinity', '-Infinity') AND rpsforcedfluxmean NOT IN ('NaN', 'Infinity', '-Infinity') AND ipsforcedfluxmean NOT IN ('NaN', 'Infinity', '-Infinity') AND zpsforcedfluxmean NOT IN ('NaN', 'Infinity', '-Infinity') AND ypsforcedfluxmean NOT IN ('NaN', 'Infinity', '-Infinity') AND upsforcedfluxmeanerr NOT IN ('NaN', 'Infinity', '-Infinity') AND upsforcedfluxmeanerr >= 0 AND gpsforcedfluxmeanerr NOT IN ('NaN', 'Infinity', '-Infinity') AND gpsforcedfluxmeanerr >= 0 AND rpsforcedfluxmeanerr NOT IN ('NaN', 'Infinity', '-Infinity') AND rpsforcedfluxmeanerr >= 0 AND ipsforcedfluxmeanerr NOT IN ('NaN', 'Infinity', '-Infinity') AND ipsforcedfluxmeanerr >= 0 AND zpsforcedfluxmeanerr NOT IN ('NaN', 'Infinity', '-Infinity') AND zpsforcedfluxmeanerr >= 0 AND ypsforcedfluxmeanerr NOT IN ('NaN', 'Infinity', '-Infinity') AND ypsforcedfluxmeanerr >= 0 AND upsforcedfluxndata >= 0 AND gpsforcedfluxndata >= 0 AND rpsforcedfluxndata >= 0 AND ipsforcedfluxndata >= 0 AND zpsforcedfluxndata >= 0 AND ypsforcedfluxndata >= 0 AND cardinality(nearbyobj) = 6 AND nearbystar1 >= 0 AND nearbystar2 >= 0 AND nearbystar3 >= 0 AND nearbygal1 >= 0 AND nearbygal2 >= 0 AND nearbygal3 >= 0 AND nearbystar1dist NOT IN ('NaN', 'Infinity', '-Infinity') AND nearbystar1dist >= 0 AND nearbystar2dist NOT IN ('NaN', 'Infinity', '-Infinity') AND nearbystar2dist >= 0 AND nearbystar3dist NOT IN ('NaN', 'Infinity', '-Infinity') AND nearbystar3dist >= 0 AND nearbygal1dist NOT IN ('NaN', 'Infinity', '-Infinity') AND nearbygal1dist >= 0 AND nearbygal2dist NOT IN ('NaN', 'Infinity', '-Infinity') AND nearbygal2dist >= 0 AND nearbygal3dist NOT IN ('NaN', 'Infinity', '-Infinity') AND nearbygal3dist >= 0 AND nearbystar1lnp NOT IN ('NaN', 'Infinity', '-Infinity') AND nearbystar1lnp <= 0 AND nearbystar2lnp NOT IN ('NaN', 'Infinity', '-Infinity') AND nearbystar2lnp <= 0 AND nearbystar3lnp NOT IN ('NaN', 'Infinity', '-Infinity') AND nearbystar3lnp <= 0 AND nearbygal1lnp NOT IN ('NaN', 'Infinity', '-Infinity') AND nearbygal1lnp <= 0 AND nearbygal2lnp NOT IN ('NaN', 'Infinity', '-Infinity') AND nearbygal2lnp <= 0 AND nearbygal3lnp NOT IN ('NaN', 'Infinity', '-Infinity') AND nearbygal3lnp <= 0) NOT VALID;
ALTER TABLE prompt_store.diasource DROP CONSTRAINT diasource_values;
ALTER TABLE prompt_store.diasource ADD CONSTRAINT diasource_values CHECK (diasourceid >= 0 AND ccdvisitid >= 0 AND visitid >= 0 AND detector >= 0 AND detector <= 511 AND diaobjectid >= 0 AND ssobjectid >= 0 AND parentdiasourceid >= 0 AND midpointtai NOT IN ('NaN', 'Infinity', '-Infinity') AND midpointtai >= 0 AND ra NOT IN ('NaN', 'Infinity', '-Infinity') AND ra >= 0 AND ra <= 360 AND decl NOT IN ('NaN', 'Infinity', '-Infinity') AND decl >= -90 AND decl <= 90 AND raerr NOT IN ('NaN', 'Infinity', '-Infinity') AND raerr >= 0 AND declerr NOT IN ('NaN', 'Infinity', '-Infinity') AND declerr >= 0 AND radeclcov NOT IN ('NaN', 'Infinity', '-Infinity') AND hpx29 >= 0 AND snr NOT IN ('NaN', 'Infinity', '-Infinity') AND snr >= 0 AND psflux NOT IN ('NaN', 'Infinity', '-Infinity') AND psfluxerr NOT IN ('NaN', 'Infinity', '-Infinity') AND psfluxerr >= 0 AND totflux NOT IN ('NaN', 'Infinity', '-Infinity') AND totfluxerr NOT IN ('NaN', 'Infinity', '-Infinity') AND totfluxerr >= 0 AND apflux NOT IN ('NaN', 'Infinity', '-Infinity') AND apfluxerr NOT IN ('NaN', 'Infinity', '-Infinity') AND apfluxerr >= 0 AND templateid >= 0 AND extendedness NOT IN ('NaN', 'Infinity', '-Infinity') AND extendedness >= 0 AND extendedness <= 1 AND spuriousness NOT IN ('NaN', 'Infinity', '-Infinity') AND spuriousness >= 0 AND spuriousness <= 1 AND x NOT IN ('NaN', 'Infinity', '-Infinity') AND y NOT IN ('NaN', 'Infinity', '-Infinity') AND xerr NOT IN ('NaN', 'Infinity', '-Infinity') AND xerr >= 0 AND yerr NOT IN ('NaN', 'Infinity', '-Infinity') AND yerr >= 0 AND xycov NOT IN ('NaN', 'Infinity', '-Infinity') AND psra NOT IN ('NaN', 'Infinity', '-Infinity') AND psra >= 0 AND psra <= 360 AND psdecl NOT IN ('NaN', 'Infinity', '-Infinity') AND psdecl >= -90 AND psdecl <= 90 AND NOT ('NaN' = ANY (pscov)) AND cardinality(pscov) = 6 AND pslnl NOT IN ('NaN', 'Infinity', '-Infinity') AND pschi2 NOT IN ('NaN', 'Infinity', '-Infinity') AND pschi2 >= 0 AND psndata >= 0 AND trailflux NOT IN ('NaN', 'Infinity', '-Infinity') AND trailra NOT IN ('NaN', 'Infinity', '-Infinity') AND trailra >= 0 AND trailra <= 360 AND traildecl NOT IN ('NaN', 'Infinity', '-Infinity') AND traildecl >= -90 AND traildecl <= 90 AND traillength NOT IN ('NaN', 'Infinity', '-Infinity') AND traillength >= 0 AND trailangle NOT IN ('NaN', 'Infinity', '-Infinity') AND trailangle >= 0 AND trailangle <= 180 AND NOT ('NaN' = ANY (trailcov)) AND cardinality(trailcov) = 15 AND traillnl NOT IN ('NaN', 'Infinity', '-Infinity') AND trailchi2 NOT IN ('NaN', 'Infinity', '-Infinity') AND trailchi2 >= 0 AND trailndata >= 0 AND dipmeanflux NOT IN ('NaN', 'Infinity', '-Infinity') AND dipfluxdiff NOT IN ('NaN', 'Infinity', '-Infinity') AND dipra NOT IN ('NaN', 'Infinity', '-Infinity') AND dipra >= 0 AND dipra <= 360 AND dipdecl NOT IN ('NaN', 'Infinity', '-Infinity') AND dipdecl >= -90 AND dipdecl <= 90 AND diplength NOT IN ('NaN', 'Infinity', '-Infinity') AND diplength >= 0 AND dipangle NOT IN ('NaN', 'Infinity', '-Infinity') AND dipangle >= 0 AND dipangle <= 360 AND NOT ('NaN' = ANY (dipcov)) AND cardinality(dipcov) = 21 AND diplnl NOT IN ('NaN', 'Infinity', '-Infinity') AND dipchi2 NOT IN ('NaN', 'Infinity', '-Infinity') AND dipchi2 >= 0 AND dipndata >= 0 AND diffflux NOT IN ('NaN', 'Infinity', '-Infinity') AND difffluxerr NOT IN ('NaN', 'Infinity', '-Infinity') AND difffluxerr >= 0 AND fpbkgd NOT IN ('NaN', 'Infinity', '-Infinity') AND fpbkgderr NOT IN ('NaN', 'Infinity', '-Infinity') AND fpbkgderr >= 0 AND ixx NOT IN ('NaN', 'Infinity', '-Infinity') AND iyy NOT IN ('NaN', 'Infinity', '-Infinity') AND ixy NOT IN ('NaN', 'Infinity', '-Infinity') AND NOT ('NaN' = ANY (icov)) AND cardinality(icov) = 6 AND ixxpsf NOT IN ('NaN', 'Infinity', '-Infinity') AND ixxpsf >= 0 AND iyypsf NOT IN ('NaN', 'Infinity', '-Infinity') AND iyypsf >= 0 AND ixypsf NOT IN ('NaN', 'Infinity', '-Infinity')) NOT VALID;
ALTER TABLE prompt_store.diaforcedsource DROP CONSTRAINT diaforcedsource_values;
ALTER TABLE prompt_store.diaforcedsource ADD CONSTRAINT diaforcedsource_values CHECK (diaforcedsourceid >= 0 AND ccdvisitid >= 0 AND visitid >= 0 AND detector >= 0 AND detector <= 511 AND diaobjectid >= 0 AND midpointtai NOT IN ('NaN', 'Infinity', '-Infinity') AND midpointtai >= 0 AND psflux NOT IN ('NaN', 'Infinity', '-Infinity') AND psfluxerr NOT IN ('NaN', 'Infinity', '-Infinity') AND psfluxerr >= 0 AND totflux NOT IN ('NaN', 'Infinity', '-Infinity') AND totfluxerr NOT IN ('NaN', 'Infinity', '-Infinity') AND totfluxerr >= 0 AND ra NOT IN ('NaN', 'Infinity', '-Infinity') AND ra >= 0 AND ra <= 360 AND decl NOT IN ('NaN', 'Infinity', '-Infinity') AND decl >= -90 AND decl <= 90 AND templateid >= 0) NOT VALID;

ALTER TABLE ledger.epoch DROP COLUMN timeline;

DROP TABLE ledger.forcedpolicy;
DROP TABLE ledger.forcedobject;

DO $$
DECLARE c record;
BEGIN
  FOR c IN
    SELECT r.conrelid::regclass AS place, r.conname AS name,
      replace(pg_get_constraintdef(r.oid), ' INCLUDE (createdtai)', '') AS rule
    FROM pg_constraint AS r
    JOIN pg_class AS t ON t.oid = r.conrelid
    JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attname = 'createdtai'
    WHERE r.contype = 'p' AND NOT t.relispartition
      AND r.connamespace = 'prompt_store'::regnamespace
    ORDER BY 1
  LOOP
    EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', c.place, c.name);
    EXECUTE format('ALTER TABLE %s ADD CONSTRAINT %I %s', c.place, c.name, c.rule);
  END LOOP;
END $$;

DROP TABLE staging.diaobjectsums;
DROP TABLE prompt_store.diaobjectsums;

-- Releases, if there are any, stay and lose their guard.
DROP FUNCTION ledger.refuse_release_write() CASCADE;

DO $$
DECLARE c record;
BEGIN
  FOR c IN
    SELECT r.conrelid::regclass AS place, r.conname AS name
    FROM pg_constraint AS r JOIN pg_class AS t ON t.oid = r.conrelid
    WHERE r.contype = 'c' AND NOT r.convalidated AND NOT t.relispartition
      AND r.connamespace = 'prompt_store'::regnamespace
    ORDER BY 1, 2
  LOOP
    EXECUTE format('ALTER TABLE %s VALIDATE CONSTRAINT %I', c.place, c.name);
  END LOOP;
END $$;

DROP TABLE ledger.embargo;

COMMENT ON COLUMN ledger.epoch.kind IS 'kind: Why the epoch exists: created, visit, template, relink, withdrawal, resolve or heartbeat.';

DROP TABLE ledger.releasedensity;

ALTER TABLE staging.ccdvisit DROP COLUMN usablemask;
ALTER TABLE prompt_store.ccdvisit_history DROP COLUMN usablemask;
ALTER TABLE prompt_store.ccdvisit DROP COLUMN usablemask;

COMMENT ON SCHEMA staging IS 'Rows on their way in, by slot; emptied by a crash.';
