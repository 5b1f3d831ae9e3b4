-- ensure_partitions: makes the partitions that observations or publications of the days from
-- first_mjd to last_mjd (TAI) need. Called ahead of time, and by loaders before they take the
-- publication lock. Tables of measurements have one a month (design section 3: ids carry the night,
-- so an id range is a month); history has one a year of deletedTai, since a query as of an instant
-- opens all from there on. A year of which quarters or months are there from before is completed by
-- quarters, such a quarter by months.
CREATE OR REPLACE FUNCTION ledger.ensure_partitions(first_mjd double precision, last_mjd double precision)
RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_catalog
AS $$
DECLARE
  zero CONSTANT date := '1990-01-01';
  t record;
  month date;
  first date;
  next date;
  part text;
  made integer := 0;
  base bigint;
BEGIN
  -- Partitions are made one after the other: two makers of the same one would collide.
  PERFORM pg_advisory_xact_lock(7526, 2);
  SELECT databaseid::bigint << 54 INTO STRICT base FROM ledger.database WHERE name = 'prompt';
  FOR month IN
    SELECT generate_series(
      date_trunc('month', date '1858-11-17' + floor(first_mjd - 0.5)::integer),
      date '1858-11-17' + floor(last_mjd)::integer, interval '1 month')::date
  LOOP
    FOR t IN
      SELECT c.oid AS relation, c.relname AS name, pg_get_partkeydef(c.oid) = 'RANGE (deletedtai)' AS by_time,
        EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'midpointtai')
          AS observed
      FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
      WHERE n.nspname = 'prompt_store' AND c.relkind = 'p'
    LOOP
      part := t.name || to_char(month, '"_p"YYYYMM');
      first := month;
      next := (month + interval '1 month')::date;
      CONTINUE WHEN to_regclass('prompt_store.' || part) IS NOT NULL;
      IF t.by_time THEN
        CONTINUE WHEN to_regclass('prompt_store.' || t.name || to_char(month, '"_p"YYYY')) IS NOT NULL
          OR to_regclass('prompt_store.' || t.name || to_char(month, '"_p"YYYY"q"Q')) IS NOT NULL;
        -- The widest that does not hold another.
        SELECT t.name || to_char(month, w.form), w.first, w.first + w.span INTO part, first, next
        FROM (
          SELECT span, form, date_trunc(unit, month) AS first
          FROM (VALUES ('year', interval '1 year', '"_p"YYYY'), ('quarter', '3 months', '"_p"YYYY"q"Q'),
            ('month', '1 month', '"_p"YYYYMM')) AS v (unit, span, form)
        ) AS w
        WHERE NOT EXISTS (
          SELECT FROM generate_series(w.first, w.first + w.span - interval '1 month', '1 month') AS held,
            (VALUES ('"_p"YYYY"q"Q'), ('"_p"YYYYMM')) AS n (form)
          WHERE to_regclass('prompt_store.' || t.name || to_char(held, n.form)) IS NOT NULL)
        ORDER BY w.span DESC LIMIT 1;
      END IF;
      -- Made apart and attached: that locks out nobody who reads, whereas PARTITION OF would wait
      -- for every query, and every query for it.
      EXECUTE format('CREATE TABLE prompt_store.%I (LIKE prompt_store.%I INCLUDING ALL EXCLUDING CONSTRAINTS)', part, t.name);
      -- As NOT VALID: rows are checked, but the planner does not study a hundred conditions of each
      -- partition in search of one that rules it out, at a millisecond apiece.
      EXECUTE coalesce((
        SELECT string_agg(format('ALTER TABLE prompt_store.%I ADD CONSTRAINT %I %s', part, r.conname,
          regexp_replace(pg_get_constraintdef(r.oid), '( NOT VALID)?$', ' NOT VALID')), '; ')
        FROM pg_constraint AS r WHERE r.conrelid = t.relation AND r.contype = 'c'), 'SELECT');
      IF t.by_time THEN
        EXECUTE format('ALTER TABLE prompt_store.%I ATTACH PARTITION prompt_store.%I FOR VALUES FROM (%L) TO (%L)',
          t.name, part, first::timestamp, next::timestamp);
      ELSE
        EXECUTE format('ALTER TABLE prompt_store.%I ATTACH PARTITION prompt_store.%I FOR VALUES FROM (%s) TO (%s)',
          t.name, part, base + ((month - zero)::bigint << 39), base + ((next - zero)::bigint << 39));
        IF t.observed THEN
          -- Nights begin at noon; the constraint lets queries by time skip whole months.
          EXECUTE format('ALTER TABLE prompt_store.%I ADD CONSTRAINT %I CHECK (midpointtai >= %s AND midpointtai < %s)',
            part, part || '_time', month - date '1858-11-17' + 0.4, next - date '1858-11-17' + 0.6);
        END IF;
      END IF;
      EXECUTE format('ALTER TABLE prompt_store.%I SET (autovacuum_vacuum_insert_scale_factor = 0.1)', part);
      EXECUTE format('CREATE TRIGGER refuse_direct_write BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON prompt_store.%I FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_direct_write()', part);
      made := made + 1;
    END LOOP;
  END LOOP;
  IF made > 0 THEN
    -- ledger.draw refuses to publish in this transaction: see there.
    PERFORM set_config('skyledger.partitions_made', pg_current_xact_id()::text, true);
  END IF;
  RETURN made;
END $$;

COMMENT ON FUNCTION ledger.ensure_partitions(double precision, double precision)
IS 'Makes the partitions for the days between two MJD (TAI); returns how many were missing.';
