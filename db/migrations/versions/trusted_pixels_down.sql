-- Undoes trusted_pixels.sql, sections in reverse order.
ALTER TABLE prompt_store.ssobject DROP CONSTRAINT ssobject_rule2;
ALTER TABLE prompt_store.diaobject DROP CONSTRAINT diaobject_rule3;
ALTER TABLE prompt_store.diaforcedsource DROP CONSTRAINT diaforcedsource_rule3;
ALTER TABLE prompt_store.diasource DROP CONSTRAINT diasource_rule6;
ALTER TABLE prompt_store.ccdvisit DROP CONSTRAINT ccdvisit_quality;
ALTER TABLE staging.ccdvisit
  DROP COLUMN nnoisepeaks,
  DROP COLUMN nspurious,
  DROP COLUMN kernelchi2,
  DROP COLUMN nstamps,
  DROP COLUMN residualfraction,
  DROP COLUMN psfresidual;
ALTER TABLE prompt_store.ccdvisit_history
  DROP COLUMN nnoisepeaks,
  DROP COLUMN nspurious,
  DROP COLUMN kernelchi2,
  DROP COLUMN nstamps,
  DROP COLUMN residualfraction,
  DROP COLUMN psfresidual;
ALTER TABLE prompt_store.ccdvisit
  DROP COLUMN nnoisepeaks,
  DROP COLUMN nspurious,
  DROP COLUMN kernelchi2,
  DROP COLUMN nstamps,
  DROP COLUMN residualfraction,
  DROP COLUMN psfresidual;
DROP TABLE ledger.subthresholdrule;
DROP TABLE ledger.precovery;
COMMENT ON COLUMN ledger.batch.kind IS 'kind: What the batch carries: visit, template, relink or withdrawal.';
