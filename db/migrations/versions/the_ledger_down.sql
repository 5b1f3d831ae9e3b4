-- Undoes the_ledger.sql, sections in reverse order.

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
