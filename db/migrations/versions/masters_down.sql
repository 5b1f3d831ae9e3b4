-- Undoes masters.sql, sections in reverse order.
ALTER TABLE prompt_store.ccdvisit DROP CONSTRAINT ccdvisit_kept;
ALTER TABLE staging.ccdvisit
  DROP COLUMN masterpath,
  DROP COLUMN sourcepath,
  DROP COLUMN sourcetime,
  DROP COLUMN nsources;
ALTER TABLE prompt_store.ccdvisit_history
  DROP COLUMN masterpath,
  DROP COLUMN sourcepath,
  DROP COLUMN sourcetime,
  DROP COLUMN nsources;
ALTER TABLE prompt_store.ccdvisit
  DROP COLUMN masterpath,
  DROP COLUMN sourcepath,
  DROP COLUMN sourcetime,
  DROP COLUMN nsources;
DROP TABLE ledger.master;
