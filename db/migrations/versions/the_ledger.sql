-- Changes of tables since first light, one section a subject. Costs are for a full database.

-- Comments: nothing.
COMMENT ON SCHEMA staging IS 'Rows on their way in, by slot, and the functions that work on them; emptied by a crash.';

-- Geometric masks of ccdVisits: an empty column; the check reads the table once.
ALTER TABLE prompt_store.ccdvisit ADD COLUMN usablemask BIGINT[];
ALTER TABLE prompt_store.ccdvisit ADD CONSTRAINT ccdvisit_usablemask CHECK (cardinality(usablemask) = 64);
ALTER TABLE prompt_store.ccdvisit_history ADD COLUMN usablemask BIGINT[];
ALTER TABLE staging.ccdvisit ADD COLUMN usablemask BIGINT[];
COMMENT ON COLUMN prompt_store.ccdvisit.usablemask IS 'usableMask: Geometric mask of the difference image in 64 x 64 cells of equal size: element k is row k from small to large y, its bit j (counted from the lowest) column j from small to large x; a bit is set where at least half of the cell''s pixels carry usable flux.';
COMMENT ON COLUMN prompt_store.ccdvisit_history.usablemask IS 'usableMask: Geometric mask of the difference image in 64 x 64 cells of equal size: element k is row k from small to large y, its bit j (counted from the lowest) column j from small to large x; a bit is set where at least half of the cell''s pixels carry usable flux.';
COMMENT ON COLUMN staging.ccdvisit.usablemask IS 'usableMask: Geometric mask of the difference image in 64 x 64 cells of equal size: element k is row k from small to large y, its bit j (counted from the lowest) column j from small to large x; a bit is set where at least half of the cell''s pixels carry usable flux.';

-- Densities of releases: an empty table.
CREATE TABLE ledger.releasedensity (
	databaseid SMALLINT NOT NULL,
	pixel INTEGER NOT NULL,
	nstars INTEGER NOT NULL,
	ngalaxies INTEGER NOT NULL,
	CONSTRAINT releasedensity_pkey PRIMARY KEY (databaseid, pixel),
	CONSTRAINT releasedensity_values CHECK (databaseid >= 1 AND databaseid <= 511 AND pixel >= 0 AND pixel <= 786431 AND nstars >= 0 AND ngalaxies >= 0)
);
COMMENT ON TABLE ledger.releasedensity IS 'How many stars and galaxies each release has in each piece of sky: the chance that one of them lies near a DIAObject without having to do with it.';
COMMENT ON COLUMN ledger.releasedensity.databaseid IS 'databaseId: Number of the release; key into Database.';
COMMENT ON COLUMN ledger.releasedensity.pixel IS 'pixel: HEALPix pixel of order 8 in the nested scheme; it covers 679828 arcsec**2.';
COMMENT ON COLUMN ledger.releasedensity.nstars IS 'nStars: Objects of the release in the pixel with extendedness below 0.5.';
COMMENT ON COLUMN ledger.releasedensity.ngalaxies IS 'nGalaxies: Objects of the release in the pixel with extendedness of 0.5 or more.';

-- Backups: nothing.
COMMENT ON COLUMN ledger.epoch.kind IS 'kind: Why the epoch exists: created, visit, template, relink, withdrawal, resolve, heartbeat, backup or restored.';

-- Embargoes: an empty table.
CREATE TABLE ledger.embargo (
	rolename TEXT NOT NULL,
	delayhours DOUBLE PRECISION NOT NULL,
	CONSTRAINT embargo_pkey PRIMARY KEY (rolename),
	CONSTRAINT embargo_values CHECK (delayhours NOT IN ('NaN', 'Infinity', '-Infinity') AND delayhours >= 0 AND delayhours <= 1000000)
);
COMMENT ON TABLE ledger.embargo IS 'Roles that see the archive only as it was some time ago. Who is not held back here sees what is published at once.';
COMMENT ON COLUMN ledger.embargo.rolename IS 'roleName: Role of the database server; the delay holds for its members, too.';
COMMENT ON COLUMN ledger.embargo.delayhours IS 'delayHours: Time that must have passed since a publication before the role may know of it. [h]';

-- Conditions of the store: nothing, no row is read; later sections add theirs NOT VALID. NOT VALID
-- conditions hold for every row written, but the planner leaves them alone: studying a hundred of
-- them for each partition cost a cone on 120 months 110 ms. Those on midPointTai stay as they are.
DO $$
DECLARE c record;
BEGIN
  FOR c IN
    SELECT r.conrelid::regclass AS place, r.conname AS name, pg_get_constraintdef(r.oid) AS rule
    FROM pg_constraint AS r JOIN pg_class AS t ON t.oid = r.conrelid
    WHERE r.contype = 'c' AND r.convalidated AND NOT t.relispartition
      AND r.connamespace = 'prompt_store'::regnamespace
    ORDER BY 1, 2
  LOOP
    EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', c.place, c.name);
    EXECUTE format('ALTER TABLE %s ADD CONSTRAINT %I %s NOT VALID', c.place, c.name, c.rule);
  END LOOP;
END $$;

-- Releases never change: part of their tables' guard, hence frozen here and not replayed. Nothing.
CREATE FUNCTION ledger.refuse_release_write() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '%.% belongs to a release, and a release never changes', TG_TABLE_SCHEMA, TG_TABLE_NAME
    USING ERRCODE = 'insufficient_privilege',
      HINT = 'Load what is new as another release.';
END $$;

-- Sums of DIAObjects: an empty table; objects without sums are computed from their rows. A row is
-- written anew with each version of its object: the space left free keeps it on its page.
CREATE TABLE prompt_store.diaobjectsums (
	diaobjectid BIGINT NOT NULL,
	ra0 DOUBLE PRECISION NOT NULL,
	decl0 DOUBLE PRECISION NOT NULL,
	epoch0 DOUBLE PRECISION NOT NULL,
	sincetai DOUBLE PRECISION NOT NULL,
	oldesttai DOUBLE PRECISION NOT NULL,
	newesttai DOUBLE PRECISION NOT NULL,
	asoftai TIMESTAMP WITHOUT TIME ZONE NOT NULL,
	positionsums DOUBLE PRECISION[] NOT NULL,
	ufluxsums DOUBLE PRECISION[],
	gfluxsums DOUBLE PRECISION[],
	rfluxsums DOUBLE PRECISION[],
	ifluxsums DOUBLE PRECISION[],
	zfluxsums DOUBLE PRECISION[],
	yfluxsums DOUBLE PRECISION[],
	utemplateid BIGINT,
	gtemplateid BIGINT,
	rtemplateid BIGINT,
	itemplateid BIGINT,
	ztemplateid BIGINT,
	ytemplateid BIGINT,
	mixedbands SMALLINT NOT NULL,
	CONSTRAINT diaobjectsums_pkey PRIMARY KEY (diaobjectid)
);
COMMENT ON TABLE prompt_store.diaobjectsums IS 'What is kept of the measurements of each DIAObject so that a new one does not need the old ones read again: the sums of the normal equations of its position and motion, and of its fluxes in each band, over the twelve months up to its newest DIASource. Can be made from the rows at any time; an object without a row here is computed from its rows.';
COMMENT ON COLUMN prompt_store.diaobjectsums.diaobjectid IS 'diaObjectId: Identifier of the DIAObject.';
COMMENT ON COLUMN prompt_store.diaobjectsums.ra0 IS 'ra0: Right ascension (ICRS) of the place from which offsets are counted. [deg]';
COMMENT ON COLUMN prompt_store.diaobjectsums.decl0 IS 'decl0: Declination (ICRS) of the place from which offsets are counted. [deg]';
COMMENT ON COLUMN prompt_store.diaobjectsums.epoch0 IS 'epoch0: Time from which times are counted, as a Modified Julian Date in TAI. [d]';
COMMENT ON COLUMN prompt_store.diaobjectsums.sincetai IS 'sinceTai: Measurements of this time and before are left out, as a Modified Julian Date in TAI; 0 without limit. [d]';
COMMENT ON COLUMN prompt_store.diaobjectsums.oldesttai IS 'oldestTai: No measurement in the sums is older than this, as a Modified Julian Date in TAI. [d]';
COMMENT ON COLUMN prompt_store.diaobjectsums.newesttai IS 'newestTai: Time of the newest measurement in the sums, as a Modified Julian Date in TAI; later forced measurements are taken in with the next DIASource. [d]';
COMMENT ON COLUMN prompt_store.diaobjectsums.asoftai IS 'asOfTai: Horizon at which the measurements were read (TAI).';
COMMENT ON COLUMN prompt_store.diaobjectsums.positionsums IS 'positionSums: Number of DIASources; the 21 sums of staging.fit_motion from a to lndet, in arcsec and years; how far the sums have shrunk since they were made from the rows, a measure of the digits lost.';
COMMENT ON COLUMN prompt_store.diaobjectsums.ufluxsums IS 'uFluxSums: Sums of the u band, in nJy, with weights w of one over the square of the error: the reference of difference fluxes d, that of totFlux e; of psFlux n, w, w d, w d d, d, d d; of forced psFlux n, w, w d; of totFlux n, w, w e, e, e e; number of difference fluxes of another template than uTemplateId; how far the sums have shrunk. NULL without measurements.';
COMMENT ON COLUMN prompt_store.diaobjectsums.gfluxsums IS 'gFluxSums: Sums of the g band, in nJy, with weights w of one over the square of the error: the reference of difference fluxes d, that of totFlux e; of psFlux n, w, w d, w d d, d, d d; of forced psFlux n, w, w d; of totFlux n, w, w e, e, e e; number of difference fluxes of another template than gTemplateId; how far the sums have shrunk. NULL without measurements.';
COMMENT ON COLUMN prompt_store.diaobjectsums.rfluxsums IS 'rFluxSums: Sums of the r band, in nJy, with weights w of one over the square of the error: the reference of difference fluxes d, that of totFlux e; of psFlux n, w, w d, w d d, d, d d; of forced psFlux n, w, w d; of totFlux n, w, w e, e, e e; number of difference fluxes of another template than rTemplateId; how far the sums have shrunk. NULL without measurements.';
COMMENT ON COLUMN prompt_store.diaobjectsums.ifluxsums IS 'iFluxSums: Sums of the i band, in nJy, with weights w of one over the square of the error: the reference of difference fluxes d, that of totFlux e; of psFlux n, w, w d, w d d, d, d d; of forced psFlux n, w, w d; of totFlux n, w, w e, e, e e; number of difference fluxes of another template than iTemplateId; how far the sums have shrunk. NULL without measurements.';
COMMENT ON COLUMN prompt_store.diaobjectsums.zfluxsums IS 'zFluxSums: Sums of the z band, in nJy, with weights w of one over the square of the error: the reference of difference fluxes d, that of totFlux e; of psFlux n, w, w d, w d d, d, d d; of forced psFlux n, w, w d; of totFlux n, w, w e, e, e e; number of difference fluxes of another template than zTemplateId; how far the sums have shrunk. NULL without measurements.';
COMMENT ON COLUMN prompt_store.diaobjectsums.yfluxsums IS 'yFluxSums: Sums of the y band, in nJy, with weights w of one over the square of the error: the reference of difference fluxes d, that of totFlux e; of psFlux n, w, w d, w d d, d, d d; of forced psFlux n, w, w d; of totFlux n, w, w e, e, e e; number of difference fluxes of another template than yTemplateId; how far the sums have shrunk. NULL without measurements.';
COMMENT ON COLUMN prompt_store.diaobjectsums.utemplateid IS 'uTemplateId: Template of the first difference fluxes of the u band in the sums.';
COMMENT ON COLUMN prompt_store.diaobjectsums.gtemplateid IS 'gTemplateId: Template of the first difference fluxes of the g band in the sums.';
COMMENT ON COLUMN prompt_store.diaobjectsums.rtemplateid IS 'rTemplateId: Template of the first difference fluxes of the r band in the sums.';
COMMENT ON COLUMN prompt_store.diaobjectsums.itemplateid IS 'iTemplateId: Template of the first difference fluxes of the i band in the sums.';
COMMENT ON COLUMN prompt_store.diaobjectsums.ztemplateid IS 'zTemplateId: Template of the first difference fluxes of the z band in the sums.';
COMMENT ON COLUMN prompt_store.diaobjectsums.ytemplateid IS 'yTemplateId: Template of the first difference fluxes of the y band in the sums.';
COMMENT ON COLUMN prompt_store.diaobjectsums.mixedbands IS 'mixedBands: Bands whose difference fluxes are of several templates, one bit each: 2 for u, 4 for g, 8 for r, 16 for i, 32 for z, 64 for y.';
CREATE TRIGGER refuse_direct_write BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON prompt_store.diaobjectsums FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_direct_write();
CREATE TABLE staging.diaobjectsums (
	slot SMALLINT NOT NULL,
	diaobjectid BIGINT,
	ra0 DOUBLE PRECISION,
	decl0 DOUBLE PRECISION,
	epoch0 DOUBLE PRECISION,
	sincetai DOUBLE PRECISION,
	oldesttai DOUBLE PRECISION,
	newesttai DOUBLE PRECISION,
	asoftai TIMESTAMP WITHOUT TIME ZONE,
	positionsums DOUBLE PRECISION[],
	ufluxsums DOUBLE PRECISION[],
	gfluxsums DOUBLE PRECISION[],
	rfluxsums DOUBLE PRECISION[],
	ifluxsums DOUBLE PRECISION[],
	zfluxsums DOUBLE PRECISION[],
	yfluxsums DOUBLE PRECISION[],
	utemplateid BIGINT,
	gtemplateid BIGINT,
	rtemplateid BIGINT,
	itemplateid BIGINT,
	ztemplateid BIGINT,
	ytemplateid BIGINT,
	mixedbands SMALLINT,
	replacestai TIMESTAMP WITHOUT TIME ZONE,
	iswithdrawal BOOLEAN
)
 PARTITION BY LIST (slot);
COMMENT ON TABLE staging.diaobjectsums IS 'Rows on their way to DIAObjectSums, one partition a slot.';
COMMENT ON COLUMN staging.diaobjectsums.slot IS 'slot: Staging slot of the worker that loads the row.';
COMMENT ON COLUMN staging.diaobjectsums.diaobjectid IS 'diaObjectId: Identifier of the DIAObject.';
COMMENT ON COLUMN staging.diaobjectsums.ra0 IS 'ra0: Right ascension (ICRS) of the place from which offsets are counted. [deg]';
COMMENT ON COLUMN staging.diaobjectsums.decl0 IS 'decl0: Declination (ICRS) of the place from which offsets are counted. [deg]';
COMMENT ON COLUMN staging.diaobjectsums.epoch0 IS 'epoch0: Time from which times are counted, as a Modified Julian Date in TAI. [d]';
COMMENT ON COLUMN staging.diaobjectsums.sincetai IS 'sinceTai: Measurements of this time and before are left out, as a Modified Julian Date in TAI; 0 without limit. [d]';
COMMENT ON COLUMN staging.diaobjectsums.oldesttai IS 'oldestTai: No measurement in the sums is older than this, as a Modified Julian Date in TAI. [d]';
COMMENT ON COLUMN staging.diaobjectsums.newesttai IS 'newestTai: Time of the newest measurement in the sums, as a Modified Julian Date in TAI; later forced measurements are taken in with the next DIASource. [d]';
COMMENT ON COLUMN staging.diaobjectsums.asoftai IS 'asOfTai: Horizon at which the measurements were read (TAI).';
COMMENT ON COLUMN staging.diaobjectsums.positionsums IS 'positionSums: Number of DIASources; the 21 sums of staging.fit_motion from a to lndet, in arcsec and years; how far the sums have shrunk since they were made from the rows, a measure of the digits lost.';
COMMENT ON COLUMN staging.diaobjectsums.ufluxsums IS 'uFluxSums: Sums of the u band, in nJy, with weights w of one over the square of the error: the reference of difference fluxes d, that of totFlux e; of psFlux n, w, w d, w d d, d, d d; of forced psFlux n, w, w d; of totFlux n, w, w e, e, e e; number of difference fluxes of another template than uTemplateId; how far the sums have shrunk. NULL without measurements.';
COMMENT ON COLUMN staging.diaobjectsums.gfluxsums IS 'gFluxSums: Sums of the g band, in nJy, with weights w of one over the square of the error: the reference of difference fluxes d, that of totFlux e; of psFlux n, w, w d, w d d, d, d d; of forced psFlux n, w, w d; of totFlux n, w, w e, e, e e; number of difference fluxes of another template than gTemplateId; how far the sums have shrunk. NULL without measurements.';
COMMENT ON COLUMN staging.diaobjectsums.rfluxsums IS 'rFluxSums: Sums of the r band, in nJy, with weights w of one over the square of the error: the reference of difference fluxes d, that of totFlux e; of psFlux n, w, w d, w d d, d, d d; of forced psFlux n, w, w d; of totFlux n, w, w e, e, e e; number of difference fluxes of another template than rTemplateId; how far the sums have shrunk. NULL without measurements.';
COMMENT ON COLUMN staging.diaobjectsums.ifluxsums IS 'iFluxSums: Sums of the i band, in nJy, with weights w of one over the square of the error: the reference of difference fluxes d, that of totFlux e; of psFlux n, w, w d, w d d, d, d d; of forced psFlux n, w, w d; of totFlux n, w, w e, e, e e; number of difference fluxes of another template than iTemplateId; how far the sums have shrunk. NULL without measurements.';
COMMENT ON COLUMN staging.diaobjectsums.zfluxsums IS 'zFluxSums: Sums of the z band, in nJy, with weights w of one over the square of the error: the reference of difference fluxes d, that of totFlux e; of psFlux n, w, w d, w d d, d, d d; of forced psFlux n, w, w d; of totFlux n, w, w e, e, e e; number of difference fluxes of another template than zTemplateId; how far the sums have shrunk. NULL without measurements.';
COMMENT ON COLUMN staging.diaobjectsums.yfluxsums IS 'yFluxSums: Sums of the y band, in nJy, with weights w of one over the square of the error: the reference of difference fluxes d, that of totFlux e; of psFlux n, w, w d, w d d, d, d d; of forced psFlux n, w, w d; of totFlux n, w, w e, e, e e; number of difference fluxes of another template than yTemplateId; how far the sums have shrunk. NULL without measurements.';
COMMENT ON COLUMN staging.diaobjectsums.utemplateid IS 'uTemplateId: Template of the first difference fluxes of the u band in the sums.';
COMMENT ON COLUMN staging.diaobjectsums.gtemplateid IS 'gTemplateId: Template of the first difference fluxes of the g band in the sums.';
COMMENT ON COLUMN staging.diaobjectsums.rtemplateid IS 'rTemplateId: Template of the first difference fluxes of the r band in the sums.';
COMMENT ON COLUMN staging.diaobjectsums.itemplateid IS 'iTemplateId: Template of the first difference fluxes of the i band in the sums.';
COMMENT ON COLUMN staging.diaobjectsums.ztemplateid IS 'zTemplateId: Template of the first difference fluxes of the z band in the sums.';
COMMENT ON COLUMN staging.diaobjectsums.ytemplateid IS 'yTemplateId: Template of the first difference fluxes of the y band in the sums.';
COMMENT ON COLUMN staging.diaobjectsums.mixedbands IS 'mixedBands: Bands whose difference fluxes are of several templates, one bit each: 2 for u, 4 for g, 8 for r, 16 for i, 32 for z, 64 for y.';
COMMENT ON COLUMN staging.diaobjectsums.replacestai IS 'replacesTai: createdTai of the version that this row replaces; NULL for a new row.';
COMMENT ON COLUMN staging.diaobjectsums.iswithdrawal IS 'isWithdrawal: True if the replaced version is to be closed without a successor.';
CREATE UNLOGGED TABLE staging.diaobjectsums_s0 PARTITION OF staging.diaobjectsums FOR VALUES IN (0);
CREATE UNLOGGED TABLE staging.diaobjectsums_s1 PARTITION OF staging.diaobjectsums FOR VALUES IN (1);
CREATE UNLOGGED TABLE staging.diaobjectsums_s2 PARTITION OF staging.diaobjectsums FOR VALUES IN (2);
CREATE UNLOGGED TABLE staging.diaobjectsums_s3 PARTITION OF staging.diaobjectsums FOR VALUES IN (3);
CREATE UNLOGGED TABLE staging.diaobjectsums_s4 PARTITION OF staging.diaobjectsums FOR VALUES IN (4);
CREATE UNLOGGED TABLE staging.diaobjectsums_s5 PARTITION OF staging.diaobjectsums FOR VALUES IN (5);
CREATE UNLOGGED TABLE staging.diaobjectsums_s6 PARTITION OF staging.diaobjectsums FOR VALUES IN (6);
CREATE UNLOGGED TABLE staging.diaobjectsums_s7 PARTITION OF staging.diaobjectsums FOR VALUES IN (7);
ALTER TABLE prompt_store.diaobjectsums SET (fillfactor = 50);

-- Keys of living tables: an index each is built anew. With createdTai in it, rows as of an instant
-- are counted and found without reading them: a full count twice as fast.
DO $$
DECLARE c record;
BEGIN
  FOR c IN
    SELECT r.conrelid::regclass AS place, r.conname AS name, pg_get_constraintdef(r.oid) AS rule
    FROM pg_constraint AS r
    JOIN pg_class AS t ON t.oid = r.conrelid
    JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attname = 'createdtai'
    WHERE r.contype = 'p' AND NOT t.relispartition
      AND r.connamespace = 'prompt_store'::regnamespace
    ORDER BY 1
  LOOP
    EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', c.place, c.name);
    EXECUTE format('ALTER TABLE %s ADD CONSTRAINT %I %s INCLUDE (createdtai)', c.place, c.name, c.rule);
  END LOOP;
END $$;

-- Which DIAObjects get forced photometry: two empty tables.
CREATE TABLE ledger.forcedobject (
	diaobjectid BIGINT NOT NULL, 
	addedtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	reason TEXT NOT NULL, 
	CONSTRAINT forcedobject_pkey PRIMARY KEY (diaobjectid), 
	CONSTRAINT forcedobject_values CHECK (diaobjectid >= 0)
);
COMMENT ON TABLE ledger.forcedobject IS 'DIAObjects that get forced photometry whatever the policy is, because somebody watches them.';
COMMENT ON COLUMN ledger.forcedobject.diaobjectid IS 'diaObjectId: Identifier of the DIAObject; it may be closed meanwhile.';
COMMENT ON COLUMN ledger.forcedobject.addedtai IS 'addedTai: Ledger time at which the object was added (TAI).';
COMMENT ON COLUMN ledger.forcedobject.reason IS 'reason: Why, in the operator''s words.';
CREATE TABLE ledger.forcedpolicy (
	settai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	forcedpolicy TEXT NOT NULL, 
	minsources INTEGER, 
	newerthan DOUBLE PRECISION, 
	reason TEXT NOT NULL, 
	CONSTRAINT forcedpolicy_pkey PRIMARY KEY (settai), 
	CONSTRAINT forcedpolicy_rule1 CHECK (forcedPolicy = 'all' OR (forcedPolicy = 'limited' AND (minSources IS NOT NULL OR newerThan IS NOT NULL))), 
	CONSTRAINT forcedpolicy_values CHECK (minsources >= 1 AND newerthan NOT IN ('NaN', 'Infinity', '-Infinity') AND newerthan >= 0)
);
COMMENT ON TABLE ledger.forcedpolicy IS 'Which DIAObjects get forced photometry in every visit that covers them. The newest row counts; without one it is all of them, as the document has it.';
COMMENT ON COLUMN ledger.forcedpolicy.settai IS 'setTai: Ledger time from which the policy counts (TAI).';
COMMENT ON COLUMN ledger.forcedpolicy.forcedpolicy IS 'forcedPolicy: Name of the policy: all, or limited to the objects described in this row and those of ForcedObject.';
COMMENT ON COLUMN ledger.forcedpolicy.minsources IS 'minSources: Objects of at least so many DIASources are forced; NULL does not ask for sources.';
COMMENT ON COLUMN ledger.forcedpolicy.newerthan IS 'newerThan: Objects first seen less than this before the visit are forced; NULL does not ask for age. [d]';
COMMENT ON COLUMN ledger.forcedpolicy.reason IS 'reason: Why, in the operator''s words.';

-- The line of history of an epoch: an empty column.
ALTER TABLE ledger.epoch ADD COLUMN timeline INTEGER;
COMMENT ON COLUMN ledger.epoch.timeline IS 'timeline: Line of the server''s history (PostgreSQL''s timeline) on which the epoch was drawn: a recovery or a failover begins a new one.';

-- Conditions of the widest tables: the same, tested faster. Nothing, NOT VALID.
ALTER TABLE prompt_store.diaobject DROP CONSTRAINT diaobject_values;
ALTER TABLE prompt_store.diaobject ADD CONSTRAINT diaobject_values CHECK (NOT ('NaN' = ANY (pmparallaxcov)) AND cardinality(pmparallaxcov) = 6 AND cardinality(nearbyobj) = 6 AND LEAST(diaobjectid, hpx29, nearbystar1, nearbystar2, nearbystar3, nearbygal1, nearbygal2, nearbygal3) >= 0 AND LEAST(ra, radectai, firstdiasourcetai, lastdiasourcetai) >= 0 AND ra <= 360 AND decl >= -90 AND decl <= 90 AND LEAST(raerr, declerr, pmparallaxchi2, upsfluxmeanerr, gpsfluxmeanerr, rpsfluxmeanerr, ipsfluxmeanerr, zpsfluxmeanerr, ypsfluxmeanerr, upsfluxsigma, gpsfluxsigma, rpsfluxsigma, ipsfluxsigma, zpsfluxsigma, ypsfluxsigma, upsfluxchi2, gpsfluxchi2, rpsfluxchi2, ipsfluxchi2, zpsfluxchi2, ypsfluxchi2, utotfluxmeanerr, gtotfluxmeanerr, rtotfluxmeanerr, itotfluxmeanerr, ztotfluxmeanerr, ytotfluxmeanerr, utotfluxsigma, gtotfluxsigma, rtotfluxsigma, itotfluxsigma, ztotfluxsigma, ytotfluxsigma, upsforcedfluxmeanerr, gpsforcedfluxmeanerr, rpsforcedfluxmeanerr, ipsforcedfluxmeanerr, zpsforcedfluxmeanerr, ypsforcedfluxmeanerr, nearbystar1dist, nearbystar2dist, nearbystar3dist, nearbygal1dist, nearbygal2dist, nearbygal3dist) >= 0 AND GREATEST(raerr, declerr, radeclcov, pmra, pmdecl, parallax, pmparallaxlnl, pmparallaxchi2, upsfluxmean, gpsfluxmean, rpsfluxmean, ipsfluxmean, zpsfluxmean, ypsfluxmean, upsfluxmeanerr, gpsfluxmeanerr, rpsfluxmeanerr, ipsfluxmeanerr, zpsfluxmeanerr, ypsfluxmeanerr, upsfluxsigma, gpsfluxsigma, rpsfluxsigma, ipsfluxsigma, zpsfluxsigma, ypsfluxsigma, upsfluxchi2, gpsfluxchi2, rpsfluxchi2, ipsfluxchi2, zpsfluxchi2, ypsfluxchi2, utotfluxmean, gtotfluxmean, rtotfluxmean, itotfluxmean, ztotfluxmean, ytotfluxmean, utotfluxmeanerr, gtotfluxmeanerr, rtotfluxmeanerr, itotfluxmeanerr, ztotfluxmeanerr, ytotfluxmeanerr, utotfluxsigma, gtotfluxsigma, rtotfluxsigma, itotfluxsigma, ztotfluxsigma, ytotfluxsigma, upsforcedfluxmean, gpsforcedfluxmean, rpsforcedfluxmean, ipsforcedfluxmean, zpsforcedfluxmean, ypsforcedfluxmean, upsforcedfluxmeanerr, gpsforcedfluxmeanerr, rpsforcedfluxmeanerr, ipsforcedfluxmeanerr, zpsforcedfluxmeanerr, ypsforcedfluxmeanerr, nearbystar1dist, nearbystar2dist, nearbystar3dist, nearbygal1dist, nearbygal2dist, nearbygal3dist) < 'Infinity' AND LEAST(radeclcov, pmra, pmdecl, parallax, pmparallaxlnl, upsfluxmean, gpsfluxmean, rpsfluxmean, ipsfluxmean, zpsfluxmean, ypsfluxmean, utotfluxmean, gtotfluxmean, rtotfluxmean, itotfluxmean, ztotfluxmean, ytotfluxmean, upsforcedfluxmean, gpsforcedfluxmean, rpsforcedfluxmean, ipsforcedfluxmean, zpsforcedfluxmean, ypsforcedfluxmean, nearbystar1lnp, nearbystar2lnp, nearbystar3lnp, nearbygal1lnp, nearbygal2lnp, nearbygal3lnp) > '-Infinity' AND GREATEST(radectai, firstdiasourcetai, lastdiasourcetai) < 'Infinity' AND LEAST(ndiasources, pmparallaxndata, upsfluxndata, gpsfluxndata, rpsfluxndata, ipsfluxndata, zpsfluxndata, ypsfluxndata, upsforcedfluxndata, gpsforcedfluxndata, rpsforcedfluxndata, ipsforcedfluxndata, zpsforcedfluxndata, ypsforcedfluxndata) >= 0 AND GREATEST(nearbystar1lnp, nearbystar2lnp, nearbystar3lnp, nearbygal1lnp, nearbygal2lnp, nearbygal3lnp) <= 0) NOT VALID;
ALTER TABLE prompt_store.diasource DROP CONSTRAINT diasource_values;
ALTER TABLE prompt_store.diasource ADD CONSTRAINT diasource_values CHECK (NOT ('NaN' = ANY (pscov)) AND cardinality(pscov) = 6 AND NOT ('NaN' = ANY (trailcov)) AND cardinality(trailcov) = 15 AND NOT ('NaN' = ANY (dipcov)) AND cardinality(dipcov) = 21 AND NOT ('NaN' = ANY (icov)) AND cardinality(icov) = 6 AND LEAST(diasourceid, ccdvisitid, visitid, diaobjectid, ssobjectid, parentdiasourceid, hpx29, templateid) >= 0 AND detector >= 0 AND detector <= 511 AND LEAST(midpointtai, ra, psra, trailra, dipra) >= 0 AND midpointtai < 'Infinity' AND GREATEST(ra, psra, trailra, dipra) <= 360 AND LEAST(decl, psdecl, traildecl, dipdecl) >= -90 AND GREATEST(decl, psdecl, traildecl, dipdecl) <= 90 AND LEAST(raerr, declerr, snr, psfluxerr, totfluxerr, apfluxerr, extendedness, spuriousness, xerr, yerr, pschi2, traillength, trailangle, trailchi2, diplength, dipangle, dipchi2, difffluxerr, fpbkgderr, ixxpsf, iyypsf) >= 0 AND GREATEST(raerr, declerr, radeclcov, snr, psflux, psfluxerr, totflux, totfluxerr, apflux, apfluxerr, x, y, xerr, yerr, xycov, pslnl, pschi2, trailflux, traillength, traillnl, trailchi2, dipmeanflux, dipfluxdiff, diplength, diplnl, dipchi2, diffflux, difffluxerr, fpbkgd, fpbkgderr, ixx, iyy, ixy, ixxpsf, iyypsf, ixypsf) < 'Infinity' AND LEAST(radeclcov, psflux, totflux, apflux, x, y, xycov, pslnl, trailflux, traillnl, dipmeanflux, dipfluxdiff, diplnl, diffflux, fpbkgd, ixx, iyy, ixy, ixypsf) > '-Infinity' AND GREATEST(extendedness, spuriousness) <= 1 AND LEAST(psndata, trailndata, dipndata) >= 0 AND trailangle <= 180 AND dipangle <= 360) NOT VALID;
ALTER TABLE prompt_store.diaforcedsource DROP CONSTRAINT diaforcedsource_values;
ALTER TABLE prompt_store.diaforcedsource ADD CONSTRAINT diaforcedsource_values CHECK (LEAST(diaforcedsourceid, ccdvisitid, visitid, diaobjectid, templateid) >= 0 AND detector >= 0 AND detector <= 511 AND LEAST(midpointtai, ra) >= 0 AND midpointtai < 'Infinity' AND LEAST(psflux, totflux) > '-Infinity' AND GREATEST(psflux, psfluxerr, totflux, totfluxerr) < 'Infinity' AND LEAST(psfluxerr, totfluxerr) >= 0 AND ra <= 360 AND decl >= -90 AND decl <= 90) NOT VALID;

-- Owners of DIASources: an index each is built anew, smaller: a source has one of the two.
DROP INDEX prompt_store.diasource_diaobjectid_midpointtai_idx;
CREATE INDEX diasource_diaobjectid_midpointtai_idx ON prompt_store.diasource (diaobjectid, midpointtai) INCLUDE (psflux, psfluxerr, totflux, totfluxerr, ra, decl, raerr, declerr, ccdvisitid) WHERE diaobjectid IS NOT NULL;
DROP INDEX prompt_store.diasource_ssobjectid_idx;
CREATE INDEX diasource_ssobjectid_idx ON prompt_store.diasource (ssobjectid) WHERE ssobjectid IS NOT NULL;
DROP INDEX prompt_store.diasource_history_diaobjectid_midpointtai_idx;
CREATE INDEX diasource_history_diaobjectid_midpointtai_idx ON prompt_store.diasource_history (diaobjectid, midpointtai) INCLUDE (psflux, psfluxerr, totflux, totfluxerr, ra, decl, raerr, declerr, ccdvisitid) WHERE diaobjectid IS NOT NULL;
DROP INDEX prompt_store.diasource_history_ssobjectid_idx;
CREATE INDEX diasource_history_ssobjectid_idx ON prompt_store.diasource_history (ssobjectid) WHERE ssobjectid IS NOT NULL;

-- What every visit replaces is vacuumed at 5% of dead rows: at 20%, the usual, indexes grew by a fifth.
ALTER TABLE prompt_store.diaobject SET (autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE prompt_store.diaobjectsums SET (autovacuum_vacuum_scale_factor = 0.05);

-- Identifiers: one bit less for the database, one more for the night (docs/design/ids.md): 14 bits of
-- nights would end in 2034. A database with sources is refused; empty partitions are made again.
DO $$
DECLARE
  part record;
  found bigint;
BEGIN
  SELECT diasourceid INTO found FROM prompt_store.diasource WHERE diasourceid < 1::bigint << 54 LIMIT 1;
  IF found IS NOT NULL THEN
    RAISE EXCEPTION 'diaSourceId % has the layout of first light, which ends with the nights of 2034', found
      USING HINT = 'Make a new database (skyledger db init) and process the raw images again.';
  END IF;
  FOR part IN
    SELECT c.oid::regclass AS name FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
    WHERE i.inhparent IN ('prompt_store.diasource'::regclass, 'prompt_store.diaforcedsource'::regclass)
      AND substring(pg_get_expr(c.relpartbound, c.oid) FROM $p$TO \('?(\d+)$p$)::bigint <= 1::bigint << 54
  LOOP
    EXECUTE format('DROP TABLE %s', part.name);
  END LOOP;
END $$;
ALTER TABLE ledger.database DROP CONSTRAINT database_values;
ALTER TABLE ledger.database ADD CONSTRAINT database_values CHECK (databaseid >= 1 AND databaseid <= 511);
