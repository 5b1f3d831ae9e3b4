CREATE SCHEMA IF NOT EXISTS ledger;
CREATE SCHEMA prompt_store;
CREATE SCHEMA staging;
COMMENT ON SCHEMA ledger IS 'Epochs, batches, provenance: the bookkeeping of what was known when.';
COMMENT ON SCHEMA prompt_store IS 'Base tables of the living database, written by publications.';
COMMENT ON SCHEMA staging IS 'Rows on their way in, by slot; emptied by a crash.';
CREATE SEQUENCE ledger.batch_id;
CREATE SEQUENCE ledger.rejected_id;
CREATE SEQUENCE ledger.object_serial MAXVALUE 549755813887;

-- Part of the tables' guard, hence frozen here and not replayed.
CREATE FUNCTION ledger.refuse_direct_write() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF current_setting('skyledger.publishing', true) IS DISTINCT FROM pg_current_xact_id()::text THEN
    RAISE EXCEPTION '%.% is written by ledger.publish alone', TG_TABLE_SCHEMA, TG_TABLE_NAME
      USING ERRCODE = 'insufficient_privilege',
        HINT = 'Stage the rows and publish them: every earlier answer must stay repeatable.';
  END IF;
  RETURN NULL;
END $$;


CREATE TABLE ledger.batch (
	batchid BIGINT NOT NULL, 
	kind TEXT NOT NULL, 
	visitid BIGINT, 
	run TEXT NOT NULL, 
	slot SMALLINT NOT NULL, 
	state TEXT NOT NULL, 
	reason TEXT, 
	startedtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	endedtai TIMESTAMP WITHOUT TIME ZONE, 
	epochtai TIMESTAMP WITHOUT TIME ZONE, 
	nrejected INTEGER NOT NULL, 
	CONSTRAINT batch_pkey PRIMARY KEY (batchid), 
	CONSTRAINT batch_rule1 CHECK (state IN ('open', 'published', 'failed')), 
	CONSTRAINT batch_values CHECK (batchid >= 0 AND visitid >= 0 AND slot >= 0 AND nrejected >= 0)
);

COMMENT ON TABLE ledger.batch IS 'One row per attempt to publish: what was loaded, through which staging slot, and how it ended.';

COMMENT ON COLUMN ledger.batch.batchid IS 'batchId: Unique number of the attempt, in the order of their beginning.';

COMMENT ON COLUMN ledger.batch.kind IS 'kind: What the batch carries: visit, template, relink or withdrawal.';

COMMENT ON COLUMN ledger.batch.visitid IS 'visitId: Visit the batch carries, if it carries one.';

COMMENT ON COLUMN ledger.batch.run IS 'run: Pipeline run, part of the token that makes a repeated load a no-op.';

COMMENT ON COLUMN ledger.batch.slot IS 'slot: Staging slot through which the rows came.';

COMMENT ON COLUMN ledger.batch.state IS 'state: How far it came: open, published or failed.';

COMMENT ON COLUMN ledger.batch.reason IS 'reason: Why it failed, in words for the operator.';

COMMENT ON COLUMN ledger.batch.startedtai IS 'startedTai: Ledger time at which the batch was opened.';

COMMENT ON COLUMN ledger.batch.endedtai IS 'endedTai: Ledger time at which the batch was published or given up.';

COMMENT ON COLUMN ledger.batch.epochtai IS 'epochTai: Epoch under which it was published.';

COMMENT ON COLUMN ledger.batch.nrejected IS 'nRejected: Rows refused by the validation and kept with their reason in Rejected.';

CREATE INDEX batch_visitid_run_idx ON ledger.batch (visitid, run);

CREATE TABLE ledger.citation (
	citationid TEXT NOT NULL, 
	contentsha256 TEXT NOT NULL, 
	databasename TEXT NOT NULL, 
	instanttai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	query TEXT NOT NULL, 
	expandedquery TEXT NOT NULL, 
	columnnames TEXT[] NOT NULL, 
	columntypes TEXT[] NOT NULL, 
	aggregates BOOLEAN NOT NULL, 
	nrows BIGINT NOT NULL, 
	checksum TEXT NOT NULL, 
	steadychecksum TEXT NOT NULL, 
	floatsums JSONB NOT NULL, 
	code JSONB NOT NULL, 
	schemarevision TEXT NOT NULL, 
	softwareversion TEXT NOT NULL, 
	citedtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	CONSTRAINT citation_pkey PRIMARY KEY (citationid), 
	CONSTRAINT citation_values CHECK (nrows >= 0)
);

COMMENT ON TABLE ledger.citation IS 'One row per cited query: what was asked, of which database, as of which instant, and what came out, so that anybody can ask again and see whether the answer is still the same.';

COMMENT ON COLUMN ledger.citation.citationid IS 'citationId: Short name of the citation: the leading characters, in base 32, of contentSha256.';

COMMENT ON COLUMN ledger.citation.contentsha256 IS 'contentSha256: Checksum of database, instant, expanded query and code: equal citations are one.';

COMMENT ON COLUMN ledger.citation.databasename IS 'databaseName: Database the query was put to: prompt or a release.';

COMMENT ON COLUMN ledger.citation.instanttai IS 'instantTai: Instant of ledger time (TAI) as of which the living tables were read.';

COMMENT ON COLUMN ledger.citation.query IS 'query: The query as it was written.';

COMMENT ON COLUMN ledger.citation.expandedquery IS 'expandedQuery: The query as it is run: names qualified, each * replaced by the columns it meant.';

COMMENT ON COLUMN ledger.citation.columnnames IS 'columnNames: Names of the columns of the answer, in order.';

COMMENT ON COLUMN ledger.citation.columntypes IS 'columnTypes: SQL types of the columns of the answer, in order.';

COMMENT ON COLUMN ledger.citation.aggregates IS 'aggregates: True if the query sums up rows, so that its floats may differ in the last digits.';

COMMENT ON COLUMN ledger.citation.nrows IS 'nRows: Number of rows of the answer.';

COMMENT ON COLUMN ledger.citation.checksum IS 'checksum: Checksum of all columns of all rows, whatever their order.';

COMMENT ON COLUMN ledger.citation.steadychecksum IS 'steadyChecksum: The same without the values of real and double precision columns.';

COMMENT ON COLUMN ledger.citation.floatsums IS 'floatSums: For each real or double precision column its type and three sums over the rows: of the values, of their sizes, and of the values times a weight that the rest of the row fixes.';

COMMENT ON COLUMN ledger.citation.code IS 'code: Checksum of each view and function of this archive that the query goes through.';

COMMENT ON COLUMN ledger.citation.schemarevision IS 'schemaRevision: Revision of the schema at the time of the citation.';

COMMENT ON COLUMN ledger.citation.softwareversion IS 'softwareVersion: Versions of this software and of PostgreSQL at the time of the citation.';

COMMENT ON COLUMN ledger.citation.citedtai IS 'citedTai: Ledger time (TAI) at which the citation was made.';

CREATE TABLE ledger.database (
	databaseid SMALLINT NOT NULL, 
	name TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	registeredtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	CONSTRAINT database_pkey PRIMARY KEY (databaseid), 
	CONSTRAINT database_values CHECK (databaseid >= 1 AND databaseid <= 1023)
);

COMMENT ON TABLE ledger.database IS 'The databases of this archive, each with the number that the ids of its rows begin with, so that no two databases or releases ever share an id.';

COMMENT ON COLUMN ledger.database.databaseid IS 'databaseId: Number in the leading ten bits of every id the database makes; never reused.';

COMMENT ON COLUMN ledger.database.name IS 'name: Name under which users address it: prompt, dr1, sp_NAME and so on.';

COMMENT ON COLUMN ledger.database.kind IS 'kind: Kind of the database: living or release.';

COMMENT ON COLUMN ledger.database.registeredtai IS 'registeredTai: Ledger time at which it was registered.';

CREATE TABLE ledger.delivery (
	visitid BIGINT NOT NULL, 
	detector SMALLINT NOT NULL, 
	run TEXT NOT NULL, 
	state TEXT NOT NULL, 
	reason TEXT, 
	attempts INTEGER NOT NULL, 
	batchid BIGINT, 
	changedtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	CONSTRAINT delivery_pkey PRIMARY KEY (visitid, detector, run), 
	CONSTRAINT delivery_rule1 CHECK (state IN ('open', 'published', 'failed')), 
	CONSTRAINT delivery_values CHECK (visitid >= 0 AND detector >= 0 AND attempts >= 1)
);

COMMENT ON TABLE ledger.delivery IS 'One row per visit, detector and pipeline run that was ever offered: the token of idempotence. A published one is never loaded again; a failed one keeps its reason and can be retried.';

COMMENT ON COLUMN ledger.delivery.visitid IS 'visitId: Visit that was offered.';

COMMENT ON COLUMN ledger.delivery.detector IS 'detector: Detector of the visit that was offered.';

COMMENT ON COLUMN ledger.delivery.run IS 'run: Pipeline run that offered it.';

COMMENT ON COLUMN ledger.delivery.state IS 'state: What became of it: open, published or failed.';

COMMENT ON COLUMN ledger.delivery.reason IS 'reason: Why it failed, in words for the operator.';

COMMENT ON COLUMN ledger.delivery.attempts IS 'attempts: How often it was tried.';

COMMENT ON COLUMN ledger.delivery.batchid IS 'batchId: Newest batch that carried it.';

COMMENT ON COLUMN ledger.delivery.changedtai IS 'changedTai: Ledger time of the last change of state.';

CREATE TABLE ledger.detector (
	instrument TEXT NOT NULL, 
	detector SMALLINT NOT NULL, 
	name TEXT NOT NULL, 
	nx INTEGER NOT NULL, 
	ny INTEGER NOT NULL, 
	pixelscale REAL, 
	gain REAL, 
	readnoise REAL, 
	saturation REAL, 
	CONSTRAINT detector_pkey PRIMARY KEY (instrument, detector), 
	CONSTRAINT detector_values CHECK (detector >= 0 AND detector <= 511 AND nx >= 1 AND ny >= 1 AND pixelscale NOT IN ('NaN', 'Infinity', '-Infinity') AND pixelscale >= 0 AND gain NOT IN ('NaN', 'Infinity', '-Infinity') AND gain >= 0 AND readnoise NOT IN ('NaN', 'Infinity', '-Infinity') AND readnoise >= 0 AND saturation NOT IN ('NaN', 'Infinity', '-Infinity') AND saturation >= 0)
);

COMMENT ON TABLE ledger.detector IS 'Detectors of the known instruments, as their description files state them. Electrons are written as ct, for the unit standard has no word of its own.';

COMMENT ON COLUMN ledger.detector.instrument IS 'instrument: Name of the instrument, as in its description file.';

COMMENT ON COLUMN ledger.detector.detector IS 'detector: Number of the detector within the camera.';

COMMENT ON COLUMN ledger.detector.name IS 'name: Name of the detector as the observatory writes it.';

COMMENT ON COLUMN ledger.detector.nx IS 'nx: Number of columns of the detector''s image. [pixel]';

COMMENT ON COLUMN ledger.detector.ny IS 'ny: Number of rows of the detector''s image. [pixel]';

COMMENT ON COLUMN ledger.detector.pixelscale IS 'pixelScale: Nominal size of a pixel on the sky. [arcsec/pixel]';

COMMENT ON COLUMN ledger.detector.gain IS 'gain: Electrons per unit of the analogue-to-digital converter. [ct/adu]';

COMMENT ON COLUMN ledger.detector.readnoise IS 'readNoise: Standard deviation of the read noise of one pixel in one snap, in electrons. [ct]';

COMMENT ON COLUMN ledger.detector.saturation IS 'saturation: Pixel value of a raw image from which on a pixel counts as saturated. [adu]';

CREATE TABLE ledger.epoch (
	epochtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	kind TEXT NOT NULL, 
	batchid BIGINT, 
	nrows BIGINT NOT NULL, 
	lockseconds DOUBLE PRECISION, 
	CONSTRAINT epoch_pkey PRIMARY KEY (epochtai), 
	CONSTRAINT epoch_values CHECK (nrows >= 0 AND lockseconds NOT IN ('NaN', 'Infinity', '-Infinity') AND lockseconds >= 0)
);

COMMENT ON TABLE ledger.epoch IS 'One row per publication: an instant of ledger time from which on what was published is visible. The newest row is the horizon: everything up to it is settled for ever.';

COMMENT ON COLUMN ledger.epoch.epochtai IS 'epochTai: Instant (TAI, microseconds) from which on the publication is visible.';

COMMENT ON COLUMN ledger.epoch.kind IS 'kind: Why the epoch exists: created, visit, template, relink, withdrawal, resolve or heartbeat.';

COMMENT ON COLUMN ledger.epoch.batchid IS 'batchId: Batch that was published, if rows were.';

COMMENT ON COLUMN ledger.epoch.nrows IS 'nRows: Number of row versions the publication opened or closed.';

COMMENT ON COLUMN ledger.epoch.lockseconds IS 'lockSeconds: Time the publication lock was held, measured just before the commit. [s]';

CREATE TABLE ledger.featuredefinition (
	kind TEXT NOT NULL, 
	index SMALLINT NOT NULL, 
	name TEXT NOT NULL, 
	unit TEXT, 
	description TEXT NOT NULL, 
	CONSTRAINT featuredefinition_pkey PRIMARY KEY (kind, index), 
	CONSTRAINT featuredefinition_rule1 CHECK ((kind = 'periodic' AND index <= 32) OR (kind = 'nonperiodic' AND index <= 20)), 
	CONSTRAINT featuredefinition_values CHECK (index >= 1 AND index <= 32)
);

COMMENT ON TABLE ledger.featuredefinition IS 'Names, meanings and units of the elements of the light-curve feature arrays lcPeriodic and lcNonPeriodic. Their number is fixed, their definition may change with the software and is then published anew.';

COMMENT ON COLUMN ledger.featuredefinition.kind IS 'kind: Array to which the feature belongs: periodic for lcPeriodic, nonperiodic for lcNonPeriodic.';

COMMENT ON COLUMN ledger.featuredefinition.index IS 'index: Number of the element within the array, counted from 1 as in SQL.';

COMMENT ON COLUMN ledger.featuredefinition.name IS 'name: Name of the feature.';

COMMENT ON COLUMN ledger.featuredefinition.unit IS 'unit: Unit of the feature as VOUnit; NULL for a number without dimension.';

COMMENT ON COLUMN ledger.featuredefinition.description IS 'description: What the feature measures.';

CREATE TABLE ledger.flagdefinition (
	relation TEXT NOT NULL, 
	bit SMALLINT NOT NULL, 
	columnname TEXT NOT NULL, 
	name TEXT NOT NULL, 
	description TEXT NOT NULL, 
	CONSTRAINT flagdefinition_pkey PRIMARY KEY (relation, bit), 
	CONSTRAINT flagdefinition_rule1 CHECK (bit < 64 OR columnName = 'flags2'), 
	CONSTRAINT flagdefinition_values CHECK (bit >= 0 AND bit <= 127)
);

COMMENT ON TABLE ledger.flagdefinition IS 'Names and meanings of the bits of all flags columns. A bit keeps its meaning for ever; a bit that falls out of use is not given a new one.';

COMMENT ON COLUMN ledger.flagdefinition.relation IS 'relation: Name of the table that has the flags column.';

COMMENT ON COLUMN ledger.flagdefinition.bit IS 'bit: Number of the bit, counted from 0. Bits from 64 on are found in the column flags2, where their number is smaller by 64.';

COMMENT ON COLUMN ledger.flagdefinition.columnname IS 'columnName: Name of the column that holds the bit.';

COMMENT ON COLUMN ledger.flagdefinition.name IS 'name: Name of the flag.';

COMMENT ON COLUMN ledger.flagdefinition.description IS 'description: What it means that the bit is set.';

CREATE TABLE ledger.provenance (
	provenanceid BIGINT NOT NULL, 
	pipeline TEXT NOT NULL, 
	softwareversion TEXT NOT NULL, 
	gitrevision TEXT, 
	schemaversion TEXT, 
	instrument TEXT, 
	configuration JSONB NOT NULL, 
	inputs JSONB NOT NULL, 
	createdtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	CONSTRAINT provenance_pkey PRIMARY KEY (provenanceid), 
	CONSTRAINT provenance_values CHECK (provenanceid >= 0)
);

COMMENT ON TABLE ledger.provenance IS 'What produced a product. Software, configuration and inputs together determine every published number; one row serves all rows produced by the same run.';

COMMENT ON COLUMN ledger.provenance.provenanceid IS 'provenanceId: Unique number of this record.';

COMMENT ON COLUMN ledger.provenance.pipeline IS 'pipeline: Name of the pipeline or command that ran.';

COMMENT ON COLUMN ledger.provenance.softwareversion IS 'softwareVersion: Version of the software as released.';

COMMENT ON COLUMN ledger.provenance.gitrevision IS 'gitRevision: Revision of the source code, where it was run from a checkout.';

COMMENT ON COLUMN ledger.provenance.schemaversion IS 'schemaVersion: Version of the database schema into which the products were published.';

COMMENT ON COLUMN ledger.provenance.instrument IS 'instrument: Name of the instrument whose data were processed, as in its description file.';

COMMENT ON COLUMN ledger.provenance.configuration IS 'configuration: All settings that may change a result, defaults included.';

COMMENT ON COLUMN ledger.provenance.inputs IS 'inputs: What was read: files with their checksums, identifiers of visits and templates, reference catalogues.';

COMMENT ON COLUMN ledger.provenance.createdtai IS 'createdTai: Ledger time (TAI) at which the record was written.';

CREATE TABLE ledger.refusedfile (
	path TEXT NOT NULL, 
	instrument TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	refusedtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	CONSTRAINT refusedfile_pkey PRIMARY KEY (path)
);

COMMENT ON TABLE ledger.refusedfile IS 'Files that were offered but could not be read as a visit: kept with their reason, tried again whenever their folder is processed again.';

COMMENT ON COLUMN ledger.refusedfile.path IS 'path: File that was offered.';

COMMENT ON COLUMN ledger.refusedfile.instrument IS 'instrument: Instrument it was offered as.';

COMMENT ON COLUMN ledger.refusedfile.reason IS 'reason: Why it could not be read.';

COMMENT ON COLUMN ledger.refusedfile.refusedtai IS 'refusedTai: Ledger time of the last refusal.';

CREATE TABLE ledger.rejected (
	rejectedid BIGINT NOT NULL, 
	batchid BIGINT NOT NULL, 
	relation TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	content JSONB NOT NULL, 
	rejectedtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	CONSTRAINT rejected_pkey PRIMARY KEY (rejectedid), 
	CONSTRAINT rejected_values CHECK (rejectedid >= 0)
);

COMMENT ON TABLE ledger.rejected IS 'Rows that validation refused, whole and with their reason: nothing that arrived is lost.';

COMMENT ON COLUMN ledger.rejected.rejectedid IS 'rejectedId: Unique number of the refused row.';

COMMENT ON COLUMN ledger.rejected.batchid IS 'batchId: Batch that carried the row.';

COMMENT ON COLUMN ledger.rejected.relation IS 'relation: Relation the row was meant for.';

COMMENT ON COLUMN ledger.rejected.reason IS 'reason: What is wrong with the row: each failing column with its value and limit.';

COMMENT ON COLUMN ledger.rejected.content IS 'content: The row as it was staged.';

COMMENT ON COLUMN ledger.rejected.rejectedtai IS 'rejectedTai: Ledger time of the refusal.';

CREATE INDEX rejected_batchid_idx ON ledger.rejected (batchid);

CREATE TABLE ledger.replayed (
	position INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	sha256 TEXT NOT NULL, 
	softwareversion TEXT NOT NULL, 
	replayedtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	CONSTRAINT replayed_pkey PRIMARY KEY (position), 
	CONSTRAINT replayed_values CHECK (position >= 0)
);

COMMENT ON TABLE ledger.replayed IS 'The views and functions this database was last given, in the order in which they were made, each with the sha256 of its text: what `skyledger db check` compares with the software.';

COMMENT ON COLUMN ledger.replayed.position IS 'position: Place in the order of making.';

COMMENT ON COLUMN ledger.replayed.name IS 'name: Schema-qualified name of the object.';

COMMENT ON COLUMN ledger.replayed.kind IS 'kind: Kind of the object: routine, view or script.';

COMMENT ON COLUMN ledger.replayed.sha256 IS 'sha256: Checksum of the text it was made from.';

COMMENT ON COLUMN ledger.replayed.softwareversion IS 'softwareVersion: Version of the software that made it.';

COMMENT ON COLUMN ledger.replayed.replayedtai IS 'replayedTai: Ledger time at which it was made.';

CREATE TABLE prompt_store.ccdvisit (
	ccdvisitid BIGINT NOT NULL, 
	visitid BIGINT NOT NULL, 
	detector SMALLINT NOT NULL, 
	instrument TEXT NOT NULL, 
	band TEXT NOT NULL, 
	filtername TEXT NOT NULL, 
	programid TEXT NOT NULL, 
	ra DOUBLE PRECISION NOT NULL, 
	decl DOUBLE PRECISION NOT NULL, 
	begintai DOUBLE PRECISION NOT NULL, 
	midpointtai DOUBLE PRECISION NOT NULL, 
	endtai DOUBLE PRECISION NOT NULL, 
	readoutendtai DOUBLE PRECISION, 
	exposuretime DOUBLE PRECISION NOT NULL, 
	nsnaps SMALLINT NOT NULL, 
	airmass REAL, 
	seeing REAL, 
	zeropoint REAL, 
	fluxscale DOUBLE PRECISION, 
	photocalibrelerr REAL, 
	photocalibabserr REAL, 
	nphotostars INTEGER, 
	pixelscale REAL, 
	rotation DOUBLE PRECISION, 
	llra DOUBLE PRECISION, 
	lldecl DOUBLE PRECISION, 
	lrra DOUBLE PRECISION, 
	lrdecl DOUBLE PRECISION, 
	urra DOUBLE PRECISION, 
	urdecl DOUBLE PRECISION, 
	ulra DOUBLE PRECISION, 
	uldecl DOUBLE PRECISION, 
	footprint DOUBLE PRECISION[], 
	usablefraction REAL, 
	wcsheader TEXT, 
	nastromstars INTEGER, 
	astromsysraerr REAL, 
	astromsysdeclerr REAL, 
	astromsyscov REAL, 
	npsfstars INTEGER, 
	psffwhm REAL, 
	psfixx REAL, 
	psfiyy REAL, 
	psfixy REAL, 
	skybg REAL, 
	skynoise REAL, 
	templateid BIGINT, 
	diffnoise REAL, 
	diffpixelsigma REAL, 
	diffnoisegrid REAL[], 
	kernelsum REAL, 
	scoresd REAL, 
	ndiasources INTEGER, 
	nstars INTEGER, 
	pvipath TEXT, 
	differencepath TEXT, 
	provenanceid BIGINT, 
	insertedtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	createdtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	CONSTRAINT ccdvisit_pkey PRIMARY KEY (ccdvisitid), 
	CONSTRAINT ccdvisit_rule1 CHECK (band IN ('u', 'g', 'r', 'i', 'z', 'y')), 
	CONSTRAINT ccdvisit_rule2 CHECK (beginTai <= midPointTai AND midPointTai <= endTai), 
	CONSTRAINT ccdvisit_values CHECK (ccdvisitid >= 0 AND visitid >= 0 AND detector >= 0 AND detector <= 511 AND ra NOT IN ('NaN', 'Infinity', '-Infinity') AND ra >= 0 AND ra <= 360 AND decl NOT IN ('NaN', 'Infinity', '-Infinity') AND decl >= -90 AND decl <= 90 AND begintai NOT IN ('NaN', 'Infinity', '-Infinity') AND begintai >= 0 AND midpointtai NOT IN ('NaN', 'Infinity', '-Infinity') AND midpointtai >= 0 AND endtai NOT IN ('NaN', 'Infinity', '-Infinity') AND endtai >= 0 AND readoutendtai NOT IN ('NaN', 'Infinity', '-Infinity') AND readoutendtai >= 0 AND exposuretime NOT IN ('NaN', 'Infinity', '-Infinity') AND exposuretime >= 0 AND nsnaps >= 1 AND airmass NOT IN ('NaN', 'Infinity', '-Infinity') AND airmass >= 0.99 AND seeing NOT IN ('NaN', 'Infinity', '-Infinity') AND seeing >= 0 AND zeropoint NOT IN ('NaN', 'Infinity', '-Infinity') AND fluxscale NOT IN ('NaN', 'Infinity', '-Infinity') AND fluxscale >= 0 AND photocalibrelerr NOT IN ('NaN', 'Infinity', '-Infinity') AND photocalibrelerr >= 0 AND photocalibabserr NOT IN ('NaN', 'Infinity', '-Infinity') AND photocalibabserr >= 0 AND nphotostars >= 0 AND pixelscale NOT IN ('NaN', 'Infinity', '-Infinity') AND pixelscale >= 0 AND rotation NOT IN ('NaN', 'Infinity', '-Infinity') AND rotation >= -360 AND rotation <= 360 AND llra NOT IN ('NaN', 'Infinity', '-Infinity') AND llra >= 0 AND llra <= 360 AND lldecl NOT IN ('NaN', 'Infinity', '-Infinity') AND lldecl >= -90 AND lldecl <= 90 AND lrra NOT IN ('NaN', 'Infinity', '-Infinity') AND lrra >= 0 AND lrra <= 360 AND lrdecl NOT IN ('NaN', 'Infinity', '-Infinity') AND lrdecl >= -90 AND lrdecl <= 90 AND urra NOT IN ('NaN', 'Infinity', '-Infinity') AND urra >= 0 AND urra <= 360 AND urdecl NOT IN ('NaN', 'Infinity', '-Infinity') AND urdecl >= -90 AND urdecl <= 90 AND ulra NOT IN ('NaN', 'Infinity', '-Infinity') AND ulra >= 0 AND ulra <= 360 AND uldecl NOT IN ('NaN', 'Infinity', '-Infinity') AND uldecl >= -90 AND uldecl <= 90 AND NOT ('NaN' = ANY (footprint)) AND cardinality(footprint) = 8 AND usablefraction NOT IN ('NaN', 'Infinity', '-Infinity') AND usablefraction >= 0 AND usablefraction <= 1 AND nastromstars >= 0 AND astromsysraerr NOT IN ('NaN', 'Infinity', '-Infinity') AND astromsysraerr >= 0 AND astromsysdeclerr NOT IN ('NaN', 'Infinity', '-Infinity') AND astromsysdeclerr >= 0 AND astromsyscov NOT IN ('NaN', 'Infinity', '-Infinity') AND npsfstars >= 0 AND psffwhm NOT IN ('NaN', 'Infinity', '-Infinity') AND psffwhm >= 0 AND psfixx NOT IN ('NaN', 'Infinity', '-Infinity') AND psfixx >= 0 AND psfiyy NOT IN ('NaN', 'Infinity', '-Infinity') AND psfiyy >= 0 AND psfixy NOT IN ('NaN', 'Infinity', '-Infinity') AND skybg NOT IN ('NaN', 'Infinity', '-Infinity') AND skynoise NOT IN ('NaN', 'Infinity', '-Infinity') AND skynoise >= 0 AND templateid >= 0 AND diffnoise NOT IN ('NaN', 'Infinity', '-Infinity') AND diffnoise >= 0 AND diffpixelsigma NOT IN ('NaN', 'Infinity', '-Infinity') AND diffpixelsigma >= 0 AND NOT ('NaN' = ANY (diffnoisegrid)) AND cardinality(diffnoisegrid) = 64 AND kernelsum NOT IN ('NaN', 'Infinity', '-Infinity') AND kernelsum >= 0 AND scoresd NOT IN ('NaN', 'Infinity', '-Infinity') AND scoresd >= 0 AND ndiasources >= 0 AND nstars >= 0 AND provenanceid >= 0)
);

COMMENT ON TABLE prompt_store.ccdvisit IS 'One detector of one visit, with everything needed to understand what was measured on it: times, zero point, astrometric solution, PSF, background, noise of the difference image, template and geometry. Only detectors whose processing succeeded have a row.';

COMMENT ON COLUMN prompt_store.ccdvisit.ccdvisitid IS 'ccdVisitId: Unique identifier of the detector of the visit, formed from visitId and detector; the same in every database and release.';

COMMENT ON COLUMN prompt_store.ccdvisit.visitid IS 'visitId: Identifier of the visit, shared by all detectors exposed together.';

COMMENT ON COLUMN prompt_store.ccdvisit.detector IS 'detector: Number of the detector within the camera.';

COMMENT ON COLUMN prompt_store.ccdvisit.instrument IS 'instrument: Name of the instrument, as in its description file.';

COMMENT ON COLUMN prompt_store.ccdvisit.band IS 'band: Photometric band: one of u, g, r, i, z, y.';

COMMENT ON COLUMN prompt_store.ccdvisit.filtername IS 'filterName: Name of the physical filter as the observatory writes it.';

COMMENT ON COLUMN prompt_store.ccdvisit.programid IS 'programId: Observing programme to which the visit belongs, such as the main survey or a special programme.';

COMMENT ON COLUMN prompt_store.ccdvisit.ra IS 'ra: Right ascension (ICRS) of the centre of the detector. [deg]';

COMMENT ON COLUMN prompt_store.ccdvisit.decl IS 'decl: Declination (ICRS) of the centre of the detector. [deg]';

COMMENT ON COLUMN prompt_store.ccdvisit.begintai IS 'beginTai: Start of the first snap at the centre of the detector, as a Modified Julian Date in TAI. [d]';

COMMENT ON COLUMN prompt_store.ccdvisit.midpointtai IS 'midPointTai: Mid-point of the visit at the centre of the detector, as a Modified Julian Date in TAI. [d]';

COMMENT ON COLUMN prompt_store.ccdvisit.endtai IS 'endTai: End of the last snap at the centre of the detector, as a Modified Julian Date in TAI. [d]';

COMMENT ON COLUMN prompt_store.ccdvisit.readoutendtai IS 'readoutEndTai: End of the readout of the last snap, as a Modified Julian Date in TAI: the instant from which the latency of alerts is counted. [d]';

COMMENT ON COLUMN prompt_store.ccdvisit.exposuretime IS 'exposureTime: Time the shutter was open, all snaps of the visit together. [s]';

COMMENT ON COLUMN prompt_store.ccdvisit.nsnaps IS 'nSnaps: Number of snaps combined into the visit.';

COMMENT ON COLUMN prompt_store.ccdvisit.airmass IS 'airmass: Airmass at the centre of the detector at mid-exposure; the usual approximations may give slightly less than 1 at the zenith.';

COMMENT ON COLUMN prompt_store.ccdvisit.seeing IS 'seeing: Full width at half maximum of the PSF, the median over the detector. [arcsec]';

COMMENT ON COLUMN prompt_store.ccdvisit.zeropoint IS 'zeroPoint: AB magnitude of a source that yields one electron during the whole visit; equal to 31.4 - 2.5 log10(fluxScale). [mag]';

COMMENT ON COLUMN prompt_store.ccdvisit.fluxscale IS 'fluxScale: Flux of a source that yields one electron during the whole visit; ct stands for one electron. [nJy/ct]';

COMMENT ON COLUMN prompt_store.ccdvisit.photocalibrelerr IS 'photoCalibRelErr: Relative photometric calibration error as a fraction of the flux: the error of fluxScale of this detector against the other visits of the survey.';

COMMENT ON COLUMN prompt_store.ccdvisit.photocalibabserr IS 'photoCalibAbsErr: Absolute photometric calibration error as a fraction of the flux: the error, common to the survey, of its flux scale against the AB system.';

COMMENT ON COLUMN prompt_store.ccdvisit.nphotostars IS 'nPhotoStars: Number of reference stars that define the zero point.';

COMMENT ON COLUMN prompt_store.ccdvisit.pixelscale IS 'pixelScale: Size of a pixel on the sky at the centre of the detector: the square root of its area. [arcsec/pixel]';

COMMENT ON COLUMN prompt_store.ccdvisit.rotation IS 'rotation: Position angle on the sky of the +y axis of the detector at its centre, from North through East. [deg]';

COMMENT ON COLUMN prompt_store.ccdvisit.llra IS 'llRa: Right ascension (ICRS) of the outer corner of the detector''s first pixel (lower left: x = -0.5, y = -0.5). [deg]';

COMMENT ON COLUMN prompt_store.ccdvisit.lldecl IS 'llDecl: Declination (ICRS) of the outer corner of the detector''s first pixel (lower left). [deg]';

COMMENT ON COLUMN prompt_store.ccdvisit.lrra IS 'lrRa: Right ascension (ICRS) of the corner at large x and small y (lower right). [deg]';

COMMENT ON COLUMN prompt_store.ccdvisit.lrdecl IS 'lrDecl: Declination (ICRS) of the corner at large x and small y (lower right). [deg]';

COMMENT ON COLUMN prompt_store.ccdvisit.urra IS 'urRa: Right ascension (ICRS) of the corner at large x and large y (upper right). [deg]';

COMMENT ON COLUMN prompt_store.ccdvisit.urdecl IS 'urDecl: Declination (ICRS) of the corner at large x and large y (upper right). [deg]';

COMMENT ON COLUMN prompt_store.ccdvisit.ulra IS 'ulRa: Right ascension (ICRS) of the corner at small x and large y (upper left). [deg]';

COMMENT ON COLUMN prompt_store.ccdvisit.uldecl IS 'ulDecl: Declination (ICRS) of the corner at small x and large y (upper left). [deg]';

COMMENT ON COLUMN prompt_store.ccdvisit.footprint IS 'footprint: Outline of the detector on the sky (ICRS) as a polygon of great circles: right ascension and declination of the four corners, in the order lower left, lower right, upper right, upper left. [deg]';

COMMENT ON COLUMN prompt_store.ccdvisit.usablefraction IS 'usableFraction: Fraction of the detector''s pixels that carry usable flux: neither defective, saturated, hit by a cosmic ray nor without data.';

COMMENT ON COLUMN prompt_store.ccdvisit.wcsheader IS 'wcsHeader: Astrometric solution as the cards of a FITS header, separated by line breaks.';

COMMENT ON COLUMN prompt_store.ccdvisit.nastromstars IS 'nAstromStars: Number of reference stars that define the astrometric solution.';

COMMENT ON COLUMN prompt_store.ccdvisit.astromsysraerr IS 'astromSysRaErr: Systematic error of right ascensions times cos(decl) measured on this detector, from the residuals of reference stars; it enters association and motion fits and is not part of raErr. [arcsec]';

COMMENT ON COLUMN prompt_store.ccdvisit.astromsysdeclerr IS 'astromSysDeclErr: Systematic error of declinations measured on this detector, from the residuals of reference stars; it enters association and motion fits and is not part of declErr. [arcsec]';

COMMENT ON COLUMN prompt_store.ccdvisit.astromsyscov IS 'astromSysCov: Covariance of the systematic errors of alpha cos(delta) and delta on this detector. [arcsec**2]';

COMMENT ON COLUMN prompt_store.ccdvisit.npsfstars IS 'nPsfStars: Number of stars from which the PSF model was made.';

COMMENT ON COLUMN prompt_store.ccdvisit.psffwhm IS 'psfFwhm: Full width at half maximum of the PSF at the centre of the detector. [pixel]';

COMMENT ON COLUMN prompt_store.ccdvisit.psfixx IS 'psfIxx: Adaptive second moment of the PSF along East at the centre of the detector. [arcsec**2]';

COMMENT ON COLUMN prompt_store.ccdvisit.psfiyy IS 'psfIyy: Adaptive second moment of the PSF along North at the centre of the detector. [arcsec**2]';

COMMENT ON COLUMN prompt_store.ccdvisit.psfixy IS 'psfIxy: Adaptive mixed second moment of the PSF along East and North at the centre of the detector. [arcsec**2]';

COMMENT ON COLUMN prompt_store.ccdvisit.skybg IS 'skyBg: Surface brightness of the sky background, the median over the detector. [nJy/arcsec**2]';

COMMENT ON COLUMN prompt_store.ccdvisit.skynoise IS 'skyNoise: Standard deviation of one pixel of empty sky on the visit image, the median over the detector. [nJy]';

COMMENT ON COLUMN prompt_store.ccdvisit.templateid IS 'templateId: Identifier of the template that was subtracted; NULL for visits that were not differenced.';

COMMENT ON COLUMN prompt_store.ccdvisit.diffnoise IS 'diffNoise: One-sigma error of a point-source flux on the difference image, the median over usable positions; five times this value is the upper limit for an undetected object. [nJy]';

COMMENT ON COLUMN prompt_store.ccdvisit.diffpixelsigma IS 'diffPixelSigma: Standard deviation of one pixel of empty sky on the difference image, the median over the detector. [nJy]';

COMMENT ON COLUMN prompt_store.ccdvisit.diffnoisegrid IS 'diffNoiseGrid: Map of diffNoise over the detector in 8 x 8 cells of equal size, row by row from small to large y, in each row from small to large x; NULL for a cell without usable pixels. [nJy]';

COMMENT ON COLUMN prompt_store.ccdvisit.kernelsum IS 'kernelSum: Sum of the kernel that matches the PSFs of visit and template: the ratio of their flux scales, close to 1 for a good subtraction.';

COMMENT ON COLUMN prompt_store.ccdvisit.scoresd IS 'scoreSd: Robust standard deviation of the PSF-likelihood image of the difference in units of its predicted error, close to 1 for a good subtraction.';

COMMENT ON COLUMN prompt_store.ccdvisit.ndiasources IS 'nDiaSources: Number of DIASources found on this detector of the visit, parents and children together.';

COMMENT ON COLUMN prompt_store.ccdvisit.nstars IS 'nStars: Number of stars measured on the visit image for its calibration.';

COMMENT ON COLUMN prompt_store.ccdvisit.pvipath IS 'pviPath: Path of the processed visit image (pixels, variance, mask, PSF, background) relative to the image store; NULL if it is no longer kept.';

COMMENT ON COLUMN prompt_store.ccdvisit.differencepath IS 'differencePath: Path of the difference image relative to the image store; NULL if there is none or it is no longer kept.';

COMMENT ON COLUMN prompt_store.ccdvisit.provenanceid IS 'provenanceId: Identifier of the software, configuration and inputs that produced the row; key into Provenance.';

COMMENT ON COLUMN prompt_store.ccdvisit.insertedtai IS 'insertedTai: Epoch at which the row first became visible; never changes (TAI).';

COMMENT ON COLUMN prompt_store.ccdvisit.createdtai IS 'createdTai: Epoch from which on this version is valid (TAI).';

CREATE INDEX ccdvisit_midpointtai_idx ON prompt_store.ccdvisit (midpointtai);

CREATE INDEX ccdvisit_sky_idx ON prompt_store.ccdvisit USING gist (spoint(radians(ra), radians(decl)));

CREATE INDEX ccdvisit_visitid_idx ON prompt_store.ccdvisit (visitid);

CREATE TRIGGER refuse_direct_write BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON prompt_store.ccdvisit FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_direct_write();

CREATE TABLE prompt_store.ccdvisit_history (
	ccdvisitid BIGINT NOT NULL, 
	visitid BIGINT NOT NULL, 
	detector SMALLINT NOT NULL, 
	instrument TEXT NOT NULL, 
	band TEXT NOT NULL, 
	filtername TEXT NOT NULL, 
	programid TEXT NOT NULL, 
	ra DOUBLE PRECISION NOT NULL, 
	decl DOUBLE PRECISION NOT NULL, 
	begintai DOUBLE PRECISION NOT NULL, 
	midpointtai DOUBLE PRECISION NOT NULL, 
	endtai DOUBLE PRECISION NOT NULL, 
	readoutendtai DOUBLE PRECISION, 
	exposuretime DOUBLE PRECISION NOT NULL, 
	nsnaps SMALLINT NOT NULL, 
	airmass REAL, 
	seeing REAL, 
	zeropoint REAL, 
	fluxscale DOUBLE PRECISION, 
	photocalibrelerr REAL, 
	photocalibabserr REAL, 
	nphotostars INTEGER, 
	pixelscale REAL, 
	rotation DOUBLE PRECISION, 
	llra DOUBLE PRECISION, 
	lldecl DOUBLE PRECISION, 
	lrra DOUBLE PRECISION, 
	lrdecl DOUBLE PRECISION, 
	urra DOUBLE PRECISION, 
	urdecl DOUBLE PRECISION, 
	ulra DOUBLE PRECISION, 
	uldecl DOUBLE PRECISION, 
	footprint DOUBLE PRECISION[], 
	usablefraction REAL, 
	wcsheader TEXT, 
	nastromstars INTEGER, 
	astromsysraerr REAL, 
	astromsysdeclerr REAL, 
	astromsyscov REAL, 
	npsfstars INTEGER, 
	psffwhm REAL, 
	psfixx REAL, 
	psfiyy REAL, 
	psfixy REAL, 
	skybg REAL, 
	skynoise REAL, 
	templateid BIGINT, 
	diffnoise REAL, 
	diffpixelsigma REAL, 
	diffnoisegrid REAL[], 
	kernelsum REAL, 
	scoresd REAL, 
	ndiasources INTEGER, 
	nstars INTEGER, 
	pvipath TEXT, 
	differencepath TEXT, 
	provenanceid BIGINT, 
	insertedtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	createdtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	deletedtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	CONSTRAINT ccdvisit_history_pkey PRIMARY KEY (ccdvisitid, deletedtai), 
	CONSTRAINT ccdvisit_interval CHECK (createdtai <= deletedtai)
)
 PARTITION BY RANGE (deletedtai);

COMMENT ON TABLE prompt_store.ccdvisit_history IS 'Closed versions of CcdVisit, by month of deletedTai.';

COMMENT ON COLUMN prompt_store.ccdvisit_history.ccdvisitid IS 'ccdVisitId: Unique identifier of the detector of the visit, formed from visitId and detector; the same in every database and release.';

COMMENT ON COLUMN prompt_store.ccdvisit_history.visitid IS 'visitId: Identifier of the visit, shared by all detectors exposed together.';

COMMENT ON COLUMN prompt_store.ccdvisit_history.detector IS 'detector: Number of the detector within the camera.';

COMMENT ON COLUMN prompt_store.ccdvisit_history.instrument IS 'instrument: Name of the instrument, as in its description file.';

COMMENT ON COLUMN prompt_store.ccdvisit_history.band IS 'band: Photometric band: one of u, g, r, i, z, y.';

COMMENT ON COLUMN prompt_store.ccdvisit_history.filtername IS 'filterName: Name of the physical filter as the observatory writes it.';

COMMENT ON COLUMN prompt_store.ccdvisit_history.programid IS 'programId: Observing programme to which the visit belongs, such as the main survey or a special programme.';

COMMENT ON COLUMN prompt_store.ccdvisit_history.ra IS 'ra: Right ascension (ICRS) of the centre of the detector. [deg]';

COMMENT ON COLUMN prompt_store.ccdvisit_history.decl IS 'decl: Declination (ICRS) of the centre of the detector. [deg]';

COMMENT ON COLUMN prompt_store.ccdvisit_history.begintai IS 'beginTai: Start of the first snap at the centre of the detector, as a Modified Julian Date in TAI. [d]';

COMMENT ON COLUMN prompt_store.ccdvisit_history.midpointtai IS 'midPointTai: Mid-point of the visit at the centre of the detector, as a Modified Julian Date in TAI. [d]';

COMMENT ON COLUMN prompt_store.ccdvisit_history.endtai IS 'endTai: End of the last snap at the centre of the detector, as a Modified Julian Date in TAI. [d]';

COMMENT ON COLUMN prompt_store.ccdvisit_history.readoutendtai IS 'readoutEndTai: End of the readout of the last snap, as a Modified Julian Date in TAI: the instant from which the latency of alerts is counted. [d]';

COMMENT ON COLUMN prompt_store.ccdvisit_history.exposuretime IS 'exposureTime: Time the shutter was open, all snaps of the visit together. [s]';

COMMENT ON COLUMN prompt_store.ccdvisit_history.nsnaps IS 'nSnaps: Number of snaps combined into the visit.';

COMMENT ON COLUMN prompt_store.ccdvisit_history.airmass IS 'airmass: Airmass at the centre of the detector at mid-exposure; the usual approximations may give slightly less than 1 at the zenith.';

COMMENT ON COLUMN prompt_store.ccdvisit_history.seeing IS 'seeing: Full width at half maximum of the PSF, the median over the detector. [arcsec]';

COMMENT ON COLUMN prompt_store.ccdvisit_history.zeropoint IS 'zeroPoint: AB magnitude of a source that yields one electron during the whole visit; equal to 31.4 - 2.5 log10(fluxScale). [mag]';

COMMENT ON COLUMN prompt_store.ccdvisit_history.fluxscale IS 'fluxScale: Flux of a source that yields one electron during the whole visit; ct stands for one electron. [nJy/ct]';

COMMENT ON COLUMN prompt_store.ccdvisit_history.photocalibrelerr IS 'photoCalibRelErr: Relative photometric calibration error as a fraction of the flux: the error of fluxScale of this detector against the other visits of the survey.';

COMMENT ON COLUMN prompt_store.ccdvisit_history.photocalibabserr IS 'photoCalibAbsErr: Absolute photometric calibration error as a fraction of the flux: the error, common to the survey, of its flux scale against the AB system.';

COMMENT ON COLUMN prompt_store.ccdvisit_history.nphotostars IS 'nPhotoStars: Number of reference stars that define the zero point.';

COMMENT ON COLUMN prompt_store.ccdvisit_history.pixelscale IS 'pixelScale: Size of a pixel on the sky at the centre of the detector: the square root of its area. [arcsec/pixel]';

COMMENT ON COLUMN prompt_store.ccdvisit_history.rotation IS 'rotation: Position angle on the sky of the +y axis of the detector at its centre, from North through East. [deg]';

COMMENT ON COLUMN prompt_store.ccdvisit_history.llra IS 'llRa: Right ascension (ICRS) of the outer corner of the detector''s first pixel (lower left: x = -0.5, y = -0.5). [deg]';

COMMENT ON COLUMN prompt_store.ccdvisit_history.lldecl IS 'llDecl: Declination (ICRS) of the outer corner of the detector''s first pixel (lower left). [deg]';

COMMENT ON COLUMN prompt_store.ccdvisit_history.lrra IS 'lrRa: Right ascension (ICRS) of the corner at large x and small y (lower right). [deg]';

COMMENT ON COLUMN prompt_store.ccdvisit_history.lrdecl IS 'lrDecl: Declination (ICRS) of the corner at large x and small y (lower right). [deg]';

COMMENT ON COLUMN prompt_store.ccdvisit_history.urra IS 'urRa: Right ascension (ICRS) of the corner at large x and large y (upper right). [deg]';

COMMENT ON COLUMN prompt_store.ccdvisit_history.urdecl IS 'urDecl: Declination (ICRS) of the corner at large x and large y (upper right). [deg]';

COMMENT ON COLUMN prompt_store.ccdvisit_history.ulra IS 'ulRa: Right ascension (ICRS) of the corner at small x and large y (upper left). [deg]';

COMMENT ON COLUMN prompt_store.ccdvisit_history.uldecl IS 'ulDecl: Declination (ICRS) of the corner at small x and large y (upper left). [deg]';

COMMENT ON COLUMN prompt_store.ccdvisit_history.footprint IS 'footprint: Outline of the detector on the sky (ICRS) as a polygon of great circles: right ascension and declination of the four corners, in the order lower left, lower right, upper right, upper left. [deg]';

COMMENT ON COLUMN prompt_store.ccdvisit_history.usablefraction IS 'usableFraction: Fraction of the detector''s pixels that carry usable flux: neither defective, saturated, hit by a cosmic ray nor without data.';

COMMENT ON COLUMN prompt_store.ccdvisit_history.wcsheader IS 'wcsHeader: Astrometric solution as the cards of a FITS header, separated by line breaks.';

COMMENT ON COLUMN prompt_store.ccdvisit_history.nastromstars IS 'nAstromStars: Number of reference stars that define the astrometric solution.';

COMMENT ON COLUMN prompt_store.ccdvisit_history.astromsysraerr IS 'astromSysRaErr: Systematic error of right ascensions times cos(decl) measured on this detector, from the residuals of reference stars; it enters association and motion fits and is not part of raErr. [arcsec]';

COMMENT ON COLUMN prompt_store.ccdvisit_history.astromsysdeclerr IS 'astromSysDeclErr: Systematic error of declinations measured on this detector, from the residuals of reference stars; it enters association and motion fits and is not part of declErr. [arcsec]';

COMMENT ON COLUMN prompt_store.ccdvisit_history.astromsyscov IS 'astromSysCov: Covariance of the systematic errors of alpha cos(delta) and delta on this detector. [arcsec**2]';

COMMENT ON COLUMN prompt_store.ccdvisit_history.npsfstars IS 'nPsfStars: Number of stars from which the PSF model was made.';

COMMENT ON COLUMN prompt_store.ccdvisit_history.psffwhm IS 'psfFwhm: Full width at half maximum of the PSF at the centre of the detector. [pixel]';

COMMENT ON COLUMN prompt_store.ccdvisit_history.psfixx IS 'psfIxx: Adaptive second moment of the PSF along East at the centre of the detector. [arcsec**2]';

COMMENT ON COLUMN prompt_store.ccdvisit_history.psfiyy IS 'psfIyy: Adaptive second moment of the PSF along North at the centre of the detector. [arcsec**2]';

COMMENT ON COLUMN prompt_store.ccdvisit_history.psfixy IS 'psfIxy: Adaptive mixed second moment of the PSF along East and North at the centre of the detector. [arcsec**2]';

COMMENT ON COLUMN prompt_store.ccdvisit_history.skybg IS 'skyBg: Surface brightness of the sky background, the median over the detector. [nJy/arcsec**2]';

COMMENT ON COLUMN prompt_store.ccdvisit_history.skynoise IS 'skyNoise: Standard deviation of one pixel of empty sky on the visit image, the median over the detector. [nJy]';

COMMENT ON COLUMN prompt_store.ccdvisit_history.templateid IS 'templateId: Identifier of the template that was subtracted; NULL for visits that were not differenced.';

COMMENT ON COLUMN prompt_store.ccdvisit_history.diffnoise IS 'diffNoise: One-sigma error of a point-source flux on the difference image, the median over usable positions; five times this value is the upper limit for an undetected object. [nJy]';

COMMENT ON COLUMN prompt_store.ccdvisit_history.diffpixelsigma IS 'diffPixelSigma: Standard deviation of one pixel of empty sky on the difference image, the median over the detector. [nJy]';

COMMENT ON COLUMN prompt_store.ccdvisit_history.diffnoisegrid IS 'diffNoiseGrid: Map of diffNoise over the detector in 8 x 8 cells of equal size, row by row from small to large y, in each row from small to large x; NULL for a cell without usable pixels. [nJy]';

COMMENT ON COLUMN prompt_store.ccdvisit_history.kernelsum IS 'kernelSum: Sum of the kernel that matches the PSFs of visit and template: the ratio of their flux scales, close to 1 for a good subtraction.';

COMMENT ON COLUMN prompt_store.ccdvisit_history.scoresd IS 'scoreSd: Robust standard deviation of the PSF-likelihood image of the difference in units of its predicted error, close to 1 for a good subtraction.';

COMMENT ON COLUMN prompt_store.ccdvisit_history.ndiasources IS 'nDiaSources: Number of DIASources found on this detector of the visit, parents and children together.';

COMMENT ON COLUMN prompt_store.ccdvisit_history.nstars IS 'nStars: Number of stars measured on the visit image for its calibration.';

COMMENT ON COLUMN prompt_store.ccdvisit_history.pvipath IS 'pviPath: Path of the processed visit image (pixels, variance, mask, PSF, background) relative to the image store; NULL if it is no longer kept.';

COMMENT ON COLUMN prompt_store.ccdvisit_history.differencepath IS 'differencePath: Path of the difference image relative to the image store; NULL if there is none or it is no longer kept.';

COMMENT ON COLUMN prompt_store.ccdvisit_history.provenanceid IS 'provenanceId: Identifier of the software, configuration and inputs that produced the row; key into Provenance.';

COMMENT ON COLUMN prompt_store.ccdvisit_history.insertedtai IS 'insertedTai: Epoch at which the row first became visible; never changes (TAI).';

COMMENT ON COLUMN prompt_store.ccdvisit_history.createdtai IS 'createdTai: Epoch from which on this version is valid (TAI).';

COMMENT ON COLUMN prompt_store.ccdvisit_history.deletedtai IS 'deletedTai: Last microsecond at which this version was valid (TAI); live: 9999-12-31.';

CREATE INDEX ccdvisit_history_midpointtai_idx ON prompt_store.ccdvisit_history (midpointtai);

CREATE INDEX ccdvisit_history_sky_idx ON prompt_store.ccdvisit_history USING gist (spoint(radians(ra), radians(decl)));

CREATE INDEX ccdvisit_history_visitid_idx ON prompt_store.ccdvisit_history (visitid);

CREATE TRIGGER refuse_direct_write BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON prompt_store.ccdvisit_history FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_direct_write();

CREATE TABLE prompt_store.diaforcedsource (
	diaforcedsourceid BIGINT NOT NULL, 
	ccdvisitid BIGINT NOT NULL, 
	visitid BIGINT NOT NULL, 
	detector SMALLINT NOT NULL, 
	diaobjectid BIGINT NOT NULL, 
	midpointtai DOUBLE PRECISION NOT NULL, 
	psflux REAL, 
	psfluxerr REAL, 
	totflux REAL, 
	totfluxerr REAL, 
	ra DOUBLE PRECISION NOT NULL, 
	decl DOUBLE PRECISION NOT NULL, 
	templateid BIGINT NOT NULL, 
	flags BIGINT NOT NULL, 
	insertedtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	createdtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	CONSTRAINT diaforcedsource_pkey PRIMARY KEY (diaforcedsourceid), 
	CONSTRAINT diaforcedsource_rule1 CHECK ((psFlux IS NULL) = (psFluxErr IS NULL)), 
	CONSTRAINT diaforcedsource_rule2 CHECK ((totFlux IS NULL) = (totFluxErr IS NULL)), 
	CONSTRAINT diaforcedsource_values CHECK (diaforcedsourceid >= 0 AND ccdvisitid >= 0 AND visitid >= 0 AND detector >= 0 AND detector <= 511 AND diaobjectid >= 0 AND midpointtai NOT IN ('NaN', 'Infinity', '-Infinity') AND midpointtai >= 0 AND psflux NOT IN ('NaN', 'Infinity', '-Infinity') AND psfluxerr NOT IN ('NaN', 'Infinity', '-Infinity') AND psfluxerr >= 0 AND totflux NOT IN ('NaN', 'Infinity', '-Infinity') AND totfluxerr NOT IN ('NaN', 'Infinity', '-Infinity') AND totfluxerr >= 0 AND ra NOT IN ('NaN', 'Infinity', '-Infinity') AND ra >= 0 AND ra <= 360 AND decl NOT IN ('NaN', 'Infinity', '-Infinity') AND decl >= -90 AND decl <= 90 AND templateid >= 0)
)
 PARTITION BY RANGE (diaforcedsourceid);

COMMENT ON TABLE prompt_store.diaforcedsource IS 'Point-source fluxes measured at the positions of DIAObjects, whether or not anything was detected there, on every difference image that covers them and, for new objects, on those of the past 30 days. No alert is issued for these rows, but they appear in later alerts of the object.';

COMMENT ON COLUMN prompt_store.diaforcedsource.diaforcedsourceid IS 'diaForcedSourceId: Unique identifier of this measurement, never used again in any database or release.';

COMMENT ON COLUMN prompt_store.diaforcedsource.ccdvisitid IS 'ccdVisitId: Identifier of the detector of the visit on which the flux was measured; key into CcdVisit.';

COMMENT ON COLUMN prompt_store.diaforcedsource.visitid IS 'visitId: Identifier of the visit, shared by all detectors exposed together.';

COMMENT ON COLUMN prompt_store.diaforcedsource.detector IS 'detector: Number of the detector within the camera.';

COMMENT ON COLUMN prompt_store.diaforcedsource.diaobjectid IS 'diaObjectId: Identifier of the DIAObject at whose position the flux was measured.';

COMMENT ON COLUMN prompt_store.diaforcedsource.midpointtai IS 'midPointTai: Mid-point of the exposure at the measured position, as a Modified Julian Date in TAI. [d]';

COMMENT ON COLUMN prompt_store.diaforcedsource.psflux IS 'psFlux: Point-source flux on the difference image with the position held fixed: visit minus template, negative where the object has faded. NULL where too few pixels were usable. [nJy]';

COMMENT ON COLUMN prompt_store.diaforcedsource.psfluxerr IS 'psFluxErr: Standard error of psFlux. [nJy]';

COMMENT ON COLUMN prompt_store.diaforcedsource.totflux IS 'totFlux: Point-source flux on the visit image itself at the same fixed position. NULL where the visit image is no longer kept or too few pixels were usable. [nJy]';

COMMENT ON COLUMN prompt_store.diaforcedsource.totfluxerr IS 'totFluxErr: Standard error of totFlux. [nJy]';

COMMENT ON COLUMN prompt_store.diaforcedsource.ra IS 'ra: Right ascension (ICRS) at which the flux was measured: the position of the DIAObject as known then. [deg]';

COMMENT ON COLUMN prompt_store.diaforcedsource.decl IS 'decl: Declination (ICRS) at which the flux was measured: the position of the DIAObject as known then. [deg]';

COMMENT ON COLUMN prompt_store.diaforcedsource.templateid IS 'templateId: Identifier of the template that was subtracted; fluxes of different templates have different zero levels.';

COMMENT ON COLUMN prompt_store.diaforcedsource.flags IS 'flags: Bit mask of status flags. FlagDefinition gives the name and meaning of each bit.';

COMMENT ON COLUMN prompt_store.diaforcedsource.insertedtai IS 'insertedTai: Epoch at which the row first became visible; never changes (TAI).';

COMMENT ON COLUMN prompt_store.diaforcedsource.createdtai IS 'createdTai: Epoch from which on this version is valid (TAI).';

CREATE INDEX diaforcedsource_ccdvisitid_idx ON prompt_store.diaforcedsource (ccdvisitid);

CREATE INDEX diaforcedsource_diaobjectid_midpointtai_idx ON prompt_store.diaforcedsource (diaobjectid, midpointtai) INCLUDE (psflux, psfluxerr, totflux, totfluxerr, ccdvisitid);

CREATE TRIGGER refuse_direct_write BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON prompt_store.diaforcedsource FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_direct_write();

CREATE TABLE prompt_store.diaforcedsource_history (
	diaforcedsourceid BIGINT NOT NULL, 
	ccdvisitid BIGINT NOT NULL, 
	visitid BIGINT NOT NULL, 
	detector SMALLINT NOT NULL, 
	diaobjectid BIGINT NOT NULL, 
	midpointtai DOUBLE PRECISION NOT NULL, 
	psflux REAL, 
	psfluxerr REAL, 
	totflux REAL, 
	totfluxerr REAL, 
	ra DOUBLE PRECISION NOT NULL, 
	decl DOUBLE PRECISION NOT NULL, 
	templateid BIGINT NOT NULL, 
	flags BIGINT NOT NULL, 
	insertedtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	createdtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	deletedtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	CONSTRAINT diaforcedsource_history_pkey PRIMARY KEY (diaforcedsourceid, deletedtai), 
	CONSTRAINT diaforcedsource_interval CHECK (createdtai <= deletedtai)
)
 PARTITION BY RANGE (deletedtai);

COMMENT ON TABLE prompt_store.diaforcedsource_history IS 'Closed versions of DIAForcedSource, by month of deletedTai.';

COMMENT ON COLUMN prompt_store.diaforcedsource_history.diaforcedsourceid IS 'diaForcedSourceId: Unique identifier of this measurement, never used again in any database or release.';

COMMENT ON COLUMN prompt_store.diaforcedsource_history.ccdvisitid IS 'ccdVisitId: Identifier of the detector of the visit on which the flux was measured; key into CcdVisit.';

COMMENT ON COLUMN prompt_store.diaforcedsource_history.visitid IS 'visitId: Identifier of the visit, shared by all detectors exposed together.';

COMMENT ON COLUMN prompt_store.diaforcedsource_history.detector IS 'detector: Number of the detector within the camera.';

COMMENT ON COLUMN prompt_store.diaforcedsource_history.diaobjectid IS 'diaObjectId: Identifier of the DIAObject at whose position the flux was measured.';

COMMENT ON COLUMN prompt_store.diaforcedsource_history.midpointtai IS 'midPointTai: Mid-point of the exposure at the measured position, as a Modified Julian Date in TAI. [d]';

COMMENT ON COLUMN prompt_store.diaforcedsource_history.psflux IS 'psFlux: Point-source flux on the difference image with the position held fixed: visit minus template, negative where the object has faded. NULL where too few pixels were usable. [nJy]';

COMMENT ON COLUMN prompt_store.diaforcedsource_history.psfluxerr IS 'psFluxErr: Standard error of psFlux. [nJy]';

COMMENT ON COLUMN prompt_store.diaforcedsource_history.totflux IS 'totFlux: Point-source flux on the visit image itself at the same fixed position. NULL where the visit image is no longer kept or too few pixels were usable. [nJy]';

COMMENT ON COLUMN prompt_store.diaforcedsource_history.totfluxerr IS 'totFluxErr: Standard error of totFlux. [nJy]';

COMMENT ON COLUMN prompt_store.diaforcedsource_history.ra IS 'ra: Right ascension (ICRS) at which the flux was measured: the position of the DIAObject as known then. [deg]';

COMMENT ON COLUMN prompt_store.diaforcedsource_history.decl IS 'decl: Declination (ICRS) at which the flux was measured: the position of the DIAObject as known then. [deg]';

COMMENT ON COLUMN prompt_store.diaforcedsource_history.templateid IS 'templateId: Identifier of the template that was subtracted; fluxes of different templates have different zero levels.';

COMMENT ON COLUMN prompt_store.diaforcedsource_history.flags IS 'flags: Bit mask of status flags. FlagDefinition gives the name and meaning of each bit.';

COMMENT ON COLUMN prompt_store.diaforcedsource_history.insertedtai IS 'insertedTai: Epoch at which the row first became visible; never changes (TAI).';

COMMENT ON COLUMN prompt_store.diaforcedsource_history.createdtai IS 'createdTai: Epoch from which on this version is valid (TAI).';

COMMENT ON COLUMN prompt_store.diaforcedsource_history.deletedtai IS 'deletedTai: Last microsecond at which this version was valid (TAI); live: 9999-12-31.';

CREATE INDEX diaforcedsource_history_ccdvisitid_idx ON prompt_store.diaforcedsource_history (ccdvisitid);

CREATE INDEX diaforcedsource_history_diaobjectid_midpointtai_idx ON prompt_store.diaforcedsource_history (diaobjectid, midpointtai) INCLUDE (psflux, psfluxerr, totflux, totfluxerr, ccdvisitid);

CREATE TRIGGER refuse_direct_write BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON prompt_store.diaforcedsource_history FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_direct_write();

CREATE TABLE prompt_store.diaobject (
	diaobjectid BIGINT NOT NULL, 
	ra DOUBLE PRECISION NOT NULL, 
	decl DOUBLE PRECISION NOT NULL, 
	raerr REAL, 
	declerr REAL, 
	radeclcov REAL, 
	hpx29 BIGINT NOT NULL, 
	radectai DOUBLE PRECISION NOT NULL, 
	ndiasources INTEGER NOT NULL, 
	firstdiasourcetai DOUBLE PRECISION, 
	lastdiasourcetai DOUBLE PRECISION, 
	flags BIGINT NOT NULL, 
	pmra REAL, 
	pmdecl REAL, 
	parallax REAL, 
	pmparallaxcov REAL[], 
	pmparallaxlnl REAL, 
	pmparallaxchi2 REAL, 
	pmparallaxndata INTEGER, 
	upsfluxmean REAL, 
	gpsfluxmean REAL, 
	rpsfluxmean REAL, 
	ipsfluxmean REAL, 
	zpsfluxmean REAL, 
	ypsfluxmean REAL, 
	upsfluxmeanerr REAL, 
	gpsfluxmeanerr REAL, 
	rpsfluxmeanerr REAL, 
	ipsfluxmeanerr REAL, 
	zpsfluxmeanerr REAL, 
	ypsfluxmeanerr REAL, 
	upsfluxsigma REAL, 
	gpsfluxsigma REAL, 
	rpsfluxsigma REAL, 
	ipsfluxsigma REAL, 
	zpsfluxsigma REAL, 
	ypsfluxsigma REAL, 
	upsfluxchi2 REAL, 
	gpsfluxchi2 REAL, 
	rpsfluxchi2 REAL, 
	ipsfluxchi2 REAL, 
	zpsfluxchi2 REAL, 
	ypsfluxchi2 REAL, 
	upsfluxndata INTEGER, 
	gpsfluxndata INTEGER, 
	rpsfluxndata INTEGER, 
	ipsfluxndata INTEGER, 
	zpsfluxndata INTEGER, 
	ypsfluxndata INTEGER, 
	utotfluxmean REAL, 
	gtotfluxmean REAL, 
	rtotfluxmean REAL, 
	itotfluxmean REAL, 
	ztotfluxmean REAL, 
	ytotfluxmean REAL, 
	utotfluxmeanerr REAL, 
	gtotfluxmeanerr REAL, 
	rtotfluxmeanerr REAL, 
	itotfluxmeanerr REAL, 
	ztotfluxmeanerr REAL, 
	ytotfluxmeanerr REAL, 
	utotfluxsigma REAL, 
	gtotfluxsigma REAL, 
	rtotfluxsigma REAL, 
	itotfluxsigma REAL, 
	ztotfluxsigma REAL, 
	ytotfluxsigma REAL, 
	upsforcedfluxmean REAL, 
	gpsforcedfluxmean REAL, 
	rpsforcedfluxmean REAL, 
	ipsforcedfluxmean REAL, 
	zpsforcedfluxmean REAL, 
	ypsforcedfluxmean REAL, 
	upsforcedfluxmeanerr REAL, 
	gpsforcedfluxmeanerr REAL, 
	rpsforcedfluxmeanerr REAL, 
	ipsforcedfluxmeanerr REAL, 
	zpsforcedfluxmeanerr REAL, 
	ypsforcedfluxmeanerr REAL, 
	upsforcedfluxndata INTEGER, 
	gpsforcedfluxndata INTEGER, 
	rpsforcedfluxndata INTEGER, 
	ipsforcedfluxndata INTEGER, 
	zpsforcedfluxndata INTEGER, 
	ypsforcedfluxndata INTEGER, 
	nearbyobj BIGINT[], 
	nearbystar1 BIGINT, 
	nearbystar2 BIGINT, 
	nearbystar3 BIGINT, 
	nearbygal1 BIGINT, 
	nearbygal2 BIGINT, 
	nearbygal3 BIGINT, 
	nearbystar1dist REAL, 
	nearbystar2dist REAL, 
	nearbystar3dist REAL, 
	nearbygal1dist REAL, 
	nearbygal2dist REAL, 
	nearbygal3dist REAL, 
	nearbystar1lnp REAL, 
	nearbystar2lnp REAL, 
	nearbystar3lnp REAL, 
	nearbygal1lnp REAL, 
	nearbygal2lnp REAL, 
	nearbygal3lnp REAL, 
	insertedtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	createdtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	CONSTRAINT diaobject_pkey PRIMARY KEY (diaobjectid), 
	CONSTRAINT diaobject_rule1 CHECK (pmRa IS NULL OR (pmDecl IS NOT NULL AND pmParallaxLnL IS NOT NULL AND pmParallaxChi2 IS NOT NULL AND pmParallaxNdata IS NOT NULL)), 
	CONSTRAINT diaobject_rule2 CHECK (parallax IS NULL OR pmRa IS NOT NULL), 
	CONSTRAINT diaobject_values CHECK (diaobjectid >= 0 AND ra NOT IN ('NaN', 'Infinity', '-Infinity') AND ra >= 0 AND ra <= 360 AND decl NOT IN ('NaN', 'Infinity', '-Infinity') AND decl >= -90 AND decl <= 90 AND raerr NOT IN ('NaN', 'Infinity', '-Infinity') AND raerr >= 0 AND declerr NOT IN ('NaN', 'Infinity', '-Infinity') AND declerr >= 0 AND radeclcov NOT IN ('NaN', 'Infinity', '-Infinity') AND hpx29 >= 0 AND radectai NOT IN ('NaN', 'Infinity', '-Infinity') AND radectai >= 0 AND ndiasources >= 0 AND firstdiasourcetai NOT IN ('NaN', 'Infinity', '-Infinity') AND firstdiasourcetai >= 0 AND lastdiasourcetai NOT IN ('NaN', 'Infinity', '-Infinity') AND lastdiasourcetai >= 0 AND pmra NOT IN ('NaN', 'Infinity', '-Infinity') AND pmdecl NOT IN ('NaN', 'Infinity', '-Infinity') AND parallax NOT IN ('NaN', 'Infinity', '-Infinity') AND NOT ('NaN' = ANY (pmparallaxcov)) AND cardinality(pmparallaxcov) = 6 AND pmparallaxlnl NOT IN ('NaN', 'Infinity', '-Infinity') AND pmparallaxchi2 NOT IN ('NaN', 'Infinity', '-Infinity') AND pmparallaxchi2 >= 0 AND pmparallaxndata >= 0 AND upsfluxmean NOT IN ('NaN', 'Infinity', '-Infinity') AND gpsfluxmean NOT IN ('NaN', 'Infinity', '-Infinity') AND rpsfluxmean NOT IN ('NaN', 'Infinity', '-Infinity') AND ipsfluxmean NOT IN ('NaN', 'Infinity', '-Infinity') AND zpsfluxmean NOT IN ('NaN', 'Infinity', '-Infinity') AND ypsfluxmean NOT IN ('NaN', 'Infinity', '-Infinity') AND upsfluxmeanerr NOT IN ('NaN', 'Infinity', '-Infinity') AND upsfluxmeanerr >= 0 AND gpsfluxmeanerr NOT IN ('NaN', 'Infinity', '-Infinity') AND gpsfluxmeanerr >= 0 AND rpsfluxmeanerr NOT IN ('NaN', 'Infinity', '-Infinity') AND rpsfluxmeanerr >= 0 AND ipsfluxmeanerr NOT IN ('NaN', 'Infinity', '-Infinity') AND ipsfluxmeanerr >= 0 AND zpsfluxmeanerr NOT IN ('NaN', 'Infinity', '-Infinity') AND zpsfluxmeanerr >= 0 AND ypsfluxmeanerr NOT IN ('NaN', 'Infinity', '-Infinity') AND ypsfluxmeanerr >= 0 AND upsfluxsigma NOT IN ('NaN', 'Infinity', '-Infinity') AND upsfluxsigma >= 0 AND gpsfluxsigma NOT IN ('NaN', 'Infinity', '-Infinity') AND gpsfluxsigma >= 0 AND rpsfluxsigma NOT IN ('NaN', 'Infinity', '-Infinity') AND rpsfluxsigma >= 0 AND ipsfluxsigma NOT IN ('NaN', 'Infinity', '-Infinity') AND ipsfluxsigma >= 0 AND zpsfluxsigma NOT IN ('NaN', 'Infinity', '-Infinity') AND zpsfluxsigma >= 0 AND ypsfluxsigma NOT IN ('NaN', 'Infinity', '-Infinity') AND ypsfluxsigma >= 0 AND upsfluxchi2 NOT IN ('NaN', 'Infinity', '-Infinity') AND upsfluxchi2 >= 0 AND gpsfluxchi2 NOT IN ('NaN', 'Infinity', '-Infinity') AND gpsfluxchi2 >= 0 AND rpsfluxchi2 NOT IN ('NaN', 'Infinity', '-Infinity') AND rpsfluxchi2 >= 0 AND ipsfluxchi2 NOT IN ('NaN', 'Infinity', '-Infinity') AND ipsfluxchi2 >= 0 AND zpsfluxchi2 NOT IN ('NaN', 'Infinity', '-Infinity') AND zpsfluxchi2 >= 0 AND ypsfluxchi2 NOT IN ('NaN', 'Infinity', '-Infinity') AND ypsfluxchi2 >= 0 AND upsfluxndata >= 0 AND gpsfluxndata >= 0 AND rpsfluxndata >= 0 AND ipsfluxndata >= 0 AND zpsfluxndata >= 0 AND ypsfluxndata >= 0 AND utotfluxmean NOT IN ('NaN', 'Infinity', '-Infinity') AND gtotfluxmean NOT IN ('NaN', 'Infinity', '-Infinity') AND rtotfluxmean NOT IN ('NaN', 'Infinity', '-Infinity') AND itotfluxmean NOT IN ('NaN', 'Infinity', '-Infinity') AND ztotfluxmean NOT IN ('NaN', 'Infinity', '-Infinity') AND ytotfluxmean NOT IN ('NaN', 'Infinity', '-Infinity') AND utotfluxmeanerr NOT IN ('NaN', 'Infinity', '-Infinity') AND utotfluxmeanerr >= 0 AND gtotfluxmeanerr NOT IN ('NaN', 'Infinity', '-Infinity') AND gtotfluxmeanerr >= 0 AND rtotfluxmeanerr NOT IN ('NaN', 'Infinity', '-Infinity') AND rtotfluxmeanerr >= 0 AND itotfluxmeanerr NOT IN ('NaN', 'Infinity', '-Infinity') AND itotfluxmeanerr >= 0 AND ztotfluxmeanerr NOT IN ('NaN', 'Infinity', '-Infinity') AND ztotfluxmeanerr >= 0 AND ytotfluxmeanerr NOT IN ('NaN', 'Infinity', '-Infinity') AND ytotfluxmeanerr >= 0 AND utotfluxsigma NOT IN ('NaN', 'Infinity', '-Infinity') AND utotfluxsigma >= 0 AND gtotfluxsigma NOT IN ('NaN', 'Infinity', '-Infinity') AND gtotfluxsigma >= 0 AND rtotfluxsigma NOT IN ('NaN', 'Infinity', '-Infinity') AND rtotfluxsigma >= 0 AND itotfluxsigma NOT IN ('NaN', 'Infinity', '-Infinity') AND itotfluxsigma >= 0 AND ztotfluxsigma NOT IN ('NaN', 'Infinity', '-Infinity') AND ztotfluxsigma >= 0 AND ytotfluxsigma NOT IN ('NaN', 'Infinity', '-Infinity') AND ytotfluxsigma >= 0 AND upsforcedfluxmean NOT IN ('NaN', 'Infinity', '-Infinity') AND gpsforcedfluxmean NOT IN ('NaN', 'Infinity', '-Infinity') AND rpsforcedfluxmean NOT IN ('NaN', 'Infinity', '-Infinity') AND ipsforcedfluxmean NOT IN ('NaN', 'Infinity', '-Infinity') AND zpsforcedfluxmean NOT IN ('NaN', 'Infinity', '-Infinity') AND ypsforcedfluxmean NOT IN ('NaN', 'Infinity', '-Infinity') AND upsforcedfluxmeanerr NOT IN ('NaN', 'Infinity', '-Infinity') AND upsforcedfluxmeanerr >= 0 AND gpsforcedfluxmeanerr NOT IN ('NaN', 'Infinity', '-Infinity') AND gpsforcedfluxmeanerr >= 0 AND rpsforcedfluxmeanerr NOT IN ('NaN', 'Infinity', '-Infinity') AND rpsforcedfluxmeanerr >= 0 AND ipsforcedfluxmeanerr NOT IN ('NaN', 'Infinity', '-Infinity') AND ipsforcedfluxmeanerr >= 0 AND zpsforcedfluxmeanerr NOT IN ('NaN', 'Infinity', '-Infinity') AND zpsforcedfluxmeanerr >= 0 AND ypsforcedfluxmeanerr NOT IN ('NaN', 'Infinity', '-Infinity') AND ypsforcedfluxmeanerr >= 0 AND upsforcedfluxndata >= 0 AND gpsforcedfluxndata >= 0 AND rpsforcedfluxndata >= 0 AND ipsforcedfluxndata >= 0 AND zpsforcedfluxndata >= 0 AND ypsforcedfluxndata >= 0 AND cardinality(nearbyobj) = 6 AND nearbystar1 >= 0 AND nearbystar2 >= 0 AND nearbystar3 >= 0 AND nearbygal1 >= 0 AND nearbygal2 >= 0 AND nearbygal3 >= 0 AND nearbystar1dist NOT IN ('NaN', 'Infinity', '-Infinity') AND nearbystar1dist >= 0 AND nearbystar2dist NOT IN ('NaN', 'Infinity', '-Infinity') AND nearbystar2dist >= 0 AND nearbystar3dist NOT IN ('NaN', 'Infinity', '-Infinity') AND nearbystar3dist >= 0 AND nearbygal1dist NOT IN ('NaN', 'Infinity', '-Infinity') AND nearbygal1dist >= 0 AND nearbygal2dist NOT IN ('NaN', 'Infinity', '-Infinity') AND nearbygal2dist >= 0 AND nearbygal3dist NOT IN ('NaN', 'Infinity', '-Infinity') AND nearbygal3dist >= 0 AND nearbystar1lnp NOT IN ('NaN', 'Infinity', '-Infinity') AND nearbystar1lnp <= 0 AND nearbystar2lnp NOT IN ('NaN', 'Infinity', '-Infinity') AND nearbystar2lnp <= 0 AND nearbystar3lnp NOT IN ('NaN', 'Infinity', '-Infinity') AND nearbystar3lnp <= 0 AND nearbygal1lnp NOT IN ('NaN', 'Infinity', '-Infinity') AND nearbygal1lnp <= 0 AND nearbygal2lnp NOT IN ('NaN', 'Infinity', '-Infinity') AND nearbygal2lnp <= 0 AND nearbygal3lnp NOT IN ('NaN', 'Infinity', '-Infinity') AND nearbygal3lnp <= 0)
);

COMMENT ON TABLE prompt_store.diaobject IS 'Astrophysical objects outside the Solar System behind the DIASources, computed anew from the data of the previous twelve months whenever a source is added. Statistics are per band; a mean over detections is biased towards bright epochs near the detection limit, the psForcedFlux columns are not. Light-curve features are in DIAObjectFeatures. Neighbours in the latest data release are positional matches and do not claim identity.';

COMMENT ON COLUMN prompt_store.diaobject.diaobjectid IS 'diaObjectId: Unique identifier of the object. It holds the database, the HEALPix pixel in which the object was first seen and a serial number, and is never used again in any database or release.';

COMMENT ON COLUMN prompt_store.diaobject.ra IS 'ra: Right ascension (ICRS) of the object at time radecTai. [deg]';

COMMENT ON COLUMN prompt_store.diaobject.decl IS 'decl: Declination (ICRS) of the object at time radecTai. [deg]';

COMMENT ON COLUMN prompt_store.diaobject.raerr IS 'raErr: Standard error of the right ascension times cos(decl), that is sigma(alpha cos delta), at time radecTai. [arcsec]';

COMMENT ON COLUMN prompt_store.diaobject.declerr IS 'declErr: Standard error of the declination at time radecTai. [arcsec]';

COMMENT ON COLUMN prompt_store.diaobject.radeclcov IS 'raDeclCov: Covariance between alpha cos(delta) and delta; divided by raErr times declErr it is the correlation coefficient. [arcsec**2]';

COMMENT ON COLUMN prompt_store.diaobject.hpx29 IS 'hpx29: HEALPix pixel of order 29 in the nested scheme that holds (ra, decl). Integer division by 4 to the power of (29 - n) gives the pixel of order n.';

COMMENT ON COLUMN prompt_store.diaobject.radectai IS 'radecTai: Epoch of ra and decl, as a Modified Julian Date in TAI. [d]';

COMMENT ON COLUMN prompt_store.diaobject.ndiasources IS 'nDiaSources: Number of DIASources of the object, in all bands, within the twelve months up to its newest one; in reprocessing without that limit.';

COMMENT ON COLUMN prompt_store.diaobject.firstdiasourcetai IS 'firstDiaSourceTai: Mid-exposure time of the earliest of these DIASources, as a Modified Julian Date in TAI. [d]';

COMMENT ON COLUMN prompt_store.diaobject.lastdiasourcetai IS 'lastDiaSourceTai: Mid-exposure time of the latest DIASource associated with the object, as a Modified Julian Date in TAI. [d]';

COMMENT ON COLUMN prompt_store.diaobject.flags IS 'flags: Bit mask of status flags. FlagDefinition gives the name and meaning of each bit.';

COMMENT ON COLUMN prompt_store.diaobject.pmra IS 'pmRa: Proper motion in right ascension times cos(decl), that is mu_alpha*, fitted together with position and parallax. NULL until the object has five points over at least 60 days. [mas/yr]';

COMMENT ON COLUMN prompt_store.diaobject.pmdecl IS 'pmDecl: Proper motion in declination, fitted together with position and parallax. NULL until the object has five points over at least 60 days. [mas/yr]';

COMMENT ON COLUMN prompt_store.diaobject.parallax IS 'parallax: Trigonometric parallax, fitted together with position and proper motion; noise may make it negative. NULL until the object has eight points over at least 180 days and the fit is well conditioned. [mas]';

COMMENT ON COLUMN prompt_store.diaobject.pmparallaxcov IS 'pmParallaxCov: Covariance matrix of (pmRa, pmDecl, parallax), lower triangle row by row: (pmRa,pmRa), (pmDecl,pmRa), (pmDecl,pmDecl), (parallax,pmRa), (parallax,pmDecl), (parallax,parallax). Units are mas/yr and mas.';

COMMENT ON COLUMN prompt_store.diaobject.pmparallaxlnl IS 'pmParallaxLnL: Natural logarithm of the likelihood of the measured positions given the fitted position, proper motion and parallax.';

COMMENT ON COLUMN prompt_store.diaobject.pmparallaxchi2 IS 'pmParallaxChi2: Chi-square of the fit of position, proper motion and parallax; it has 2 pmParallaxNdata - 5 degrees of freedom when all five are fitted.';

COMMENT ON COLUMN prompt_store.diaobject.pmparallaxndata IS 'pmParallaxNdata: Number of measured positions used in the fit of position, proper motion and parallax.';

COMMENT ON COLUMN prompt_store.diaobject.upsfluxmean IS 'uPsFluxMean: Inverse-variance weighted mean of psFlux over the u-band DIASources of the object within the previous twelve months. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject.gpsfluxmean IS 'gPsFluxMean: Inverse-variance weighted mean of psFlux over the g-band DIASources of the object within the previous twelve months. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject.rpsfluxmean IS 'rPsFluxMean: Inverse-variance weighted mean of psFlux over the r-band DIASources of the object within the previous twelve months. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject.ipsfluxmean IS 'iPsFluxMean: Inverse-variance weighted mean of psFlux over the i-band DIASources of the object within the previous twelve months. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject.zpsfluxmean IS 'zPsFluxMean: Inverse-variance weighted mean of psFlux over the z-band DIASources of the object within the previous twelve months. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject.ypsfluxmean IS 'yPsFluxMean: Inverse-variance weighted mean of psFlux over the y-band DIASources of the object within the previous twelve months. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject.upsfluxmeanerr IS 'uPsFluxMeanErr: Standard error of uPsFluxMean, one over the square root of the sum of the weights. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject.gpsfluxmeanerr IS 'gPsFluxMeanErr: Standard error of gPsFluxMean, one over the square root of the sum of the weights. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject.rpsfluxmeanerr IS 'rPsFluxMeanErr: Standard error of rPsFluxMean, one over the square root of the sum of the weights. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject.ipsfluxmeanerr IS 'iPsFluxMeanErr: Standard error of iPsFluxMean, one over the square root of the sum of the weights. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject.zpsfluxmeanerr IS 'zPsFluxMeanErr: Standard error of zPsFluxMean, one over the square root of the sum of the weights. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject.ypsfluxmeanerr IS 'yPsFluxMeanErr: Standard error of yPsFluxMean, one over the square root of the sum of the weights. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject.upsfluxsigma IS 'uPsFluxSigma: Unweighted sample standard deviation of psFlux over the u-band DIASources; NULL for a single source. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject.gpsfluxsigma IS 'gPsFluxSigma: Unweighted sample standard deviation of psFlux over the g-band DIASources; NULL for a single source. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject.rpsfluxsigma IS 'rPsFluxSigma: Unweighted sample standard deviation of psFlux over the r-band DIASources; NULL for a single source. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject.ipsfluxsigma IS 'iPsFluxSigma: Unweighted sample standard deviation of psFlux over the i-band DIASources; NULL for a single source. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject.zpsfluxsigma IS 'zPsFluxSigma: Unweighted sample standard deviation of psFlux over the z-band DIASources; NULL for a single source. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject.ypsfluxsigma IS 'yPsFluxSigma: Unweighted sample standard deviation of psFlux over the y-band DIASources; NULL for a single source. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject.upsfluxchi2 IS 'uPsFluxChi2: Chi-square of psFlux about uPsFluxMean; for a constant source its expectation is uPsFluxNdata - 1.';

COMMENT ON COLUMN prompt_store.diaobject.gpsfluxchi2 IS 'gPsFluxChi2: Chi-square of psFlux about gPsFluxMean; for a constant source its expectation is gPsFluxNdata - 1.';

COMMENT ON COLUMN prompt_store.diaobject.rpsfluxchi2 IS 'rPsFluxChi2: Chi-square of psFlux about rPsFluxMean; for a constant source its expectation is rPsFluxNdata - 1.';

COMMENT ON COLUMN prompt_store.diaobject.ipsfluxchi2 IS 'iPsFluxChi2: Chi-square of psFlux about iPsFluxMean; for a constant source its expectation is iPsFluxNdata - 1.';

COMMENT ON COLUMN prompt_store.diaobject.zpsfluxchi2 IS 'zPsFluxChi2: Chi-square of psFlux about zPsFluxMean; for a constant source its expectation is zPsFluxNdata - 1.';

COMMENT ON COLUMN prompt_store.diaobject.ypsfluxchi2 IS 'yPsFluxChi2: Chi-square of psFlux about yPsFluxMean; for a constant source its expectation is yPsFluxNdata - 1.';

COMMENT ON COLUMN prompt_store.diaobject.upsfluxndata IS 'uPsFluxNdata: Number of u-band DIASources in uPsFluxMean, uPsFluxSigma and uPsFluxChi2.';

COMMENT ON COLUMN prompt_store.diaobject.gpsfluxndata IS 'gPsFluxNdata: Number of g-band DIASources in gPsFluxMean, gPsFluxSigma and gPsFluxChi2.';

COMMENT ON COLUMN prompt_store.diaobject.rpsfluxndata IS 'rPsFluxNdata: Number of r-band DIASources in rPsFluxMean, rPsFluxSigma and rPsFluxChi2.';

COMMENT ON COLUMN prompt_store.diaobject.ipsfluxndata IS 'iPsFluxNdata: Number of i-band DIASources in iPsFluxMean, iPsFluxSigma and iPsFluxChi2.';

COMMENT ON COLUMN prompt_store.diaobject.zpsfluxndata IS 'zPsFluxNdata: Number of z-band DIASources in zPsFluxMean, zPsFluxSigma and zPsFluxChi2.';

COMMENT ON COLUMN prompt_store.diaobject.ypsfluxndata IS 'yPsFluxNdata: Number of y-band DIASources in yPsFluxMean, yPsFluxSigma and yPsFluxChi2.';

COMMENT ON COLUMN prompt_store.diaobject.utotfluxmean IS 'uTotFluxMean: Inverse-variance weighted mean of totFlux in the u band within the previous twelve months, one value per covering visit: the forced measurement, or that of the DIASource where there is none. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject.gtotfluxmean IS 'gTotFluxMean: Inverse-variance weighted mean of totFlux in the g band within the previous twelve months, one value per covering visit: the forced measurement, or that of the DIASource where there is none. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject.rtotfluxmean IS 'rTotFluxMean: Inverse-variance weighted mean of totFlux in the r band within the previous twelve months, one value per covering visit: the forced measurement, or that of the DIASource where there is none. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject.itotfluxmean IS 'iTotFluxMean: Inverse-variance weighted mean of totFlux in the i band within the previous twelve months, one value per covering visit: the forced measurement, or that of the DIASource where there is none. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject.ztotfluxmean IS 'zTotFluxMean: Inverse-variance weighted mean of totFlux in the z band within the previous twelve months, one value per covering visit: the forced measurement, or that of the DIASource where there is none. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject.ytotfluxmean IS 'yTotFluxMean: Inverse-variance weighted mean of totFlux in the y band within the previous twelve months, one value per covering visit: the forced measurement, or that of the DIASource where there is none. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject.utotfluxmeanerr IS 'uTotFluxMeanErr: Standard error of uTotFluxMean, one over the square root of the sum of the weights. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject.gtotfluxmeanerr IS 'gTotFluxMeanErr: Standard error of gTotFluxMean, one over the square root of the sum of the weights. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject.rtotfluxmeanerr IS 'rTotFluxMeanErr: Standard error of rTotFluxMean, one over the square root of the sum of the weights. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject.itotfluxmeanerr IS 'iTotFluxMeanErr: Standard error of iTotFluxMean, one over the square root of the sum of the weights. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject.ztotfluxmeanerr IS 'zTotFluxMeanErr: Standard error of zTotFluxMean, one over the square root of the sum of the weights. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject.ytotfluxmeanerr IS 'yTotFluxMeanErr: Standard error of yTotFluxMean, one over the square root of the sum of the weights. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject.utotfluxsigma IS 'uTotFluxSigma: Unweighted sample standard deviation of the values in uTotFluxMean; NULL for a single value. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject.gtotfluxsigma IS 'gTotFluxSigma: Unweighted sample standard deviation of the values in gTotFluxMean; NULL for a single value. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject.rtotfluxsigma IS 'rTotFluxSigma: Unweighted sample standard deviation of the values in rTotFluxMean; NULL for a single value. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject.itotfluxsigma IS 'iTotFluxSigma: Unweighted sample standard deviation of the values in iTotFluxMean; NULL for a single value. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject.ztotfluxsigma IS 'zTotFluxSigma: Unweighted sample standard deviation of the values in zTotFluxMean; NULL for a single value. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject.ytotfluxsigma IS 'yTotFluxSigma: Unweighted sample standard deviation of the values in yTotFluxMean; NULL for a single value. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject.upsforcedfluxmean IS 'uPsForcedFluxMean: Inverse-variance weighted mean of the forced difference flux psFlux of DIAForcedSource in the u band within the previous twelve months; unlike uPsFluxMean it does not depend on whether the object was detected. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject.gpsforcedfluxmean IS 'gPsForcedFluxMean: Inverse-variance weighted mean of the forced difference flux psFlux of DIAForcedSource in the g band within the previous twelve months; unlike gPsFluxMean it does not depend on whether the object was detected. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject.rpsforcedfluxmean IS 'rPsForcedFluxMean: Inverse-variance weighted mean of the forced difference flux psFlux of DIAForcedSource in the r band within the previous twelve months; unlike rPsFluxMean it does not depend on whether the object was detected. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject.ipsforcedfluxmean IS 'iPsForcedFluxMean: Inverse-variance weighted mean of the forced difference flux psFlux of DIAForcedSource in the i band within the previous twelve months; unlike iPsFluxMean it does not depend on whether the object was detected. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject.zpsforcedfluxmean IS 'zPsForcedFluxMean: Inverse-variance weighted mean of the forced difference flux psFlux of DIAForcedSource in the z band within the previous twelve months; unlike zPsFluxMean it does not depend on whether the object was detected. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject.ypsforcedfluxmean IS 'yPsForcedFluxMean: Inverse-variance weighted mean of the forced difference flux psFlux of DIAForcedSource in the y band within the previous twelve months; unlike yPsFluxMean it does not depend on whether the object was detected. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject.upsforcedfluxmeanerr IS 'uPsForcedFluxMeanErr: Standard error of uPsForcedFluxMean, one over the square root of the sum of the weights. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject.gpsforcedfluxmeanerr IS 'gPsForcedFluxMeanErr: Standard error of gPsForcedFluxMean, one over the square root of the sum of the weights. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject.rpsforcedfluxmeanerr IS 'rPsForcedFluxMeanErr: Standard error of rPsForcedFluxMean, one over the square root of the sum of the weights. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject.ipsforcedfluxmeanerr IS 'iPsForcedFluxMeanErr: Standard error of iPsForcedFluxMean, one over the square root of the sum of the weights. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject.zpsforcedfluxmeanerr IS 'zPsForcedFluxMeanErr: Standard error of zPsForcedFluxMean, one over the square root of the sum of the weights. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject.ypsforcedfluxmeanerr IS 'yPsForcedFluxMeanErr: Standard error of yPsForcedFluxMean, one over the square root of the sum of the weights. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject.upsforcedfluxndata IS 'uPsForcedFluxNdata: Number of u-band forced measurements in uPsForcedFluxMean.';

COMMENT ON COLUMN prompt_store.diaobject.gpsforcedfluxndata IS 'gPsForcedFluxNdata: Number of g-band forced measurements in gPsForcedFluxMean.';

COMMENT ON COLUMN prompt_store.diaobject.rpsforcedfluxndata IS 'rPsForcedFluxNdata: Number of r-band forced measurements in rPsForcedFluxMean.';

COMMENT ON COLUMN prompt_store.diaobject.ipsforcedfluxndata IS 'iPsForcedFluxNdata: Number of i-band forced measurements in iPsForcedFluxMean.';

COMMENT ON COLUMN prompt_store.diaobject.zpsforcedfluxndata IS 'zPsForcedFluxNdata: Number of z-band forced measurements in zPsForcedFluxMean.';

COMMENT ON COLUMN prompt_store.diaobject.ypsforcedfluxndata IS 'yPsForcedFluxNdata: Number of y-band forced measurements in yPsForcedFluxMean.';

COMMENT ON COLUMN prompt_store.diaobject.nearbyobj IS 'nearbyObj: Identifiers of the nearest Objects of the latest data release within the search radius: three stars by distance, then three galaxies by distance, padded with NULL.';

COMMENT ON COLUMN prompt_store.diaobject.nearbystar1 IS 'nearbyStar1: Identifier of the nearest star among the Objects of the latest data release within the search radius; a positional match only.';

COMMENT ON COLUMN prompt_store.diaobject.nearbystar2 IS 'nearbyStar2: Identifier of the second nearest star among the Objects of the latest data release within the search radius; a positional match only.';

COMMENT ON COLUMN prompt_store.diaobject.nearbystar3 IS 'nearbyStar3: Identifier of the third nearest star among the Objects of the latest data release within the search radius; a positional match only.';

COMMENT ON COLUMN prompt_store.diaobject.nearbygal1 IS 'nearbyGal1: Identifier of the nearest galaxy among the Objects of the latest data release within the search radius; a positional match only.';

COMMENT ON COLUMN prompt_store.diaobject.nearbygal2 IS 'nearbyGal2: Identifier of the second nearest galaxy among the Objects of the latest data release within the search radius; a positional match only.';

COMMENT ON COLUMN prompt_store.diaobject.nearbygal3 IS 'nearbyGal3: Identifier of the third nearest galaxy among the Objects of the latest data release within the search radius; a positional match only.';

COMMENT ON COLUMN prompt_store.diaobject.nearbystar1dist IS 'nearbyStar1Dist: Distance to nearbyStar1, the nearest star. [arcsec]';

COMMENT ON COLUMN prompt_store.diaobject.nearbystar2dist IS 'nearbyStar2Dist: Distance to nearbyStar2, the second nearest star. [arcsec]';

COMMENT ON COLUMN prompt_store.diaobject.nearbystar3dist IS 'nearbyStar3Dist: Distance to nearbyStar3, the third nearest star. [arcsec]';

COMMENT ON COLUMN prompt_store.diaobject.nearbygal1dist IS 'nearbyGal1Dist: Distance to nearbyGal1, the nearest galaxy. [arcsec]';

COMMENT ON COLUMN prompt_store.diaobject.nearbygal2dist IS 'nearbyGal2Dist: Distance to nearbyGal2, the second nearest galaxy. [arcsec]';

COMMENT ON COLUMN prompt_store.diaobject.nearbygal3dist IS 'nearbyGal3Dist: Distance to nearbyGal3, the third nearest galaxy. [arcsec]';

COMMENT ON COLUMN prompt_store.diaobject.nearbystar1lnp IS 'nearbyStar1LnP: Natural logarithm of the probability that this object and nearbyStar1 are the same, marginalised over both position and proper-motion error ellipses with a prior.';

COMMENT ON COLUMN prompt_store.diaobject.nearbystar2lnp IS 'nearbyStar2LnP: Natural logarithm of the probability that this object and nearbyStar2 are the same, marginalised over both position and proper-motion error ellipses with a prior.';

COMMENT ON COLUMN prompt_store.diaobject.nearbystar3lnp IS 'nearbyStar3LnP: Natural logarithm of the probability that this object and nearbyStar3 are the same, marginalised over both position and proper-motion error ellipses with a prior.';

COMMENT ON COLUMN prompt_store.diaobject.nearbygal1lnp IS 'nearbyGal1LnP: Natural logarithm of the probability that this object and nearbyGal1 are the same, marginalised over both position and proper-motion error ellipses with a prior.';

COMMENT ON COLUMN prompt_store.diaobject.nearbygal2lnp IS 'nearbyGal2LnP: Natural logarithm of the probability that this object and nearbyGal2 are the same, marginalised over both position and proper-motion error ellipses with a prior.';

COMMENT ON COLUMN prompt_store.diaobject.nearbygal3lnp IS 'nearbyGal3LnP: Natural logarithm of the probability that this object and nearbyGal3 are the same, marginalised over both position and proper-motion error ellipses with a prior.';

COMMENT ON COLUMN prompt_store.diaobject.insertedtai IS 'insertedTai: Epoch at which the row first became visible; never changes (TAI).';

COMMENT ON COLUMN prompt_store.diaobject.createdtai IS 'createdTai: Epoch from which on this version is valid (TAI).';

CREATE INDEX diaobject_sky_idx ON prompt_store.diaobject USING gist (spoint(radians(ra), radians(decl)));

CREATE TRIGGER refuse_direct_write BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON prompt_store.diaobject FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_direct_write();

CREATE TABLE prompt_store.diaobject_history (
	diaobjectid BIGINT NOT NULL, 
	ra DOUBLE PRECISION NOT NULL, 
	decl DOUBLE PRECISION NOT NULL, 
	raerr REAL, 
	declerr REAL, 
	radeclcov REAL, 
	hpx29 BIGINT NOT NULL, 
	radectai DOUBLE PRECISION NOT NULL, 
	ndiasources INTEGER NOT NULL, 
	firstdiasourcetai DOUBLE PRECISION, 
	lastdiasourcetai DOUBLE PRECISION, 
	flags BIGINT NOT NULL, 
	pmra REAL, 
	pmdecl REAL, 
	parallax REAL, 
	pmparallaxcov REAL[], 
	pmparallaxlnl REAL, 
	pmparallaxchi2 REAL, 
	pmparallaxndata INTEGER, 
	upsfluxmean REAL, 
	gpsfluxmean REAL, 
	rpsfluxmean REAL, 
	ipsfluxmean REAL, 
	zpsfluxmean REAL, 
	ypsfluxmean REAL, 
	upsfluxmeanerr REAL, 
	gpsfluxmeanerr REAL, 
	rpsfluxmeanerr REAL, 
	ipsfluxmeanerr REAL, 
	zpsfluxmeanerr REAL, 
	ypsfluxmeanerr REAL, 
	upsfluxsigma REAL, 
	gpsfluxsigma REAL, 
	rpsfluxsigma REAL, 
	ipsfluxsigma REAL, 
	zpsfluxsigma REAL, 
	ypsfluxsigma REAL, 
	upsfluxchi2 REAL, 
	gpsfluxchi2 REAL, 
	rpsfluxchi2 REAL, 
	ipsfluxchi2 REAL, 
	zpsfluxchi2 REAL, 
	ypsfluxchi2 REAL, 
	upsfluxndata INTEGER, 
	gpsfluxndata INTEGER, 
	rpsfluxndata INTEGER, 
	ipsfluxndata INTEGER, 
	zpsfluxndata INTEGER, 
	ypsfluxndata INTEGER, 
	utotfluxmean REAL, 
	gtotfluxmean REAL, 
	rtotfluxmean REAL, 
	itotfluxmean REAL, 
	ztotfluxmean REAL, 
	ytotfluxmean REAL, 
	utotfluxmeanerr REAL, 
	gtotfluxmeanerr REAL, 
	rtotfluxmeanerr REAL, 
	itotfluxmeanerr REAL, 
	ztotfluxmeanerr REAL, 
	ytotfluxmeanerr REAL, 
	utotfluxsigma REAL, 
	gtotfluxsigma REAL, 
	rtotfluxsigma REAL, 
	itotfluxsigma REAL, 
	ztotfluxsigma REAL, 
	ytotfluxsigma REAL, 
	upsforcedfluxmean REAL, 
	gpsforcedfluxmean REAL, 
	rpsforcedfluxmean REAL, 
	ipsforcedfluxmean REAL, 
	zpsforcedfluxmean REAL, 
	ypsforcedfluxmean REAL, 
	upsforcedfluxmeanerr REAL, 
	gpsforcedfluxmeanerr REAL, 
	rpsforcedfluxmeanerr REAL, 
	ipsforcedfluxmeanerr REAL, 
	zpsforcedfluxmeanerr REAL, 
	ypsforcedfluxmeanerr REAL, 
	upsforcedfluxndata INTEGER, 
	gpsforcedfluxndata INTEGER, 
	rpsforcedfluxndata INTEGER, 
	ipsforcedfluxndata INTEGER, 
	zpsforcedfluxndata INTEGER, 
	ypsforcedfluxndata INTEGER, 
	nearbyobj BIGINT[], 
	nearbystar1 BIGINT, 
	nearbystar2 BIGINT, 
	nearbystar3 BIGINT, 
	nearbygal1 BIGINT, 
	nearbygal2 BIGINT, 
	nearbygal3 BIGINT, 
	nearbystar1dist REAL, 
	nearbystar2dist REAL, 
	nearbystar3dist REAL, 
	nearbygal1dist REAL, 
	nearbygal2dist REAL, 
	nearbygal3dist REAL, 
	nearbystar1lnp REAL, 
	nearbystar2lnp REAL, 
	nearbystar3lnp REAL, 
	nearbygal1lnp REAL, 
	nearbygal2lnp REAL, 
	nearbygal3lnp REAL, 
	insertedtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	createdtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	deletedtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	CONSTRAINT diaobject_history_pkey PRIMARY KEY (diaobjectid, deletedtai), 
	CONSTRAINT diaobject_interval CHECK (createdtai <= deletedtai)
)
 PARTITION BY RANGE (deletedtai);

COMMENT ON TABLE prompt_store.diaobject_history IS 'Closed versions of DIAObject, by month of deletedTai.';

COMMENT ON COLUMN prompt_store.diaobject_history.diaobjectid IS 'diaObjectId: Unique identifier of the object. It holds the database, the HEALPix pixel in which the object was first seen and a serial number, and is never used again in any database or release.';

COMMENT ON COLUMN prompt_store.diaobject_history.ra IS 'ra: Right ascension (ICRS) of the object at time radecTai. [deg]';

COMMENT ON COLUMN prompt_store.diaobject_history.decl IS 'decl: Declination (ICRS) of the object at time radecTai. [deg]';

COMMENT ON COLUMN prompt_store.diaobject_history.raerr IS 'raErr: Standard error of the right ascension times cos(decl), that is sigma(alpha cos delta), at time radecTai. [arcsec]';

COMMENT ON COLUMN prompt_store.diaobject_history.declerr IS 'declErr: Standard error of the declination at time radecTai. [arcsec]';

COMMENT ON COLUMN prompt_store.diaobject_history.radeclcov IS 'raDeclCov: Covariance between alpha cos(delta) and delta; divided by raErr times declErr it is the correlation coefficient. [arcsec**2]';

COMMENT ON COLUMN prompt_store.diaobject_history.hpx29 IS 'hpx29: HEALPix pixel of order 29 in the nested scheme that holds (ra, decl). Integer division by 4 to the power of (29 - n) gives the pixel of order n.';

COMMENT ON COLUMN prompt_store.diaobject_history.radectai IS 'radecTai: Epoch of ra and decl, as a Modified Julian Date in TAI. [d]';

COMMENT ON COLUMN prompt_store.diaobject_history.ndiasources IS 'nDiaSources: Number of DIASources of the object, in all bands, within the twelve months up to its newest one; in reprocessing without that limit.';

COMMENT ON COLUMN prompt_store.diaobject_history.firstdiasourcetai IS 'firstDiaSourceTai: Mid-exposure time of the earliest of these DIASources, as a Modified Julian Date in TAI. [d]';

COMMENT ON COLUMN prompt_store.diaobject_history.lastdiasourcetai IS 'lastDiaSourceTai: Mid-exposure time of the latest DIASource associated with the object, as a Modified Julian Date in TAI. [d]';

COMMENT ON COLUMN prompt_store.diaobject_history.flags IS 'flags: Bit mask of status flags. FlagDefinition gives the name and meaning of each bit.';

COMMENT ON COLUMN prompt_store.diaobject_history.pmra IS 'pmRa: Proper motion in right ascension times cos(decl), that is mu_alpha*, fitted together with position and parallax. NULL until the object has five points over at least 60 days. [mas/yr]';

COMMENT ON COLUMN prompt_store.diaobject_history.pmdecl IS 'pmDecl: Proper motion in declination, fitted together with position and parallax. NULL until the object has five points over at least 60 days. [mas/yr]';

COMMENT ON COLUMN prompt_store.diaobject_history.parallax IS 'parallax: Trigonometric parallax, fitted together with position and proper motion; noise may make it negative. NULL until the object has eight points over at least 180 days and the fit is well conditioned. [mas]';

COMMENT ON COLUMN prompt_store.diaobject_history.pmparallaxcov IS 'pmParallaxCov: Covariance matrix of (pmRa, pmDecl, parallax), lower triangle row by row: (pmRa,pmRa), (pmDecl,pmRa), (pmDecl,pmDecl), (parallax,pmRa), (parallax,pmDecl), (parallax,parallax). Units are mas/yr and mas.';

COMMENT ON COLUMN prompt_store.diaobject_history.pmparallaxlnl IS 'pmParallaxLnL: Natural logarithm of the likelihood of the measured positions given the fitted position, proper motion and parallax.';

COMMENT ON COLUMN prompt_store.diaobject_history.pmparallaxchi2 IS 'pmParallaxChi2: Chi-square of the fit of position, proper motion and parallax; it has 2 pmParallaxNdata - 5 degrees of freedom when all five are fitted.';

COMMENT ON COLUMN prompt_store.diaobject_history.pmparallaxndata IS 'pmParallaxNdata: Number of measured positions used in the fit of position, proper motion and parallax.';

COMMENT ON COLUMN prompt_store.diaobject_history.upsfluxmean IS 'uPsFluxMean: Inverse-variance weighted mean of psFlux over the u-band DIASources of the object within the previous twelve months. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject_history.gpsfluxmean IS 'gPsFluxMean: Inverse-variance weighted mean of psFlux over the g-band DIASources of the object within the previous twelve months. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject_history.rpsfluxmean IS 'rPsFluxMean: Inverse-variance weighted mean of psFlux over the r-band DIASources of the object within the previous twelve months. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject_history.ipsfluxmean IS 'iPsFluxMean: Inverse-variance weighted mean of psFlux over the i-band DIASources of the object within the previous twelve months. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject_history.zpsfluxmean IS 'zPsFluxMean: Inverse-variance weighted mean of psFlux over the z-band DIASources of the object within the previous twelve months. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject_history.ypsfluxmean IS 'yPsFluxMean: Inverse-variance weighted mean of psFlux over the y-band DIASources of the object within the previous twelve months. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject_history.upsfluxmeanerr IS 'uPsFluxMeanErr: Standard error of uPsFluxMean, one over the square root of the sum of the weights. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject_history.gpsfluxmeanerr IS 'gPsFluxMeanErr: Standard error of gPsFluxMean, one over the square root of the sum of the weights. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject_history.rpsfluxmeanerr IS 'rPsFluxMeanErr: Standard error of rPsFluxMean, one over the square root of the sum of the weights. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject_history.ipsfluxmeanerr IS 'iPsFluxMeanErr: Standard error of iPsFluxMean, one over the square root of the sum of the weights. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject_history.zpsfluxmeanerr IS 'zPsFluxMeanErr: Standard error of zPsFluxMean, one over the square root of the sum of the weights. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject_history.ypsfluxmeanerr IS 'yPsFluxMeanErr: Standard error of yPsFluxMean, one over the square root of the sum of the weights. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject_history.upsfluxsigma IS 'uPsFluxSigma: Unweighted sample standard deviation of psFlux over the u-band DIASources; NULL for a single source. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject_history.gpsfluxsigma IS 'gPsFluxSigma: Unweighted sample standard deviation of psFlux over the g-band DIASources; NULL for a single source. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject_history.rpsfluxsigma IS 'rPsFluxSigma: Unweighted sample standard deviation of psFlux over the r-band DIASources; NULL for a single source. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject_history.ipsfluxsigma IS 'iPsFluxSigma: Unweighted sample standard deviation of psFlux over the i-band DIASources; NULL for a single source. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject_history.zpsfluxsigma IS 'zPsFluxSigma: Unweighted sample standard deviation of psFlux over the z-band DIASources; NULL for a single source. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject_history.ypsfluxsigma IS 'yPsFluxSigma: Unweighted sample standard deviation of psFlux over the y-band DIASources; NULL for a single source. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject_history.upsfluxchi2 IS 'uPsFluxChi2: Chi-square of psFlux about uPsFluxMean; for a constant source its expectation is uPsFluxNdata - 1.';

COMMENT ON COLUMN prompt_store.diaobject_history.gpsfluxchi2 IS 'gPsFluxChi2: Chi-square of psFlux about gPsFluxMean; for a constant source its expectation is gPsFluxNdata - 1.';

COMMENT ON COLUMN prompt_store.diaobject_history.rpsfluxchi2 IS 'rPsFluxChi2: Chi-square of psFlux about rPsFluxMean; for a constant source its expectation is rPsFluxNdata - 1.';

COMMENT ON COLUMN prompt_store.diaobject_history.ipsfluxchi2 IS 'iPsFluxChi2: Chi-square of psFlux about iPsFluxMean; for a constant source its expectation is iPsFluxNdata - 1.';

COMMENT ON COLUMN prompt_store.diaobject_history.zpsfluxchi2 IS 'zPsFluxChi2: Chi-square of psFlux about zPsFluxMean; for a constant source its expectation is zPsFluxNdata - 1.';

COMMENT ON COLUMN prompt_store.diaobject_history.ypsfluxchi2 IS 'yPsFluxChi2: Chi-square of psFlux about yPsFluxMean; for a constant source its expectation is yPsFluxNdata - 1.';

COMMENT ON COLUMN prompt_store.diaobject_history.upsfluxndata IS 'uPsFluxNdata: Number of u-band DIASources in uPsFluxMean, uPsFluxSigma and uPsFluxChi2.';

COMMENT ON COLUMN prompt_store.diaobject_history.gpsfluxndata IS 'gPsFluxNdata: Number of g-band DIASources in gPsFluxMean, gPsFluxSigma and gPsFluxChi2.';

COMMENT ON COLUMN prompt_store.diaobject_history.rpsfluxndata IS 'rPsFluxNdata: Number of r-band DIASources in rPsFluxMean, rPsFluxSigma and rPsFluxChi2.';

COMMENT ON COLUMN prompt_store.diaobject_history.ipsfluxndata IS 'iPsFluxNdata: Number of i-band DIASources in iPsFluxMean, iPsFluxSigma and iPsFluxChi2.';

COMMENT ON COLUMN prompt_store.diaobject_history.zpsfluxndata IS 'zPsFluxNdata: Number of z-band DIASources in zPsFluxMean, zPsFluxSigma and zPsFluxChi2.';

COMMENT ON COLUMN prompt_store.diaobject_history.ypsfluxndata IS 'yPsFluxNdata: Number of y-band DIASources in yPsFluxMean, yPsFluxSigma and yPsFluxChi2.';

COMMENT ON COLUMN prompt_store.diaobject_history.utotfluxmean IS 'uTotFluxMean: Inverse-variance weighted mean of totFlux in the u band within the previous twelve months, one value per covering visit: the forced measurement, or that of the DIASource where there is none. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject_history.gtotfluxmean IS 'gTotFluxMean: Inverse-variance weighted mean of totFlux in the g band within the previous twelve months, one value per covering visit: the forced measurement, or that of the DIASource where there is none. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject_history.rtotfluxmean IS 'rTotFluxMean: Inverse-variance weighted mean of totFlux in the r band within the previous twelve months, one value per covering visit: the forced measurement, or that of the DIASource where there is none. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject_history.itotfluxmean IS 'iTotFluxMean: Inverse-variance weighted mean of totFlux in the i band within the previous twelve months, one value per covering visit: the forced measurement, or that of the DIASource where there is none. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject_history.ztotfluxmean IS 'zTotFluxMean: Inverse-variance weighted mean of totFlux in the z band within the previous twelve months, one value per covering visit: the forced measurement, or that of the DIASource where there is none. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject_history.ytotfluxmean IS 'yTotFluxMean: Inverse-variance weighted mean of totFlux in the y band within the previous twelve months, one value per covering visit: the forced measurement, or that of the DIASource where there is none. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject_history.utotfluxmeanerr IS 'uTotFluxMeanErr: Standard error of uTotFluxMean, one over the square root of the sum of the weights. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject_history.gtotfluxmeanerr IS 'gTotFluxMeanErr: Standard error of gTotFluxMean, one over the square root of the sum of the weights. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject_history.rtotfluxmeanerr IS 'rTotFluxMeanErr: Standard error of rTotFluxMean, one over the square root of the sum of the weights. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject_history.itotfluxmeanerr IS 'iTotFluxMeanErr: Standard error of iTotFluxMean, one over the square root of the sum of the weights. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject_history.ztotfluxmeanerr IS 'zTotFluxMeanErr: Standard error of zTotFluxMean, one over the square root of the sum of the weights. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject_history.ytotfluxmeanerr IS 'yTotFluxMeanErr: Standard error of yTotFluxMean, one over the square root of the sum of the weights. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject_history.utotfluxsigma IS 'uTotFluxSigma: Unweighted sample standard deviation of the values in uTotFluxMean; NULL for a single value. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject_history.gtotfluxsigma IS 'gTotFluxSigma: Unweighted sample standard deviation of the values in gTotFluxMean; NULL for a single value. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject_history.rtotfluxsigma IS 'rTotFluxSigma: Unweighted sample standard deviation of the values in rTotFluxMean; NULL for a single value. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject_history.itotfluxsigma IS 'iTotFluxSigma: Unweighted sample standard deviation of the values in iTotFluxMean; NULL for a single value. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject_history.ztotfluxsigma IS 'zTotFluxSigma: Unweighted sample standard deviation of the values in zTotFluxMean; NULL for a single value. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject_history.ytotfluxsigma IS 'yTotFluxSigma: Unweighted sample standard deviation of the values in yTotFluxMean; NULL for a single value. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject_history.upsforcedfluxmean IS 'uPsForcedFluxMean: Inverse-variance weighted mean of the forced difference flux psFlux of DIAForcedSource in the u band within the previous twelve months; unlike uPsFluxMean it does not depend on whether the object was detected. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject_history.gpsforcedfluxmean IS 'gPsForcedFluxMean: Inverse-variance weighted mean of the forced difference flux psFlux of DIAForcedSource in the g band within the previous twelve months; unlike gPsFluxMean it does not depend on whether the object was detected. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject_history.rpsforcedfluxmean IS 'rPsForcedFluxMean: Inverse-variance weighted mean of the forced difference flux psFlux of DIAForcedSource in the r band within the previous twelve months; unlike rPsFluxMean it does not depend on whether the object was detected. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject_history.ipsforcedfluxmean IS 'iPsForcedFluxMean: Inverse-variance weighted mean of the forced difference flux psFlux of DIAForcedSource in the i band within the previous twelve months; unlike iPsFluxMean it does not depend on whether the object was detected. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject_history.zpsforcedfluxmean IS 'zPsForcedFluxMean: Inverse-variance weighted mean of the forced difference flux psFlux of DIAForcedSource in the z band within the previous twelve months; unlike zPsFluxMean it does not depend on whether the object was detected. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject_history.ypsforcedfluxmean IS 'yPsForcedFluxMean: Inverse-variance weighted mean of the forced difference flux psFlux of DIAForcedSource in the y band within the previous twelve months; unlike yPsFluxMean it does not depend on whether the object was detected. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject_history.upsforcedfluxmeanerr IS 'uPsForcedFluxMeanErr: Standard error of uPsForcedFluxMean, one over the square root of the sum of the weights. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject_history.gpsforcedfluxmeanerr IS 'gPsForcedFluxMeanErr: Standard error of gPsForcedFluxMean, one over the square root of the sum of the weights. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject_history.rpsforcedfluxmeanerr IS 'rPsForcedFluxMeanErr: Standard error of rPsForcedFluxMean, one over the square root of the sum of the weights. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject_history.ipsforcedfluxmeanerr IS 'iPsForcedFluxMeanErr: Standard error of iPsForcedFluxMean, one over the square root of the sum of the weights. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject_history.zpsforcedfluxmeanerr IS 'zPsForcedFluxMeanErr: Standard error of zPsForcedFluxMean, one over the square root of the sum of the weights. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject_history.ypsforcedfluxmeanerr IS 'yPsForcedFluxMeanErr: Standard error of yPsForcedFluxMean, one over the square root of the sum of the weights. [nJy]';

COMMENT ON COLUMN prompt_store.diaobject_history.upsforcedfluxndata IS 'uPsForcedFluxNdata: Number of u-band forced measurements in uPsForcedFluxMean.';

COMMENT ON COLUMN prompt_store.diaobject_history.gpsforcedfluxndata IS 'gPsForcedFluxNdata: Number of g-band forced measurements in gPsForcedFluxMean.';

COMMENT ON COLUMN prompt_store.diaobject_history.rpsforcedfluxndata IS 'rPsForcedFluxNdata: Number of r-band forced measurements in rPsForcedFluxMean.';

COMMENT ON COLUMN prompt_store.diaobject_history.ipsforcedfluxndata IS 'iPsForcedFluxNdata: Number of i-band forced measurements in iPsForcedFluxMean.';

COMMENT ON COLUMN prompt_store.diaobject_history.zpsforcedfluxndata IS 'zPsForcedFluxNdata: Number of z-band forced measurements in zPsForcedFluxMean.';

COMMENT ON COLUMN prompt_store.diaobject_history.ypsforcedfluxndata IS 'yPsForcedFluxNdata: Number of y-band forced measurements in yPsForcedFluxMean.';

COMMENT ON COLUMN prompt_store.diaobject_history.nearbyobj IS 'nearbyObj: Identifiers of the nearest Objects of the latest data release within the search radius: three stars by distance, then three galaxies by distance, padded with NULL.';

COMMENT ON COLUMN prompt_store.diaobject_history.nearbystar1 IS 'nearbyStar1: Identifier of the nearest star among the Objects of the latest data release within the search radius; a positional match only.';

COMMENT ON COLUMN prompt_store.diaobject_history.nearbystar2 IS 'nearbyStar2: Identifier of the second nearest star among the Objects of the latest data release within the search radius; a positional match only.';

COMMENT ON COLUMN prompt_store.diaobject_history.nearbystar3 IS 'nearbyStar3: Identifier of the third nearest star among the Objects of the latest data release within the search radius; a positional match only.';

COMMENT ON COLUMN prompt_store.diaobject_history.nearbygal1 IS 'nearbyGal1: Identifier of the nearest galaxy among the Objects of the latest data release within the search radius; a positional match only.';

COMMENT ON COLUMN prompt_store.diaobject_history.nearbygal2 IS 'nearbyGal2: Identifier of the second nearest galaxy among the Objects of the latest data release within the search radius; a positional match only.';

COMMENT ON COLUMN prompt_store.diaobject_history.nearbygal3 IS 'nearbyGal3: Identifier of the third nearest galaxy among the Objects of the latest data release within the search radius; a positional match only.';

COMMENT ON COLUMN prompt_store.diaobject_history.nearbystar1dist IS 'nearbyStar1Dist: Distance to nearbyStar1, the nearest star. [arcsec]';

COMMENT ON COLUMN prompt_store.diaobject_history.nearbystar2dist IS 'nearbyStar2Dist: Distance to nearbyStar2, the second nearest star. [arcsec]';

COMMENT ON COLUMN prompt_store.diaobject_history.nearbystar3dist IS 'nearbyStar3Dist: Distance to nearbyStar3, the third nearest star. [arcsec]';

COMMENT ON COLUMN prompt_store.diaobject_history.nearbygal1dist IS 'nearbyGal1Dist: Distance to nearbyGal1, the nearest galaxy. [arcsec]';

COMMENT ON COLUMN prompt_store.diaobject_history.nearbygal2dist IS 'nearbyGal2Dist: Distance to nearbyGal2, the second nearest galaxy. [arcsec]';

COMMENT ON COLUMN prompt_store.diaobject_history.nearbygal3dist IS 'nearbyGal3Dist: Distance to nearbyGal3, the third nearest galaxy. [arcsec]';

COMMENT ON COLUMN prompt_store.diaobject_history.nearbystar1lnp IS 'nearbyStar1LnP: Natural logarithm of the probability that this object and nearbyStar1 are the same, marginalised over both position and proper-motion error ellipses with a prior.';

COMMENT ON COLUMN prompt_store.diaobject_history.nearbystar2lnp IS 'nearbyStar2LnP: Natural logarithm of the probability that this object and nearbyStar2 are the same, marginalised over both position and proper-motion error ellipses with a prior.';

COMMENT ON COLUMN prompt_store.diaobject_history.nearbystar3lnp IS 'nearbyStar3LnP: Natural logarithm of the probability that this object and nearbyStar3 are the same, marginalised over both position and proper-motion error ellipses with a prior.';

COMMENT ON COLUMN prompt_store.diaobject_history.nearbygal1lnp IS 'nearbyGal1LnP: Natural logarithm of the probability that this object and nearbyGal1 are the same, marginalised over both position and proper-motion error ellipses with a prior.';

COMMENT ON COLUMN prompt_store.diaobject_history.nearbygal2lnp IS 'nearbyGal2LnP: Natural logarithm of the probability that this object and nearbyGal2 are the same, marginalised over both position and proper-motion error ellipses with a prior.';

COMMENT ON COLUMN prompt_store.diaobject_history.nearbygal3lnp IS 'nearbyGal3LnP: Natural logarithm of the probability that this object and nearbyGal3 are the same, marginalised over both position and proper-motion error ellipses with a prior.';

COMMENT ON COLUMN prompt_store.diaobject_history.insertedtai IS 'insertedTai: Epoch at which the row first became visible; never changes (TAI).';

COMMENT ON COLUMN prompt_store.diaobject_history.createdtai IS 'createdTai: Epoch from which on this version is valid (TAI).';

COMMENT ON COLUMN prompt_store.diaobject_history.deletedtai IS 'deletedTai: Last microsecond at which this version was valid (TAI); live: 9999-12-31.';

CREATE INDEX diaobject_history_sky_idx ON prompt_store.diaobject_history USING gist (spoint(radians(ra), radians(decl)));

CREATE TRIGGER refuse_direct_write BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON prompt_store.diaobject_history FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_direct_write();

CREATE TABLE prompt_store.diaobjectfeatures (
	diaobjectid BIGINT NOT NULL, 
	band SMALLINT NOT NULL, 
	lcperiodic REAL[], 
	lcnonperiodic REAL[], 
	insertedtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	createdtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	CONSTRAINT diaobjectfeatures_pkey PRIMARY KEY (diaobjectid, band), 
	CONSTRAINT diaobjectfeatures_values CHECK (diaobjectid >= 0 AND band >= 0 AND band <= 5 AND NOT ('NaN' = ANY (lcperiodic)) AND cardinality(lcperiodic) = 32 AND NOT ('NaN' = ANY (lcnonperiodic)) AND cardinality(lcnonperiodic) = 20)
);

COMMENT ON TABLE prompt_store.diaobjectfeatures IS 'Light-curve features of DIAObjects, one row per object and band. They are kept apart from DIAObject, and versioned on their own, because they are large and a visit changes one band only.';

COMMENT ON COLUMN prompt_store.diaobjectfeatures.diaobjectid IS 'diaObjectId: Identifier of the DIAObject whose light curve is described.';

COMMENT ON COLUMN prompt_store.diaobjectfeatures.band IS 'band: Photometric band of the light curve: 0 to 5 stand for u, g, r, i, z, y.';

COMMENT ON COLUMN prompt_store.diaobjectfeatures.lcperiodic IS 'lcPeriodic: Periodic features of the light curve in this band from a generalised Lomb-Scargle analysis of the DIASources; FeatureDefinition names the 32 elements and gives their units.';

COMMENT ON COLUMN prompt_store.diaobjectfeatures.lcnonperiodic IS 'lcNonPeriodic: Non-periodic features of the light curve in this band; FeatureDefinition names the 20 elements and gives their units.';

COMMENT ON COLUMN prompt_store.diaobjectfeatures.insertedtai IS 'insertedTai: Epoch at which the row first became visible; never changes (TAI).';

COMMENT ON COLUMN prompt_store.diaobjectfeatures.createdtai IS 'createdTai: Epoch from which on this version is valid (TAI).';

CREATE TRIGGER refuse_direct_write BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON prompt_store.diaobjectfeatures FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_direct_write();

CREATE TABLE prompt_store.diaobjectfeatures_history (
	diaobjectid BIGINT NOT NULL, 
	band SMALLINT NOT NULL, 
	lcperiodic REAL[], 
	lcnonperiodic REAL[], 
	insertedtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	createdtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	deletedtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	CONSTRAINT diaobjectfeatures_history_pkey PRIMARY KEY (diaobjectid, band, deletedtai), 
	CONSTRAINT diaobjectfeatures_interval CHECK (createdtai <= deletedtai)
)
 PARTITION BY RANGE (deletedtai);

COMMENT ON TABLE prompt_store.diaobjectfeatures_history IS 'Closed versions of DIAObjectFeatures, by month of deletedTai.';

COMMENT ON COLUMN prompt_store.diaobjectfeatures_history.diaobjectid IS 'diaObjectId: Identifier of the DIAObject whose light curve is described.';

COMMENT ON COLUMN prompt_store.diaobjectfeatures_history.band IS 'band: Photometric band of the light curve: 0 to 5 stand for u, g, r, i, z, y.';

COMMENT ON COLUMN prompt_store.diaobjectfeatures_history.lcperiodic IS 'lcPeriodic: Periodic features of the light curve in this band from a generalised Lomb-Scargle analysis of the DIASources; FeatureDefinition names the 32 elements and gives their units.';

COMMENT ON COLUMN prompt_store.diaobjectfeatures_history.lcnonperiodic IS 'lcNonPeriodic: Non-periodic features of the light curve in this band; FeatureDefinition names the 20 elements and gives their units.';

COMMENT ON COLUMN prompt_store.diaobjectfeatures_history.insertedtai IS 'insertedTai: Epoch at which the row first became visible; never changes (TAI).';

COMMENT ON COLUMN prompt_store.diaobjectfeatures_history.createdtai IS 'createdTai: Epoch from which on this version is valid (TAI).';

COMMENT ON COLUMN prompt_store.diaobjectfeatures_history.deletedtai IS 'deletedTai: Last microsecond at which this version was valid (TAI); live: 9999-12-31.';

CREATE TRIGGER refuse_direct_write BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON prompt_store.diaobjectfeatures_history FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_direct_write();

CREATE TABLE prompt_store.diasource (
	diasourceid BIGINT NOT NULL, 
	ccdvisitid BIGINT NOT NULL, 
	visitid BIGINT NOT NULL, 
	detector SMALLINT NOT NULL, 
	diaobjectid BIGINT, 
	ssobjectid BIGINT, 
	parentdiasourceid BIGINT, 
	midpointtai DOUBLE PRECISION NOT NULL, 
	ra DOUBLE PRECISION NOT NULL, 
	decl DOUBLE PRECISION NOT NULL, 
	raerr REAL, 
	declerr REAL, 
	radeclcov REAL, 
	hpx29 BIGINT NOT NULL, 
	flags BIGINT NOT NULL, 
	snr REAL, 
	psflux REAL, 
	psfluxerr REAL, 
	totflux REAL, 
	totfluxerr REAL, 
	apflux REAL, 
	apfluxerr REAL, 
	templateid BIGINT NOT NULL, 
	extendedness REAL, 
	spuriousness REAL, 
	x REAL NOT NULL, 
	y REAL NOT NULL, 
	xerr REAL, 
	yerr REAL, 
	xycov REAL, 
	psra DOUBLE PRECISION, 
	psdecl DOUBLE PRECISION, 
	pscov REAL[], 
	pslnl REAL, 
	pschi2 REAL, 
	psndata INTEGER, 
	trailflux REAL, 
	trailra DOUBLE PRECISION, 
	traildecl DOUBLE PRECISION, 
	traillength REAL, 
	trailangle REAL, 
	trailcov REAL[], 
	traillnl REAL, 
	trailchi2 REAL, 
	trailndata INTEGER, 
	dipmeanflux REAL, 
	dipfluxdiff REAL, 
	dipra DOUBLE PRECISION, 
	dipdecl DOUBLE PRECISION, 
	diplength REAL, 
	dipangle REAL, 
	dipcov REAL[], 
	diplnl REAL, 
	dipchi2 REAL, 
	dipndata INTEGER, 
	diffflux REAL, 
	difffluxerr REAL, 
	fpbkgd REAL, 
	fpbkgderr REAL, 
	ixx REAL, 
	iyy REAL, 
	ixy REAL, 
	icov REAL[], 
	ixxpsf REAL, 
	iyypsf REAL, 
	ixypsf REAL, 
	insertedtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	createdtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	CONSTRAINT diasource_pkey PRIMARY KEY (diasourceid), 
	CONSTRAINT diasource_rule1 CHECK (NOT (diaObjectId IS NOT NULL AND ssObjectId IS NOT NULL)), 
	CONSTRAINT diasource_rule2 CHECK (parentDiaSourceId IS NULL OR parentDiaSourceId <> diaSourceId), 
	CONSTRAINT diasource_rule3 CHECK (psFlux IS NULL OR (psFluxErr IS NOT NULL AND psLnL IS NOT NULL AND psChi2 IS NOT NULL AND psNdata IS NOT NULL)), 
	CONSTRAINT diasource_rule4 CHECK (trailFlux IS NULL OR (trailLnL IS NOT NULL AND trailChi2 IS NOT NULL AND trailNdata IS NOT NULL)), 
	CONSTRAINT diasource_rule5 CHECK (dipMeanFlux IS NULL OR (dipLnL IS NOT NULL AND dipChi2 IS NOT NULL AND dipNdata IS NOT NULL)), 
	CONSTRAINT diasource_values CHECK (diasourceid >= 0 AND ccdvisitid >= 0 AND visitid >= 0 AND detector >= 0 AND detector <= 511 AND diaobjectid >= 0 AND ssobjectid >= 0 AND parentdiasourceid >= 0 AND midpointtai NOT IN ('NaN', 'Infinity', '-Infinity') AND midpointtai >= 0 AND ra NOT IN ('NaN', 'Infinity', '-Infinity') AND ra >= 0 AND ra <= 360 AND decl NOT IN ('NaN', 'Infinity', '-Infinity') AND decl >= -90 AND decl <= 90 AND raerr NOT IN ('NaN', 'Infinity', '-Infinity') AND raerr >= 0 AND declerr NOT IN ('NaN', 'Infinity', '-Infinity') AND declerr >= 0 AND radeclcov NOT IN ('NaN', 'Infinity', '-Infinity') AND hpx29 >= 0 AND snr NOT IN ('NaN', 'Infinity', '-Infinity') AND snr >= 0 AND psflux NOT IN ('NaN', 'Infinity', '-Infinity') AND psfluxerr NOT IN ('NaN', 'Infinity', '-Infinity') AND psfluxerr >= 0 AND totflux NOT IN ('NaN', 'Infinity', '-Infinity') AND totfluxerr NOT IN ('NaN', 'Infinity', '-Infinity') AND totfluxerr >= 0 AND apflux NOT IN ('NaN', 'Infinity', '-Infinity') AND apfluxerr NOT IN ('NaN', 'Infinity', '-Infinity') AND apfluxerr >= 0 AND templateid >= 0 AND extendedness NOT IN ('NaN', 'Infinity', '-Infinity') AND extendedness >= 0 AND extendedness <= 1 AND spuriousness NOT IN ('NaN', 'Infinity', '-Infinity') AND spuriousness >= 0 AND spuriousness <= 1 AND x NOT IN ('NaN', 'Infinity', '-Infinity') AND y NOT IN ('NaN', 'Infinity', '-Infinity') AND xerr NOT IN ('NaN', 'Infinity', '-Infinity') AND xerr >= 0 AND yerr NOT IN ('NaN', 'Infinity', '-Infinity') AND yerr >= 0 AND xycov NOT IN ('NaN', 'Infinity', '-Infinity') AND psra NOT IN ('NaN', 'Infinity', '-Infinity') AND psra >= 0 AND psra <= 360 AND psdecl NOT IN ('NaN', 'Infinity', '-Infinity') AND psdecl >= -90 AND psdecl <= 90 AND NOT ('NaN' = ANY (pscov)) AND cardinality(pscov) = 6 AND pslnl NOT IN ('NaN', 'Infinity', '-Infinity') AND pschi2 NOT IN ('NaN', 'Infinity', '-Infinity') AND pschi2 >= 0 AND psndata >= 0 AND trailflux NOT IN ('NaN', 'Infinity', '-Infinity') AND trailra NOT IN ('NaN', 'Infinity', '-Infinity') AND trailra >= 0 AND trailra <= 360 AND traildecl NOT IN ('NaN', 'Infinity', '-Infinity') AND traildecl >= -90 AND traildecl <= 90 AND traillength NOT IN ('NaN', 'Infinity', '-Infinity') AND traillength >= 0 AND trailangle NOT IN ('NaN', 'Infinity', '-Infinity') AND trailangle >= 0 AND trailangle <= 180 AND NOT ('NaN' = ANY (trailcov)) AND cardinality(trailcov) = 15 AND traillnl NOT IN ('NaN', 'Infinity', '-Infinity') AND trailchi2 NOT IN ('NaN', 'Infinity', '-Infinity') AND trailchi2 >= 0 AND trailndata >= 0 AND dipmeanflux NOT IN ('NaN', 'Infinity', '-Infinity') AND dipfluxdiff NOT IN ('NaN', 'Infinity', '-Infinity') AND dipra NOT IN ('NaN', 'Infinity', '-Infinity') AND dipra >= 0 AND dipra <= 360 AND dipdecl NOT IN ('NaN', 'Infinity', '-Infinity') AND dipdecl >= -90 AND dipdecl <= 90 AND diplength NOT IN ('NaN', 'Infinity', '-Infinity') AND diplength >= 0 AND dipangle NOT IN ('NaN', 'Infinity', '-Infinity') AND dipangle >= 0 AND dipangle <= 360 AND NOT ('NaN' = ANY (dipcov)) AND cardinality(dipcov) = 21 AND diplnl NOT IN ('NaN', 'Infinity', '-Infinity') AND dipchi2 NOT IN ('NaN', 'Infinity', '-Infinity') AND dipchi2 >= 0 AND dipndata >= 0 AND diffflux NOT IN ('NaN', 'Infinity', '-Infinity') AND difffluxerr NOT IN ('NaN', 'Infinity', '-Infinity') AND difffluxerr >= 0 AND fpbkgd NOT IN ('NaN', 'Infinity', '-Infinity') AND fpbkgderr NOT IN ('NaN', 'Infinity', '-Infinity') AND fpbkgderr >= 0 AND ixx NOT IN ('NaN', 'Infinity', '-Infinity') AND iyy NOT IN ('NaN', 'Infinity', '-Infinity') AND ixy NOT IN ('NaN', 'Infinity', '-Infinity') AND NOT ('NaN' = ANY (icov)) AND cardinality(icov) = 6 AND ixxpsf NOT IN ('NaN', 'Infinity', '-Infinity') AND ixxpsf >= 0 AND iyypsf NOT IN ('NaN', 'Infinity', '-Infinity') AND iyypsf >= 0 AND ixypsf NOT IN ('NaN', 'Infinity', '-Infinity'))
)
 PARTITION BY RANGE (diasourceid);

COMMENT ON TABLE prompt_store.diasource IS 'Detections on difference images, one row per detection and visit. Every quantity is measured on the difference image unless its column says otherwise, so fluxes are visit minus template and may be negative. The band is a property of the visit and is found through ccdVisitId. A DIASource belongs to at most one DIAObject or SSObject; it is never linked to an Object of a data release, and lying on top of one does not mean being the same thing.';

COMMENT ON COLUMN prompt_store.diasource.diasourceid IS 'diaSourceId: Unique identifier of this detection. It holds the database, the night, the visit, the detector and a serial number, and is never used again in any database or release.';

COMMENT ON COLUMN prompt_store.diasource.ccdvisitid IS 'ccdVisitId: Identifier of the detector of the visit on which the source was measured. Band, zero point, PSF and noise of the measurement are found in CcdVisit under this key.';

COMMENT ON COLUMN prompt_store.diasource.visitid IS 'visitId: Identifier of the visit, shared by all detectors exposed together.';

COMMENT ON COLUMN prompt_store.diasource.detector IS 'detector: Number of the detector within the camera.';

COMMENT ON COLUMN prompt_store.diasource.diaobjectid IS 'diaObjectId: Identifier of the DIAObject with which the source was associated. NULL for sources of Solar System objects and for parents of deblended sources.';

COMMENT ON COLUMN prompt_store.diasource.ssobjectid IS 'ssObjectId: Identifier of the SSObject to which the source was linked. NULL for all other sources; never set together with diaObjectId.';

COMMENT ON COLUMN prompt_store.diasource.parentdiasourceid IS 'parentDiaSourceId: Identifier of the blended parent from which this source was deblended. NULL for parents and for sources that were not blended.';

COMMENT ON COLUMN prompt_store.diasource.midpointtai IS 'midPointTai: Mid-point of the exposure at the position of this source, as a Modified Julian Date in TAI. It differs across the focal plane because the shutter takes time to travel. [d]';

COMMENT ON COLUMN prompt_store.diasource.ra IS 'ra: Right ascension (ICRS) of the centroid measured on the difference image. [deg]';

COMMENT ON COLUMN prompt_store.diasource.decl IS 'decl: Declination (ICRS) of the centroid measured on the difference image. [deg]';

COMMENT ON COLUMN prompt_store.diasource.raerr IS 'raErr: Standard error of the right ascension times cos(decl), that is sigma(alpha cos delta), from pixel noise alone. The systematic astrometric error of the detector is kept in CcdVisit and is not included. [arcsec]';

COMMENT ON COLUMN prompt_store.diasource.declerr IS 'declErr: Standard error of the declination, from pixel noise alone. The systematic astrometric error of the detector is kept in CcdVisit and is not included. [arcsec]';

COMMENT ON COLUMN prompt_store.diasource.radeclcov IS 'raDeclCov: Covariance between alpha cos(delta) and delta; divided by raErr times declErr it is the correlation coefficient. [arcsec**2]';

COMMENT ON COLUMN prompt_store.diasource.hpx29 IS 'hpx29: HEALPix pixel of order 29 in the nested scheme that holds (ra, decl). Integer division by 4 to the power of (29 - n) gives the pixel of order n.';

COMMENT ON COLUMN prompt_store.diasource.flags IS 'flags: Bit mask of status flags. FlagDefinition gives the name and meaning of each bit.';

COMMENT ON COLUMN prompt_store.diasource.snr IS 'snr: Signal-to-noise ratio at which the detection algorithm found the source: the absolute value of the peak of the PSF-likelihood image in units of its standard deviation. The sign of the change is that of psFlux; the ratio need not equal psFlux/psFluxErr.';

COMMENT ON COLUMN prompt_store.diasource.psflux IS 'psFlux: Flux of the point-source model fitted to the difference image: a flux difference between visit and template, negative where the source has faded. [nJy]';

COMMENT ON COLUMN prompt_store.diasource.psfluxerr IS 'psFluxErr: Standard error of psFlux. [nJy]';

COMMENT ON COLUMN prompt_store.diasource.totflux IS 'totFlux: Total flux: point-source flux measured on the visit image itself, not the difference, with the position held at the centroid found on the difference image. [nJy]';

COMMENT ON COLUMN prompt_store.diasource.totfluxerr IS 'totFluxErr: Standard error of totFlux. [nJy]';

COMMENT ON COLUMN prompt_store.diasource.apflux IS 'apFlux: Calibrated flux in a circular aperture on the difference image: visit minus template, negative where the source has faded. [nJy]';

COMMENT ON COLUMN prompt_store.diasource.apfluxerr IS 'apFluxErr: Standard error of apFlux. [nJy]';

COMMENT ON COLUMN prompt_store.diasource.templateid IS 'templateId: Identifier of the template that was subtracted. Difference fluxes of different templates have different zero levels and must not be averaged without correcting for it.';

COMMENT ON COLUMN prompt_store.diasource.extendedness IS 'extendedness: Measure of extent: 0 for a source that is certainly point-like, 1 for one that is certainly extended.';

COMMENT ON COLUMN prompt_store.diasource.spuriousness IS 'spuriousness: Measure of how likely the source is an artifact: 0 for certainly astrophysical, 1 for certainly spurious. It is formed from the image and from knowledge of telescope and camera only, without regard to neighbours or earlier detections.';

COMMENT ON COLUMN prompt_store.diasource.x IS 'x: Column of the centroid on the detector; pixel centres are at integers and the first column is 0. [pixel]';

COMMENT ON COLUMN prompt_store.diasource.y IS 'y: Row of the centroid on the detector; pixel centres are at integers and the first row is 0. [pixel]';

COMMENT ON COLUMN prompt_store.diasource.xerr IS 'xErr: Standard error of x. [pixel]';

COMMENT ON COLUMN prompt_store.diasource.yerr IS 'yErr: Standard error of y. [pixel]';

COMMENT ON COLUMN prompt_store.diasource.xycov IS 'xyCov: Covariance between x and y. [pixel**2]';

COMMENT ON COLUMN prompt_store.diasource.psra IS 'psRa: Right ascension (ICRS) of the point-source model. [deg]';

COMMENT ON COLUMN prompt_store.diasource.psdecl IS 'psDecl: Declination (ICRS) of the point-source model. [deg]';

COMMENT ON COLUMN prompt_store.diasource.pscov IS 'psCov: Covariance matrix of the point-source parameters (flux, ra, decl), lower triangle row by row: (flux,flux), (ra,flux), (ra,ra), (decl,flux), (decl,ra), (decl,decl). Units are nJy and arcsec; ra stands for alpha cos(delta).';

COMMENT ON COLUMN prompt_store.diasource.pslnl IS 'psLnL: Natural logarithm of the likelihood of the pixels given the best point-source model.';

COMMENT ON COLUMN prompt_store.diasource.pschi2 IS 'psChi2: Chi-square of the best point-source model; it has psNdata - 3 degrees of freedom.';

COMMENT ON COLUMN prompt_store.diasource.psndata IS 'psNdata: Number of pixels used in the point-source fit.';

COMMENT ON COLUMN prompt_store.diasource.trailflux IS 'trailFlux: Flux of the trailed-source model, a straight line convolved with the PSF, fitted to the difference image. The model allows for the gap between the two snaps of a visit; it does not tell in which sense the source moved. [nJy]';

COMMENT ON COLUMN prompt_store.diasource.trailra IS 'trailRa: Right ascension (ICRS) of the middle of the trail. [deg]';

COMMENT ON COLUMN prompt_store.diasource.traildecl IS 'trailDecl: Declination (ICRS) of the middle of the trail. [deg]';

COMMENT ON COLUMN prompt_store.diasource.traillength IS 'trailLength: Maximum-likelihood length of the trail, before convolution with the PSF. [arcsec]';

COMMENT ON COLUMN prompt_store.diasource.trailangle IS 'trailAngle: Maximum-likelihood position angle of the trail from North through East, in the range [0, 180). [deg]';

COMMENT ON COLUMN prompt_store.diasource.trailcov IS 'trailCov: Covariance matrix of the trail parameters (flux, ra, decl, length, angle), lower triangle row by row. Units are nJy, arcsec and degrees; ra stands for alpha cos(delta).';

COMMENT ON COLUMN prompt_store.diasource.traillnl IS 'trailLnL: Natural logarithm of the likelihood of the pixels given the best trailed-source model.';

COMMENT ON COLUMN prompt_store.diasource.trailchi2 IS 'trailChi2: Chi-square of the best trailed-source model; it has trailNdata - 5 degrees of freedom.';

COMMENT ON COLUMN prompt_store.diasource.trailndata IS 'trailNdata: Number of pixels used in the trailed-source fit.';

COMMENT ON COLUMN prompt_store.diasource.dipmeanflux IS 'dipMeanFlux: Mean of the absolute fluxes of the two lobes of the dipole model: two point sources of opposite sign, as left by an object that moved since the template was taken. [nJy]';

COMMENT ON COLUMN prompt_store.diasource.dipfluxdiff IS 'dipFluxDiff: Absolute flux of the positive lobe minus that of the negative lobe of the dipole model. [nJy]';

COMMENT ON COLUMN prompt_store.diasource.dipra IS 'dipRa: Right ascension (ICRS) of the centre between the two lobes of the dipole model. [deg]';

COMMENT ON COLUMN prompt_store.diasource.dipdecl IS 'dipDecl: Declination (ICRS) of the centre between the two lobes of the dipole model. [deg]';

COMMENT ON COLUMN prompt_store.diasource.diplength IS 'dipLength: Maximum-likelihood separation of the two lobes of the dipole model. [arcsec]';

COMMENT ON COLUMN prompt_store.diasource.dipangle IS 'dipAngle: Maximum-likelihood position angle from the negative to the positive lobe, from North through East, in the range [0, 360). [deg]';

COMMENT ON COLUMN prompt_store.diasource.dipcov IS 'dipCov: Covariance matrix of the dipole parameters (mean flux, flux difference, ra, decl, length, angle), lower triangle row by row. Units are nJy, arcsec and degrees; ra stands for alpha cos(delta).';

COMMENT ON COLUMN prompt_store.diasource.diplnl IS 'dipLnL: Natural logarithm of the likelihood of the pixels given the best dipole model.';

COMMENT ON COLUMN prompt_store.diasource.dipchi2 IS 'dipChi2: Chi-square of the best dipole model; it has dipNdata - 6 degrees of freedom.';

COMMENT ON COLUMN prompt_store.diasource.dipndata IS 'dipNdata: Number of pixels used in the dipole fit.';

COMMENT ON COLUMN prompt_store.diasource.diffflux IS 'diffFlux: Point-source flux at (ra, decl) on the difference of the two snaps of the visit, second minus first; it shows changes within some fifteen seconds. NULL for a visit of one snap. [nJy]';

COMMENT ON COLUMN prompt_store.diasource.difffluxerr IS 'diffFluxErr: Standard error of diffFlux. [nJy]';

COMMENT ON COLUMN prompt_store.diasource.fpbkgd IS 'fpBkgd: Surface brightness of the background at the centroid, measured on the template. [nJy/arcsec**2]';

COMMENT ON COLUMN prompt_store.diasource.fpbkgderr IS 'fpBkgdErr: Standard error of fpBkgd. [nJy/arcsec**2]';

COMMENT ON COLUMN prompt_store.diasource.ixx IS 'ixx: Adaptive second moment of the difference flux along East, in the tangent plane at the source (Bernstein and Jarvis 2002). [arcsec**2]';

COMMENT ON COLUMN prompt_store.diasource.iyy IS 'iyy: Adaptive second moment of the difference flux along North, in the tangent plane at the source. [arcsec**2]';

COMMENT ON COLUMN prompt_store.diasource.ixy IS 'ixy: Adaptive mixed second moment of the difference flux along East and North, in the tangent plane at the source. [arcsec**2]';

COMMENT ON COLUMN prompt_store.diasource.icov IS 'icov: Covariance matrix of (ixx, iyy, ixy), lower triangle row by row. [arcsec**4]';

COMMENT ON COLUMN prompt_store.diasource.ixxpsf IS 'ixxPSF: Adaptive second moment of the PSF along East at the position of the source. [arcsec**2]';

COMMENT ON COLUMN prompt_store.diasource.iyypsf IS 'iyyPSF: Adaptive second moment of the PSF along North at the position of the source. [arcsec**2]';

COMMENT ON COLUMN prompt_store.diasource.ixypsf IS 'ixyPSF: Adaptive mixed second moment of the PSF along East and North at the position of the source. [arcsec**2]';

COMMENT ON COLUMN prompt_store.diasource.insertedtai IS 'insertedTai: Epoch at which the row first became visible; never changes (TAI).';

COMMENT ON COLUMN prompt_store.diasource.createdtai IS 'createdTai: Epoch from which on this version is valid (TAI).';

CREATE INDEX diasource_ccdvisitid_idx ON prompt_store.diasource (ccdvisitid);

CREATE INDEX diasource_diaobjectid_midpointtai_idx ON prompt_store.diasource (diaobjectid, midpointtai) INCLUDE (psflux, psfluxerr, totflux, totfluxerr, ra, decl, raerr, declerr, ccdvisitid);

CREATE INDEX diasource_sky_idx ON prompt_store.diasource USING gist (spoint(radians(ra), radians(decl)));

CREATE INDEX diasource_ssobjectid_idx ON prompt_store.diasource (ssobjectid);

CREATE TRIGGER refuse_direct_write BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON prompt_store.diasource FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_direct_write();

CREATE TABLE prompt_store.diasource_history (
	diasourceid BIGINT NOT NULL, 
	ccdvisitid BIGINT NOT NULL, 
	visitid BIGINT NOT NULL, 
	detector SMALLINT NOT NULL, 
	diaobjectid BIGINT, 
	ssobjectid BIGINT, 
	parentdiasourceid BIGINT, 
	midpointtai DOUBLE PRECISION NOT NULL, 
	ra DOUBLE PRECISION NOT NULL, 
	decl DOUBLE PRECISION NOT NULL, 
	raerr REAL, 
	declerr REAL, 
	radeclcov REAL, 
	hpx29 BIGINT NOT NULL, 
	flags BIGINT NOT NULL, 
	snr REAL, 
	psflux REAL, 
	psfluxerr REAL, 
	totflux REAL, 
	totfluxerr REAL, 
	apflux REAL, 
	apfluxerr REAL, 
	templateid BIGINT NOT NULL, 
	extendedness REAL, 
	spuriousness REAL, 
	x REAL NOT NULL, 
	y REAL NOT NULL, 
	xerr REAL, 
	yerr REAL, 
	xycov REAL, 
	psra DOUBLE PRECISION, 
	psdecl DOUBLE PRECISION, 
	pscov REAL[], 
	pslnl REAL, 
	pschi2 REAL, 
	psndata INTEGER, 
	trailflux REAL, 
	trailra DOUBLE PRECISION, 
	traildecl DOUBLE PRECISION, 
	traillength REAL, 
	trailangle REAL, 
	trailcov REAL[], 
	traillnl REAL, 
	trailchi2 REAL, 
	trailndata INTEGER, 
	dipmeanflux REAL, 
	dipfluxdiff REAL, 
	dipra DOUBLE PRECISION, 
	dipdecl DOUBLE PRECISION, 
	diplength REAL, 
	dipangle REAL, 
	dipcov REAL[], 
	diplnl REAL, 
	dipchi2 REAL, 
	dipndata INTEGER, 
	diffflux REAL, 
	difffluxerr REAL, 
	fpbkgd REAL, 
	fpbkgderr REAL, 
	ixx REAL, 
	iyy REAL, 
	ixy REAL, 
	icov REAL[], 
	ixxpsf REAL, 
	iyypsf REAL, 
	ixypsf REAL, 
	insertedtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	createdtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	deletedtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	CONSTRAINT diasource_history_pkey PRIMARY KEY (diasourceid, deletedtai), 
	CONSTRAINT diasource_interval CHECK (createdtai <= deletedtai)
)
 PARTITION BY RANGE (deletedtai);

COMMENT ON TABLE prompt_store.diasource_history IS 'Closed versions of DIASource, by month of deletedTai.';

COMMENT ON COLUMN prompt_store.diasource_history.diasourceid IS 'diaSourceId: Unique identifier of this detection. It holds the database, the night, the visit, the detector and a serial number, and is never used again in any database or release.';

COMMENT ON COLUMN prompt_store.diasource_history.ccdvisitid IS 'ccdVisitId: Identifier of the detector of the visit on which the source was measured. Band, zero point, PSF and noise of the measurement are found in CcdVisit under this key.';

COMMENT ON COLUMN prompt_store.diasource_history.visitid IS 'visitId: Identifier of the visit, shared by all detectors exposed together.';

COMMENT ON COLUMN prompt_store.diasource_history.detector IS 'detector: Number of the detector within the camera.';

COMMENT ON COLUMN prompt_store.diasource_history.diaobjectid IS 'diaObjectId: Identifier of the DIAObject with which the source was associated. NULL for sources of Solar System objects and for parents of deblended sources.';

COMMENT ON COLUMN prompt_store.diasource_history.ssobjectid IS 'ssObjectId: Identifier of the SSObject to which the source was linked. NULL for all other sources; never set together with diaObjectId.';

COMMENT ON COLUMN prompt_store.diasource_history.parentdiasourceid IS 'parentDiaSourceId: Identifier of the blended parent from which this source was deblended. NULL for parents and for sources that were not blended.';

COMMENT ON COLUMN prompt_store.diasource_history.midpointtai IS 'midPointTai: Mid-point of the exposure at the position of this source, as a Modified Julian Date in TAI. It differs across the focal plane because the shutter takes time to travel. [d]';

COMMENT ON COLUMN prompt_store.diasource_history.ra IS 'ra: Right ascension (ICRS) of the centroid measured on the difference image. [deg]';

COMMENT ON COLUMN prompt_store.diasource_history.decl IS 'decl: Declination (ICRS) of the centroid measured on the difference image. [deg]';

COMMENT ON COLUMN prompt_store.diasource_history.raerr IS 'raErr: Standard error of the right ascension times cos(decl), that is sigma(alpha cos delta), from pixel noise alone. The systematic astrometric error of the detector is kept in CcdVisit and is not included. [arcsec]';

COMMENT ON COLUMN prompt_store.diasource_history.declerr IS 'declErr: Standard error of the declination, from pixel noise alone. The systematic astrometric error of the detector is kept in CcdVisit and is not included. [arcsec]';

COMMENT ON COLUMN prompt_store.diasource_history.radeclcov IS 'raDeclCov: Covariance between alpha cos(delta) and delta; divided by raErr times declErr it is the correlation coefficient. [arcsec**2]';

COMMENT ON COLUMN prompt_store.diasource_history.hpx29 IS 'hpx29: HEALPix pixel of order 29 in the nested scheme that holds (ra, decl). Integer division by 4 to the power of (29 - n) gives the pixel of order n.';

COMMENT ON COLUMN prompt_store.diasource_history.flags IS 'flags: Bit mask of status flags. FlagDefinition gives the name and meaning of each bit.';

COMMENT ON COLUMN prompt_store.diasource_history.snr IS 'snr: Signal-to-noise ratio at which the detection algorithm found the source: the absolute value of the peak of the PSF-likelihood image in units of its standard deviation. The sign of the change is that of psFlux; the ratio need not equal psFlux/psFluxErr.';

COMMENT ON COLUMN prompt_store.diasource_history.psflux IS 'psFlux: Flux of the point-source model fitted to the difference image: a flux difference between visit and template, negative where the source has faded. [nJy]';

COMMENT ON COLUMN prompt_store.diasource_history.psfluxerr IS 'psFluxErr: Standard error of psFlux. [nJy]';

COMMENT ON COLUMN prompt_store.diasource_history.totflux IS 'totFlux: Total flux: point-source flux measured on the visit image itself, not the difference, with the position held at the centroid found on the difference image. [nJy]';

COMMENT ON COLUMN prompt_store.diasource_history.totfluxerr IS 'totFluxErr: Standard error of totFlux. [nJy]';

COMMENT ON COLUMN prompt_store.diasource_history.apflux IS 'apFlux: Calibrated flux in a circular aperture on the difference image: visit minus template, negative where the source has faded. [nJy]';

COMMENT ON COLUMN prompt_store.diasource_history.apfluxerr IS 'apFluxErr: Standard error of apFlux. [nJy]';

COMMENT ON COLUMN prompt_store.diasource_history.templateid IS 'templateId: Identifier of the template that was subtracted. Difference fluxes of different templates have different zero levels and must not be averaged without correcting for it.';

COMMENT ON COLUMN prompt_store.diasource_history.extendedness IS 'extendedness: Measure of extent: 0 for a source that is certainly point-like, 1 for one that is certainly extended.';

COMMENT ON COLUMN prompt_store.diasource_history.spuriousness IS 'spuriousness: Measure of how likely the source is an artifact: 0 for certainly astrophysical, 1 for certainly spurious. It is formed from the image and from knowledge of telescope and camera only, without regard to neighbours or earlier detections.';

COMMENT ON COLUMN prompt_store.diasource_history.x IS 'x: Column of the centroid on the detector; pixel centres are at integers and the first column is 0. [pixel]';

COMMENT ON COLUMN prompt_store.diasource_history.y IS 'y: Row of the centroid on the detector; pixel centres are at integers and the first row is 0. [pixel]';

COMMENT ON COLUMN prompt_store.diasource_history.xerr IS 'xErr: Standard error of x. [pixel]';

COMMENT ON COLUMN prompt_store.diasource_history.yerr IS 'yErr: Standard error of y. [pixel]';

COMMENT ON COLUMN prompt_store.diasource_history.xycov IS 'xyCov: Covariance between x and y. [pixel**2]';

COMMENT ON COLUMN prompt_store.diasource_history.psra IS 'psRa: Right ascension (ICRS) of the point-source model. [deg]';

COMMENT ON COLUMN prompt_store.diasource_history.psdecl IS 'psDecl: Declination (ICRS) of the point-source model. [deg]';

COMMENT ON COLUMN prompt_store.diasource_history.pscov IS 'psCov: Covariance matrix of the point-source parameters (flux, ra, decl), lower triangle row by row: (flux,flux), (ra,flux), (ra,ra), (decl,flux), (decl,ra), (decl,decl). Units are nJy and arcsec; ra stands for alpha cos(delta).';

COMMENT ON COLUMN prompt_store.diasource_history.pslnl IS 'psLnL: Natural logarithm of the likelihood of the pixels given the best point-source model.';

COMMENT ON COLUMN prompt_store.diasource_history.pschi2 IS 'psChi2: Chi-square of the best point-source model; it has psNdata - 3 degrees of freedom.';

COMMENT ON COLUMN prompt_store.diasource_history.psndata IS 'psNdata: Number of pixels used in the point-source fit.';

COMMENT ON COLUMN prompt_store.diasource_history.trailflux IS 'trailFlux: Flux of the trailed-source model, a straight line convolved with the PSF, fitted to the difference image. The model allows for the gap between the two snaps of a visit; it does not tell in which sense the source moved. [nJy]';

COMMENT ON COLUMN prompt_store.diasource_history.trailra IS 'trailRa: Right ascension (ICRS) of the middle of the trail. [deg]';

COMMENT ON COLUMN prompt_store.diasource_history.traildecl IS 'trailDecl: Declination (ICRS) of the middle of the trail. [deg]';

COMMENT ON COLUMN prompt_store.diasource_history.traillength IS 'trailLength: Maximum-likelihood length of the trail, before convolution with the PSF. [arcsec]';

COMMENT ON COLUMN prompt_store.diasource_history.trailangle IS 'trailAngle: Maximum-likelihood position angle of the trail from North through East, in the range [0, 180). [deg]';

COMMENT ON COLUMN prompt_store.diasource_history.trailcov IS 'trailCov: Covariance matrix of the trail parameters (flux, ra, decl, length, angle), lower triangle row by row. Units are nJy, arcsec and degrees; ra stands for alpha cos(delta).';

COMMENT ON COLUMN prompt_store.diasource_history.traillnl IS 'trailLnL: Natural logarithm of the likelihood of the pixels given the best trailed-source model.';

COMMENT ON COLUMN prompt_store.diasource_history.trailchi2 IS 'trailChi2: Chi-square of the best trailed-source model; it has trailNdata - 5 degrees of freedom.';

COMMENT ON COLUMN prompt_store.diasource_history.trailndata IS 'trailNdata: Number of pixels used in the trailed-source fit.';

COMMENT ON COLUMN prompt_store.diasource_history.dipmeanflux IS 'dipMeanFlux: Mean of the absolute fluxes of the two lobes of the dipole model: two point sources of opposite sign, as left by an object that moved since the template was taken. [nJy]';

COMMENT ON COLUMN prompt_store.diasource_history.dipfluxdiff IS 'dipFluxDiff: Absolute flux of the positive lobe minus that of the negative lobe of the dipole model. [nJy]';

COMMENT ON COLUMN prompt_store.diasource_history.dipra IS 'dipRa: Right ascension (ICRS) of the centre between the two lobes of the dipole model. [deg]';

COMMENT ON COLUMN prompt_store.diasource_history.dipdecl IS 'dipDecl: Declination (ICRS) of the centre between the two lobes of the dipole model. [deg]';

COMMENT ON COLUMN prompt_store.diasource_history.diplength IS 'dipLength: Maximum-likelihood separation of the two lobes of the dipole model. [arcsec]';

COMMENT ON COLUMN prompt_store.diasource_history.dipangle IS 'dipAngle: Maximum-likelihood position angle from the negative to the positive lobe, from North through East, in the range [0, 360). [deg]';

COMMENT ON COLUMN prompt_store.diasource_history.dipcov IS 'dipCov: Covariance matrix of the dipole parameters (mean flux, flux difference, ra, decl, length, angle), lower triangle row by row. Units are nJy, arcsec and degrees; ra stands for alpha cos(delta).';

COMMENT ON COLUMN prompt_store.diasource_history.diplnl IS 'dipLnL: Natural logarithm of the likelihood of the pixels given the best dipole model.';

COMMENT ON COLUMN prompt_store.diasource_history.dipchi2 IS 'dipChi2: Chi-square of the best dipole model; it has dipNdata - 6 degrees of freedom.';

COMMENT ON COLUMN prompt_store.diasource_history.dipndata IS 'dipNdata: Number of pixels used in the dipole fit.';

COMMENT ON COLUMN prompt_store.diasource_history.diffflux IS 'diffFlux: Point-source flux at (ra, decl) on the difference of the two snaps of the visit, second minus first; it shows changes within some fifteen seconds. NULL for a visit of one snap. [nJy]';

COMMENT ON COLUMN prompt_store.diasource_history.difffluxerr IS 'diffFluxErr: Standard error of diffFlux. [nJy]';

COMMENT ON COLUMN prompt_store.diasource_history.fpbkgd IS 'fpBkgd: Surface brightness of the background at the centroid, measured on the template. [nJy/arcsec**2]';

COMMENT ON COLUMN prompt_store.diasource_history.fpbkgderr IS 'fpBkgdErr: Standard error of fpBkgd. [nJy/arcsec**2]';

COMMENT ON COLUMN prompt_store.diasource_history.ixx IS 'ixx: Adaptive second moment of the difference flux along East, in the tangent plane at the source (Bernstein and Jarvis 2002). [arcsec**2]';

COMMENT ON COLUMN prompt_store.diasource_history.iyy IS 'iyy: Adaptive second moment of the difference flux along North, in the tangent plane at the source. [arcsec**2]';

COMMENT ON COLUMN prompt_store.diasource_history.ixy IS 'ixy: Adaptive mixed second moment of the difference flux along East and North, in the tangent plane at the source. [arcsec**2]';

COMMENT ON COLUMN prompt_store.diasource_history.icov IS 'icov: Covariance matrix of (ixx, iyy, ixy), lower triangle row by row. [arcsec**4]';

COMMENT ON COLUMN prompt_store.diasource_history.ixxpsf IS 'ixxPSF: Adaptive second moment of the PSF along East at the position of the source. [arcsec**2]';

COMMENT ON COLUMN prompt_store.diasource_history.iyypsf IS 'iyyPSF: Adaptive second moment of the PSF along North at the position of the source. [arcsec**2]';

COMMENT ON COLUMN prompt_store.diasource_history.ixypsf IS 'ixyPSF: Adaptive mixed second moment of the PSF along East and North at the position of the source. [arcsec**2]';

COMMENT ON COLUMN prompt_store.diasource_history.insertedtai IS 'insertedTai: Epoch at which the row first became visible; never changes (TAI).';

COMMENT ON COLUMN prompt_store.diasource_history.createdtai IS 'createdTai: Epoch from which on this version is valid (TAI).';

COMMENT ON COLUMN prompt_store.diasource_history.deletedtai IS 'deletedTai: Last microsecond at which this version was valid (TAI); live: 9999-12-31.';

CREATE INDEX diasource_history_ccdvisitid_idx ON prompt_store.diasource_history (ccdvisitid);

CREATE INDEX diasource_history_diaobjectid_midpointtai_idx ON prompt_store.diasource_history (diaobjectid, midpointtai) INCLUDE (psflux, psfluxerr, totflux, totfluxerr, ra, decl, raerr, declerr, ccdvisitid);

CREATE INDEX diasource_history_sky_idx ON prompt_store.diasource_history USING gist (spoint(radians(ra), radians(decl)));

CREATE INDEX diasource_history_ssobjectid_idx ON prompt_store.diasource_history (ssobjectid);

CREATE TRIGGER refuse_direct_write BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON prompt_store.diasource_history FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_direct_write();

CREATE TABLE prompt_store.ssobject (
	ssobjectid BIGINT NOT NULL, 
	designation TEXT, 
	ndiasources INTEGER NOT NULL, 
	q DOUBLE PRECISION, 
	e DOUBLE PRECISION, 
	inc DOUBLE PRECISION, 
	node DOUBLE PRECISION, 
	argperi DOUBLE PRECISION, 
	meananomaly DOUBLE PRECISION, 
	epoch DOUBLE PRECISION, 
	oecov DOUBLE PRECISION[], 
	arc REAL, 
	orbfitlnl REAL, 
	orbfitchi2 REAL, 
	orbfitndata INTEGER, 
	moid1 REAL, 
	moid2 REAL, 
	moidlon1 DOUBLE PRECISION, 
	moidlon2 DOUBLE PRECISION, 
	uh REAL, 
	gh REAL, 
	rh REAL, 
	ih REAL, 
	zh REAL, 
	yh REAL, 
	ug1 REAL, 
	gg1 REAL, 
	rg1 REAL, 
	ig1 REAL, 
	zg1 REAL, 
	yg1 REAL, 
	ug2 REAL, 
	gg2 REAL, 
	rg2 REAL, 
	ig2 REAL, 
	zg2 REAL, 
	yg2 REAL, 
	uherr REAL, 
	gherr REAL, 
	rherr REAL, 
	iherr REAL, 
	zherr REAL, 
	yherr REAL, 
	ug1err REAL, 
	gg1err REAL, 
	rg1err REAL, 
	ig1err REAL, 
	zg1err REAL, 
	yg1err REAL, 
	ug2err REAL, 
	gg2err REAL, 
	rg2err REAL, 
	ig2err REAL, 
	zg2err REAL, 
	yg2err REAL, 
	flags BIGINT NOT NULL, 
	insertedtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	createdtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	CONSTRAINT ssobject_pkey PRIMARY KEY (ssobjectid), 
	CONSTRAINT ssobject_rule1 CHECK (num_nulls(orbFitLnL, orbFitChi2, orbFitNdata) IN (0, 3)), 
	CONSTRAINT ssobject_values CHECK (ssobjectid >= 0 AND ndiasources >= 0 AND q NOT IN ('NaN', 'Infinity', '-Infinity') AND q >= 0 AND e NOT IN ('NaN', 'Infinity', '-Infinity') AND e >= 0 AND inc NOT IN ('NaN', 'Infinity', '-Infinity') AND inc >= 0 AND inc <= 180 AND node NOT IN ('NaN', 'Infinity', '-Infinity') AND node >= 0 AND node <= 360 AND argperi NOT IN ('NaN', 'Infinity', '-Infinity') AND argperi >= 0 AND argperi <= 360 AND meananomaly NOT IN ('NaN', 'Infinity', '-Infinity') AND epoch NOT IN ('NaN', 'Infinity', '-Infinity') AND epoch >= 0 AND NOT ('NaN' = ANY (oecov)) AND cardinality(oecov) = 28 AND arc NOT IN ('NaN', 'Infinity', '-Infinity') AND arc >= 0 AND orbfitlnl NOT IN ('NaN', 'Infinity', '-Infinity') AND orbfitchi2 NOT IN ('NaN', 'Infinity', '-Infinity') AND orbfitchi2 >= 0 AND orbfitndata >= 0 AND moid1 NOT IN ('NaN', 'Infinity', '-Infinity') AND moid1 >= 0 AND moid2 NOT IN ('NaN', 'Infinity', '-Infinity') AND moid2 >= 0 AND moidlon1 NOT IN ('NaN', 'Infinity', '-Infinity') AND moidlon1 >= 0 AND moidlon1 <= 360 AND moidlon2 NOT IN ('NaN', 'Infinity', '-Infinity') AND moidlon2 >= 0 AND moidlon2 <= 360 AND uh NOT IN ('NaN', 'Infinity', '-Infinity') AND gh NOT IN ('NaN', 'Infinity', '-Infinity') AND rh NOT IN ('NaN', 'Infinity', '-Infinity') AND ih NOT IN ('NaN', 'Infinity', '-Infinity') AND zh NOT IN ('NaN', 'Infinity', '-Infinity') AND yh NOT IN ('NaN', 'Infinity', '-Infinity') AND ug1 NOT IN ('NaN', 'Infinity', '-Infinity') AND gg1 NOT IN ('NaN', 'Infinity', '-Infinity') AND rg1 NOT IN ('NaN', 'Infinity', '-Infinity') AND ig1 NOT IN ('NaN', 'Infinity', '-Infinity') AND zg1 NOT IN ('NaN', 'Infinity', '-Infinity') AND yg1 NOT IN ('NaN', 'Infinity', '-Infinity') AND ug2 NOT IN ('NaN', 'Infinity', '-Infinity') AND gg2 NOT IN ('NaN', 'Infinity', '-Infinity') AND rg2 NOT IN ('NaN', 'Infinity', '-Infinity') AND ig2 NOT IN ('NaN', 'Infinity', '-Infinity') AND zg2 NOT IN ('NaN', 'Infinity', '-Infinity') AND yg2 NOT IN ('NaN', 'Infinity', '-Infinity') AND uherr NOT IN ('NaN', 'Infinity', '-Infinity') AND uherr >= 0 AND gherr NOT IN ('NaN', 'Infinity', '-Infinity') AND gherr >= 0 AND rherr NOT IN ('NaN', 'Infinity', '-Infinity') AND rherr >= 0 AND iherr NOT IN ('NaN', 'Infinity', '-Infinity') AND iherr >= 0 AND zherr NOT IN ('NaN', 'Infinity', '-Infinity') AND zherr >= 0 AND yherr NOT IN ('NaN', 'Infinity', '-Infinity') AND yherr >= 0 AND ug1err NOT IN ('NaN', 'Infinity', '-Infinity') AND ug1err >= 0 AND gg1err NOT IN ('NaN', 'Infinity', '-Infinity') AND gg1err >= 0 AND rg1err NOT IN ('NaN', 'Infinity', '-Infinity') AND rg1err >= 0 AND ig1err NOT IN ('NaN', 'Infinity', '-Infinity') AND ig1err >= 0 AND zg1err NOT IN ('NaN', 'Infinity', '-Infinity') AND zg1err >= 0 AND yg1err NOT IN ('NaN', 'Infinity', '-Infinity') AND yg1err >= 0 AND ug2err NOT IN ('NaN', 'Infinity', '-Infinity') AND ug2err >= 0 AND gg2err NOT IN ('NaN', 'Infinity', '-Infinity') AND gg2err >= 0 AND rg2err NOT IN ('NaN', 'Infinity', '-Infinity') AND rg2err >= 0 AND ig2err NOT IN ('NaN', 'Infinity', '-Infinity') AND ig2err >= 0 AND zg2err NOT IN ('NaN', 'Infinity', '-Infinity') AND zg2err >= 0 AND yg2err NOT IN ('NaN', 'Infinity', '-Infinity') AND yg2err >= 0)
);

COMMENT ON TABLE prompt_store.ssobject IS 'Solar System objects, with heliocentric orbits and the parameters of their phase functions. Elements refer to the ecliptic and equinox of J2000. Vectors, distances and phase angles of the single observations are in SSSource.';

COMMENT ON COLUMN prompt_store.ssobject.ssobjectid IS 'ssObjectId: Unique identifier of the object, never used again in any database or release.';

COMMENT ON COLUMN prompt_store.ssobject.designation IS 'designation: Designation of the body by the Minor Planet Center, where it has one; it links the same body between databases and releases.';

COMMENT ON COLUMN prompt_store.ssobject.ndiasources IS 'nDiaSources: Number of DIASources linked to the object.';

COMMENT ON COLUMN prompt_store.ssobject.q IS 'q: Perihelion distance of the osculating orbit. [AU]';

COMMENT ON COLUMN prompt_store.ssobject.e IS 'e: Eccentricity of the osculating orbit; above 1 for a hyperbolic one.';

COMMENT ON COLUMN prompt_store.ssobject.inc IS 'inc: Inclination of the osculating orbit to the ecliptic of J2000. [deg]';

COMMENT ON COLUMN prompt_store.ssobject.node IS 'node: Longitude of the ascending node of the osculating orbit on the ecliptic of J2000. [deg]';

COMMENT ON COLUMN prompt_store.ssobject.argperi IS 'argPeri: Argument of perihelion of the osculating orbit, from the ascending node in the direction of motion. [deg]';

COMMENT ON COLUMN prompt_store.ssobject.meananomaly IS 'meanAnomaly: Mean anomaly of the osculating orbit at the epoch of the elements. [deg]';

COMMENT ON COLUMN prompt_store.ssobject.epoch IS 'epoch: Epoch at which the elements osculate, as a Modified Julian Date in TDB. [d]';

COMMENT ON COLUMN prompt_store.ssobject.oecov IS 'oeCov: Covariance matrix of the elements (q, e, inc, node, argPeri, meanAnomaly, epoch), lower triangle row by row, in AU, degrees and days. The epoch is not fitted, so its row is zero.';

COMMENT ON COLUMN prompt_store.ssobject.arc IS 'arc: Time between the first and the last observation used in the orbit fit. [d]';

COMMENT ON COLUMN prompt_store.ssobject.orbfitlnl IS 'orbFitLnL: Natural logarithm of the likelihood of the observed positions given the fitted orbit.';

COMMENT ON COLUMN prompt_store.ssobject.orbfitchi2 IS 'orbFitChi2: Chi-square of the orbit fit; it has 2 orbFitNdata - 6 degrees of freedom.';

COMMENT ON COLUMN prompt_store.ssobject.orbfitndata IS 'orbFitNdata: Number of observations used in the orbit fit.';

COMMENT ON COLUMN prompt_store.ssobject.moid1 IS 'moid1: Smallest distance between the orbit of the object and that of the Earth. [AU]';

COMMENT ON COLUMN prompt_store.ssobject.moid2 IS 'moid2: Second local minimum of the distance between the orbit of the object and that of the Earth; NULL where there is only one. [AU]';

COMMENT ON COLUMN prompt_store.ssobject.moidlon1 IS 'moidLon1: Heliocentric ecliptic longitude (J2000) of the point on the orbit of the Earth at which moid1 is reached. [deg]';

COMMENT ON COLUMN prompt_store.ssobject.moidlon2 IS 'moidLon2: Heliocentric ecliptic longitude (J2000) of the point on the orbit of the Earth at which moid2 is reached. [deg]';

COMMENT ON COLUMN prompt_store.ssobject.uh IS 'uH: Absolute magnitude in the u band (AB): the mean magnitude at 1 AU from Sun and observer at zero phase angle, in the H, G1, G2 system of Muinonen et al. (2010). [mag]';

COMMENT ON COLUMN prompt_store.ssobject.gh IS 'gH: Absolute magnitude in the g band (AB): the mean magnitude at 1 AU from Sun and observer at zero phase angle, in the H, G1, G2 system of Muinonen et al. (2010). [mag]';

COMMENT ON COLUMN prompt_store.ssobject.rh IS 'rH: Absolute magnitude in the r band (AB): the mean magnitude at 1 AU from Sun and observer at zero phase angle, in the H, G1, G2 system of Muinonen et al. (2010). [mag]';

COMMENT ON COLUMN prompt_store.ssobject.ih IS 'iH: Absolute magnitude in the i band (AB): the mean magnitude at 1 AU from Sun and observer at zero phase angle, in the H, G1, G2 system of Muinonen et al. (2010). [mag]';

COMMENT ON COLUMN prompt_store.ssobject.zh IS 'zH: Absolute magnitude in the z band (AB): the mean magnitude at 1 AU from Sun and observer at zero phase angle, in the H, G1, G2 system of Muinonen et al. (2010). [mag]';

COMMENT ON COLUMN prompt_store.ssobject.yh IS 'yH: Absolute magnitude in the y band (AB): the mean magnitude at 1 AU from Sun and observer at zero phase angle, in the H, G1, G2 system of Muinonen et al. (2010). [mag]';

COMMENT ON COLUMN prompt_store.ssobject.ug1 IS 'uG1: Slope parameter G1 of the phase function in the u band.';

COMMENT ON COLUMN prompt_store.ssobject.gg1 IS 'gG1: Slope parameter G1 of the phase function in the g band.';

COMMENT ON COLUMN prompt_store.ssobject.rg1 IS 'rG1: Slope parameter G1 of the phase function in the r band.';

COMMENT ON COLUMN prompt_store.ssobject.ig1 IS 'iG1: Slope parameter G1 of the phase function in the i band.';

COMMENT ON COLUMN prompt_store.ssobject.zg1 IS 'zG1: Slope parameter G1 of the phase function in the z band.';

COMMENT ON COLUMN prompt_store.ssobject.yg1 IS 'yG1: Slope parameter G1 of the phase function in the y band.';

COMMENT ON COLUMN prompt_store.ssobject.ug2 IS 'uG2: Slope parameter G2 of the phase function in the u band.';

COMMENT ON COLUMN prompt_store.ssobject.gg2 IS 'gG2: Slope parameter G2 of the phase function in the g band.';

COMMENT ON COLUMN prompt_store.ssobject.rg2 IS 'rG2: Slope parameter G2 of the phase function in the r band.';

COMMENT ON COLUMN prompt_store.ssobject.ig2 IS 'iG2: Slope parameter G2 of the phase function in the i band.';

COMMENT ON COLUMN prompt_store.ssobject.zg2 IS 'zG2: Slope parameter G2 of the phase function in the z band.';

COMMENT ON COLUMN prompt_store.ssobject.yg2 IS 'yG2: Slope parameter G2 of the phase function in the y band.';

COMMENT ON COLUMN prompt_store.ssobject.uherr IS 'uHErr: Standard error of uH. [mag]';

COMMENT ON COLUMN prompt_store.ssobject.gherr IS 'gHErr: Standard error of gH. [mag]';

COMMENT ON COLUMN prompt_store.ssobject.rherr IS 'rHErr: Standard error of rH. [mag]';

COMMENT ON COLUMN prompt_store.ssobject.iherr IS 'iHErr: Standard error of iH. [mag]';

COMMENT ON COLUMN prompt_store.ssobject.zherr IS 'zHErr: Standard error of zH. [mag]';

COMMENT ON COLUMN prompt_store.ssobject.yherr IS 'yHErr: Standard error of yH. [mag]';

COMMENT ON COLUMN prompt_store.ssobject.ug1err IS 'uG1Err: Standard error of uG1; NULL where the slope was assumed and not fitted.';

COMMENT ON COLUMN prompt_store.ssobject.gg1err IS 'gG1Err: Standard error of gG1; NULL where the slope was assumed and not fitted.';

COMMENT ON COLUMN prompt_store.ssobject.rg1err IS 'rG1Err: Standard error of rG1; NULL where the slope was assumed and not fitted.';

COMMENT ON COLUMN prompt_store.ssobject.ig1err IS 'iG1Err: Standard error of iG1; NULL where the slope was assumed and not fitted.';

COMMENT ON COLUMN prompt_store.ssobject.zg1err IS 'zG1Err: Standard error of zG1; NULL where the slope was assumed and not fitted.';

COMMENT ON COLUMN prompt_store.ssobject.yg1err IS 'yG1Err: Standard error of yG1; NULL where the slope was assumed and not fitted.';

COMMENT ON COLUMN prompt_store.ssobject.ug2err IS 'uG2Err: Standard error of uG2; NULL where the slope was assumed and not fitted.';

COMMENT ON COLUMN prompt_store.ssobject.gg2err IS 'gG2Err: Standard error of gG2; NULL where the slope was assumed and not fitted.';

COMMENT ON COLUMN prompt_store.ssobject.rg2err IS 'rG2Err: Standard error of rG2; NULL where the slope was assumed and not fitted.';

COMMENT ON COLUMN prompt_store.ssobject.ig2err IS 'iG2Err: Standard error of iG2; NULL where the slope was assumed and not fitted.';

COMMENT ON COLUMN prompt_store.ssobject.zg2err IS 'zG2Err: Standard error of zG2; NULL where the slope was assumed and not fitted.';

COMMENT ON COLUMN prompt_store.ssobject.yg2err IS 'yG2Err: Standard error of yG2; NULL where the slope was assumed and not fitted.';

COMMENT ON COLUMN prompt_store.ssobject.flags IS 'flags: Bit mask of status flags. FlagDefinition gives the name and meaning of each bit.';

COMMENT ON COLUMN prompt_store.ssobject.insertedtai IS 'insertedTai: Epoch at which the row first became visible; never changes (TAI).';

COMMENT ON COLUMN prompt_store.ssobject.createdtai IS 'createdTai: Epoch from which on this version is valid (TAI).';

CREATE INDEX ssobject_designation_idx ON prompt_store.ssobject (designation);

CREATE TRIGGER refuse_direct_write BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON prompt_store.ssobject FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_direct_write();

CREATE TABLE prompt_store.ssobject_history (
	ssobjectid BIGINT NOT NULL, 
	designation TEXT, 
	ndiasources INTEGER NOT NULL, 
	q DOUBLE PRECISION, 
	e DOUBLE PRECISION, 
	inc DOUBLE PRECISION, 
	node DOUBLE PRECISION, 
	argperi DOUBLE PRECISION, 
	meananomaly DOUBLE PRECISION, 
	epoch DOUBLE PRECISION, 
	oecov DOUBLE PRECISION[], 
	arc REAL, 
	orbfitlnl REAL, 
	orbfitchi2 REAL, 
	orbfitndata INTEGER, 
	moid1 REAL, 
	moid2 REAL, 
	moidlon1 DOUBLE PRECISION, 
	moidlon2 DOUBLE PRECISION, 
	uh REAL, 
	gh REAL, 
	rh REAL, 
	ih REAL, 
	zh REAL, 
	yh REAL, 
	ug1 REAL, 
	gg1 REAL, 
	rg1 REAL, 
	ig1 REAL, 
	zg1 REAL, 
	yg1 REAL, 
	ug2 REAL, 
	gg2 REAL, 
	rg2 REAL, 
	ig2 REAL, 
	zg2 REAL, 
	yg2 REAL, 
	uherr REAL, 
	gherr REAL, 
	rherr REAL, 
	iherr REAL, 
	zherr REAL, 
	yherr REAL, 
	ug1err REAL, 
	gg1err REAL, 
	rg1err REAL, 
	ig1err REAL, 
	zg1err REAL, 
	yg1err REAL, 
	ug2err REAL, 
	gg2err REAL, 
	rg2err REAL, 
	ig2err REAL, 
	zg2err REAL, 
	yg2err REAL, 
	flags BIGINT NOT NULL, 
	insertedtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	createdtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	deletedtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	CONSTRAINT ssobject_history_pkey PRIMARY KEY (ssobjectid, deletedtai), 
	CONSTRAINT ssobject_interval CHECK (createdtai <= deletedtai)
)
 PARTITION BY RANGE (deletedtai);

COMMENT ON TABLE prompt_store.ssobject_history IS 'Closed versions of SSObject, by month of deletedTai.';

COMMENT ON COLUMN prompt_store.ssobject_history.ssobjectid IS 'ssObjectId: Unique identifier of the object, never used again in any database or release.';

COMMENT ON COLUMN prompt_store.ssobject_history.designation IS 'designation: Designation of the body by the Minor Planet Center, where it has one; it links the same body between databases and releases.';

COMMENT ON COLUMN prompt_store.ssobject_history.ndiasources IS 'nDiaSources: Number of DIASources linked to the object.';

COMMENT ON COLUMN prompt_store.ssobject_history.q IS 'q: Perihelion distance of the osculating orbit. [AU]';

COMMENT ON COLUMN prompt_store.ssobject_history.e IS 'e: Eccentricity of the osculating orbit; above 1 for a hyperbolic one.';

COMMENT ON COLUMN prompt_store.ssobject_history.inc IS 'inc: Inclination of the osculating orbit to the ecliptic of J2000. [deg]';

COMMENT ON COLUMN prompt_store.ssobject_history.node IS 'node: Longitude of the ascending node of the osculating orbit on the ecliptic of J2000. [deg]';

COMMENT ON COLUMN prompt_store.ssobject_history.argperi IS 'argPeri: Argument of perihelion of the osculating orbit, from the ascending node in the direction of motion. [deg]';

COMMENT ON COLUMN prompt_store.ssobject_history.meananomaly IS 'meanAnomaly: Mean anomaly of the osculating orbit at the epoch of the elements. [deg]';

COMMENT ON COLUMN prompt_store.ssobject_history.epoch IS 'epoch: Epoch at which the elements osculate, as a Modified Julian Date in TDB. [d]';

COMMENT ON COLUMN prompt_store.ssobject_history.oecov IS 'oeCov: Covariance matrix of the elements (q, e, inc, node, argPeri, meanAnomaly, epoch), lower triangle row by row, in AU, degrees and days. The epoch is not fitted, so its row is zero.';

COMMENT ON COLUMN prompt_store.ssobject_history.arc IS 'arc: Time between the first and the last observation used in the orbit fit. [d]';

COMMENT ON COLUMN prompt_store.ssobject_history.orbfitlnl IS 'orbFitLnL: Natural logarithm of the likelihood of the observed positions given the fitted orbit.';

COMMENT ON COLUMN prompt_store.ssobject_history.orbfitchi2 IS 'orbFitChi2: Chi-square of the orbit fit; it has 2 orbFitNdata - 6 degrees of freedom.';

COMMENT ON COLUMN prompt_store.ssobject_history.orbfitndata IS 'orbFitNdata: Number of observations used in the orbit fit.';

COMMENT ON COLUMN prompt_store.ssobject_history.moid1 IS 'moid1: Smallest distance between the orbit of the object and that of the Earth. [AU]';

COMMENT ON COLUMN prompt_store.ssobject_history.moid2 IS 'moid2: Second local minimum of the distance between the orbit of the object and that of the Earth; NULL where there is only one. [AU]';

COMMENT ON COLUMN prompt_store.ssobject_history.moidlon1 IS 'moidLon1: Heliocentric ecliptic longitude (J2000) of the point on the orbit of the Earth at which moid1 is reached. [deg]';

COMMENT ON COLUMN prompt_store.ssobject_history.moidlon2 IS 'moidLon2: Heliocentric ecliptic longitude (J2000) of the point on the orbit of the Earth at which moid2 is reached. [deg]';

COMMENT ON COLUMN prompt_store.ssobject_history.uh IS 'uH: Absolute magnitude in the u band (AB): the mean magnitude at 1 AU from Sun and observer at zero phase angle, in the H, G1, G2 system of Muinonen et al. (2010). [mag]';

COMMENT ON COLUMN prompt_store.ssobject_history.gh IS 'gH: Absolute magnitude in the g band (AB): the mean magnitude at 1 AU from Sun and observer at zero phase angle, in the H, G1, G2 system of Muinonen et al. (2010). [mag]';

COMMENT ON COLUMN prompt_store.ssobject_history.rh IS 'rH: Absolute magnitude in the r band (AB): the mean magnitude at 1 AU from Sun and observer at zero phase angle, in the H, G1, G2 system of Muinonen et al. (2010). [mag]';

COMMENT ON COLUMN prompt_store.ssobject_history.ih IS 'iH: Absolute magnitude in the i band (AB): the mean magnitude at 1 AU from Sun and observer at zero phase angle, in the H, G1, G2 system of Muinonen et al. (2010). [mag]';

COMMENT ON COLUMN prompt_store.ssobject_history.zh IS 'zH: Absolute magnitude in the z band (AB): the mean magnitude at 1 AU from Sun and observer at zero phase angle, in the H, G1, G2 system of Muinonen et al. (2010). [mag]';

COMMENT ON COLUMN prompt_store.ssobject_history.yh IS 'yH: Absolute magnitude in the y band (AB): the mean magnitude at 1 AU from Sun and observer at zero phase angle, in the H, G1, G2 system of Muinonen et al. (2010). [mag]';

COMMENT ON COLUMN prompt_store.ssobject_history.ug1 IS 'uG1: Slope parameter G1 of the phase function in the u band.';

COMMENT ON COLUMN prompt_store.ssobject_history.gg1 IS 'gG1: Slope parameter G1 of the phase function in the g band.';

COMMENT ON COLUMN prompt_store.ssobject_history.rg1 IS 'rG1: Slope parameter G1 of the phase function in the r band.';

COMMENT ON COLUMN prompt_store.ssobject_history.ig1 IS 'iG1: Slope parameter G1 of the phase function in the i band.';

COMMENT ON COLUMN prompt_store.ssobject_history.zg1 IS 'zG1: Slope parameter G1 of the phase function in the z band.';

COMMENT ON COLUMN prompt_store.ssobject_history.yg1 IS 'yG1: Slope parameter G1 of the phase function in the y band.';

COMMENT ON COLUMN prompt_store.ssobject_history.ug2 IS 'uG2: Slope parameter G2 of the phase function in the u band.';

COMMENT ON COLUMN prompt_store.ssobject_history.gg2 IS 'gG2: Slope parameter G2 of the phase function in the g band.';

COMMENT ON COLUMN prompt_store.ssobject_history.rg2 IS 'rG2: Slope parameter G2 of the phase function in the r band.';

COMMENT ON COLUMN prompt_store.ssobject_history.ig2 IS 'iG2: Slope parameter G2 of the phase function in the i band.';

COMMENT ON COLUMN prompt_store.ssobject_history.zg2 IS 'zG2: Slope parameter G2 of the phase function in the z band.';

COMMENT ON COLUMN prompt_store.ssobject_history.yg2 IS 'yG2: Slope parameter G2 of the phase function in the y band.';

COMMENT ON COLUMN prompt_store.ssobject_history.uherr IS 'uHErr: Standard error of uH. [mag]';

COMMENT ON COLUMN prompt_store.ssobject_history.gherr IS 'gHErr: Standard error of gH. [mag]';

COMMENT ON COLUMN prompt_store.ssobject_history.rherr IS 'rHErr: Standard error of rH. [mag]';

COMMENT ON COLUMN prompt_store.ssobject_history.iherr IS 'iHErr: Standard error of iH. [mag]';

COMMENT ON COLUMN prompt_store.ssobject_history.zherr IS 'zHErr: Standard error of zH. [mag]';

COMMENT ON COLUMN prompt_store.ssobject_history.yherr IS 'yHErr: Standard error of yH. [mag]';

COMMENT ON COLUMN prompt_store.ssobject_history.ug1err IS 'uG1Err: Standard error of uG1; NULL where the slope was assumed and not fitted.';

COMMENT ON COLUMN prompt_store.ssobject_history.gg1err IS 'gG1Err: Standard error of gG1; NULL where the slope was assumed and not fitted.';

COMMENT ON COLUMN prompt_store.ssobject_history.rg1err IS 'rG1Err: Standard error of rG1; NULL where the slope was assumed and not fitted.';

COMMENT ON COLUMN prompt_store.ssobject_history.ig1err IS 'iG1Err: Standard error of iG1; NULL where the slope was assumed and not fitted.';

COMMENT ON COLUMN prompt_store.ssobject_history.zg1err IS 'zG1Err: Standard error of zG1; NULL where the slope was assumed and not fitted.';

COMMENT ON COLUMN prompt_store.ssobject_history.yg1err IS 'yG1Err: Standard error of yG1; NULL where the slope was assumed and not fitted.';

COMMENT ON COLUMN prompt_store.ssobject_history.ug2err IS 'uG2Err: Standard error of uG2; NULL where the slope was assumed and not fitted.';

COMMENT ON COLUMN prompt_store.ssobject_history.gg2err IS 'gG2Err: Standard error of gG2; NULL where the slope was assumed and not fitted.';

COMMENT ON COLUMN prompt_store.ssobject_history.rg2err IS 'rG2Err: Standard error of rG2; NULL where the slope was assumed and not fitted.';

COMMENT ON COLUMN prompt_store.ssobject_history.ig2err IS 'iG2Err: Standard error of iG2; NULL where the slope was assumed and not fitted.';

COMMENT ON COLUMN prompt_store.ssobject_history.zg2err IS 'zG2Err: Standard error of zG2; NULL where the slope was assumed and not fitted.';

COMMENT ON COLUMN prompt_store.ssobject_history.yg2err IS 'yG2Err: Standard error of yG2; NULL where the slope was assumed and not fitted.';

COMMENT ON COLUMN prompt_store.ssobject_history.flags IS 'flags: Bit mask of status flags. FlagDefinition gives the name and meaning of each bit.';

COMMENT ON COLUMN prompt_store.ssobject_history.insertedtai IS 'insertedTai: Epoch at which the row first became visible; never changes (TAI).';

COMMENT ON COLUMN prompt_store.ssobject_history.createdtai IS 'createdTai: Epoch from which on this version is valid (TAI).';

COMMENT ON COLUMN prompt_store.ssobject_history.deletedtai IS 'deletedTai: Last microsecond at which this version was valid (TAI); live: 9999-12-31.';

CREATE INDEX ssobject_history_designation_idx ON prompt_store.ssobject_history (designation);

CREATE TRIGGER refuse_direct_write BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON prompt_store.ssobject_history FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_direct_write();

CREATE TABLE prompt_store.sssource (
	diasourceid BIGINT NOT NULL, 
	ssobjectid BIGINT NOT NULL, 
	midpointtai DOUBLE PRECISION NOT NULL, 
	heliocentricdist DOUBLE PRECISION, 
	topocentricdist DOUBLE PRECISION, 
	observersundist DOUBLE PRECISION, 
	phaseangle DOUBLE PRECISION, 
	elongation DOUBLE PRECISION, 
	heliox DOUBLE PRECISION, 
	helioy DOUBLE PRECISION, 
	helioz DOUBLE PRECISION, 
	heliovx DOUBLE PRECISION, 
	heliovy DOUBLE PRECISION, 
	heliovz DOUBLE PRECISION, 
	topox DOUBLE PRECISION, 
	topoy DOUBLE PRECISION, 
	topoz DOUBLE PRECISION, 
	topovx DOUBLE PRECISION, 
	topovy DOUBLE PRECISION, 
	topovz DOUBLE PRECISION, 
	ecllon DOUBLE PRECISION, 
	ecllat DOUBLE PRECISION, 
	gallon DOUBLE PRECISION, 
	gallat DOUBLE PRECISION, 
	rarate REAL, 
	declrate REAL, 
	predictedra DOUBLE PRECISION, 
	predicteddecl DOUBLE PRECISION, 
	predictedraerr REAL, 
	predicteddeclerr REAL, 
	residualra REAL, 
	residualdecl REAL, 
	insertedtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	createdtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	CONSTRAINT sssource_pkey PRIMARY KEY (diasourceid), 
	CONSTRAINT sssource_rule1 CHECK (heliocentricDist IS NULL OR heliocentricDist > 0), 
	CONSTRAINT sssource_rule2 CHECK (topocentricDist IS NULL OR topocentricDist > 0), 
	CONSTRAINT sssource_values CHECK (diasourceid >= 0 AND ssobjectid >= 0 AND midpointtai NOT IN ('NaN', 'Infinity', '-Infinity') AND midpointtai >= 0 AND heliocentricdist NOT IN ('NaN', 'Infinity', '-Infinity') AND heliocentricdist >= 0 AND topocentricdist NOT IN ('NaN', 'Infinity', '-Infinity') AND topocentricdist >= 0 AND observersundist NOT IN ('NaN', 'Infinity', '-Infinity') AND observersundist >= 0 AND phaseangle NOT IN ('NaN', 'Infinity', '-Infinity') AND phaseangle >= 0 AND phaseangle <= 180 AND elongation NOT IN ('NaN', 'Infinity', '-Infinity') AND elongation >= 0 AND elongation <= 180 AND heliox NOT IN ('NaN', 'Infinity', '-Infinity') AND helioy NOT IN ('NaN', 'Infinity', '-Infinity') AND helioz NOT IN ('NaN', 'Infinity', '-Infinity') AND heliovx NOT IN ('NaN', 'Infinity', '-Infinity') AND heliovy NOT IN ('NaN', 'Infinity', '-Infinity') AND heliovz NOT IN ('NaN', 'Infinity', '-Infinity') AND topox NOT IN ('NaN', 'Infinity', '-Infinity') AND topoy NOT IN ('NaN', 'Infinity', '-Infinity') AND topoz NOT IN ('NaN', 'Infinity', '-Infinity') AND topovx NOT IN ('NaN', 'Infinity', '-Infinity') AND topovy NOT IN ('NaN', 'Infinity', '-Infinity') AND topovz NOT IN ('NaN', 'Infinity', '-Infinity') AND ecllon NOT IN ('NaN', 'Infinity', '-Infinity') AND ecllon >= 0 AND ecllon <= 360 AND ecllat NOT IN ('NaN', 'Infinity', '-Infinity') AND ecllat >= -90 AND ecllat <= 90 AND gallon NOT IN ('NaN', 'Infinity', '-Infinity') AND gallon >= 0 AND gallon <= 360 AND gallat NOT IN ('NaN', 'Infinity', '-Infinity') AND gallat >= -90 AND gallat <= 90 AND rarate NOT IN ('NaN', 'Infinity', '-Infinity') AND declrate NOT IN ('NaN', 'Infinity', '-Infinity') AND predictedra NOT IN ('NaN', 'Infinity', '-Infinity') AND predictedra >= 0 AND predictedra <= 360 AND predicteddecl NOT IN ('NaN', 'Infinity', '-Infinity') AND predicteddecl >= -90 AND predicteddecl <= 90 AND predictedraerr NOT IN ('NaN', 'Infinity', '-Infinity') AND predictedraerr >= 0 AND predicteddeclerr NOT IN ('NaN', 'Infinity', '-Infinity') AND predicteddeclerr >= 0 AND residualra NOT IN ('NaN', 'Infinity', '-Infinity') AND residualdecl NOT IN ('NaN', 'Infinity', '-Infinity'))
);

COMMENT ON TABLE prompt_store.sssource IS 'Geometry of each observation of a Solar System object, one row per DIASource linked to an SSObject. With it phase angles, reduced and absolute magnitudes are plain arithmetic. Vectors are along the ICRS axes, corrected for light time, at the instant of the observation.';

COMMENT ON COLUMN prompt_store.sssource.diasourceid IS 'diaSourceId: Identifier of the DIASource; the row exists once per observation.';

COMMENT ON COLUMN prompt_store.sssource.ssobjectid IS 'ssObjectId: Identifier of the SSObject to which the DIASource was linked.';

COMMENT ON COLUMN prompt_store.sssource.midpointtai IS 'midPointTai: Mid-point of the exposure at the position of the source, as a Modified Julian Date in TAI. [d]';

COMMENT ON COLUMN prompt_store.sssource.heliocentricdist IS 'heliocentricDist: Distance r between Sun and object. [AU]';

COMMENT ON COLUMN prompt_store.sssource.topocentricdist IS 'topocentricDist: Distance delta between observer and object. [AU]';

COMMENT ON COLUMN prompt_store.sssource.observersundist IS 'observerSunDist: Distance R between observer and Sun. [AU]';

COMMENT ON COLUMN prompt_store.sssource.phaseangle IS 'phaseAngle: Topocentric phase angle: the angle at the object between the directions to the Sun and to the observer. [deg]';

COMMENT ON COLUMN prompt_store.sssource.elongation IS 'elongation: Solar elongation: the angle at the observer between the directions to the Sun and to the object. [deg]';

COMMENT ON COLUMN prompt_store.sssource.heliox IS 'helioX: Heliocentric position of the object along the ICRS x axis (vernal equinox). [AU]';

COMMENT ON COLUMN prompt_store.sssource.helioy IS 'helioY: Heliocentric position of the object along the ICRS y axis. [AU]';

COMMENT ON COLUMN prompt_store.sssource.helioz IS 'helioZ: Heliocentric position of the object along the ICRS z axis (north celestial pole). [AU]';

COMMENT ON COLUMN prompt_store.sssource.heliovx IS 'helioVx: Heliocentric velocity of the object along the ICRS x axis. [AU/d]';

COMMENT ON COLUMN prompt_store.sssource.heliovy IS 'helioVy: Heliocentric velocity of the object along the ICRS y axis. [AU/d]';

COMMENT ON COLUMN prompt_store.sssource.heliovz IS 'helioVz: Heliocentric velocity of the object along the ICRS z axis. [AU/d]';

COMMENT ON COLUMN prompt_store.sssource.topox IS 'topoX: Topocentric position of the object along the ICRS x axis. [AU]';

COMMENT ON COLUMN prompt_store.sssource.topoy IS 'topoY: Topocentric position of the object along the ICRS y axis. [AU]';

COMMENT ON COLUMN prompt_store.sssource.topoz IS 'topoZ: Topocentric position of the object along the ICRS z axis. [AU]';

COMMENT ON COLUMN prompt_store.sssource.topovx IS 'topoVx: Topocentric velocity of the object along the ICRS x axis. [AU/d]';

COMMENT ON COLUMN prompt_store.sssource.topovy IS 'topoVy: Topocentric velocity of the object along the ICRS y axis. [AU/d]';

COMMENT ON COLUMN prompt_store.sssource.topovz IS 'topoVz: Topocentric velocity of the object along the ICRS z axis. [AU/d]';

COMMENT ON COLUMN prompt_store.sssource.ecllon IS 'eclLon: Ecliptic longitude (J2000) of the source as seen by the observer. [deg]';

COMMENT ON COLUMN prompt_store.sssource.ecllat IS 'eclLat: Ecliptic latitude (J2000) of the source as seen by the observer. [deg]';

COMMENT ON COLUMN prompt_store.sssource.gallon IS 'galLon: Galactic longitude of the source. [deg]';

COMMENT ON COLUMN prompt_store.sssource.gallat IS 'galLat: Galactic latitude of the source. [deg]';

COMMENT ON COLUMN prompt_store.sssource.rarate IS 'raRate: Predicted apparent motion in right ascension times cos(decl). [deg/d]';

COMMENT ON COLUMN prompt_store.sssource.declrate IS 'declRate: Predicted apparent motion in declination. [deg/d]';

COMMENT ON COLUMN prompt_store.sssource.predictedra IS 'predictedRa: Right ascension (ICRS, astrometric) predicted by the orbit for midPointTai. [deg]';

COMMENT ON COLUMN prompt_store.sssource.predicteddecl IS 'predictedDecl: Declination (ICRS, astrometric) predicted by the orbit for midPointTai. [deg]';

COMMENT ON COLUMN prompt_store.sssource.predictedraerr IS 'predictedRaErr: Standard error of predictedRa times cos(decl), from the covariance of the orbit. [arcsec]';

COMMENT ON COLUMN prompt_store.sssource.predicteddeclerr IS 'predictedDeclErr: Standard error of predictedDecl, from the covariance of the orbit. [arcsec]';

COMMENT ON COLUMN prompt_store.sssource.residualra IS 'residualRa: Observed minus predicted right ascension, times cos(decl). [arcsec]';

COMMENT ON COLUMN prompt_store.sssource.residualdecl IS 'residualDecl: Observed minus predicted declination. [arcsec]';

COMMENT ON COLUMN prompt_store.sssource.insertedtai IS 'insertedTai: Epoch at which the row first became visible; never changes (TAI).';

COMMENT ON COLUMN prompt_store.sssource.createdtai IS 'createdTai: Epoch from which on this version is valid (TAI).';

CREATE INDEX sssource_ssobjectid_midpointtai_idx ON prompt_store.sssource (ssobjectid, midpointtai);

CREATE TRIGGER refuse_direct_write BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON prompt_store.sssource FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_direct_write();

CREATE TABLE prompt_store.sssource_history (
	diasourceid BIGINT NOT NULL, 
	ssobjectid BIGINT NOT NULL, 
	midpointtai DOUBLE PRECISION NOT NULL, 
	heliocentricdist DOUBLE PRECISION, 
	topocentricdist DOUBLE PRECISION, 
	observersundist DOUBLE PRECISION, 
	phaseangle DOUBLE PRECISION, 
	elongation DOUBLE PRECISION, 
	heliox DOUBLE PRECISION, 
	helioy DOUBLE PRECISION, 
	helioz DOUBLE PRECISION, 
	heliovx DOUBLE PRECISION, 
	heliovy DOUBLE PRECISION, 
	heliovz DOUBLE PRECISION, 
	topox DOUBLE PRECISION, 
	topoy DOUBLE PRECISION, 
	topoz DOUBLE PRECISION, 
	topovx DOUBLE PRECISION, 
	topovy DOUBLE PRECISION, 
	topovz DOUBLE PRECISION, 
	ecllon DOUBLE PRECISION, 
	ecllat DOUBLE PRECISION, 
	gallon DOUBLE PRECISION, 
	gallat DOUBLE PRECISION, 
	rarate REAL, 
	declrate REAL, 
	predictedra DOUBLE PRECISION, 
	predicteddecl DOUBLE PRECISION, 
	predictedraerr REAL, 
	predicteddeclerr REAL, 
	residualra REAL, 
	residualdecl REAL, 
	insertedtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	createdtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	deletedtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	CONSTRAINT sssource_history_pkey PRIMARY KEY (diasourceid, deletedtai), 
	CONSTRAINT sssource_interval CHECK (createdtai <= deletedtai)
)
 PARTITION BY RANGE (deletedtai);

COMMENT ON TABLE prompt_store.sssource_history IS 'Closed versions of SSSource, by month of deletedTai.';

COMMENT ON COLUMN prompt_store.sssource_history.diasourceid IS 'diaSourceId: Identifier of the DIASource; the row exists once per observation.';

COMMENT ON COLUMN prompt_store.sssource_history.ssobjectid IS 'ssObjectId: Identifier of the SSObject to which the DIASource was linked.';

COMMENT ON COLUMN prompt_store.sssource_history.midpointtai IS 'midPointTai: Mid-point of the exposure at the position of the source, as a Modified Julian Date in TAI. [d]';

COMMENT ON COLUMN prompt_store.sssource_history.heliocentricdist IS 'heliocentricDist: Distance r between Sun and object. [AU]';

COMMENT ON COLUMN prompt_store.sssource_history.topocentricdist IS 'topocentricDist: Distance delta between observer and object. [AU]';

COMMENT ON COLUMN prompt_store.sssource_history.observersundist IS 'observerSunDist: Distance R between observer and Sun. [AU]';

COMMENT ON COLUMN prompt_store.sssource_history.phaseangle IS 'phaseAngle: Topocentric phase angle: the angle at the object between the directions to the Sun and to the observer. [deg]';

COMMENT ON COLUMN prompt_store.sssource_history.elongation IS 'elongation: Solar elongation: the angle at the observer between the directions to the Sun and to the object. [deg]';

COMMENT ON COLUMN prompt_store.sssource_history.heliox IS 'helioX: Heliocentric position of the object along the ICRS x axis (vernal equinox). [AU]';

COMMENT ON COLUMN prompt_store.sssource_history.helioy IS 'helioY: Heliocentric position of the object along the ICRS y axis. [AU]';

COMMENT ON COLUMN prompt_store.sssource_history.helioz IS 'helioZ: Heliocentric position of the object along the ICRS z axis (north celestial pole). [AU]';

COMMENT ON COLUMN prompt_store.sssource_history.heliovx IS 'helioVx: Heliocentric velocity of the object along the ICRS x axis. [AU/d]';

COMMENT ON COLUMN prompt_store.sssource_history.heliovy IS 'helioVy: Heliocentric velocity of the object along the ICRS y axis. [AU/d]';

COMMENT ON COLUMN prompt_store.sssource_history.heliovz IS 'helioVz: Heliocentric velocity of the object along the ICRS z axis. [AU/d]';

COMMENT ON COLUMN prompt_store.sssource_history.topox IS 'topoX: Topocentric position of the object along the ICRS x axis. [AU]';

COMMENT ON COLUMN prompt_store.sssource_history.topoy IS 'topoY: Topocentric position of the object along the ICRS y axis. [AU]';

COMMENT ON COLUMN prompt_store.sssource_history.topoz IS 'topoZ: Topocentric position of the object along the ICRS z axis. [AU]';

COMMENT ON COLUMN prompt_store.sssource_history.topovx IS 'topoVx: Topocentric velocity of the object along the ICRS x axis. [AU/d]';

COMMENT ON COLUMN prompt_store.sssource_history.topovy IS 'topoVy: Topocentric velocity of the object along the ICRS y axis. [AU/d]';

COMMENT ON COLUMN prompt_store.sssource_history.topovz IS 'topoVz: Topocentric velocity of the object along the ICRS z axis. [AU/d]';

COMMENT ON COLUMN prompt_store.sssource_history.ecllon IS 'eclLon: Ecliptic longitude (J2000) of the source as seen by the observer. [deg]';

COMMENT ON COLUMN prompt_store.sssource_history.ecllat IS 'eclLat: Ecliptic latitude (J2000) of the source as seen by the observer. [deg]';

COMMENT ON COLUMN prompt_store.sssource_history.gallon IS 'galLon: Galactic longitude of the source. [deg]';

COMMENT ON COLUMN prompt_store.sssource_history.gallat IS 'galLat: Galactic latitude of the source. [deg]';

COMMENT ON COLUMN prompt_store.sssource_history.rarate IS 'raRate: Predicted apparent motion in right ascension times cos(decl). [deg/d]';

COMMENT ON COLUMN prompt_store.sssource_history.declrate IS 'declRate: Predicted apparent motion in declination. [deg/d]';

COMMENT ON COLUMN prompt_store.sssource_history.predictedra IS 'predictedRa: Right ascension (ICRS, astrometric) predicted by the orbit for midPointTai. [deg]';

COMMENT ON COLUMN prompt_store.sssource_history.predicteddecl IS 'predictedDecl: Declination (ICRS, astrometric) predicted by the orbit for midPointTai. [deg]';

COMMENT ON COLUMN prompt_store.sssource_history.predictedraerr IS 'predictedRaErr: Standard error of predictedRa times cos(decl), from the covariance of the orbit. [arcsec]';

COMMENT ON COLUMN prompt_store.sssource_history.predicteddeclerr IS 'predictedDeclErr: Standard error of predictedDecl, from the covariance of the orbit. [arcsec]';

COMMENT ON COLUMN prompt_store.sssource_history.residualra IS 'residualRa: Observed minus predicted right ascension, times cos(decl). [arcsec]';

COMMENT ON COLUMN prompt_store.sssource_history.residualdecl IS 'residualDecl: Observed minus predicted declination. [arcsec]';

COMMENT ON COLUMN prompt_store.sssource_history.insertedtai IS 'insertedTai: Epoch at which the row first became visible; never changes (TAI).';

COMMENT ON COLUMN prompt_store.sssource_history.createdtai IS 'createdTai: Epoch from which on this version is valid (TAI).';

COMMENT ON COLUMN prompt_store.sssource_history.deletedtai IS 'deletedTai: Last microsecond at which this version was valid (TAI); live: 9999-12-31.';

CREATE INDEX sssource_history_ssobjectid_midpointtai_idx ON prompt_store.sssource_history (ssobjectid, midpointtai);

CREATE TRIGGER refuse_direct_write BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON prompt_store.sssource_history FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_direct_write();

CREATE TABLE prompt_store.template (
	templateid BIGINT NOT NULL, 
	instrument TEXT NOT NULL, 
	band TEXT NOT NULL, 
	ra DOUBLE PRECISION NOT NULL, 
	decl DOUBLE PRECISION NOT NULL, 
	nvisits INTEGER NOT NULL, 
	inputccdvisitids BIGINT[] NOT NULL, 
	begintai DOUBLE PRECISION NOT NULL, 
	endtai DOUBLE PRECISION NOT NULL, 
	meantai DOUBLE PRECISION NOT NULL, 
	airmass REAL, 
	seeing REAL, 
	pixelscale REAL, 
	limitingflux REAL, 
	footprint DOUBLE PRECISION[], 
	wcsheader TEXT, 
	path TEXT, 
	provenanceid BIGINT, 
	insertedtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	createdtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	CONSTRAINT template_pkey PRIMARY KEY (templateid), 
	CONSTRAINT template_rule1 CHECK (band IN ('u', 'g', 'r', 'i', 'z', 'y')), 
	CONSTRAINT template_rule2 CHECK (beginTai <= endTai), 
	CONSTRAINT template_rule3 CHECK (meanTai BETWEEN beginTai - 0.000001 AND endTai + 0.000001), 
	CONSTRAINT template_rule4 CHECK (nVisits = cardinality(inputCcdVisitIds)), 
	CONSTRAINT template_values CHECK (templateid >= 0 AND ra NOT IN ('NaN', 'Infinity', '-Infinity') AND ra >= 0 AND ra <= 360 AND decl NOT IN ('NaN', 'Infinity', '-Infinity') AND decl >= -90 AND decl <= 90 AND nvisits >= 1 AND begintai NOT IN ('NaN', 'Infinity', '-Infinity') AND begintai >= 0 AND endtai NOT IN ('NaN', 'Infinity', '-Infinity') AND endtai >= 0 AND meantai NOT IN ('NaN', 'Infinity', '-Infinity') AND meantai >= 0 AND airmass NOT IN ('NaN', 'Infinity', '-Infinity') AND airmass >= 0.99 AND seeing NOT IN ('NaN', 'Infinity', '-Infinity') AND seeing >= 0 AND pixelscale NOT IN ('NaN', 'Infinity', '-Infinity') AND pixelscale >= 0 AND limitingflux NOT IN ('NaN', 'Infinity', '-Infinity') AND limitingflux >= 0 AND NOT ('NaN' = ANY (footprint)) AND cardinality(footprint) = 8 AND provenanceid >= 0)
);

COMMENT ON TABLE prompt_store.template IS 'Templates, that is coadds from which transients and moving objects were removed and from which visits are subtracted. A template is built from visits of at most one year and never contains a visit it is subtracted from. Every difference flux names the template it belongs to.';

COMMENT ON COLUMN prompt_store.template.templateid IS 'templateId: Unique identifier of the template.';

COMMENT ON COLUMN prompt_store.template.instrument IS 'instrument: Name of the instrument whose visits were combined, as in its description file.';

COMMENT ON COLUMN prompt_store.template.band IS 'band: Photometric band: one of u, g, r, i, z, y.';

COMMENT ON COLUMN prompt_store.template.ra IS 'ra: Right ascension (ICRS) of the centre of the template. [deg]';

COMMENT ON COLUMN prompt_store.template.decl IS 'decl: Declination (ICRS) of the centre of the template. [deg]';

COMMENT ON COLUMN prompt_store.template.nvisits IS 'nVisits: Number of detector images that were combined.';

COMMENT ON COLUMN prompt_store.template.inputccdvisitids IS 'inputCcdVisitIds: Identifiers of the detector images that were combined; key into CcdVisit where they were published.';

COMMENT ON COLUMN prompt_store.template.begintai IS 'beginTai: Mid-exposure time of the earliest input, as a Modified Julian Date in TAI. [d]';

COMMENT ON COLUMN prompt_store.template.endtai IS 'endTai: Mid-exposure time of the latest input, as a Modified Julian Date in TAI. [d]';

COMMENT ON COLUMN prompt_store.template.meantai IS 'meanTai: Mean of the mid-exposure times of the inputs, weighted as they were combined, as a Modified Julian Date in TAI. [d]';

COMMENT ON COLUMN prompt_store.template.airmass IS 'airmass: Mean airmass of the inputs, weighted as they were combined.';

COMMENT ON COLUMN prompt_store.template.seeing IS 'seeing: Full width at half maximum of the PSF of the template. [arcsec]';

COMMENT ON COLUMN prompt_store.template.pixelscale IS 'pixelScale: Size of a pixel on the sky at the centre of the template: the square root of its area. [arcsec/pixel]';

COMMENT ON COLUMN prompt_store.template.limitingflux IS 'limitingFlux: Flux of a point source at a signal-to-noise ratio of 5, the median over the template. [nJy]';

COMMENT ON COLUMN prompt_store.template.footprint IS 'footprint: Outline of the template on the sky (ICRS) as a polygon of great circles: right ascension and declination of the four corners, in the order lower left, lower right, upper right, upper left. [deg]';

COMMENT ON COLUMN prompt_store.template.wcsheader IS 'wcsHeader: Astrometric solution as the cards of a FITS header, separated by line breaks.';

COMMENT ON COLUMN prompt_store.template.path IS 'path: Path of the image relative to the image store; NULL if it is no longer kept.';

COMMENT ON COLUMN prompt_store.template.provenanceid IS 'provenanceId: Identifier of the software, configuration and inputs that produced the template; key into Provenance.';

COMMENT ON COLUMN prompt_store.template.insertedtai IS 'insertedTai: Epoch at which the row first became visible; never changes (TAI).';

COMMENT ON COLUMN prompt_store.template.createdtai IS 'createdTai: Epoch from which on this version is valid (TAI).';

CREATE INDEX template_sky_idx ON prompt_store.template USING gist (spoint(radians(ra), radians(decl)));

CREATE TRIGGER refuse_direct_write BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON prompt_store.template FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_direct_write();

CREATE TABLE prompt_store.template_history (
	templateid BIGINT NOT NULL, 
	instrument TEXT NOT NULL, 
	band TEXT NOT NULL, 
	ra DOUBLE PRECISION NOT NULL, 
	decl DOUBLE PRECISION NOT NULL, 
	nvisits INTEGER NOT NULL, 
	inputccdvisitids BIGINT[] NOT NULL, 
	begintai DOUBLE PRECISION NOT NULL, 
	endtai DOUBLE PRECISION NOT NULL, 
	meantai DOUBLE PRECISION NOT NULL, 
	airmass REAL, 
	seeing REAL, 
	pixelscale REAL, 
	limitingflux REAL, 
	footprint DOUBLE PRECISION[], 
	wcsheader TEXT, 
	path TEXT, 
	provenanceid BIGINT, 
	insertedtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	createdtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	deletedtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	CONSTRAINT template_history_pkey PRIMARY KEY (templateid, deletedtai), 
	CONSTRAINT template_interval CHECK (createdtai <= deletedtai)
)
 PARTITION BY RANGE (deletedtai);

COMMENT ON TABLE prompt_store.template_history IS 'Closed versions of Template, by month of deletedTai.';

COMMENT ON COLUMN prompt_store.template_history.templateid IS 'templateId: Unique identifier of the template.';

COMMENT ON COLUMN prompt_store.template_history.instrument IS 'instrument: Name of the instrument whose visits were combined, as in its description file.';

COMMENT ON COLUMN prompt_store.template_history.band IS 'band: Photometric band: one of u, g, r, i, z, y.';

COMMENT ON COLUMN prompt_store.template_history.ra IS 'ra: Right ascension (ICRS) of the centre of the template. [deg]';

COMMENT ON COLUMN prompt_store.template_history.decl IS 'decl: Declination (ICRS) of the centre of the template. [deg]';

COMMENT ON COLUMN prompt_store.template_history.nvisits IS 'nVisits: Number of detector images that were combined.';

COMMENT ON COLUMN prompt_store.template_history.inputccdvisitids IS 'inputCcdVisitIds: Identifiers of the detector images that were combined; key into CcdVisit where they were published.';

COMMENT ON COLUMN prompt_store.template_history.begintai IS 'beginTai: Mid-exposure time of the earliest input, as a Modified Julian Date in TAI. [d]';

COMMENT ON COLUMN prompt_store.template_history.endtai IS 'endTai: Mid-exposure time of the latest input, as a Modified Julian Date in TAI. [d]';

COMMENT ON COLUMN prompt_store.template_history.meantai IS 'meanTai: Mean of the mid-exposure times of the inputs, weighted as they were combined, as a Modified Julian Date in TAI. [d]';

COMMENT ON COLUMN prompt_store.template_history.airmass IS 'airmass: Mean airmass of the inputs, weighted as they were combined.';

COMMENT ON COLUMN prompt_store.template_history.seeing IS 'seeing: Full width at half maximum of the PSF of the template. [arcsec]';

COMMENT ON COLUMN prompt_store.template_history.pixelscale IS 'pixelScale: Size of a pixel on the sky at the centre of the template: the square root of its area. [arcsec/pixel]';

COMMENT ON COLUMN prompt_store.template_history.limitingflux IS 'limitingFlux: Flux of a point source at a signal-to-noise ratio of 5, the median over the template. [nJy]';

COMMENT ON COLUMN prompt_store.template_history.footprint IS 'footprint: Outline of the template on the sky (ICRS) as a polygon of great circles: right ascension and declination of the four corners, in the order lower left, lower right, upper right, upper left. [deg]';

COMMENT ON COLUMN prompt_store.template_history.wcsheader IS 'wcsHeader: Astrometric solution as the cards of a FITS header, separated by line breaks.';

COMMENT ON COLUMN prompt_store.template_history.path IS 'path: Path of the image relative to the image store; NULL if it is no longer kept.';

COMMENT ON COLUMN prompt_store.template_history.provenanceid IS 'provenanceId: Identifier of the software, configuration and inputs that produced the template; key into Provenance.';

COMMENT ON COLUMN prompt_store.template_history.insertedtai IS 'insertedTai: Epoch at which the row first became visible; never changes (TAI).';

COMMENT ON COLUMN prompt_store.template_history.createdtai IS 'createdTai: Epoch from which on this version is valid (TAI).';

COMMENT ON COLUMN prompt_store.template_history.deletedtai IS 'deletedTai: Last microsecond at which this version was valid (TAI); live: 9999-12-31.';

CREATE INDEX template_history_sky_idx ON prompt_store.template_history USING gist (spoint(radians(ra), radians(decl)));

CREATE TRIGGER refuse_direct_write BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON prompt_store.template_history FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_direct_write();

CREATE TABLE prompt_store.visit (
	visitid BIGINT NOT NULL, 
	instrument TEXT NOT NULL, 
	band TEXT NOT NULL, 
	filtername TEXT NOT NULL, 
	programid TEXT NOT NULL, 
	ra DOUBLE PRECISION NOT NULL, 
	decl DOUBLE PRECISION NOT NULL, 
	rotation DOUBLE PRECISION, 
	begintai DOUBLE PRECISION NOT NULL, 
	midpointtai DOUBLE PRECISION NOT NULL, 
	endtai DOUBLE PRECISION NOT NULL, 
	readoutendtai DOUBLE PRECISION, 
	exposuretime DOUBLE PRECISION NOT NULL, 
	nsnaps SMALLINT NOT NULL, 
	airmass REAL, 
	istemplate BOOLEAN NOT NULL, 
	provenanceid BIGINT, 
	insertedtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	createdtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	CONSTRAINT visit_pkey PRIMARY KEY (visitid), 
	CONSTRAINT visit_rule1 CHECK (band IN ('u', 'g', 'r', 'i', 'z', 'y')), 
	CONSTRAINT visit_rule2 CHECK (beginTai <= midPointTai AND midPointTai <= endTai), 
	CONSTRAINT visit_values CHECK (visitid >= 0 AND ra NOT IN ('NaN', 'Infinity', '-Infinity') AND ra >= 0 AND ra <= 360 AND decl NOT IN ('NaN', 'Infinity', '-Infinity') AND decl >= -90 AND decl <= 90 AND rotation NOT IN ('NaN', 'Infinity', '-Infinity') AND rotation >= -360 AND rotation <= 360 AND begintai NOT IN ('NaN', 'Infinity', '-Infinity') AND begintai >= 0 AND midpointtai NOT IN ('NaN', 'Infinity', '-Infinity') AND midpointtai >= 0 AND endtai NOT IN ('NaN', 'Infinity', '-Infinity') AND endtai >= 0 AND readoutendtai NOT IN ('NaN', 'Infinity', '-Infinity') AND readoutendtai >= 0 AND exposuretime NOT IN ('NaN', 'Infinity', '-Infinity') AND exposuretime >= 0 AND nsnaps >= 1 AND airmass NOT IN ('NaN', 'Infinity', '-Infinity') AND airmass >= 0.99 AND provenanceid >= 0)
);

COMMENT ON TABLE prompt_store.visit IS 'Visits, that is pointings of the telescope whose snaps are combined and treated as one exposure. What differs between the detectors of a visit is in CcdVisit.';

COMMENT ON COLUMN prompt_store.visit.visitid IS 'visitId: Unique identifier of the visit, formed from the night and the number of the visit within it; the same in every database and release.';

COMMENT ON COLUMN prompt_store.visit.instrument IS 'instrument: Name of the instrument, as in its description file.';

COMMENT ON COLUMN prompt_store.visit.band IS 'band: Photometric band: one of u, g, r, i, z, y.';

COMMENT ON COLUMN prompt_store.visit.filtername IS 'filterName: Name of the physical filter as the observatory writes it.';

COMMENT ON COLUMN prompt_store.visit.programid IS 'programId: Observing programme to which the visit belongs, such as the main survey or a special programme.';

COMMENT ON COLUMN prompt_store.visit.ra IS 'ra: Right ascension (ICRS) of the boresight at mid-exposure. [deg]';

COMMENT ON COLUMN prompt_store.visit.decl IS 'decl: Declination (ICRS) of the boresight at mid-exposure. [deg]';

COMMENT ON COLUMN prompt_store.visit.rotation IS 'rotation: Position angle on the sky of the +y axis of the focal plane, from North through East. [deg]';

COMMENT ON COLUMN prompt_store.visit.begintai IS 'beginTai: Start of the first snap, as a Modified Julian Date in TAI. [d]';

COMMENT ON COLUMN prompt_store.visit.midpointtai IS 'midPointTai: Mid-point of the visit at the centre of the focal plane, as a Modified Julian Date in TAI. [d]';

COMMENT ON COLUMN prompt_store.visit.endtai IS 'endTai: End of the last snap, as a Modified Julian Date in TAI. [d]';

COMMENT ON COLUMN prompt_store.visit.readoutendtai IS 'readoutEndTai: End of the readout of the last snap, as a Modified Julian Date in TAI: the instant from which the latency of alerts is counted. [d]';

COMMENT ON COLUMN prompt_store.visit.exposuretime IS 'exposureTime: Time the shutter was open, all snaps of the visit together. [s]';

COMMENT ON COLUMN prompt_store.visit.nsnaps IS 'nSnaps: Number of snaps combined into the visit.';

COMMENT ON COLUMN prompt_store.visit.airmass IS 'airmass: Airmass at the boresight at mid-exposure; the usual approximations may give slightly less than 1 at the zenith.';

COMMENT ON COLUMN prompt_store.visit.istemplate IS 'isTemplate: True for visits of the season set apart for building templates; these are not searched for changes.';

COMMENT ON COLUMN prompt_store.visit.provenanceid IS 'provenanceId: Identifier of the software, configuration and inputs that produced the row; key into Provenance.';

COMMENT ON COLUMN prompt_store.visit.insertedtai IS 'insertedTai: Epoch at which the row first became visible; never changes (TAI).';

COMMENT ON COLUMN prompt_store.visit.createdtai IS 'createdTai: Epoch from which on this version is valid (TAI).';

CREATE INDEX visit_midpointtai_idx ON prompt_store.visit (midpointtai);

CREATE INDEX visit_sky_idx ON prompt_store.visit USING gist (spoint(radians(ra), radians(decl)));

CREATE TRIGGER refuse_direct_write BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON prompt_store.visit FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_direct_write();

CREATE TABLE prompt_store.visit_history (
	visitid BIGINT NOT NULL, 
	instrument TEXT NOT NULL, 
	band TEXT NOT NULL, 
	filtername TEXT NOT NULL, 
	programid TEXT NOT NULL, 
	ra DOUBLE PRECISION NOT NULL, 
	decl DOUBLE PRECISION NOT NULL, 
	rotation DOUBLE PRECISION, 
	begintai DOUBLE PRECISION NOT NULL, 
	midpointtai DOUBLE PRECISION NOT NULL, 
	endtai DOUBLE PRECISION NOT NULL, 
	readoutendtai DOUBLE PRECISION, 
	exposuretime DOUBLE PRECISION NOT NULL, 
	nsnaps SMALLINT NOT NULL, 
	airmass REAL, 
	istemplate BOOLEAN NOT NULL, 
	provenanceid BIGINT, 
	insertedtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	createdtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	deletedtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	CONSTRAINT visit_history_pkey PRIMARY KEY (visitid, deletedtai), 
	CONSTRAINT visit_interval CHECK (createdtai <= deletedtai)
)
 PARTITION BY RANGE (deletedtai);

COMMENT ON TABLE prompt_store.visit_history IS 'Closed versions of Visit, by month of deletedTai.';

COMMENT ON COLUMN prompt_store.visit_history.visitid IS 'visitId: Unique identifier of the visit, formed from the night and the number of the visit within it; the same in every database and release.';

COMMENT ON COLUMN prompt_store.visit_history.instrument IS 'instrument: Name of the instrument, as in its description file.';

COMMENT ON COLUMN prompt_store.visit_history.band IS 'band: Photometric band: one of u, g, r, i, z, y.';

COMMENT ON COLUMN prompt_store.visit_history.filtername IS 'filterName: Name of the physical filter as the observatory writes it.';

COMMENT ON COLUMN prompt_store.visit_history.programid IS 'programId: Observing programme to which the visit belongs, such as the main survey or a special programme.';

COMMENT ON COLUMN prompt_store.visit_history.ra IS 'ra: Right ascension (ICRS) of the boresight at mid-exposure. [deg]';

COMMENT ON COLUMN prompt_store.visit_history.decl IS 'decl: Declination (ICRS) of the boresight at mid-exposure. [deg]';

COMMENT ON COLUMN prompt_store.visit_history.rotation IS 'rotation: Position angle on the sky of the +y axis of the focal plane, from North through East. [deg]';

COMMENT ON COLUMN prompt_store.visit_history.begintai IS 'beginTai: Start of the first snap, as a Modified Julian Date in TAI. [d]';

COMMENT ON COLUMN prompt_store.visit_history.midpointtai IS 'midPointTai: Mid-point of the visit at the centre of the focal plane, as a Modified Julian Date in TAI. [d]';

COMMENT ON COLUMN prompt_store.visit_history.endtai IS 'endTai: End of the last snap, as a Modified Julian Date in TAI. [d]';

COMMENT ON COLUMN prompt_store.visit_history.readoutendtai IS 'readoutEndTai: End of the readout of the last snap, as a Modified Julian Date in TAI: the instant from which the latency of alerts is counted. [d]';

COMMENT ON COLUMN prompt_store.visit_history.exposuretime IS 'exposureTime: Time the shutter was open, all snaps of the visit together. [s]';

COMMENT ON COLUMN prompt_store.visit_history.nsnaps IS 'nSnaps: Number of snaps combined into the visit.';

COMMENT ON COLUMN prompt_store.visit_history.airmass IS 'airmass: Airmass at the boresight at mid-exposure; the usual approximations may give slightly less than 1 at the zenith.';

COMMENT ON COLUMN prompt_store.visit_history.istemplate IS 'isTemplate: True for visits of the season set apart for building templates; these are not searched for changes.';

COMMENT ON COLUMN prompt_store.visit_history.provenanceid IS 'provenanceId: Identifier of the software, configuration and inputs that produced the row; key into Provenance.';

COMMENT ON COLUMN prompt_store.visit_history.insertedtai IS 'insertedTai: Epoch at which the row first became visible; never changes (TAI).';

COMMENT ON COLUMN prompt_store.visit_history.createdtai IS 'createdTai: Epoch from which on this version is valid (TAI).';

COMMENT ON COLUMN prompt_store.visit_history.deletedtai IS 'deletedTai: Last microsecond at which this version was valid (TAI); live: 9999-12-31.';

CREATE INDEX visit_history_midpointtai_idx ON prompt_store.visit_history (midpointtai);

CREATE INDEX visit_history_sky_idx ON prompt_store.visit_history USING gist (spoint(radians(ra), radians(decl)));

CREATE TRIGGER refuse_direct_write BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON prompt_store.visit_history FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_direct_write();

CREATE TABLE staging.ccdvisit (
	slot SMALLINT NOT NULL, 
	ccdvisitid BIGINT, 
	visitid BIGINT, 
	detector SMALLINT, 
	instrument TEXT, 
	band TEXT, 
	filtername TEXT, 
	programid TEXT, 
	ra DOUBLE PRECISION, 
	decl DOUBLE PRECISION, 
	begintai DOUBLE PRECISION, 
	midpointtai DOUBLE PRECISION, 
	endtai DOUBLE PRECISION, 
	readoutendtai DOUBLE PRECISION, 
	exposuretime DOUBLE PRECISION, 
	nsnaps SMALLINT, 
	airmass REAL, 
	seeing REAL, 
	zeropoint REAL, 
	fluxscale DOUBLE PRECISION, 
	photocalibrelerr REAL, 
	photocalibabserr REAL, 
	nphotostars INTEGER, 
	pixelscale REAL, 
	rotation DOUBLE PRECISION, 
	llra DOUBLE PRECISION, 
	lldecl DOUBLE PRECISION, 
	lrra DOUBLE PRECISION, 
	lrdecl DOUBLE PRECISION, 
	urra DOUBLE PRECISION, 
	urdecl DOUBLE PRECISION, 
	ulra DOUBLE PRECISION, 
	uldecl DOUBLE PRECISION, 
	footprint DOUBLE PRECISION[], 
	usablefraction REAL, 
	wcsheader TEXT, 
	nastromstars INTEGER, 
	astromsysraerr REAL, 
	astromsysdeclerr REAL, 
	astromsyscov REAL, 
	npsfstars INTEGER, 
	psffwhm REAL, 
	psfixx REAL, 
	psfiyy REAL, 
	psfixy REAL, 
	skybg REAL, 
	skynoise REAL, 
	templateid BIGINT, 
	diffnoise REAL, 
	diffpixelsigma REAL, 
	diffnoisegrid REAL[], 
	kernelsum REAL, 
	scoresd REAL, 
	ndiasources INTEGER, 
	nstars INTEGER, 
	pvipath TEXT, 
	differencepath TEXT, 
	provenanceid BIGINT, 
	replacestai TIMESTAMP WITHOUT TIME ZONE, 
	iswithdrawal BOOLEAN
)
 PARTITION BY LIST (slot);

COMMENT ON TABLE staging.ccdvisit IS 'Rows on their way to CcdVisit, one partition a slot.';

COMMENT ON COLUMN staging.ccdvisit.slot IS 'slot: Staging slot of the worker that loads the row.';

COMMENT ON COLUMN staging.ccdvisit.ccdvisitid IS 'ccdVisitId: Unique identifier of the detector of the visit, formed from visitId and detector; the same in every database and release.';

COMMENT ON COLUMN staging.ccdvisit.visitid IS 'visitId: Identifier of the visit, shared by all detectors exposed together.';

COMMENT ON COLUMN staging.ccdvisit.detector IS 'detector: Number of the detector within the camera.';

COMMENT ON COLUMN staging.ccdvisit.instrument IS 'instrument: Name of the instrument, as in its description file.';

COMMENT ON COLUMN staging.ccdvisit.band IS 'band: Photometric band: one of u, g, r, i, z, y.';

COMMENT ON COLUMN staging.ccdvisit.filtername IS 'filterName: Name of the physical filter as the observatory writes it.';

COMMENT ON COLUMN staging.ccdvisit.programid IS 'programId: Observing programme to which the visit belongs, such as the main survey or a special programme.';

COMMENT ON COLUMN staging.ccdvisit.ra IS 'ra: Right ascension (ICRS) of the centre of the detector. [deg]';

COMMENT ON COLUMN staging.ccdvisit.decl IS 'decl: Declination (ICRS) of the centre of the detector. [deg]';

COMMENT ON COLUMN staging.ccdvisit.begintai IS 'beginTai: Start of the first snap at the centre of the detector, as a Modified Julian Date in TAI. [d]';

COMMENT ON COLUMN staging.ccdvisit.midpointtai IS 'midPointTai: Mid-point of the visit at the centre of the detector, as a Modified Julian Date in TAI. [d]';

COMMENT ON COLUMN staging.ccdvisit.endtai IS 'endTai: End of the last snap at the centre of the detector, as a Modified Julian Date in TAI. [d]';

COMMENT ON COLUMN staging.ccdvisit.readoutendtai IS 'readoutEndTai: End of the readout of the last snap, as a Modified Julian Date in TAI: the instant from which the latency of alerts is counted. [d]';

COMMENT ON COLUMN staging.ccdvisit.exposuretime IS 'exposureTime: Time the shutter was open, all snaps of the visit together. [s]';

COMMENT ON COLUMN staging.ccdvisit.nsnaps IS 'nSnaps: Number of snaps combined into the visit.';

COMMENT ON COLUMN staging.ccdvisit.airmass IS 'airmass: Airmass at the centre of the detector at mid-exposure; the usual approximations may give slightly less than 1 at the zenith.';

COMMENT ON COLUMN staging.ccdvisit.seeing IS 'seeing: Full width at half maximum of the PSF, the median over the detector. [arcsec]';

COMMENT ON COLUMN staging.ccdvisit.zeropoint IS 'zeroPoint: AB magnitude of a source that yields one electron during the whole visit; equal to 31.4 - 2.5 log10(fluxScale). [mag]';

COMMENT ON COLUMN staging.ccdvisit.fluxscale IS 'fluxScale: Flux of a source that yields one electron during the whole visit; ct stands for one electron. [nJy/ct]';

COMMENT ON COLUMN staging.ccdvisit.photocalibrelerr IS 'photoCalibRelErr: Relative photometric calibration error as a fraction of the flux: the error of fluxScale of this detector against the other visits of the survey.';

COMMENT ON COLUMN staging.ccdvisit.photocalibabserr IS 'photoCalibAbsErr: Absolute photometric calibration error as a fraction of the flux: the error, common to the survey, of its flux scale against the AB system.';

COMMENT ON COLUMN staging.ccdvisit.nphotostars IS 'nPhotoStars: Number of reference stars that define the zero point.';

COMMENT ON COLUMN staging.ccdvisit.pixelscale IS 'pixelScale: Size of a pixel on the sky at the centre of the detector: the square root of its area. [arcsec/pixel]';

COMMENT ON COLUMN staging.ccdvisit.rotation IS 'rotation: Position angle on the sky of the +y axis of the detector at its centre, from North through East. [deg]';

COMMENT ON COLUMN staging.ccdvisit.llra IS 'llRa: Right ascension (ICRS) of the outer corner of the detector''s first pixel (lower left: x = -0.5, y = -0.5). [deg]';

COMMENT ON COLUMN staging.ccdvisit.lldecl IS 'llDecl: Declination (ICRS) of the outer corner of the detector''s first pixel (lower left). [deg]';

COMMENT ON COLUMN staging.ccdvisit.lrra IS 'lrRa: Right ascension (ICRS) of the corner at large x and small y (lower right). [deg]';

COMMENT ON COLUMN staging.ccdvisit.lrdecl IS 'lrDecl: Declination (ICRS) of the corner at large x and small y (lower right). [deg]';

COMMENT ON COLUMN staging.ccdvisit.urra IS 'urRa: Right ascension (ICRS) of the corner at large x and large y (upper right). [deg]';

COMMENT ON COLUMN staging.ccdvisit.urdecl IS 'urDecl: Declination (ICRS) of the corner at large x and large y (upper right). [deg]';

COMMENT ON COLUMN staging.ccdvisit.ulra IS 'ulRa: Right ascension (ICRS) of the corner at small x and large y (upper left). [deg]';

COMMENT ON COLUMN staging.ccdvisit.uldecl IS 'ulDecl: Declination (ICRS) of the corner at small x and large y (upper left). [deg]';

COMMENT ON COLUMN staging.ccdvisit.footprint IS 'footprint: Outline of the detector on the sky (ICRS) as a polygon of great circles: right ascension and declination of the four corners, in the order lower left, lower right, upper right, upper left. [deg]';

COMMENT ON COLUMN staging.ccdvisit.usablefraction IS 'usableFraction: Fraction of the detector''s pixels that carry usable flux: neither defective, saturated, hit by a cosmic ray nor without data.';

COMMENT ON COLUMN staging.ccdvisit.wcsheader IS 'wcsHeader: Astrometric solution as the cards of a FITS header, separated by line breaks.';

COMMENT ON COLUMN staging.ccdvisit.nastromstars IS 'nAstromStars: Number of reference stars that define the astrometric solution.';

COMMENT ON COLUMN staging.ccdvisit.astromsysraerr IS 'astromSysRaErr: Systematic error of right ascensions times cos(decl) measured on this detector, from the residuals of reference stars; it enters association and motion fits and is not part of raErr. [arcsec]';

COMMENT ON COLUMN staging.ccdvisit.astromsysdeclerr IS 'astromSysDeclErr: Systematic error of declinations measured on this detector, from the residuals of reference stars; it enters association and motion fits and is not part of declErr. [arcsec]';

COMMENT ON COLUMN staging.ccdvisit.astromsyscov IS 'astromSysCov: Covariance of the systematic errors of alpha cos(delta) and delta on this detector. [arcsec**2]';

COMMENT ON COLUMN staging.ccdvisit.npsfstars IS 'nPsfStars: Number of stars from which the PSF model was made.';

COMMENT ON COLUMN staging.ccdvisit.psffwhm IS 'psfFwhm: Full width at half maximum of the PSF at the centre of the detector. [pixel]';

COMMENT ON COLUMN staging.ccdvisit.psfixx IS 'psfIxx: Adaptive second moment of the PSF along East at the centre of the detector. [arcsec**2]';

COMMENT ON COLUMN staging.ccdvisit.psfiyy IS 'psfIyy: Adaptive second moment of the PSF along North at the centre of the detector. [arcsec**2]';

COMMENT ON COLUMN staging.ccdvisit.psfixy IS 'psfIxy: Adaptive mixed second moment of the PSF along East and North at the centre of the detector. [arcsec**2]';

COMMENT ON COLUMN staging.ccdvisit.skybg IS 'skyBg: Surface brightness of the sky background, the median over the detector. [nJy/arcsec**2]';

COMMENT ON COLUMN staging.ccdvisit.skynoise IS 'skyNoise: Standard deviation of one pixel of empty sky on the visit image, the median over the detector. [nJy]';

COMMENT ON COLUMN staging.ccdvisit.templateid IS 'templateId: Identifier of the template that was subtracted; NULL for visits that were not differenced.';

COMMENT ON COLUMN staging.ccdvisit.diffnoise IS 'diffNoise: One-sigma error of a point-source flux on the difference image, the median over usable positions; five times this value is the upper limit for an undetected object. [nJy]';

COMMENT ON COLUMN staging.ccdvisit.diffpixelsigma IS 'diffPixelSigma: Standard deviation of one pixel of empty sky on the difference image, the median over the detector. [nJy]';

COMMENT ON COLUMN staging.ccdvisit.diffnoisegrid IS 'diffNoiseGrid: Map of diffNoise over the detector in 8 x 8 cells of equal size, row by row from small to large y, in each row from small to large x; NULL for a cell without usable pixels. [nJy]';

COMMENT ON COLUMN staging.ccdvisit.kernelsum IS 'kernelSum: Sum of the kernel that matches the PSFs of visit and template: the ratio of their flux scales, close to 1 for a good subtraction.';

COMMENT ON COLUMN staging.ccdvisit.scoresd IS 'scoreSd: Robust standard deviation of the PSF-likelihood image of the difference in units of its predicted error, close to 1 for a good subtraction.';

COMMENT ON COLUMN staging.ccdvisit.ndiasources IS 'nDiaSources: Number of DIASources found on this detector of the visit, parents and children together.';

COMMENT ON COLUMN staging.ccdvisit.nstars IS 'nStars: Number of stars measured on the visit image for its calibration.';

COMMENT ON COLUMN staging.ccdvisit.pvipath IS 'pviPath: Path of the processed visit image (pixels, variance, mask, PSF, background) relative to the image store; NULL if it is no longer kept.';

COMMENT ON COLUMN staging.ccdvisit.differencepath IS 'differencePath: Path of the difference image relative to the image store; NULL if there is none or it is no longer kept.';

COMMENT ON COLUMN staging.ccdvisit.provenanceid IS 'provenanceId: Identifier of the software, configuration and inputs that produced the row; key into Provenance.';

COMMENT ON COLUMN staging.ccdvisit.replacestai IS 'replacesTai: createdTai of the version that this row replaces; NULL for a new row.';

COMMENT ON COLUMN staging.ccdvisit.iswithdrawal IS 'isWithdrawal: True if the replaced version is to be closed without a successor.';

CREATE UNLOGGED TABLE staging.ccdvisit_s0 PARTITION OF staging.ccdvisit FOR VALUES IN (0);

CREATE UNLOGGED TABLE staging.ccdvisit_s1 PARTITION OF staging.ccdvisit FOR VALUES IN (1);

CREATE UNLOGGED TABLE staging.ccdvisit_s2 PARTITION OF staging.ccdvisit FOR VALUES IN (2);

CREATE UNLOGGED TABLE staging.ccdvisit_s3 PARTITION OF staging.ccdvisit FOR VALUES IN (3);

CREATE UNLOGGED TABLE staging.ccdvisit_s4 PARTITION OF staging.ccdvisit FOR VALUES IN (4);

CREATE UNLOGGED TABLE staging.ccdvisit_s5 PARTITION OF staging.ccdvisit FOR VALUES IN (5);

CREATE UNLOGGED TABLE staging.ccdvisit_s6 PARTITION OF staging.ccdvisit FOR VALUES IN (6);

CREATE UNLOGGED TABLE staging.ccdvisit_s7 PARTITION OF staging.ccdvisit FOR VALUES IN (7);

CREATE TABLE staging.diaforcedsource (
	slot SMALLINT NOT NULL, 
	diaforcedsourceid BIGINT, 
	ccdvisitid BIGINT, 
	visitid BIGINT, 
	detector SMALLINT, 
	diaobjectid BIGINT, 
	midpointtai DOUBLE PRECISION, 
	psflux REAL, 
	psfluxerr REAL, 
	totflux REAL, 
	totfluxerr REAL, 
	ra DOUBLE PRECISION, 
	decl DOUBLE PRECISION, 
	templateid BIGINT, 
	flags BIGINT, 
	replacestai TIMESTAMP WITHOUT TIME ZONE, 
	iswithdrawal BOOLEAN
)
 PARTITION BY LIST (slot);

COMMENT ON TABLE staging.diaforcedsource IS 'Rows on their way to DIAForcedSource, one partition a slot.';

COMMENT ON COLUMN staging.diaforcedsource.slot IS 'slot: Staging slot of the worker that loads the row.';

COMMENT ON COLUMN staging.diaforcedsource.diaforcedsourceid IS 'diaForcedSourceId: Unique identifier of this measurement, never used again in any database or release.';

COMMENT ON COLUMN staging.diaforcedsource.ccdvisitid IS 'ccdVisitId: Identifier of the detector of the visit on which the flux was measured; key into CcdVisit.';

COMMENT ON COLUMN staging.diaforcedsource.visitid IS 'visitId: Identifier of the visit, shared by all detectors exposed together.';

COMMENT ON COLUMN staging.diaforcedsource.detector IS 'detector: Number of the detector within the camera.';

COMMENT ON COLUMN staging.diaforcedsource.diaobjectid IS 'diaObjectId: Identifier of the DIAObject at whose position the flux was measured.';

COMMENT ON COLUMN staging.diaforcedsource.midpointtai IS 'midPointTai: Mid-point of the exposure at the measured position, as a Modified Julian Date in TAI. [d]';

COMMENT ON COLUMN staging.diaforcedsource.psflux IS 'psFlux: Point-source flux on the difference image with the position held fixed: visit minus template, negative where the object has faded. NULL where too few pixels were usable. [nJy]';

COMMENT ON COLUMN staging.diaforcedsource.psfluxerr IS 'psFluxErr: Standard error of psFlux. [nJy]';

COMMENT ON COLUMN staging.diaforcedsource.totflux IS 'totFlux: Point-source flux on the visit image itself at the same fixed position. NULL where the visit image is no longer kept or too few pixels were usable. [nJy]';

COMMENT ON COLUMN staging.diaforcedsource.totfluxerr IS 'totFluxErr: Standard error of totFlux. [nJy]';

COMMENT ON COLUMN staging.diaforcedsource.ra IS 'ra: Right ascension (ICRS) at which the flux was measured: the position of the DIAObject as known then. [deg]';

COMMENT ON COLUMN staging.diaforcedsource.decl IS 'decl: Declination (ICRS) at which the flux was measured: the position of the DIAObject as known then. [deg]';

COMMENT ON COLUMN staging.diaforcedsource.templateid IS 'templateId: Identifier of the template that was subtracted; fluxes of different templates have different zero levels.';

COMMENT ON COLUMN staging.diaforcedsource.flags IS 'flags: Bit mask of status flags. FlagDefinition gives the name and meaning of each bit.';

COMMENT ON COLUMN staging.diaforcedsource.replacestai IS 'replacesTai: createdTai of the version that this row replaces; NULL for a new row.';

COMMENT ON COLUMN staging.diaforcedsource.iswithdrawal IS 'isWithdrawal: True if the replaced version is to be closed without a successor.';

CREATE UNLOGGED TABLE staging.diaforcedsource_s0 PARTITION OF staging.diaforcedsource FOR VALUES IN (0);

CREATE UNLOGGED TABLE staging.diaforcedsource_s1 PARTITION OF staging.diaforcedsource FOR VALUES IN (1);

CREATE UNLOGGED TABLE staging.diaforcedsource_s2 PARTITION OF staging.diaforcedsource FOR VALUES IN (2);

CREATE UNLOGGED TABLE staging.diaforcedsource_s3 PARTITION OF staging.diaforcedsource FOR VALUES IN (3);

CREATE UNLOGGED TABLE staging.diaforcedsource_s4 PARTITION OF staging.diaforcedsource FOR VALUES IN (4);

CREATE UNLOGGED TABLE staging.diaforcedsource_s5 PARTITION OF staging.diaforcedsource FOR VALUES IN (5);

CREATE UNLOGGED TABLE staging.diaforcedsource_s6 PARTITION OF staging.diaforcedsource FOR VALUES IN (6);

CREATE UNLOGGED TABLE staging.diaforcedsource_s7 PARTITION OF staging.diaforcedsource FOR VALUES IN (7);

CREATE TABLE staging.diaobject (
	slot SMALLINT NOT NULL, 
	diaobjectid BIGINT, 
	ra DOUBLE PRECISION, 
	decl DOUBLE PRECISION, 
	raerr REAL, 
	declerr REAL, 
	radeclcov REAL, 
	hpx29 BIGINT, 
	radectai DOUBLE PRECISION, 
	ndiasources INTEGER, 
	firstdiasourcetai DOUBLE PRECISION, 
	lastdiasourcetai DOUBLE PRECISION, 
	flags BIGINT, 
	pmra REAL, 
	pmdecl REAL, 
	parallax REAL, 
	pmparallaxcov REAL[], 
	pmparallaxlnl REAL, 
	pmparallaxchi2 REAL, 
	pmparallaxndata INTEGER, 
	upsfluxmean REAL, 
	gpsfluxmean REAL, 
	rpsfluxmean REAL, 
	ipsfluxmean REAL, 
	zpsfluxmean REAL, 
	ypsfluxmean REAL, 
	upsfluxmeanerr REAL, 
	gpsfluxmeanerr REAL, 
	rpsfluxmeanerr REAL, 
	ipsfluxmeanerr REAL, 
	zpsfluxmeanerr REAL, 
	ypsfluxmeanerr REAL, 
	upsfluxsigma REAL, 
	gpsfluxsigma REAL, 
	rpsfluxsigma REAL, 
	ipsfluxsigma REAL, 
	zpsfluxsigma REAL, 
	ypsfluxsigma REAL, 
	upsfluxchi2 REAL, 
	gpsfluxchi2 REAL, 
	rpsfluxchi2 REAL, 
	ipsfluxchi2 REAL, 
	zpsfluxchi2 REAL, 
	ypsfluxchi2 REAL, 
	upsfluxndata INTEGER, 
	gpsfluxndata INTEGER, 
	rpsfluxndata INTEGER, 
	ipsfluxndata INTEGER, 
	zpsfluxndata INTEGER, 
	ypsfluxndata INTEGER, 
	utotfluxmean REAL, 
	gtotfluxmean REAL, 
	rtotfluxmean REAL, 
	itotfluxmean REAL, 
	ztotfluxmean REAL, 
	ytotfluxmean REAL, 
	utotfluxmeanerr REAL, 
	gtotfluxmeanerr REAL, 
	rtotfluxmeanerr REAL, 
	itotfluxmeanerr REAL, 
	ztotfluxmeanerr REAL, 
	ytotfluxmeanerr REAL, 
	utotfluxsigma REAL, 
	gtotfluxsigma REAL, 
	rtotfluxsigma REAL, 
	itotfluxsigma REAL, 
	ztotfluxsigma REAL, 
	ytotfluxsigma REAL, 
	upsforcedfluxmean REAL, 
	gpsforcedfluxmean REAL, 
	rpsforcedfluxmean REAL, 
	ipsforcedfluxmean REAL, 
	zpsforcedfluxmean REAL, 
	ypsforcedfluxmean REAL, 
	upsforcedfluxmeanerr REAL, 
	gpsforcedfluxmeanerr REAL, 
	rpsforcedfluxmeanerr REAL, 
	ipsforcedfluxmeanerr REAL, 
	zpsforcedfluxmeanerr REAL, 
	ypsforcedfluxmeanerr REAL, 
	upsforcedfluxndata INTEGER, 
	gpsforcedfluxndata INTEGER, 
	rpsforcedfluxndata INTEGER, 
	ipsforcedfluxndata INTEGER, 
	zpsforcedfluxndata INTEGER, 
	ypsforcedfluxndata INTEGER, 
	nearbyobj BIGINT[], 
	nearbystar1 BIGINT, 
	nearbystar2 BIGINT, 
	nearbystar3 BIGINT, 
	nearbygal1 BIGINT, 
	nearbygal2 BIGINT, 
	nearbygal3 BIGINT, 
	nearbystar1dist REAL, 
	nearbystar2dist REAL, 
	nearbystar3dist REAL, 
	nearbygal1dist REAL, 
	nearbygal2dist REAL, 
	nearbygal3dist REAL, 
	nearbystar1lnp REAL, 
	nearbystar2lnp REAL, 
	nearbystar3lnp REAL, 
	nearbygal1lnp REAL, 
	nearbygal2lnp REAL, 
	nearbygal3lnp REAL, 
	replacestai TIMESTAMP WITHOUT TIME ZONE, 
	iswithdrawal BOOLEAN
)
 PARTITION BY LIST (slot);

COMMENT ON TABLE staging.diaobject IS 'Rows on their way to DIAObject, one partition a slot.';

COMMENT ON COLUMN staging.diaobject.slot IS 'slot: Staging slot of the worker that loads the row.';

COMMENT ON COLUMN staging.diaobject.diaobjectid IS 'diaObjectId: Unique identifier of the object. It holds the database, the HEALPix pixel in which the object was first seen and a serial number, and is never used again in any database or release.';

COMMENT ON COLUMN staging.diaobject.ra IS 'ra: Right ascension (ICRS) of the object at time radecTai. [deg]';

COMMENT ON COLUMN staging.diaobject.decl IS 'decl: Declination (ICRS) of the object at time radecTai. [deg]';

COMMENT ON COLUMN staging.diaobject.raerr IS 'raErr: Standard error of the right ascension times cos(decl), that is sigma(alpha cos delta), at time radecTai. [arcsec]';

COMMENT ON COLUMN staging.diaobject.declerr IS 'declErr: Standard error of the declination at time radecTai. [arcsec]';

COMMENT ON COLUMN staging.diaobject.radeclcov IS 'raDeclCov: Covariance between alpha cos(delta) and delta; divided by raErr times declErr it is the correlation coefficient. [arcsec**2]';

COMMENT ON COLUMN staging.diaobject.hpx29 IS 'hpx29: HEALPix pixel of order 29 in the nested scheme that holds (ra, decl). Integer division by 4 to the power of (29 - n) gives the pixel of order n.';

COMMENT ON COLUMN staging.diaobject.radectai IS 'radecTai: Epoch of ra and decl, as a Modified Julian Date in TAI. [d]';

COMMENT ON COLUMN staging.diaobject.ndiasources IS 'nDiaSources: Number of DIASources of the object, in all bands, within the twelve months up to its newest one; in reprocessing without that limit.';

COMMENT ON COLUMN staging.diaobject.firstdiasourcetai IS 'firstDiaSourceTai: Mid-exposure time of the earliest of these DIASources, as a Modified Julian Date in TAI. [d]';

COMMENT ON COLUMN staging.diaobject.lastdiasourcetai IS 'lastDiaSourceTai: Mid-exposure time of the latest DIASource associated with the object, as a Modified Julian Date in TAI. [d]';

COMMENT ON COLUMN staging.diaobject.flags IS 'flags: Bit mask of status flags. FlagDefinition gives the name and meaning of each bit.';

COMMENT ON COLUMN staging.diaobject.pmra IS 'pmRa: Proper motion in right ascension times cos(decl), that is mu_alpha*, fitted together with position and parallax. NULL until the object has five points over at least 60 days. [mas/yr]';

COMMENT ON COLUMN staging.diaobject.pmdecl IS 'pmDecl: Proper motion in declination, fitted together with position and parallax. NULL until the object has five points over at least 60 days. [mas/yr]';

COMMENT ON COLUMN staging.diaobject.parallax IS 'parallax: Trigonometric parallax, fitted together with position and proper motion; noise may make it negative. NULL until the object has eight points over at least 180 days and the fit is well conditioned. [mas]';

COMMENT ON COLUMN staging.diaobject.pmparallaxcov IS 'pmParallaxCov: Covariance matrix of (pmRa, pmDecl, parallax), lower triangle row by row: (pmRa,pmRa), (pmDecl,pmRa), (pmDecl,pmDecl), (parallax,pmRa), (parallax,pmDecl), (parallax,parallax). Units are mas/yr and mas.';

COMMENT ON COLUMN staging.diaobject.pmparallaxlnl IS 'pmParallaxLnL: Natural logarithm of the likelihood of the measured positions given the fitted position, proper motion and parallax.';

COMMENT ON COLUMN staging.diaobject.pmparallaxchi2 IS 'pmParallaxChi2: Chi-square of the fit of position, proper motion and parallax; it has 2 pmParallaxNdata - 5 degrees of freedom when all five are fitted.';

COMMENT ON COLUMN staging.diaobject.pmparallaxndata IS 'pmParallaxNdata: Number of measured positions used in the fit of position, proper motion and parallax.';

COMMENT ON COLUMN staging.diaobject.upsfluxmean IS 'uPsFluxMean: Inverse-variance weighted mean of psFlux over the u-band DIASources of the object within the previous twelve months. [nJy]';

COMMENT ON COLUMN staging.diaobject.gpsfluxmean IS 'gPsFluxMean: Inverse-variance weighted mean of psFlux over the g-band DIASources of the object within the previous twelve months. [nJy]';

COMMENT ON COLUMN staging.diaobject.rpsfluxmean IS 'rPsFluxMean: Inverse-variance weighted mean of psFlux over the r-band DIASources of the object within the previous twelve months. [nJy]';

COMMENT ON COLUMN staging.diaobject.ipsfluxmean IS 'iPsFluxMean: Inverse-variance weighted mean of psFlux over the i-band DIASources of the object within the previous twelve months. [nJy]';

COMMENT ON COLUMN staging.diaobject.zpsfluxmean IS 'zPsFluxMean: Inverse-variance weighted mean of psFlux over the z-band DIASources of the object within the previous twelve months. [nJy]';

COMMENT ON COLUMN staging.diaobject.ypsfluxmean IS 'yPsFluxMean: Inverse-variance weighted mean of psFlux over the y-band DIASources of the object within the previous twelve months. [nJy]';

COMMENT ON COLUMN staging.diaobject.upsfluxmeanerr IS 'uPsFluxMeanErr: Standard error of uPsFluxMean, one over the square root of the sum of the weights. [nJy]';

COMMENT ON COLUMN staging.diaobject.gpsfluxmeanerr IS 'gPsFluxMeanErr: Standard error of gPsFluxMean, one over the square root of the sum of the weights. [nJy]';

COMMENT ON COLUMN staging.diaobject.rpsfluxmeanerr IS 'rPsFluxMeanErr: Standard error of rPsFluxMean, one over the square root of the sum of the weights. [nJy]';

COMMENT ON COLUMN staging.diaobject.ipsfluxmeanerr IS 'iPsFluxMeanErr: Standard error of iPsFluxMean, one over the square root of the sum of the weights. [nJy]';

COMMENT ON COLUMN staging.diaobject.zpsfluxmeanerr IS 'zPsFluxMeanErr: Standard error of zPsFluxMean, one over the square root of the sum of the weights. [nJy]';

COMMENT ON COLUMN staging.diaobject.ypsfluxmeanerr IS 'yPsFluxMeanErr: Standard error of yPsFluxMean, one over the square root of the sum of the weights. [nJy]';

COMMENT ON COLUMN staging.diaobject.upsfluxsigma IS 'uPsFluxSigma: Unweighted sample standard deviation of psFlux over the u-band DIASources; NULL for a single source. [nJy]';

COMMENT ON COLUMN staging.diaobject.gpsfluxsigma IS 'gPsFluxSigma: Unweighted sample standard deviation of psFlux over the g-band DIASources; NULL for a single source. [nJy]';

COMMENT ON COLUMN staging.diaobject.rpsfluxsigma IS 'rPsFluxSigma: Unweighted sample standard deviation of psFlux over the r-band DIASources; NULL for a single source. [nJy]';

COMMENT ON COLUMN staging.diaobject.ipsfluxsigma IS 'iPsFluxSigma: Unweighted sample standard deviation of psFlux over the i-band DIASources; NULL for a single source. [nJy]';

COMMENT ON COLUMN staging.diaobject.zpsfluxsigma IS 'zPsFluxSigma: Unweighted sample standard deviation of psFlux over the z-band DIASources; NULL for a single source. [nJy]';

COMMENT ON COLUMN staging.diaobject.ypsfluxsigma IS 'yPsFluxSigma: Unweighted sample standard deviation of psFlux over the y-band DIASources; NULL for a single source. [nJy]';

COMMENT ON COLUMN staging.diaobject.upsfluxchi2 IS 'uPsFluxChi2: Chi-square of psFlux about uPsFluxMean; for a constant source its expectation is uPsFluxNdata - 1.';

COMMENT ON COLUMN staging.diaobject.gpsfluxchi2 IS 'gPsFluxChi2: Chi-square of psFlux about gPsFluxMean; for a constant source its expectation is gPsFluxNdata - 1.';

COMMENT ON COLUMN staging.diaobject.rpsfluxchi2 IS 'rPsFluxChi2: Chi-square of psFlux about rPsFluxMean; for a constant source its expectation is rPsFluxNdata - 1.';

COMMENT ON COLUMN staging.diaobject.ipsfluxchi2 IS 'iPsFluxChi2: Chi-square of psFlux about iPsFluxMean; for a constant source its expectation is iPsFluxNdata - 1.';

COMMENT ON COLUMN staging.diaobject.zpsfluxchi2 IS 'zPsFluxChi2: Chi-square of psFlux about zPsFluxMean; for a constant source its expectation is zPsFluxNdata - 1.';

COMMENT ON COLUMN staging.diaobject.ypsfluxchi2 IS 'yPsFluxChi2: Chi-square of psFlux about yPsFluxMean; for a constant source its expectation is yPsFluxNdata - 1.';

COMMENT ON COLUMN staging.diaobject.upsfluxndata IS 'uPsFluxNdata: Number of u-band DIASources in uPsFluxMean, uPsFluxSigma and uPsFluxChi2.';

COMMENT ON COLUMN staging.diaobject.gpsfluxndata IS 'gPsFluxNdata: Number of g-band DIASources in gPsFluxMean, gPsFluxSigma and gPsFluxChi2.';

COMMENT ON COLUMN staging.diaobject.rpsfluxndata IS 'rPsFluxNdata: Number of r-band DIASources in rPsFluxMean, rPsFluxSigma and rPsFluxChi2.';

COMMENT ON COLUMN staging.diaobject.ipsfluxndata IS 'iPsFluxNdata: Number of i-band DIASources in iPsFluxMean, iPsFluxSigma and iPsFluxChi2.';

COMMENT ON COLUMN staging.diaobject.zpsfluxndata IS 'zPsFluxNdata: Number of z-band DIASources in zPsFluxMean, zPsFluxSigma and zPsFluxChi2.';

COMMENT ON COLUMN staging.diaobject.ypsfluxndata IS 'yPsFluxNdata: Number of y-band DIASources in yPsFluxMean, yPsFluxSigma and yPsFluxChi2.';

COMMENT ON COLUMN staging.diaobject.utotfluxmean IS 'uTotFluxMean: Inverse-variance weighted mean of totFlux in the u band within the previous twelve months, one value per covering visit: the forced measurement, or that of the DIASource where there is none. [nJy]';

COMMENT ON COLUMN staging.diaobject.gtotfluxmean IS 'gTotFluxMean: Inverse-variance weighted mean of totFlux in the g band within the previous twelve months, one value per covering visit: the forced measurement, or that of the DIASource where there is none. [nJy]';

COMMENT ON COLUMN staging.diaobject.rtotfluxmean IS 'rTotFluxMean: Inverse-variance weighted mean of totFlux in the r band within the previous twelve months, one value per covering visit: the forced measurement, or that of the DIASource where there is none. [nJy]';

COMMENT ON COLUMN staging.diaobject.itotfluxmean IS 'iTotFluxMean: Inverse-variance weighted mean of totFlux in the i band within the previous twelve months, one value per covering visit: the forced measurement, or that of the DIASource where there is none. [nJy]';

COMMENT ON COLUMN staging.diaobject.ztotfluxmean IS 'zTotFluxMean: Inverse-variance weighted mean of totFlux in the z band within the previous twelve months, one value per covering visit: the forced measurement, or that of the DIASource where there is none. [nJy]';

COMMENT ON COLUMN staging.diaobject.ytotfluxmean IS 'yTotFluxMean: Inverse-variance weighted mean of totFlux in the y band within the previous twelve months, one value per covering visit: the forced measurement, or that of the DIASource where there is none. [nJy]';

COMMENT ON COLUMN staging.diaobject.utotfluxmeanerr IS 'uTotFluxMeanErr: Standard error of uTotFluxMean, one over the square root of the sum of the weights. [nJy]';

COMMENT ON COLUMN staging.diaobject.gtotfluxmeanerr IS 'gTotFluxMeanErr: Standard error of gTotFluxMean, one over the square root of the sum of the weights. [nJy]';

COMMENT ON COLUMN staging.diaobject.rtotfluxmeanerr IS 'rTotFluxMeanErr: Standard error of rTotFluxMean, one over the square root of the sum of the weights. [nJy]';

COMMENT ON COLUMN staging.diaobject.itotfluxmeanerr IS 'iTotFluxMeanErr: Standard error of iTotFluxMean, one over the square root of the sum of the weights. [nJy]';

COMMENT ON COLUMN staging.diaobject.ztotfluxmeanerr IS 'zTotFluxMeanErr: Standard error of zTotFluxMean, one over the square root of the sum of the weights. [nJy]';

COMMENT ON COLUMN staging.diaobject.ytotfluxmeanerr IS 'yTotFluxMeanErr: Standard error of yTotFluxMean, one over the square root of the sum of the weights. [nJy]';

COMMENT ON COLUMN staging.diaobject.utotfluxsigma IS 'uTotFluxSigma: Unweighted sample standard deviation of the values in uTotFluxMean; NULL for a single value. [nJy]';

COMMENT ON COLUMN staging.diaobject.gtotfluxsigma IS 'gTotFluxSigma: Unweighted sample standard deviation of the values in gTotFluxMean; NULL for a single value. [nJy]';

COMMENT ON COLUMN staging.diaobject.rtotfluxsigma IS 'rTotFluxSigma: Unweighted sample standard deviation of the values in rTotFluxMean; NULL for a single value. [nJy]';

COMMENT ON COLUMN staging.diaobject.itotfluxsigma IS 'iTotFluxSigma: Unweighted sample standard deviation of the values in iTotFluxMean; NULL for a single value. [nJy]';

COMMENT ON COLUMN staging.diaobject.ztotfluxsigma IS 'zTotFluxSigma: Unweighted sample standard deviation of the values in zTotFluxMean; NULL for a single value. [nJy]';

COMMENT ON COLUMN staging.diaobject.ytotfluxsigma IS 'yTotFluxSigma: Unweighted sample standard deviation of the values in yTotFluxMean; NULL for a single value. [nJy]';

COMMENT ON COLUMN staging.diaobject.upsforcedfluxmean IS 'uPsForcedFluxMean: Inverse-variance weighted mean of the forced difference flux psFlux of DIAForcedSource in the u band within the previous twelve months; unlike uPsFluxMean it does not depend on whether the object was detected. [nJy]';

COMMENT ON COLUMN staging.diaobject.gpsforcedfluxmean IS 'gPsForcedFluxMean: Inverse-variance weighted mean of the forced difference flux psFlux of DIAForcedSource in the g band within the previous twelve months; unlike gPsFluxMean it does not depend on whether the object was detected. [nJy]';

COMMENT ON COLUMN staging.diaobject.rpsforcedfluxmean IS 'rPsForcedFluxMean: Inverse-variance weighted mean of the forced difference flux psFlux of DIAForcedSource in the r band within the previous twelve months; unlike rPsFluxMean it does not depend on whether the object was detected. [nJy]';

COMMENT ON COLUMN staging.diaobject.ipsforcedfluxmean IS 'iPsForcedFluxMean: Inverse-variance weighted mean of the forced difference flux psFlux of DIAForcedSource in the i band within the previous twelve months; unlike iPsFluxMean it does not depend on whether the object was detected. [nJy]';

COMMENT ON COLUMN staging.diaobject.zpsforcedfluxmean IS 'zPsForcedFluxMean: Inverse-variance weighted mean of the forced difference flux psFlux of DIAForcedSource in the z band within the previous twelve months; unlike zPsFluxMean it does not depend on whether the object was detected. [nJy]';

COMMENT ON COLUMN staging.diaobject.ypsforcedfluxmean IS 'yPsForcedFluxMean: Inverse-variance weighted mean of the forced difference flux psFlux of DIAForcedSource in the y band within the previous twelve months; unlike yPsFluxMean it does not depend on whether the object was detected. [nJy]';

COMMENT ON COLUMN staging.diaobject.upsforcedfluxmeanerr IS 'uPsForcedFluxMeanErr: Standard error of uPsForcedFluxMean, one over the square root of the sum of the weights. [nJy]';

COMMENT ON COLUMN staging.diaobject.gpsforcedfluxmeanerr IS 'gPsForcedFluxMeanErr: Standard error of gPsForcedFluxMean, one over the square root of the sum of the weights. [nJy]';

COMMENT ON COLUMN staging.diaobject.rpsforcedfluxmeanerr IS 'rPsForcedFluxMeanErr: Standard error of rPsForcedFluxMean, one over the square root of the sum of the weights. [nJy]';

COMMENT ON COLUMN staging.diaobject.ipsforcedfluxmeanerr IS 'iPsForcedFluxMeanErr: Standard error of iPsForcedFluxMean, one over the square root of the sum of the weights. [nJy]';

COMMENT ON COLUMN staging.diaobject.zpsforcedfluxmeanerr IS 'zPsForcedFluxMeanErr: Standard error of zPsForcedFluxMean, one over the square root of the sum of the weights. [nJy]';

COMMENT ON COLUMN staging.diaobject.ypsforcedfluxmeanerr IS 'yPsForcedFluxMeanErr: Standard error of yPsForcedFluxMean, one over the square root of the sum of the weights. [nJy]';

COMMENT ON COLUMN staging.diaobject.upsforcedfluxndata IS 'uPsForcedFluxNdata: Number of u-band forced measurements in uPsForcedFluxMean.';

COMMENT ON COLUMN staging.diaobject.gpsforcedfluxndata IS 'gPsForcedFluxNdata: Number of g-band forced measurements in gPsForcedFluxMean.';

COMMENT ON COLUMN staging.diaobject.rpsforcedfluxndata IS 'rPsForcedFluxNdata: Number of r-band forced measurements in rPsForcedFluxMean.';

COMMENT ON COLUMN staging.diaobject.ipsforcedfluxndata IS 'iPsForcedFluxNdata: Number of i-band forced measurements in iPsForcedFluxMean.';

COMMENT ON COLUMN staging.diaobject.zpsforcedfluxndata IS 'zPsForcedFluxNdata: Number of z-band forced measurements in zPsForcedFluxMean.';

COMMENT ON COLUMN staging.diaobject.ypsforcedfluxndata IS 'yPsForcedFluxNdata: Number of y-band forced measurements in yPsForcedFluxMean.';

COMMENT ON COLUMN staging.diaobject.nearbyobj IS 'nearbyObj: Identifiers of the nearest Objects of the latest data release within the search radius: three stars by distance, then three galaxies by distance, padded with NULL.';

COMMENT ON COLUMN staging.diaobject.nearbystar1 IS 'nearbyStar1: Identifier of the nearest star among the Objects of the latest data release within the search radius; a positional match only.';

COMMENT ON COLUMN staging.diaobject.nearbystar2 IS 'nearbyStar2: Identifier of the second nearest star among the Objects of the latest data release within the search radius; a positional match only.';

COMMENT ON COLUMN staging.diaobject.nearbystar3 IS 'nearbyStar3: Identifier of the third nearest star among the Objects of the latest data release within the search radius; a positional match only.';

COMMENT ON COLUMN staging.diaobject.nearbygal1 IS 'nearbyGal1: Identifier of the nearest galaxy among the Objects of the latest data release within the search radius; a positional match only.';

COMMENT ON COLUMN staging.diaobject.nearbygal2 IS 'nearbyGal2: Identifier of the second nearest galaxy among the Objects of the latest data release within the search radius; a positional match only.';

COMMENT ON COLUMN staging.diaobject.nearbygal3 IS 'nearbyGal3: Identifier of the third nearest galaxy among the Objects of the latest data release within the search radius; a positional match only.';

COMMENT ON COLUMN staging.diaobject.nearbystar1dist IS 'nearbyStar1Dist: Distance to nearbyStar1, the nearest star. [arcsec]';

COMMENT ON COLUMN staging.diaobject.nearbystar2dist IS 'nearbyStar2Dist: Distance to nearbyStar2, the second nearest star. [arcsec]';

COMMENT ON COLUMN staging.diaobject.nearbystar3dist IS 'nearbyStar3Dist: Distance to nearbyStar3, the third nearest star. [arcsec]';

COMMENT ON COLUMN staging.diaobject.nearbygal1dist IS 'nearbyGal1Dist: Distance to nearbyGal1, the nearest galaxy. [arcsec]';

COMMENT ON COLUMN staging.diaobject.nearbygal2dist IS 'nearbyGal2Dist: Distance to nearbyGal2, the second nearest galaxy. [arcsec]';

COMMENT ON COLUMN staging.diaobject.nearbygal3dist IS 'nearbyGal3Dist: Distance to nearbyGal3, the third nearest galaxy. [arcsec]';

COMMENT ON COLUMN staging.diaobject.nearbystar1lnp IS 'nearbyStar1LnP: Natural logarithm of the probability that this object and nearbyStar1 are the same, marginalised over both position and proper-motion error ellipses with a prior.';

COMMENT ON COLUMN staging.diaobject.nearbystar2lnp IS 'nearbyStar2LnP: Natural logarithm of the probability that this object and nearbyStar2 are the same, marginalised over both position and proper-motion error ellipses with a prior.';

COMMENT ON COLUMN staging.diaobject.nearbystar3lnp IS 'nearbyStar3LnP: Natural logarithm of the probability that this object and nearbyStar3 are the same, marginalised over both position and proper-motion error ellipses with a prior.';

COMMENT ON COLUMN staging.diaobject.nearbygal1lnp IS 'nearbyGal1LnP: Natural logarithm of the probability that this object and nearbyGal1 are the same, marginalised over both position and proper-motion error ellipses with a prior.';

COMMENT ON COLUMN staging.diaobject.nearbygal2lnp IS 'nearbyGal2LnP: Natural logarithm of the probability that this object and nearbyGal2 are the same, marginalised over both position and proper-motion error ellipses with a prior.';

COMMENT ON COLUMN staging.diaobject.nearbygal3lnp IS 'nearbyGal3LnP: Natural logarithm of the probability that this object and nearbyGal3 are the same, marginalised over both position and proper-motion error ellipses with a prior.';

COMMENT ON COLUMN staging.diaobject.replacestai IS 'replacesTai: createdTai of the version that this row replaces; NULL for a new row.';

COMMENT ON COLUMN staging.diaobject.iswithdrawal IS 'isWithdrawal: True if the replaced version is to be closed without a successor.';

CREATE UNLOGGED TABLE staging.diaobject_s0 PARTITION OF staging.diaobject FOR VALUES IN (0);

CREATE UNLOGGED TABLE staging.diaobject_s1 PARTITION OF staging.diaobject FOR VALUES IN (1);

CREATE UNLOGGED TABLE staging.diaobject_s2 PARTITION OF staging.diaobject FOR VALUES IN (2);

CREATE UNLOGGED TABLE staging.diaobject_s3 PARTITION OF staging.diaobject FOR VALUES IN (3);

CREATE UNLOGGED TABLE staging.diaobject_s4 PARTITION OF staging.diaobject FOR VALUES IN (4);

CREATE UNLOGGED TABLE staging.diaobject_s5 PARTITION OF staging.diaobject FOR VALUES IN (5);

CREATE UNLOGGED TABLE staging.diaobject_s6 PARTITION OF staging.diaobject FOR VALUES IN (6);

CREATE UNLOGGED TABLE staging.diaobject_s7 PARTITION OF staging.diaobject FOR VALUES IN (7);

CREATE TABLE staging.diaobjectfeatures (
	slot SMALLINT NOT NULL, 
	diaobjectid BIGINT, 
	band SMALLINT, 
	lcperiodic REAL[], 
	lcnonperiodic REAL[], 
	replacestai TIMESTAMP WITHOUT TIME ZONE, 
	iswithdrawal BOOLEAN
)
 PARTITION BY LIST (slot);

COMMENT ON TABLE staging.diaobjectfeatures IS 'Rows on their way to DIAObjectFeatures, one partition a slot.';

COMMENT ON COLUMN staging.diaobjectfeatures.slot IS 'slot: Staging slot of the worker that loads the row.';

COMMENT ON COLUMN staging.diaobjectfeatures.diaobjectid IS 'diaObjectId: Identifier of the DIAObject whose light curve is described.';

COMMENT ON COLUMN staging.diaobjectfeatures.band IS 'band: Photometric band of the light curve: 0 to 5 stand for u, g, r, i, z, y.';

COMMENT ON COLUMN staging.diaobjectfeatures.lcperiodic IS 'lcPeriodic: Periodic features of the light curve in this band from a generalised Lomb-Scargle analysis of the DIASources; FeatureDefinition names the 32 elements and gives their units.';

COMMENT ON COLUMN staging.diaobjectfeatures.lcnonperiodic IS 'lcNonPeriodic: Non-periodic features of the light curve in this band; FeatureDefinition names the 20 elements and gives their units.';

COMMENT ON COLUMN staging.diaobjectfeatures.replacestai IS 'replacesTai: createdTai of the version that this row replaces; NULL for a new row.';

COMMENT ON COLUMN staging.diaobjectfeatures.iswithdrawal IS 'isWithdrawal: True if the replaced version is to be closed without a successor.';

CREATE UNLOGGED TABLE staging.diaobjectfeatures_s0 PARTITION OF staging.diaobjectfeatures FOR VALUES IN (0);

CREATE UNLOGGED TABLE staging.diaobjectfeatures_s1 PARTITION OF staging.diaobjectfeatures FOR VALUES IN (1);

CREATE UNLOGGED TABLE staging.diaobjectfeatures_s2 PARTITION OF staging.diaobjectfeatures FOR VALUES IN (2);

CREATE UNLOGGED TABLE staging.diaobjectfeatures_s3 PARTITION OF staging.diaobjectfeatures FOR VALUES IN (3);

CREATE UNLOGGED TABLE staging.diaobjectfeatures_s4 PARTITION OF staging.diaobjectfeatures FOR VALUES IN (4);

CREATE UNLOGGED TABLE staging.diaobjectfeatures_s5 PARTITION OF staging.diaobjectfeatures FOR VALUES IN (5);

CREATE UNLOGGED TABLE staging.diaobjectfeatures_s6 PARTITION OF staging.diaobjectfeatures FOR VALUES IN (6);

CREATE UNLOGGED TABLE staging.diaobjectfeatures_s7 PARTITION OF staging.diaobjectfeatures FOR VALUES IN (7);

CREATE TABLE staging.diasource (
	slot SMALLINT NOT NULL, 
	diasourceid BIGINT, 
	ccdvisitid BIGINT, 
	visitid BIGINT, 
	detector SMALLINT, 
	diaobjectid BIGINT, 
	ssobjectid BIGINT, 
	parentdiasourceid BIGINT, 
	midpointtai DOUBLE PRECISION, 
	ra DOUBLE PRECISION, 
	decl DOUBLE PRECISION, 
	raerr REAL, 
	declerr REAL, 
	radeclcov REAL, 
	hpx29 BIGINT, 
	flags BIGINT, 
	snr REAL, 
	psflux REAL, 
	psfluxerr REAL, 
	totflux REAL, 
	totfluxerr REAL, 
	apflux REAL, 
	apfluxerr REAL, 
	templateid BIGINT, 
	extendedness REAL, 
	spuriousness REAL, 
	x REAL, 
	y REAL, 
	xerr REAL, 
	yerr REAL, 
	xycov REAL, 
	psra DOUBLE PRECISION, 
	psdecl DOUBLE PRECISION, 
	pscov REAL[], 
	pslnl REAL, 
	pschi2 REAL, 
	psndata INTEGER, 
	trailflux REAL, 
	trailra DOUBLE PRECISION, 
	traildecl DOUBLE PRECISION, 
	traillength REAL, 
	trailangle REAL, 
	trailcov REAL[], 
	traillnl REAL, 
	trailchi2 REAL, 
	trailndata INTEGER, 
	dipmeanflux REAL, 
	dipfluxdiff REAL, 
	dipra DOUBLE PRECISION, 
	dipdecl DOUBLE PRECISION, 
	diplength REAL, 
	dipangle REAL, 
	dipcov REAL[], 
	diplnl REAL, 
	dipchi2 REAL, 
	dipndata INTEGER, 
	diffflux REAL, 
	difffluxerr REAL, 
	fpbkgd REAL, 
	fpbkgderr REAL, 
	ixx REAL, 
	iyy REAL, 
	ixy REAL, 
	icov REAL[], 
	ixxpsf REAL, 
	iyypsf REAL, 
	ixypsf REAL, 
	replacestai TIMESTAMP WITHOUT TIME ZONE, 
	iswithdrawal BOOLEAN
)
 PARTITION BY LIST (slot);

COMMENT ON TABLE staging.diasource IS 'Rows on their way to DIASource, one partition a slot.';

COMMENT ON COLUMN staging.diasource.slot IS 'slot: Staging slot of the worker that loads the row.';

COMMENT ON COLUMN staging.diasource.diasourceid IS 'diaSourceId: Unique identifier of this detection. It holds the database, the night, the visit, the detector and a serial number, and is never used again in any database or release.';

COMMENT ON COLUMN staging.diasource.ccdvisitid IS 'ccdVisitId: Identifier of the detector of the visit on which the source was measured. Band, zero point, PSF and noise of the measurement are found in CcdVisit under this key.';

COMMENT ON COLUMN staging.diasource.visitid IS 'visitId: Identifier of the visit, shared by all detectors exposed together.';

COMMENT ON COLUMN staging.diasource.detector IS 'detector: Number of the detector within the camera.';

COMMENT ON COLUMN staging.diasource.diaobjectid IS 'diaObjectId: Identifier of the DIAObject with which the source was associated. NULL for sources of Solar System objects and for parents of deblended sources.';

COMMENT ON COLUMN staging.diasource.ssobjectid IS 'ssObjectId: Identifier of the SSObject to which the source was linked. NULL for all other sources; never set together with diaObjectId.';

COMMENT ON COLUMN staging.diasource.parentdiasourceid IS 'parentDiaSourceId: Identifier of the blended parent from which this source was deblended. NULL for parents and for sources that were not blended.';

COMMENT ON COLUMN staging.diasource.midpointtai IS 'midPointTai: Mid-point of the exposure at the position of this source, as a Modified Julian Date in TAI. It differs across the focal plane because the shutter takes time to travel. [d]';

COMMENT ON COLUMN staging.diasource.ra IS 'ra: Right ascension (ICRS) of the centroid measured on the difference image. [deg]';

COMMENT ON COLUMN staging.diasource.decl IS 'decl: Declination (ICRS) of the centroid measured on the difference image. [deg]';

COMMENT ON COLUMN staging.diasource.raerr IS 'raErr: Standard error of the right ascension times cos(decl), that is sigma(alpha cos delta), from pixel noise alone. The systematic astrometric error of the detector is kept in CcdVisit and is not included. [arcsec]';

COMMENT ON COLUMN staging.diasource.declerr IS 'declErr: Standard error of the declination, from pixel noise alone. The systematic astrometric error of the detector is kept in CcdVisit and is not included. [arcsec]';

COMMENT ON COLUMN staging.diasource.radeclcov IS 'raDeclCov: Covariance between alpha cos(delta) and delta; divided by raErr times declErr it is the correlation coefficient. [arcsec**2]';

COMMENT ON COLUMN staging.diasource.hpx29 IS 'hpx29: HEALPix pixel of order 29 in the nested scheme that holds (ra, decl). Integer division by 4 to the power of (29 - n) gives the pixel of order n.';

COMMENT ON COLUMN staging.diasource.flags IS 'flags: Bit mask of status flags. FlagDefinition gives the name and meaning of each bit.';

COMMENT ON COLUMN staging.diasource.snr IS 'snr: Signal-to-noise ratio at which the detection algorithm found the source: the absolute value of the peak of the PSF-likelihood image in units of its standard deviation. The sign of the change is that of psFlux; the ratio need not equal psFlux/psFluxErr.';

COMMENT ON COLUMN staging.diasource.psflux IS 'psFlux: Flux of the point-source model fitted to the difference image: a flux difference between visit and template, negative where the source has faded. [nJy]';

COMMENT ON COLUMN staging.diasource.psfluxerr IS 'psFluxErr: Standard error of psFlux. [nJy]';

COMMENT ON COLUMN staging.diasource.totflux IS 'totFlux: Total flux: point-source flux measured on the visit image itself, not the difference, with the position held at the centroid found on the difference image. [nJy]';

COMMENT ON COLUMN staging.diasource.totfluxerr IS 'totFluxErr: Standard error of totFlux. [nJy]';

COMMENT ON COLUMN staging.diasource.apflux IS 'apFlux: Calibrated flux in a circular aperture on the difference image: visit minus template, negative where the source has faded. [nJy]';

COMMENT ON COLUMN staging.diasource.apfluxerr IS 'apFluxErr: Standard error of apFlux. [nJy]';

COMMENT ON COLUMN staging.diasource.templateid IS 'templateId: Identifier of the template that was subtracted. Difference fluxes of different templates have different zero levels and must not be averaged without correcting for it.';

COMMENT ON COLUMN staging.diasource.extendedness IS 'extendedness: Measure of extent: 0 for a source that is certainly point-like, 1 for one that is certainly extended.';

COMMENT ON COLUMN staging.diasource.spuriousness IS 'spuriousness: Measure of how likely the source is an artifact: 0 for certainly astrophysical, 1 for certainly spurious. It is formed from the image and from knowledge of telescope and camera only, without regard to neighbours or earlier detections.';

COMMENT ON COLUMN staging.diasource.x IS 'x: Column of the centroid on the detector; pixel centres are at integers and the first column is 0. [pixel]';

COMMENT ON COLUMN staging.diasource.y IS 'y: Row of the centroid on the detector; pixel centres are at integers and the first row is 0. [pixel]';

COMMENT ON COLUMN staging.diasource.xerr IS 'xErr: Standard error of x. [pixel]';

COMMENT ON COLUMN staging.diasource.yerr IS 'yErr: Standard error of y. [pixel]';

COMMENT ON COLUMN staging.diasource.xycov IS 'xyCov: Covariance between x and y. [pixel**2]';

COMMENT ON COLUMN staging.diasource.psra IS 'psRa: Right ascension (ICRS) of the point-source model. [deg]';

COMMENT ON COLUMN staging.diasource.psdecl IS 'psDecl: Declination (ICRS) of the point-source model. [deg]';

COMMENT ON COLUMN staging.diasource.pscov IS 'psCov: Covariance matrix of the point-source parameters (flux, ra, decl), lower triangle row by row: (flux,flux), (ra,flux), (ra,ra), (decl,flux), (decl,ra), (decl,decl). Units are nJy and arcsec; ra stands for alpha cos(delta).';

COMMENT ON COLUMN staging.diasource.pslnl IS 'psLnL: Natural logarithm of the likelihood of the pixels given the best point-source model.';

COMMENT ON COLUMN staging.diasource.pschi2 IS 'psChi2: Chi-square of the best point-source model; it has psNdata - 3 degrees of freedom.';

COMMENT ON COLUMN staging.diasource.psndata IS 'psNdata: Number of pixels used in the point-source fit.';

COMMENT ON COLUMN staging.diasource.trailflux IS 'trailFlux: Flux of the trailed-source model, a straight line convolved with the PSF, fitted to the difference image. The model allows for the gap between the two snaps of a visit; it does not tell in which sense the source moved. [nJy]';

COMMENT ON COLUMN staging.diasource.trailra IS 'trailRa: Right ascension (ICRS) of the middle of the trail. [deg]';

COMMENT ON COLUMN staging.diasource.traildecl IS 'trailDecl: Declination (ICRS) of the middle of the trail. [deg]';

COMMENT ON COLUMN staging.diasource.traillength IS 'trailLength: Maximum-likelihood length of the trail, before convolution with the PSF. [arcsec]';

COMMENT ON COLUMN staging.diasource.trailangle IS 'trailAngle: Maximum-likelihood position angle of the trail from North through East, in the range [0, 180). [deg]';

COMMENT ON COLUMN staging.diasource.trailcov IS 'trailCov: Covariance matrix of the trail parameters (flux, ra, decl, length, angle), lower triangle row by row. Units are nJy, arcsec and degrees; ra stands for alpha cos(delta).';

COMMENT ON COLUMN staging.diasource.traillnl IS 'trailLnL: Natural logarithm of the likelihood of the pixels given the best trailed-source model.';

COMMENT ON COLUMN staging.diasource.trailchi2 IS 'trailChi2: Chi-square of the best trailed-source model; it has trailNdata - 5 degrees of freedom.';

COMMENT ON COLUMN staging.diasource.trailndata IS 'trailNdata: Number of pixels used in the trailed-source fit.';

COMMENT ON COLUMN staging.diasource.dipmeanflux IS 'dipMeanFlux: Mean of the absolute fluxes of the two lobes of the dipole model: two point sources of opposite sign, as left by an object that moved since the template was taken. [nJy]';

COMMENT ON COLUMN staging.diasource.dipfluxdiff IS 'dipFluxDiff: Absolute flux of the positive lobe minus that of the negative lobe of the dipole model. [nJy]';

COMMENT ON COLUMN staging.diasource.dipra IS 'dipRa: Right ascension (ICRS) of the centre between the two lobes of the dipole model. [deg]';

COMMENT ON COLUMN staging.diasource.dipdecl IS 'dipDecl: Declination (ICRS) of the centre between the two lobes of the dipole model. [deg]';

COMMENT ON COLUMN staging.diasource.diplength IS 'dipLength: Maximum-likelihood separation of the two lobes of the dipole model. [arcsec]';

COMMENT ON COLUMN staging.diasource.dipangle IS 'dipAngle: Maximum-likelihood position angle from the negative to the positive lobe, from North through East, in the range [0, 360). [deg]';

COMMENT ON COLUMN staging.diasource.dipcov IS 'dipCov: Covariance matrix of the dipole parameters (mean flux, flux difference, ra, decl, length, angle), lower triangle row by row. Units are nJy, arcsec and degrees; ra stands for alpha cos(delta).';

COMMENT ON COLUMN staging.diasource.diplnl IS 'dipLnL: Natural logarithm of the likelihood of the pixels given the best dipole model.';

COMMENT ON COLUMN staging.diasource.dipchi2 IS 'dipChi2: Chi-square of the best dipole model; it has dipNdata - 6 degrees of freedom.';

COMMENT ON COLUMN staging.diasource.dipndata IS 'dipNdata: Number of pixels used in the dipole fit.';

COMMENT ON COLUMN staging.diasource.diffflux IS 'diffFlux: Point-source flux at (ra, decl) on the difference of the two snaps of the visit, second minus first; it shows changes within some fifteen seconds. NULL for a visit of one snap. [nJy]';

COMMENT ON COLUMN staging.diasource.difffluxerr IS 'diffFluxErr: Standard error of diffFlux. [nJy]';

COMMENT ON COLUMN staging.diasource.fpbkgd IS 'fpBkgd: Surface brightness of the background at the centroid, measured on the template. [nJy/arcsec**2]';

COMMENT ON COLUMN staging.diasource.fpbkgderr IS 'fpBkgdErr: Standard error of fpBkgd. [nJy/arcsec**2]';

COMMENT ON COLUMN staging.diasource.ixx IS 'ixx: Adaptive second moment of the difference flux along East, in the tangent plane at the source (Bernstein and Jarvis 2002). [arcsec**2]';

COMMENT ON COLUMN staging.diasource.iyy IS 'iyy: Adaptive second moment of the difference flux along North, in the tangent plane at the source. [arcsec**2]';

COMMENT ON COLUMN staging.diasource.ixy IS 'ixy: Adaptive mixed second moment of the difference flux along East and North, in the tangent plane at the source. [arcsec**2]';

COMMENT ON COLUMN staging.diasource.icov IS 'icov: Covariance matrix of (ixx, iyy, ixy), lower triangle row by row. [arcsec**4]';

COMMENT ON COLUMN staging.diasource.ixxpsf IS 'ixxPSF: Adaptive second moment of the PSF along East at the position of the source. [arcsec**2]';

COMMENT ON COLUMN staging.diasource.iyypsf IS 'iyyPSF: Adaptive second moment of the PSF along North at the position of the source. [arcsec**2]';

COMMENT ON COLUMN staging.diasource.ixypsf IS 'ixyPSF: Adaptive mixed second moment of the PSF along East and North at the position of the source. [arcsec**2]';

COMMENT ON COLUMN staging.diasource.replacestai IS 'replacesTai: createdTai of the version that this row replaces; NULL for a new row.';

COMMENT ON COLUMN staging.diasource.iswithdrawal IS 'isWithdrawal: True if the replaced version is to be closed without a successor.';

CREATE UNLOGGED TABLE staging.diasource_s0 PARTITION OF staging.diasource FOR VALUES IN (0);

CREATE UNLOGGED TABLE staging.diasource_s1 PARTITION OF staging.diasource FOR VALUES IN (1);

CREATE UNLOGGED TABLE staging.diasource_s2 PARTITION OF staging.diasource FOR VALUES IN (2);

CREATE UNLOGGED TABLE staging.diasource_s3 PARTITION OF staging.diasource FOR VALUES IN (3);

CREATE UNLOGGED TABLE staging.diasource_s4 PARTITION OF staging.diasource FOR VALUES IN (4);

CREATE UNLOGGED TABLE staging.diasource_s5 PARTITION OF staging.diasource FOR VALUES IN (5);

CREATE UNLOGGED TABLE staging.diasource_s6 PARTITION OF staging.diasource FOR VALUES IN (6);

CREATE UNLOGGED TABLE staging.diasource_s7 PARTITION OF staging.diasource FOR VALUES IN (7);

CREATE TABLE staging.ssobject (
	slot SMALLINT NOT NULL, 
	ssobjectid BIGINT, 
	designation TEXT, 
	ndiasources INTEGER, 
	q DOUBLE PRECISION, 
	e DOUBLE PRECISION, 
	inc DOUBLE PRECISION, 
	node DOUBLE PRECISION, 
	argperi DOUBLE PRECISION, 
	meananomaly DOUBLE PRECISION, 
	epoch DOUBLE PRECISION, 
	oecov DOUBLE PRECISION[], 
	arc REAL, 
	orbfitlnl REAL, 
	orbfitchi2 REAL, 
	orbfitndata INTEGER, 
	moid1 REAL, 
	moid2 REAL, 
	moidlon1 DOUBLE PRECISION, 
	moidlon2 DOUBLE PRECISION, 
	uh REAL, 
	gh REAL, 
	rh REAL, 
	ih REAL, 
	zh REAL, 
	yh REAL, 
	ug1 REAL, 
	gg1 REAL, 
	rg1 REAL, 
	ig1 REAL, 
	zg1 REAL, 
	yg1 REAL, 
	ug2 REAL, 
	gg2 REAL, 
	rg2 REAL, 
	ig2 REAL, 
	zg2 REAL, 
	yg2 REAL, 
	uherr REAL, 
	gherr REAL, 
	rherr REAL, 
	iherr REAL, 
	zherr REAL, 
	yherr REAL, 
	ug1err REAL, 
	gg1err REAL, 
	rg1err REAL, 
	ig1err REAL, 
	zg1err REAL, 
	yg1err REAL, 
	ug2err REAL, 
	gg2err REAL, 
	rg2err REAL, 
	ig2err REAL, 
	zg2err REAL, 
	yg2err REAL, 
	flags BIGINT, 
	replacestai TIMESTAMP WITHOUT TIME ZONE, 
	iswithdrawal BOOLEAN
)
 PARTITION BY LIST (slot);

COMMENT ON TABLE staging.ssobject IS 'Rows on their way to SSObject, one partition a slot.';

COMMENT ON COLUMN staging.ssobject.slot IS 'slot: Staging slot of the worker that loads the row.';

COMMENT ON COLUMN staging.ssobject.ssobjectid IS 'ssObjectId: Unique identifier of the object, never used again in any database or release.';

COMMENT ON COLUMN staging.ssobject.designation IS 'designation: Designation of the body by the Minor Planet Center, where it has one; it links the same body between databases and releases.';

COMMENT ON COLUMN staging.ssobject.ndiasources IS 'nDiaSources: Number of DIASources linked to the object.';

COMMENT ON COLUMN staging.ssobject.q IS 'q: Perihelion distance of the osculating orbit. [AU]';

COMMENT ON COLUMN staging.ssobject.e IS 'e: Eccentricity of the osculating orbit; above 1 for a hyperbolic one.';

COMMENT ON COLUMN staging.ssobject.inc IS 'inc: Inclination of the osculating orbit to the ecliptic of J2000. [deg]';

COMMENT ON COLUMN staging.ssobject.node IS 'node: Longitude of the ascending node of the osculating orbit on the ecliptic of J2000. [deg]';

COMMENT ON COLUMN staging.ssobject.argperi IS 'argPeri: Argument of perihelion of the osculating orbit, from the ascending node in the direction of motion. [deg]';

COMMENT ON COLUMN staging.ssobject.meananomaly IS 'meanAnomaly: Mean anomaly of the osculating orbit at the epoch of the elements. [deg]';

COMMENT ON COLUMN staging.ssobject.epoch IS 'epoch: Epoch at which the elements osculate, as a Modified Julian Date in TDB. [d]';

COMMENT ON COLUMN staging.ssobject.oecov IS 'oeCov: Covariance matrix of the elements (q, e, inc, node, argPeri, meanAnomaly, epoch), lower triangle row by row, in AU, degrees and days. The epoch is not fitted, so its row is zero.';

COMMENT ON COLUMN staging.ssobject.arc IS 'arc: Time between the first and the last observation used in the orbit fit. [d]';

COMMENT ON COLUMN staging.ssobject.orbfitlnl IS 'orbFitLnL: Natural logarithm of the likelihood of the observed positions given the fitted orbit.';

COMMENT ON COLUMN staging.ssobject.orbfitchi2 IS 'orbFitChi2: Chi-square of the orbit fit; it has 2 orbFitNdata - 6 degrees of freedom.';

COMMENT ON COLUMN staging.ssobject.orbfitndata IS 'orbFitNdata: Number of observations used in the orbit fit.';

COMMENT ON COLUMN staging.ssobject.moid1 IS 'moid1: Smallest distance between the orbit of the object and that of the Earth. [AU]';

COMMENT ON COLUMN staging.ssobject.moid2 IS 'moid2: Second local minimum of the distance between the orbit of the object and that of the Earth; NULL where there is only one. [AU]';

COMMENT ON COLUMN staging.ssobject.moidlon1 IS 'moidLon1: Heliocentric ecliptic longitude (J2000) of the point on the orbit of the Earth at which moid1 is reached. [deg]';

COMMENT ON COLUMN staging.ssobject.moidlon2 IS 'moidLon2: Heliocentric ecliptic longitude (J2000) of the point on the orbit of the Earth at which moid2 is reached. [deg]';

COMMENT ON COLUMN staging.ssobject.uh IS 'uH: Absolute magnitude in the u band (AB): the mean magnitude at 1 AU from Sun and observer at zero phase angle, in the H, G1, G2 system of Muinonen et al. (2010). [mag]';

COMMENT ON COLUMN staging.ssobject.gh IS 'gH: Absolute magnitude in the g band (AB): the mean magnitude at 1 AU from Sun and observer at zero phase angle, in the H, G1, G2 system of Muinonen et al. (2010). [mag]';

COMMENT ON COLUMN staging.ssobject.rh IS 'rH: Absolute magnitude in the r band (AB): the mean magnitude at 1 AU from Sun and observer at zero phase angle, in the H, G1, G2 system of Muinonen et al. (2010). [mag]';

COMMENT ON COLUMN staging.ssobject.ih IS 'iH: Absolute magnitude in the i band (AB): the mean magnitude at 1 AU from Sun and observer at zero phase angle, in the H, G1, G2 system of Muinonen et al. (2010). [mag]';

COMMENT ON COLUMN staging.ssobject.zh IS 'zH: Absolute magnitude in the z band (AB): the mean magnitude at 1 AU from Sun and observer at zero phase angle, in the H, G1, G2 system of Muinonen et al. (2010). [mag]';

COMMENT ON COLUMN staging.ssobject.yh IS 'yH: Absolute magnitude in the y band (AB): the mean magnitude at 1 AU from Sun and observer at zero phase angle, in the H, G1, G2 system of Muinonen et al. (2010). [mag]';

COMMENT ON COLUMN staging.ssobject.ug1 IS 'uG1: Slope parameter G1 of the phase function in the u band.';

COMMENT ON COLUMN staging.ssobject.gg1 IS 'gG1: Slope parameter G1 of the phase function in the g band.';

COMMENT ON COLUMN staging.ssobject.rg1 IS 'rG1: Slope parameter G1 of the phase function in the r band.';

COMMENT ON COLUMN staging.ssobject.ig1 IS 'iG1: Slope parameter G1 of the phase function in the i band.';

COMMENT ON COLUMN staging.ssobject.zg1 IS 'zG1: Slope parameter G1 of the phase function in the z band.';

COMMENT ON COLUMN staging.ssobject.yg1 IS 'yG1: Slope parameter G1 of the phase function in the y band.';

COMMENT ON COLUMN staging.ssobject.ug2 IS 'uG2: Slope parameter G2 of the phase function in the u band.';

COMMENT ON COLUMN staging.ssobject.gg2 IS 'gG2: Slope parameter G2 of the phase function in the g band.';

COMMENT ON COLUMN staging.ssobject.rg2 IS 'rG2: Slope parameter G2 of the phase function in the r band.';

COMMENT ON COLUMN staging.ssobject.ig2 IS 'iG2: Slope parameter G2 of the phase function in the i band.';

COMMENT ON COLUMN staging.ssobject.zg2 IS 'zG2: Slope parameter G2 of the phase function in the z band.';

COMMENT ON COLUMN staging.ssobject.yg2 IS 'yG2: Slope parameter G2 of the phase function in the y band.';

COMMENT ON COLUMN staging.ssobject.uherr IS 'uHErr: Standard error of uH. [mag]';

COMMENT ON COLUMN staging.ssobject.gherr IS 'gHErr: Standard error of gH. [mag]';

COMMENT ON COLUMN staging.ssobject.rherr IS 'rHErr: Standard error of rH. [mag]';

COMMENT ON COLUMN staging.ssobject.iherr IS 'iHErr: Standard error of iH. [mag]';

COMMENT ON COLUMN staging.ssobject.zherr IS 'zHErr: Standard error of zH. [mag]';

COMMENT ON COLUMN staging.ssobject.yherr IS 'yHErr: Standard error of yH. [mag]';

COMMENT ON COLUMN staging.ssobject.ug1err IS 'uG1Err: Standard error of uG1; NULL where the slope was assumed and not fitted.';

COMMENT ON COLUMN staging.ssobject.gg1err IS 'gG1Err: Standard error of gG1; NULL where the slope was assumed and not fitted.';

COMMENT ON COLUMN staging.ssobject.rg1err IS 'rG1Err: Standard error of rG1; NULL where the slope was assumed and not fitted.';

COMMENT ON COLUMN staging.ssobject.ig1err IS 'iG1Err: Standard error of iG1; NULL where the slope was assumed and not fitted.';

COMMENT ON COLUMN staging.ssobject.zg1err IS 'zG1Err: Standard error of zG1; NULL where the slope was assumed and not fitted.';

COMMENT ON COLUMN staging.ssobject.yg1err IS 'yG1Err: Standard error of yG1; NULL where the slope was assumed and not fitted.';

COMMENT ON COLUMN staging.ssobject.ug2err IS 'uG2Err: Standard error of uG2; NULL where the slope was assumed and not fitted.';

COMMENT ON COLUMN staging.ssobject.gg2err IS 'gG2Err: Standard error of gG2; NULL where the slope was assumed and not fitted.';

COMMENT ON COLUMN staging.ssobject.rg2err IS 'rG2Err: Standard error of rG2; NULL where the slope was assumed and not fitted.';

COMMENT ON COLUMN staging.ssobject.ig2err IS 'iG2Err: Standard error of iG2; NULL where the slope was assumed and not fitted.';

COMMENT ON COLUMN staging.ssobject.zg2err IS 'zG2Err: Standard error of zG2; NULL where the slope was assumed and not fitted.';

COMMENT ON COLUMN staging.ssobject.yg2err IS 'yG2Err: Standard error of yG2; NULL where the slope was assumed and not fitted.';

COMMENT ON COLUMN staging.ssobject.flags IS 'flags: Bit mask of status flags. FlagDefinition gives the name and meaning of each bit.';

COMMENT ON COLUMN staging.ssobject.replacestai IS 'replacesTai: createdTai of the version that this row replaces; NULL for a new row.';

COMMENT ON COLUMN staging.ssobject.iswithdrawal IS 'isWithdrawal: True if the replaced version is to be closed without a successor.';

CREATE UNLOGGED TABLE staging.ssobject_s0 PARTITION OF staging.ssobject FOR VALUES IN (0);

CREATE UNLOGGED TABLE staging.ssobject_s1 PARTITION OF staging.ssobject FOR VALUES IN (1);

CREATE UNLOGGED TABLE staging.ssobject_s2 PARTITION OF staging.ssobject FOR VALUES IN (2);

CREATE UNLOGGED TABLE staging.ssobject_s3 PARTITION OF staging.ssobject FOR VALUES IN (3);

CREATE UNLOGGED TABLE staging.ssobject_s4 PARTITION OF staging.ssobject FOR VALUES IN (4);

CREATE UNLOGGED TABLE staging.ssobject_s5 PARTITION OF staging.ssobject FOR VALUES IN (5);

CREATE UNLOGGED TABLE staging.ssobject_s6 PARTITION OF staging.ssobject FOR VALUES IN (6);

CREATE UNLOGGED TABLE staging.ssobject_s7 PARTITION OF staging.ssobject FOR VALUES IN (7);

CREATE TABLE staging.sssource (
	slot SMALLINT NOT NULL, 
	diasourceid BIGINT, 
	ssobjectid BIGINT, 
	midpointtai DOUBLE PRECISION, 
	heliocentricdist DOUBLE PRECISION, 
	topocentricdist DOUBLE PRECISION, 
	observersundist DOUBLE PRECISION, 
	phaseangle DOUBLE PRECISION, 
	elongation DOUBLE PRECISION, 
	heliox DOUBLE PRECISION, 
	helioy DOUBLE PRECISION, 
	helioz DOUBLE PRECISION, 
	heliovx DOUBLE PRECISION, 
	heliovy DOUBLE PRECISION, 
	heliovz DOUBLE PRECISION, 
	topox DOUBLE PRECISION, 
	topoy DOUBLE PRECISION, 
	topoz DOUBLE PRECISION, 
	topovx DOUBLE PRECISION, 
	topovy DOUBLE PRECISION, 
	topovz DOUBLE PRECISION, 
	ecllon DOUBLE PRECISION, 
	ecllat DOUBLE PRECISION, 
	gallon DOUBLE PRECISION, 
	gallat DOUBLE PRECISION, 
	rarate REAL, 
	declrate REAL, 
	predictedra DOUBLE PRECISION, 
	predicteddecl DOUBLE PRECISION, 
	predictedraerr REAL, 
	predicteddeclerr REAL, 
	residualra REAL, 
	residualdecl REAL, 
	replacestai TIMESTAMP WITHOUT TIME ZONE, 
	iswithdrawal BOOLEAN
)
 PARTITION BY LIST (slot);

COMMENT ON TABLE staging.sssource IS 'Rows on their way to SSSource, one partition a slot.';

COMMENT ON COLUMN staging.sssource.slot IS 'slot: Staging slot of the worker that loads the row.';

COMMENT ON COLUMN staging.sssource.diasourceid IS 'diaSourceId: Identifier of the DIASource; the row exists once per observation.';

COMMENT ON COLUMN staging.sssource.ssobjectid IS 'ssObjectId: Identifier of the SSObject to which the DIASource was linked.';

COMMENT ON COLUMN staging.sssource.midpointtai IS 'midPointTai: Mid-point of the exposure at the position of the source, as a Modified Julian Date in TAI. [d]';

COMMENT ON COLUMN staging.sssource.heliocentricdist IS 'heliocentricDist: Distance r between Sun and object. [AU]';

COMMENT ON COLUMN staging.sssource.topocentricdist IS 'topocentricDist: Distance delta between observer and object. [AU]';

COMMENT ON COLUMN staging.sssource.observersundist IS 'observerSunDist: Distance R between observer and Sun. [AU]';

COMMENT ON COLUMN staging.sssource.phaseangle IS 'phaseAngle: Topocentric phase angle: the angle at the object between the directions to the Sun and to the observer. [deg]';

COMMENT ON COLUMN staging.sssource.elongation IS 'elongation: Solar elongation: the angle at the observer between the directions to the Sun and to the object. [deg]';

COMMENT ON COLUMN staging.sssource.heliox IS 'helioX: Heliocentric position of the object along the ICRS x axis (vernal equinox). [AU]';

COMMENT ON COLUMN staging.sssource.helioy IS 'helioY: Heliocentric position of the object along the ICRS y axis. [AU]';

COMMENT ON COLUMN staging.sssource.helioz IS 'helioZ: Heliocentric position of the object along the ICRS z axis (north celestial pole). [AU]';

COMMENT ON COLUMN staging.sssource.heliovx IS 'helioVx: Heliocentric velocity of the object along the ICRS x axis. [AU/d]';

COMMENT ON COLUMN staging.sssource.heliovy IS 'helioVy: Heliocentric velocity of the object along the ICRS y axis. [AU/d]';

COMMENT ON COLUMN staging.sssource.heliovz IS 'helioVz: Heliocentric velocity of the object along the ICRS z axis. [AU/d]';

COMMENT ON COLUMN staging.sssource.topox IS 'topoX: Topocentric position of the object along the ICRS x axis. [AU]';

COMMENT ON COLUMN staging.sssource.topoy IS 'topoY: Topocentric position of the object along the ICRS y axis. [AU]';

COMMENT ON COLUMN staging.sssource.topoz IS 'topoZ: Topocentric position of the object along the ICRS z axis. [AU]';

COMMENT ON COLUMN staging.sssource.topovx IS 'topoVx: Topocentric velocity of the object along the ICRS x axis. [AU/d]';

COMMENT ON COLUMN staging.sssource.topovy IS 'topoVy: Topocentric velocity of the object along the ICRS y axis. [AU/d]';

COMMENT ON COLUMN staging.sssource.topovz IS 'topoVz: Topocentric velocity of the object along the ICRS z axis. [AU/d]';

COMMENT ON COLUMN staging.sssource.ecllon IS 'eclLon: Ecliptic longitude (J2000) of the source as seen by the observer. [deg]';

COMMENT ON COLUMN staging.sssource.ecllat IS 'eclLat: Ecliptic latitude (J2000) of the source as seen by the observer. [deg]';

COMMENT ON COLUMN staging.sssource.gallon IS 'galLon: Galactic longitude of the source. [deg]';

COMMENT ON COLUMN staging.sssource.gallat IS 'galLat: Galactic latitude of the source. [deg]';

COMMENT ON COLUMN staging.sssource.rarate IS 'raRate: Predicted apparent motion in right ascension times cos(decl). [deg/d]';

COMMENT ON COLUMN staging.sssource.declrate IS 'declRate: Predicted apparent motion in declination. [deg/d]';

COMMENT ON COLUMN staging.sssource.predictedra IS 'predictedRa: Right ascension (ICRS, astrometric) predicted by the orbit for midPointTai. [deg]';

COMMENT ON COLUMN staging.sssource.predicteddecl IS 'predictedDecl: Declination (ICRS, astrometric) predicted by the orbit for midPointTai. [deg]';

COMMENT ON COLUMN staging.sssource.predictedraerr IS 'predictedRaErr: Standard error of predictedRa times cos(decl), from the covariance of the orbit. [arcsec]';

COMMENT ON COLUMN staging.sssource.predicteddeclerr IS 'predictedDeclErr: Standard error of predictedDecl, from the covariance of the orbit. [arcsec]';

COMMENT ON COLUMN staging.sssource.residualra IS 'residualRa: Observed minus predicted right ascension, times cos(decl). [arcsec]';

COMMENT ON COLUMN staging.sssource.residualdecl IS 'residualDecl: Observed minus predicted declination. [arcsec]';

COMMENT ON COLUMN staging.sssource.replacestai IS 'replacesTai: createdTai of the version that this row replaces; NULL for a new row.';

COMMENT ON COLUMN staging.sssource.iswithdrawal IS 'isWithdrawal: True if the replaced version is to be closed without a successor.';

CREATE UNLOGGED TABLE staging.sssource_s0 PARTITION OF staging.sssource FOR VALUES IN (0);

CREATE UNLOGGED TABLE staging.sssource_s1 PARTITION OF staging.sssource FOR VALUES IN (1);

CREATE UNLOGGED TABLE staging.sssource_s2 PARTITION OF staging.sssource FOR VALUES IN (2);

CREATE UNLOGGED TABLE staging.sssource_s3 PARTITION OF staging.sssource FOR VALUES IN (3);

CREATE UNLOGGED TABLE staging.sssource_s4 PARTITION OF staging.sssource FOR VALUES IN (4);

CREATE UNLOGGED TABLE staging.sssource_s5 PARTITION OF staging.sssource FOR VALUES IN (5);

CREATE UNLOGGED TABLE staging.sssource_s6 PARTITION OF staging.sssource FOR VALUES IN (6);

CREATE UNLOGGED TABLE staging.sssource_s7 PARTITION OF staging.sssource FOR VALUES IN (7);

CREATE TABLE staging.template (
	slot SMALLINT NOT NULL, 
	templateid BIGINT, 
	instrument TEXT, 
	band TEXT, 
	ra DOUBLE PRECISION, 
	decl DOUBLE PRECISION, 
	nvisits INTEGER, 
	inputccdvisitids BIGINT[], 
	begintai DOUBLE PRECISION, 
	endtai DOUBLE PRECISION, 
	meantai DOUBLE PRECISION, 
	airmass REAL, 
	seeing REAL, 
	pixelscale REAL, 
	limitingflux REAL, 
	footprint DOUBLE PRECISION[], 
	wcsheader TEXT, 
	path TEXT, 
	provenanceid BIGINT, 
	replacestai TIMESTAMP WITHOUT TIME ZONE, 
	iswithdrawal BOOLEAN
)
 PARTITION BY LIST (slot);

COMMENT ON TABLE staging.template IS 'Rows on their way to Template, one partition a slot.';

COMMENT ON COLUMN staging.template.slot IS 'slot: Staging slot of the worker that loads the row.';

COMMENT ON COLUMN staging.template.templateid IS 'templateId: Unique identifier of the template.';

COMMENT ON COLUMN staging.template.instrument IS 'instrument: Name of the instrument whose visits were combined, as in its description file.';

COMMENT ON COLUMN staging.template.band IS 'band: Photometric band: one of u, g, r, i, z, y.';

COMMENT ON COLUMN staging.template.ra IS 'ra: Right ascension (ICRS) of the centre of the template. [deg]';

COMMENT ON COLUMN staging.template.decl IS 'decl: Declination (ICRS) of the centre of the template. [deg]';

COMMENT ON COLUMN staging.template.nvisits IS 'nVisits: Number of detector images that were combined.';

COMMENT ON COLUMN staging.template.inputccdvisitids IS 'inputCcdVisitIds: Identifiers of the detector images that were combined; key into CcdVisit where they were published.';

COMMENT ON COLUMN staging.template.begintai IS 'beginTai: Mid-exposure time of the earliest input, as a Modified Julian Date in TAI. [d]';

COMMENT ON COLUMN staging.template.endtai IS 'endTai: Mid-exposure time of the latest input, as a Modified Julian Date in TAI. [d]';

COMMENT ON COLUMN staging.template.meantai IS 'meanTai: Mean of the mid-exposure times of the inputs, weighted as they were combined, as a Modified Julian Date in TAI. [d]';

COMMENT ON COLUMN staging.template.airmass IS 'airmass: Mean airmass of the inputs, weighted as they were combined.';

COMMENT ON COLUMN staging.template.seeing IS 'seeing: Full width at half maximum of the PSF of the template. [arcsec]';

COMMENT ON COLUMN staging.template.pixelscale IS 'pixelScale: Size of a pixel on the sky at the centre of the template: the square root of its area. [arcsec/pixel]';

COMMENT ON COLUMN staging.template.limitingflux IS 'limitingFlux: Flux of a point source at a signal-to-noise ratio of 5, the median over the template. [nJy]';

COMMENT ON COLUMN staging.template.footprint IS 'footprint: Outline of the template on the sky (ICRS) as a polygon of great circles: right ascension and declination of the four corners, in the order lower left, lower right, upper right, upper left. [deg]';

COMMENT ON COLUMN staging.template.wcsheader IS 'wcsHeader: Astrometric solution as the cards of a FITS header, separated by line breaks.';

COMMENT ON COLUMN staging.template.path IS 'path: Path of the image relative to the image store; NULL if it is no longer kept.';

COMMENT ON COLUMN staging.template.provenanceid IS 'provenanceId: Identifier of the software, configuration and inputs that produced the template; key into Provenance.';

COMMENT ON COLUMN staging.template.replacestai IS 'replacesTai: createdTai of the version that this row replaces; NULL for a new row.';

COMMENT ON COLUMN staging.template.iswithdrawal IS 'isWithdrawal: True if the replaced version is to be closed without a successor.';

CREATE UNLOGGED TABLE staging.template_s0 PARTITION OF staging.template FOR VALUES IN (0);

CREATE UNLOGGED TABLE staging.template_s1 PARTITION OF staging.template FOR VALUES IN (1);

CREATE UNLOGGED TABLE staging.template_s2 PARTITION OF staging.template FOR VALUES IN (2);

CREATE UNLOGGED TABLE staging.template_s3 PARTITION OF staging.template FOR VALUES IN (3);

CREATE UNLOGGED TABLE staging.template_s4 PARTITION OF staging.template FOR VALUES IN (4);

CREATE UNLOGGED TABLE staging.template_s5 PARTITION OF staging.template FOR VALUES IN (5);

CREATE UNLOGGED TABLE staging.template_s6 PARTITION OF staging.template FOR VALUES IN (6);

CREATE UNLOGGED TABLE staging.template_s7 PARTITION OF staging.template FOR VALUES IN (7);

CREATE TABLE staging.visit (
	slot SMALLINT NOT NULL, 
	visitid BIGINT, 
	instrument TEXT, 
	band TEXT, 
	filtername TEXT, 
	programid TEXT, 
	ra DOUBLE PRECISION, 
	decl DOUBLE PRECISION, 
	rotation DOUBLE PRECISION, 
	begintai DOUBLE PRECISION, 
	midpointtai DOUBLE PRECISION, 
	endtai DOUBLE PRECISION, 
	readoutendtai DOUBLE PRECISION, 
	exposuretime DOUBLE PRECISION, 
	nsnaps SMALLINT, 
	airmass REAL, 
	istemplate BOOLEAN, 
	provenanceid BIGINT, 
	replacestai TIMESTAMP WITHOUT TIME ZONE, 
	iswithdrawal BOOLEAN
)
 PARTITION BY LIST (slot);

COMMENT ON TABLE staging.visit IS 'Rows on their way to Visit, one partition a slot.';

COMMENT ON COLUMN staging.visit.slot IS 'slot: Staging slot of the worker that loads the row.';

COMMENT ON COLUMN staging.visit.visitid IS 'visitId: Unique identifier of the visit, formed from the night and the number of the visit within it; the same in every database and release.';

COMMENT ON COLUMN staging.visit.instrument IS 'instrument: Name of the instrument, as in its description file.';

COMMENT ON COLUMN staging.visit.band IS 'band: Photometric band: one of u, g, r, i, z, y.';

COMMENT ON COLUMN staging.visit.filtername IS 'filterName: Name of the physical filter as the observatory writes it.';

COMMENT ON COLUMN staging.visit.programid IS 'programId: Observing programme to which the visit belongs, such as the main survey or a special programme.';

COMMENT ON COLUMN staging.visit.ra IS 'ra: Right ascension (ICRS) of the boresight at mid-exposure. [deg]';

COMMENT ON COLUMN staging.visit.decl IS 'decl: Declination (ICRS) of the boresight at mid-exposure. [deg]';

COMMENT ON COLUMN staging.visit.rotation IS 'rotation: Position angle on the sky of the +y axis of the focal plane, from North through East. [deg]';

COMMENT ON COLUMN staging.visit.begintai IS 'beginTai: Start of the first snap, as a Modified Julian Date in TAI. [d]';

COMMENT ON COLUMN staging.visit.midpointtai IS 'midPointTai: Mid-point of the visit at the centre of the focal plane, as a Modified Julian Date in TAI. [d]';

COMMENT ON COLUMN staging.visit.endtai IS 'endTai: End of the last snap, as a Modified Julian Date in TAI. [d]';

COMMENT ON COLUMN staging.visit.readoutendtai IS 'readoutEndTai: End of the readout of the last snap, as a Modified Julian Date in TAI: the instant from which the latency of alerts is counted. [d]';

COMMENT ON COLUMN staging.visit.exposuretime IS 'exposureTime: Time the shutter was open, all snaps of the visit together. [s]';

COMMENT ON COLUMN staging.visit.nsnaps IS 'nSnaps: Number of snaps combined into the visit.';

COMMENT ON COLUMN staging.visit.airmass IS 'airmass: Airmass at the boresight at mid-exposure; the usual approximations may give slightly less than 1 at the zenith.';

COMMENT ON COLUMN staging.visit.istemplate IS 'isTemplate: True for visits of the season set apart for building templates; these are not searched for changes.';

COMMENT ON COLUMN staging.visit.provenanceid IS 'provenanceId: Identifier of the software, configuration and inputs that produced the row; key into Provenance.';

COMMENT ON COLUMN staging.visit.replacestai IS 'replacesTai: createdTai of the version that this row replaces; NULL for a new row.';

COMMENT ON COLUMN staging.visit.iswithdrawal IS 'isWithdrawal: True if the replaced version is to be closed without a successor.';

CREATE UNLOGGED TABLE staging.visit_s0 PARTITION OF staging.visit FOR VALUES IN (0);

CREATE UNLOGGED TABLE staging.visit_s1 PARTITION OF staging.visit FOR VALUES IN (1);

CREATE UNLOGGED TABLE staging.visit_s2 PARTITION OF staging.visit FOR VALUES IN (2);

CREATE UNLOGGED TABLE staging.visit_s3 PARTITION OF staging.visit FOR VALUES IN (3);

CREATE UNLOGGED TABLE staging.visit_s4 PARTITION OF staging.visit FOR VALUES IN (4);

CREATE UNLOGGED TABLE staging.visit_s5 PARTITION OF staging.visit FOR VALUES IN (5);

CREATE UNLOGGED TABLE staging.visit_s6 PARTITION OF staging.visit FOR VALUES IN (6);

CREATE UNLOGGED TABLE staging.visit_s7 PARTITION OF staging.visit FOR VALUES IN (7);
