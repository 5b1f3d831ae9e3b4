-- Undoes the_ledger.sql, sections in reverse order.

DROP TABLE ledger.embargo;

COMMENT ON COLUMN ledger.epoch.kind IS 'kind: Why the epoch exists: created, visit, template, relink, withdrawal, resolve or heartbeat.';

DROP TABLE ledger.releasedensity;

ALTER TABLE staging.ccdvisit DROP COLUMN usablemask;
ALTER TABLE prompt_store.ccdvisit_history DROP COLUMN usablemask;
ALTER TABLE prompt_store.ccdvisit DROP COLUMN usablemask;

COMMENT ON SCHEMA staging IS 'Rows on their way in, by slot; emptied by a crash.';
