-- Precovery, and rules for detections below the threshold: schema ledger. Costs nothing in a full
-- database. What was published before waits for no precovery.
CREATE TABLE ledger.precovery (
	batchid BIGINT NOT NULL, 
	state TEXT NOT NULL, 
	attempts INTEGER NOT NULL, 
	reason TEXT, 
	nobjects INTEGER, 
	nforced INTEGER, 
	publishedbatchid BIGINT, 
	changedtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	CONSTRAINT precovery_pkey PRIMARY KEY (batchid), 
	CONSTRAINT precovery_rule1 CHECK (state IN ('waiting', 'done')), 
	CONSTRAINT precovery_values CHECK (LEAST(batchid, publishedbatchid) >= 0 AND LEAST(attempts, nobjects, nforced) >= 0)
);
COMMENT ON TABLE ledger.precovery IS 'What became of the precovery of published visits: forced photometry of the DIAObjects found in them on the images of the 30 days before. A visit without a row, or whose row is not done, waits for it; so nothing can be forgotten.';
COMMENT ON COLUMN ledger.precovery.batchid IS 'batchId: Batch that published the visit; key into Batch.';
COMMENT ON COLUMN ledger.precovery.state IS 'state: How far it came: waiting, if an attempt was not successful, or done.';
COMMENT ON COLUMN ledger.precovery.attempts IS 'attempts: How often it was begun.';
COMMENT ON COLUMN ledger.precovery.reason IS 'reason: Why it has to be tried again, or which images were no longer kept.';
COMMENT ON COLUMN ledger.precovery.nobjects IS 'nObjects: New DIAObjects of the visit that were measured.';
COMMENT ON COLUMN ledger.precovery.nforced IS 'nForced: Forced measurements that were published for them, all attempts together.';
COMMENT ON COLUMN ledger.precovery.publishedbatchid IS 'publishedBatchId: Batch that published them last; NULL if there was nothing to publish.';
COMMENT ON COLUMN ledger.precovery.changedtai IS 'changedTai: Ledger time of the last change of this row (TAI).';
INSERT INTO ledger.precovery (batchid, state, attempts, reason, changedtai)
SELECT batchid, 'done', 0, 'published before there was precovery', endedtai
FROM ledger.batch WHERE kind = 'visit' AND state = 'published';
CREATE TABLE ledger.subthresholdrule (
	rulename TEXT NOT NULL, 
	isassociated BOOLEAN NOT NULL, 
	fraction DOUBLE PRECISION NOT NULL, 
	minsnr REAL, 
	maxsnr REAL, 
	ra DOUBLE PRECISION, 
	decl DOUBLE PRECISION, 
	radius DOUBLE PRECISION, 
	objectradius DOUBLE PRECISION, 
	minsources INTEGER, 
	band TEXT, 
	isinforce BOOLEAN NOT NULL, 
	reason TEXT NOT NULL, 
	CONSTRAINT subthresholdrule_pkey PRIMARY KEY (rulename), 
	CONSTRAINT subthresholdrule_rule1 CHECK (num_nulls(ra, decl, radius) IN (0, 3)), 
	CONSTRAINT subthresholdrule_rule2 CHECK (minSources IS NULL OR objectRadius IS NOT NULL), 
	CONSTRAINT subthresholdrule_values CHECK (LEAST(fraction, ra, radius, objectradius) >= 0 AND fraction <= 1 AND LEAST(minsnr, maxsnr) >= 0 AND GREATEST(minsnr, maxsnr) < 'Infinity' AND ra <= 360 AND decl >= -90 AND decl <= 90 AND radius <= 180 AND objectradius <= 60 AND minsources >= 1)
);
COMMENT ON TABLE ledger.subthresholdrule IS 'Which detections below the threshold are kept: a sample that shows how good the difference images are, and chosen ones. A detection is kept if a rule in force has all its conditions fulfilled.';
COMMENT ON COLUMN ledger.subthresholdrule.rulename IS 'ruleName: Name of the rule.';
COMMENT ON COLUMN ledger.subthresholdrule.isassociated IS 'isAssociated: True if what it keeps is associated and alerted on like other DIASources; false for a sample.';
COMMENT ON COLUMN ledger.subthresholdrule.fraction IS 'fraction: Share of the detections that fulfil the conditions which is kept; which ones is decided by their ids.';
COMMENT ON COLUMN ledger.subthresholdrule.minsnr IS 'minSnr: Detections of at least this signal-to-noise ratio.';
COMMENT ON COLUMN ledger.subthresholdrule.maxsnr IS 'maxSnr: Detections below this signal-to-noise ratio.';
COMMENT ON COLUMN ledger.subthresholdrule.ra IS 'ra: Right ascension (ICRS) of the centre of a circle in which the detection lies. [deg]';
COMMENT ON COLUMN ledger.subthresholdrule.decl IS 'decl: Declination (ICRS) of the centre of a circle in which the detection lies. [deg]';
COMMENT ON COLUMN ledger.subthresholdrule.radius IS 'radius: Radius of the circle. [deg]';
COMMENT ON COLUMN ledger.subthresholdrule.objectradius IS 'objectRadius: The detection lies within this of a DIAObject that satisfies minSources. [arcsec]';
COMMENT ON COLUMN ledger.subthresholdrule.minsources IS 'minSources: Number of DIASources that the DIAObject has at least; NULL: one.';
COMMENT ON COLUMN ledger.subthresholdrule.band IS 'band: Band of the visit; NULL: any.';
COMMENT ON COLUMN ledger.subthresholdrule.isinforce IS 'isInForce: False for a rule that is kept and not used.';
COMMENT ON COLUMN ledger.subthresholdrule.reason IS 'reason: Why, in the operator''s words.';
COMMENT ON COLUMN ledger.batch.kind IS 'kind: What the batch carries: visit, template, precovery, relink or withdrawal.';

-- Quality of ccdVisits: empty columns; the check reads the table once.
ALTER TABLE prompt_store.ccdvisit
  ADD COLUMN psfresidual REAL,
  ADD COLUMN residualfraction REAL,
  ADD COLUMN nstamps INTEGER,
  ADD COLUMN kernelchi2 REAL,
  ADD COLUMN nspurious INTEGER,
  ADD COLUMN nnoisepeaks REAL;
ALTER TABLE prompt_store.ccdvisit_history
  ADD COLUMN psfresidual REAL,
  ADD COLUMN residualfraction REAL,
  ADD COLUMN nstamps INTEGER,
  ADD COLUMN kernelchi2 REAL,
  ADD COLUMN nspurious INTEGER,
  ADD COLUMN nnoisepeaks REAL;
ALTER TABLE staging.ccdvisit
  ADD COLUMN psfresidual REAL,
  ADD COLUMN residualfraction REAL,
  ADD COLUMN nstamps INTEGER,
  ADD COLUMN kernelchi2 REAL,
  ADD COLUMN nspurious INTEGER,
  ADD COLUMN nnoisepeaks REAL;
ALTER TABLE prompt_store.ccdvisit ADD CONSTRAINT ccdvisit_quality CHECK (LEAST(psfresidual, residualfraction, kernelchi2, nnoisepeaks) >= 0 AND GREATEST(psfresidual, kernelchi2, nnoisepeaks) < 'Infinity' AND residualfraction <= 1 AND LEAST(nstamps, nspurious) >= 0) NOT VALID;
COMMENT ON COLUMN prompt_store.ccdvisit.psfresidual IS 'psfResidual: Largest residual of the PSF model on stars that were kept out of its making, as a fraction of the peak; NULL if no star was.';
COMMENT ON COLUMN prompt_store.ccdvisit.residualfraction IS 'residualFraction: Fraction of the light of stars that the subtraction leaves behind, beyond noise.';
COMMENT ON COLUMN prompt_store.ccdvisit.nstamps IS 'nStamps: Number of stamps around stars from which the kernel was made that matches visit and template.';
COMMENT ON COLUMN prompt_store.ccdvisit.kernelchi2 IS 'kernelChi2: Chi-square of the fit of the matching kernel, per pixel.';
COMMENT ON COLUMN prompt_store.ccdvisit.nspurious IS 'nSpurious: Number of these DIASources with a spuriousness above one half: probable artifacts.';
COMMENT ON COLUMN prompt_store.ccdvisit.nnoisepeaks IS 'nNoisePeaks: Number of peaks, of both signs, that noise alone is expected to lift above the threshold on the usable pixels (Rice formula). With nSpurious it tells the rate of false detections.';
COMMENT ON COLUMN prompt_store.ccdvisit_history.psfresidual IS 'psfResidual: Largest residual of the PSF model on stars that were kept out of its making, as a fraction of the peak; NULL if no star was.';
COMMENT ON COLUMN prompt_store.ccdvisit_history.residualfraction IS 'residualFraction: Fraction of the light of stars that the subtraction leaves behind, beyond noise.';
COMMENT ON COLUMN prompt_store.ccdvisit_history.nstamps IS 'nStamps: Number of stamps around stars from which the kernel was made that matches visit and template.';
COMMENT ON COLUMN prompt_store.ccdvisit_history.kernelchi2 IS 'kernelChi2: Chi-square of the fit of the matching kernel, per pixel.';
COMMENT ON COLUMN prompt_store.ccdvisit_history.nspurious IS 'nSpurious: Number of these DIASources with a spuriousness above one half: probable artifacts.';
COMMENT ON COLUMN prompt_store.ccdvisit_history.nnoisepeaks IS 'nNoisePeaks: Number of peaks, of both signs, that noise alone is expected to lift above the threshold on the usable pixels (Rice formula). With nSpurious it tells the rate of false detections.';
COMMENT ON COLUMN staging.ccdvisit.psfresidual IS 'psfResidual: Largest residual of the PSF model on stars that were kept out of its making, as a fraction of the peak; NULL if no star was.';
COMMENT ON COLUMN staging.ccdvisit.residualfraction IS 'residualFraction: Fraction of the light of stars that the subtraction leaves behind, beyond noise.';
COMMENT ON COLUMN staging.ccdvisit.nstamps IS 'nStamps: Number of stamps around stars from which the kernel was made that matches visit and template.';
COMMENT ON COLUMN staging.ccdvisit.kernelchi2 IS 'kernelChi2: Chi-square of the fit of the matching kernel, per pixel.';
COMMENT ON COLUMN staging.ccdvisit.nspurious IS 'nSpurious: Number of these DIASources with a spuriousness above one half: probable artifacts.';
COMMENT ON COLUMN staging.ccdvisit.nnoisepeaks IS 'nNoisePeaks: Number of peaks, of both signs, that noise alone is expected to lift above the threshold on the usable pixels (Rice formula). With nSpurious it tells the rate of false detections.';

-- Artificial sources are never published. Nothing, NOT VALID: such rows were never made before.
ALTER TABLE prompt_store.diasource ADD CONSTRAINT diasource_rule6 CHECK (flags & 8192 = 0) NOT VALID;
ALTER TABLE prompt_store.diaforcedsource ADD CONSTRAINT diaforcedsource_rule3 CHECK (flags & 2048 = 0) NOT VALID;
ALTER TABLE prompt_store.diaobject ADD CONSTRAINT diaobject_rule3 CHECK (flags & 64 = 0) NOT VALID;
ALTER TABLE prompt_store.ssobject ADD CONSTRAINT ssobject_rule2 CHECK (flags & 64 = 0) NOT VALID;
