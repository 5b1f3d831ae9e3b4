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
	CONSTRAINT releasedensity_values CHECK (databaseid >= 1 AND databaseid <= 1023 AND pixel >= 0 AND pixel <= 786431 AND nstars >= 0 AND ngalaxies >= 0)
);
COMMENT ON TABLE ledger.releasedensity IS 'How many stars and galaxies each release has in each piece of sky: the chance that one of them lies near a DIAObject without having to do with it.';
COMMENT ON COLUMN ledger.releasedensity.databaseid IS 'databaseId: Number of the release; key into Database.';
COMMENT ON COLUMN ledger.releasedensity.pixel IS 'pixel: HEALPix pixel of order 8 in the nested scheme; it covers 188834 arcsec**2.';
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
