-- Certified master calibration frames: schema ledger. Costs nothing in a full database.
CREATE TABLE ledger.master (
	path TEXT NOT NULL, 
	extension TEXT NOT NULL, 
	instrument TEXT NOT NULL, 
	detector SMALLINT NOT NULL, 
	kind TEXT NOT NULL, 
	band TEXT, 
	version INTEGER NOT NULL, 
	validbegin DOUBLE PRECISION NOT NULL, 
	validend DOUBLE PRECISION NOT NULL, 
	folder TEXT NOT NULL, 
	inputs TEXT[] NOT NULL, 
	unit TEXT, 
	mean DOUBLE PRECISION NOT NULL, 
	spread DOUBLE PRECISION NOT NULL, 
	certifiedtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	replacedtai TIMESTAMP WITHOUT TIME ZONE, 
	provenanceid BIGINT NOT NULL, 
	CONSTRAINT master_pkey PRIMARY KEY (path, extension), 
	CONSTRAINT master_rule1 CHECK (kind IN ('bias', 'dark', 'flat', 'fringe', 'defects', 'linearity', 'crosstalk')), 
	CONSTRAINT master_rule2 CHECK (validBegin < validEnd), 
	CONSTRAINT master_values CHECK (detector >= 0 AND detector <= 511 AND version >= 1 AND LEAST(validbegin, validend, spread) >= 0 AND GREATEST(validbegin, validend, mean, spread) < 'Infinity' AND mean > '-Infinity' AND provenanceid >= 0)
);
COMMENT ON TABLE ledger.master IS 'Certified master calibration frames: one row for each master of a file, which belongs to a detector and a series of frames. They serve visits within their times until masters of later frames do; masters that were replaced stay, with their file.';
COMMENT ON COLUMN ledger.master.path IS 'path: Path of the file relative to the image store.';
COMMENT ON COLUMN ledger.master.extension IS 'extension: Extension of the file that holds the master.';
COMMENT ON COLUMN ledger.master.instrument IS 'instrument: Name of the instrument, as in its description file.';
COMMENT ON COLUMN ledger.master.detector IS 'detector: Number of the detector within the camera.';
COMMENT ON COLUMN ledger.master.kind IS 'kind: What it is: bias, dark, flat, fringe, defects, linearity or crosstalk.';
COMMENT ON COLUMN ledger.master.band IS 'band: Band of a flat or of fringes; NULL for the other kinds.';
COMMENT ON COLUMN ledger.master.version IS 'version: Number of the file among those of the detector, in the order of certification.';
COMMENT ON COLUMN ledger.master.validbegin IS 'validBegin: Time from which it holds, as a Modified Julian Date in TAI. [d]';
COMMENT ON COLUMN ledger.master.validend IS 'validEnd: Time until which it holds, as a Modified Julian Date in TAI. [d]';
COMMENT ON COLUMN ledger.master.folder IS 'folder: Folder of the frames it was made of; its next masters replace these.';
COMMENT ON COLUMN ledger.master.inputs IS 'inputs: Frames it was made of, each with the SHA-256 of its file.';
COMMENT ON COLUMN ledger.master.unit IS 'unit: Unit of its values; NULL for numbers without dimension.';
COMMENT ON COLUMN ledger.master.mean IS 'mean: Mean of its good pixels; of defects the share of pixels, of linearity and crosstalk the largest coefficient.';
COMMENT ON COLUMN ledger.master.spread IS 'spread: Standard deviation of its good pixels; 0 for what is no image.';
COMMENT ON COLUMN ledger.master.certifiedtai IS 'certifiedTai: Ledger time of its certification.';
COMMENT ON COLUMN ledger.master.replacedtai IS 'replacedTai: Ledger time at which later masters took its place; NULL while it is in use.';
COMMENT ON COLUMN ledger.master.provenanceid IS 'provenanceId: Identifier of the software and configuration that made it; key into Provenance.';

-- What is kept beside the images of ccdVisits: empty columns; the check is tested for new rows.
ALTER TABLE prompt_store.ccdvisit
  ADD COLUMN nsources INTEGER,
  ADD COLUMN sourcetime REAL,
  ADD COLUMN sourcepath TEXT,
  ADD COLUMN masterpath TEXT;
ALTER TABLE prompt_store.ccdvisit_history
  ADD COLUMN nsources INTEGER,
  ADD COLUMN sourcetime REAL,
  ADD COLUMN sourcepath TEXT,
  ADD COLUMN masterpath TEXT;
ALTER TABLE staging.ccdvisit
  ADD COLUMN nsources INTEGER,
  ADD COLUMN sourcetime REAL,
  ADD COLUMN sourcepath TEXT,
  ADD COLUMN masterpath TEXT;
ALTER TABLE prompt_store.ccdvisit ADD CONSTRAINT ccdvisit_kept CHECK (nsources >= 0 AND sourcetime >= 0 AND sourcetime < 'Infinity') NOT VALID;
COMMENT ON COLUMN prompt_store.ccdvisit.nsources IS 'nSources: Number of Sources found on the visit image, parents and children together.';
COMMENT ON COLUMN prompt_store.ccdvisit.sourcetime IS 'sourceTime: CPU time it took to find and measure these Sources. [s]';
COMMENT ON COLUMN prompt_store.ccdvisit.sourcepath IS 'sourcePath: Path of the file of these Sources (Parquet, columns of relation Source) relative to the image store.';
COMMENT ON COLUMN prompt_store.ccdvisit.masterpath IS 'masterPath: Path of the file of master calibration frames that were used, relative to the image store; key into Master. NULL for frames that come corrected.';
COMMENT ON COLUMN prompt_store.ccdvisit_history.nsources IS 'nSources: Number of Sources found on the visit image, parents and children together.';
COMMENT ON COLUMN prompt_store.ccdvisit_history.sourcetime IS 'sourceTime: CPU time it took to find and measure these Sources. [s]';
COMMENT ON COLUMN prompt_store.ccdvisit_history.sourcepath IS 'sourcePath: Path of the file of these Sources (Parquet, columns of relation Source) relative to the image store.';
COMMENT ON COLUMN prompt_store.ccdvisit_history.masterpath IS 'masterPath: Path of the file of master calibration frames that were used, relative to the image store; key into Master. NULL for frames that come corrected.';
COMMENT ON COLUMN staging.ccdvisit.nsources IS 'nSources: Number of Sources found on the visit image, parents and children together.';
COMMENT ON COLUMN staging.ccdvisit.sourcetime IS 'sourceTime: CPU time it took to find and measure these Sources. [s]';
COMMENT ON COLUMN staging.ccdvisit.sourcepath IS 'sourcePath: Path of the file of these Sources (Parquet, columns of relation Source) relative to the image store.';
COMMENT ON COLUMN staging.ccdvisit.masterpath IS 'masterPath: Path of the file of master calibration frames that were used, relative to the image store; key into Master. NULL for frames that come corrected.';
