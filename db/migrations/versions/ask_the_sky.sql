-- What the query service keeps: schema service. Costs nothing in a full database.
CREATE SCHEMA service;
COMMENT ON SCHEMA service IS 'What the query service keeps: its metadata, jobs and the log of queries.';
CREATE SEQUENCE service.query_id;
CREATE TABLE service.job (
	jobid TEXT NOT NULL, 
	runid TEXT, 
	ownername TEXT, 
	phase TEXT NOT NULL, 
	databasename TEXT NOT NULL, 
	parameters JSONB NOT NULL, 
	instanttai TIMESTAMP WITHOUT TIME ZONE, 
	createdtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	startedtai TIMESTAMP WITHOUT TIME ZONE, 
	endedtai TIMESTAMP WITHOUT TIME ZONE, 
	destructiontai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	executionseconds INTEGER NOT NULL, 
	mediatype TEXT, 
	nrows BIGINT, 
	nbytes BIGINT, 
	istruncated BOOLEAN, 
	message TEXT, 
	worker TEXT, 
	CONSTRAINT job_pkey PRIMARY KEY (jobid), 
	CONSTRAINT job_rule1 CHECK (phase IN ('PENDING', 'QUEUED', 'EXECUTING', 'COMPLETED', 'ERROR', 'ABORTED')), 
	CONSTRAINT job_rule2 CHECK ((phase = 'EXECUTING') <= (worker IS NOT NULL)), 
	CONSTRAINT job_values CHECK (executionseconds >= 0 AND LEAST(nrows, nbytes) >= 0)
);
COMMENT ON TABLE service.job IS 'Queries that run in the background (UWS 1.1): what was asked, of which database, as of which instant, and what became of it. Results lie as files beside the service.';
COMMENT ON COLUMN service.job.jobid IS 'jobId: Name of the job, which nobody can guess.';
COMMENT ON COLUMN service.job.runid IS 'runId: Name that the client gave the job.';
COMMENT ON COLUMN service.job.ownername IS 'ownerName: Person the job belongs to; NULL for nobody''s.';
COMMENT ON COLUMN service.job.phase IS 'phase: PENDING, QUEUED, EXECUTING, COMPLETED, ERROR or ABORTED.';
COMMENT ON COLUMN service.job.databasename IS 'databaseName: Virtual database that was asked, as it was named.';
COMMENT ON COLUMN service.job.parameters IS 'parameters: Parameters of the request as they were given, by their upper-case names.';
COMMENT ON COLUMN service.job.instanttai IS 'instantTai: Instant of ledger time (TAI) as of which the answer is; NULL before it is known.';
COMMENT ON COLUMN service.job.createdtai IS 'createdTai: Ledger time (TAI) at which the job was made.';
COMMENT ON COLUMN service.job.startedtai IS 'startedTai: Ledger time (TAI) at which the job began to run.';
COMMENT ON COLUMN service.job.endedtai IS 'endedTai: Ledger time (TAI) at which the job ended, however it did.';
COMMENT ON COLUMN service.job.destructiontai IS 'destructionTai: Ledger time (TAI) at which job and result are thrown away.';
COMMENT ON COLUMN service.job.executionseconds IS 'executionSeconds: Longest time that the job may run; 0 for no limit of its own. [s]';
COMMENT ON COLUMN service.job.mediatype IS 'mediaType: Media type of the result.';
COMMENT ON COLUMN service.job.nrows IS 'nRows: Rows of the result.';
COMMENT ON COLUMN service.job.nbytes IS 'nBytes: Size of the result. [byte]';
COMMENT ON COLUMN service.job.istruncated IS 'isTruncated: True if the result was cut at the row limit.';
COMMENT ON COLUMN service.job.message IS 'message: Why the job failed or was ended.';
COMMENT ON COLUMN service.job.worker IS 'worker: Process that runs the job, and the session that shows it is alive.';
CREATE INDEX job_ownername_createdtai_idx ON service.job (ownername, createdtai);
CREATE INDEX job_phase_createdtai_idx ON service.job (phase, createdtai);
CREATE TABLE service.jobupload (
	jobid TEXT NOT NULL, 
	tablename TEXT NOT NULL, 
	mediatype TEXT, 
	content BYTEA NOT NULL, 
	CONSTRAINT jobupload_pkey PRIMARY KEY (jobid, tablename)
);
COMMENT ON TABLE service.jobupload IS 'Tables that came with the query of a job, as they were sent.';
COMMENT ON COLUMN service.jobupload.jobid IS 'jobId: Name of the job.';
COMMENT ON COLUMN service.jobupload.tablename IS 'tableName: Name of the table in schema tap_upload.';
COMMENT ON COLUMN service.jobupload.mediatype IS 'mediaType: Media type that the client stated.';
COMMENT ON COLUMN service.jobupload.content IS 'content: The file as it was sent.';
CREATE TABLE service.querylog (
	queryid BIGINT NOT NULL, 
	personname TEXT, 
	client TEXT, 
	door TEXT NOT NULL, 
	databasename TEXT NOT NULL, 
	instanttai TIMESTAMP WITHOUT TIME ZONE, 
	query TEXT NOT NULL, 
	startedtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	seconds DOUBLE PRECISION NOT NULL, 
	nrows BIGINT, 
	nbytes BIGINT, 
	status TEXT NOT NULL, 
	message TEXT, 
	CONSTRAINT querylog_pkey PRIMARY KEY (queryid), 
	CONSTRAINT querylog_values CHECK (LEAST(queryid, nrows, nbytes) >= 0 AND seconds >= 0 AND seconds < 'Infinity')
);
COMMENT ON TABLE service.querylog IS 'One row per query that came through the service, also of those that were refused.';
COMMENT ON COLUMN service.querylog.queryid IS 'queryId: Number of the query.';
COMMENT ON COLUMN service.querylog.personname IS 'personName: Person who asked; NULL for somebody unknown.';
COMMENT ON COLUMN service.querylog.client IS 'client: Network address and program of the client.';
COMMENT ON COLUMN service.querylog.door IS 'door: Way the query came: sync, async, scs.';
COMMENT ON COLUMN service.querylog.databasename IS 'databaseName: Virtual database that was asked, as it was named.';
COMMENT ON COLUMN service.querylog.instanttai IS 'instantTai: Instant of ledger time (TAI) as of which the answer was; NULL where there was none.';
COMMENT ON COLUMN service.querylog.query IS 'query: The query as it was written.';
COMMENT ON COLUMN service.querylog.startedtai IS 'startedTai: Ledger time (TAI) at which the query came.';
COMMENT ON COLUMN service.querylog.seconds IS 'seconds: Time from the request to the last byte of the answer. [s]';
COMMENT ON COLUMN service.querylog.nrows IS 'nRows: Rows of the answer.';
COMMENT ON COLUMN service.querylog.nbytes IS 'nBytes: Size of the answer. [byte]';
COMMENT ON COLUMN service.querylog.status IS 'status: OK, OVERFLOW, ERROR or ABORTED.';
COMMENT ON COLUMN service.querylog.message IS 'message: Why there was no complete answer.';
CREATE INDEX querylog_personname_startedtai_idx ON service.querylog (personname, startedtai);
CREATE INDEX querylog_startedtai_idx ON service.querylog (startedtai);
CREATE TABLE service.tapcolumn (
	tablename TEXT NOT NULL, 
	columnname TEXT NOT NULL, 
	sqlname TEXT NOT NULL, 
	sqltype TEXT NOT NULL, 
	datatype TEXT NOT NULL, 
	arraysize TEXT, 
	xtype TEXT, 
	unit TEXT, 
	ucd TEXT, 
	utype TEXT, 
	description TEXT, 
	principal BOOLEAN NOT NULL, 
	indexed BOOLEAN NOT NULL, 
	std BOOLEAN NOT NULL, 
	columnindex INTEGER NOT NULL, 
	offeredtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	CONSTRAINT tapcolumn_pkey PRIMARY KEY (tablename, columnname), 
	CONSTRAINT tapcolumn_values CHECK (columnindex >= 0)
);
COMMENT ON TABLE service.tapcolumn IS 'Columns of the tables that can be asked through TAP; published as tap_schema.columns. What is said of them in answers comes from here.';
COMMENT ON COLUMN service.tapcolumn.tablename IS 'tableName: Name of the table with its schema, as queries write it.';
COMMENT ON COLUMN service.tapcolumn.columnname IS 'columnName: Name of the column in its own spelling; queries may write it in any case.';
COMMENT ON COLUMN service.tapcolumn.sqlname IS 'sqlName: Name of the column in PostgreSQL.';
COMMENT ON COLUMN service.tapcolumn.sqltype IS 'sqlType: Type of the column in PostgreSQL.';
COMMENT ON COLUMN service.tapcolumn.datatype IS 'datatype: Type of the column in VOTable.';
COMMENT ON COLUMN service.tapcolumn.arraysize IS 'arraysize: Size of the column in VOTable; NULL for a scalar.';
COMMENT ON COLUMN service.tapcolumn.xtype IS 'xtype: Meaning of the type beyond VOTable''s own types.';
COMMENT ON COLUMN service.tapcolumn.unit IS 'unit: Unit of the column, as a VOUnit.';
COMMENT ON COLUMN service.tapcolumn.ucd IS 'ucd: Meaning of the column, as a UCD1+.';
COMMENT ON COLUMN service.tapcolumn.utype IS 'utype: Place of the column in a data model, if it has one.';
COMMENT ON COLUMN service.tapcolumn.description IS 'description: What the column holds.';
COMMENT ON COLUMN service.tapcolumn.principal IS 'principal: True for the columns that people look at first.';
COMMENT ON COLUMN service.tapcolumn.indexed IS 'indexed: True if an index makes conditions on the column fast.';
COMMENT ON COLUMN service.tapcolumn.std IS 'std: True if a standard defines the column.';
COMMENT ON COLUMN service.tapcolumn.columnindex IS 'columnIndex: Place of the column in its table.';
COMMENT ON COLUMN service.tapcolumn.offeredtai IS 'offeredTai: Ledger time (TAI) since which the column has been offered.';
CREATE TABLE service.tapkey (
	keyid TEXT NOT NULL, 
	fromtable TEXT NOT NULL, 
	targettable TEXT NOT NULL, 
	description TEXT, 
	CONSTRAINT tapkey_pkey PRIMARY KEY (keyid)
);
COMMENT ON TABLE service.tapkey IS 'Which tables are joined with which; published as tap_schema.keys.';
COMMENT ON COLUMN service.tapkey.keyid IS 'keyId: Name of the join.';
COMMENT ON COLUMN service.tapkey.fromtable IS 'fromTable: Table that holds the references, with its schema.';
COMMENT ON COLUMN service.tapkey.targettable IS 'targetTable: Table that is referred to, with its schema.';
COMMENT ON COLUMN service.tapkey.description IS 'description: What the join means.';
CREATE TABLE service.tapkeycolumn (
	keyid TEXT NOT NULL, 
	fromcolumn TEXT NOT NULL, 
	targetcolumn TEXT NOT NULL, 
	CONSTRAINT tapkeycolumn_pkey PRIMARY KEY (keyid, fromcolumn)
);
COMMENT ON TABLE service.tapkeycolumn IS 'Pairs of columns of the joins of TapKey; published as tap_schema.key_columns.';
COMMENT ON COLUMN service.tapkeycolumn.keyid IS 'keyId: Name of the join.';
COMMENT ON COLUMN service.tapkeycolumn.fromcolumn IS 'fromColumn: Column of the table that holds the references.';
COMMENT ON COLUMN service.tapkeycolumn.targetcolumn IS 'targetColumn: Column of the table that is referred to.';
CREATE TABLE service.tapschema (
	schemaname TEXT NOT NULL, 
	description TEXT NOT NULL, 
	schemaindex INTEGER NOT NULL, 
	CONSTRAINT tapschema_pkey PRIMARY KEY (schemaname), 
	CONSTRAINT tapschema_values CHECK (schemaindex >= 0)
);
COMMENT ON TABLE service.tapschema IS 'Schemas that can be asked through TAP; published as tap_schema.schemas.';
COMMENT ON COLUMN service.tapschema.schemaname IS 'schemaName: Name of the schema as queries write it.';
COMMENT ON COLUMN service.tapschema.description IS 'description: What the schema holds.';
COMMENT ON COLUMN service.tapschema.schemaindex IS 'schemaIndex: Place of the schema in lists.';
CREATE TABLE service.taptable (
	tablename TEXT NOT NULL, 
	schemaname TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	description TEXT, 
	utype TEXT, 
	tableindex INTEGER NOT NULL, 
	CONSTRAINT taptable_pkey PRIMARY KEY (tablename), 
	CONSTRAINT taptable_values CHECK (tableindex >= 0)
);
COMMENT ON TABLE service.taptable IS 'Tables that can be asked through TAP; published as tap_schema.tables.';
COMMENT ON COLUMN service.taptable.tablename IS 'tableName: Name of the table with its schema, as queries write it.';
COMMENT ON COLUMN service.taptable.schemaname IS 'schemaName: Name of the schema as queries write it.';
COMMENT ON COLUMN service.taptable.kind IS 'kind: What an instant does to the table: living, history, static, metadata or user.';
COMMENT ON COLUMN service.taptable.description IS 'description: What a row of the table is.';
COMMENT ON COLUMN service.taptable.utype IS 'utype: Data model that the table follows, if it follows one.';
COMMENT ON COLUMN service.taptable.tableindex IS 'tableIndex: Place of the table in lists.';
