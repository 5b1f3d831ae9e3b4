-- status: what the person who runs the database wants to know every morning, one row a figure. ok is
-- false where something has to be done, NULL where no rule exists. The deadline is setting
-- skyledger.deadline, L1PublicT of the document, for visits observed in the last 30 days: older data
-- that are loaded now are history, not news (DPDD section 3.3; L1DB-02).
-- needs: ledger.precovery_due, ledger.horizon, science.tai_now, science.mjd_now, science.mjd_to_tai, science.visit_night
-- needs: science.utc_to_tai
CREATE OR REPLACE FUNCTION ledger.status()
RETURNS TABLE (topic text, item text, value double precision, unit text, bound double precision,
  ok boolean, note text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
  clock timestamp := science.tai_now();
  today double precision := science.mjd_now();
  deadline interval := coalesce(nullif(current_setting('skyledger.deadline', true), ''), '24 hours');
  hours double precision := extract(epoch FROM deadline) / 3600;
  held bigint := 0;
  stray bigint;
  name text;
BEGIN
  -- The heartbeat, where one runs, keeps the horizon from growing old.
  RETURN QUERY
  SELECT 'horizon', 'age', a.age, 's', CASE WHEN a.beating THEN 60.0::double precision END,
    CASE WHEN a.beating THEN a.age <= 60 END,
    format('newest epoch %s (TAI)%s', ledger.horizon(), CASE WHEN a.beating AND a.age > 60
      THEN '; the heartbeat has stopped: start `skyledger db heartbeat`' END)
  FROM (SELECT extract(epoch FROM clock - ledger.horizon())::double precision AS age,
    EXISTS (SELECT FROM ledger.epoch WHERE kind = 'heartbeat' AND epochtai > clock - interval '1 day') AS beating
  ) AS a;

  RETURN QUERY
  SELECT 'epochs', e.kind, count(*)::double precision, NULL::text, NULL::double precision, NULL::boolean,
    format('newest %s', max(e.epochtai))
  FROM ledger.epoch AS e GROUP BY e.kind ORDER BY e.kind;

  RETURN QUERY
  SELECT 'lock', f.item, f.value, 's', CASE WHEN f.item = 'p99' THEN 1.0::double precision END,
    CASE WHEN f.item = 'p99' THEN f.value <= 1 END, 'how long publications of the last 30 days held the lock'
  FROM (
    SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY e.lockseconds) AS p50,
      percentile_cont(0.99) WITHIN GROUP (ORDER BY e.lockseconds) AS p99, max(e.lockseconds) AS longest
    FROM ledger.epoch AS e
    WHERE e.lockseconds IS NOT NULL AND e.epochtai > clock - interval '30 days'
  ) AS l
  CROSS JOIN LATERAL (VALUES ('p50', l.p50), ('p99', l.p99), ('longest', l.longest)) AS f(item, value)
  WHERE f.value IS NOT NULL;

  RETURN QUERY
  SELECT 'batches', 'open', count(*)::double precision, NULL::text, NULL::double precision,
    coalesce(clock - min(b.startedtai) <= interval '1 hour', true),
    'oldest since ' || min(b.startedtai)
  FROM ledger.batch AS b WHERE b.state = 'open';
  RETURN QUERY
  SELECT 'deliveries', 'failed', count(*)::double precision, NULL::text, 0.0::double precision,
    count(*) = 0, CASE WHEN count(*) > 0 THEN '`skyledger db failures` lists them' END
  FROM ledger.delivery AS d WHERE d.state = 'failed';
  RETURN QUERY
  SELECT 'rows', 'rejected', count(*)::double precision, NULL::text, NULL::double precision, NULL::boolean,
    'newest ' || max(r.rejectedtai)
  FROM ledger.rejected AS r;

  RETURN QUERY
  WITH published AS (
    SELECT c.ccdvisitid, extract(epoch FROM c.insertedtai - science.mjd_to_tai(c.endtai)) / 3600 AS late
    FROM prompt_live.ccdvisit AS c
    JOIN ledger.epoch AS e ON e.epochtai = c.insertedtai AND e.kind = 'visit'
    WHERE c.endtai > today - 30
  )
  SELECT 'deadline', f.item, f.value, f.unit, f.bound, f.value <= f.bound, f.note
  FROM (SELECT count(*) AS n, count(*) FILTER (WHERE late > hours) AS breaches, max(late)::double precision AS slowest
    FROM published) AS p
  CROSS JOIN LATERAL (VALUES
    ('published late', p.breaches::double precision, NULL, 0.0::double precision,
      format('of %s detectors published from visits of the last 30 days', p.n)),
    ('slowest', p.slowest, 'h', hours, 'from the end of the exposure to the epoch')
  ) AS f(item, value, unit, bound, note)
  WHERE f.value IS NOT NULL;
  RETURN QUERY
  -- When a visit that is not published was taken is known to the night, which ends at noon (TAI).
  SELECT 'deadline', 'overdue', count(*)::double precision, NULL::text, 0.0::double precision, count(*) = 0,
    format('detectors of the last 30 days that were offered and are not published after %s h', hours)
  FROM ledger.delivery AS d
  CROSS JOIN LATERAL (SELECT science.visit_night(d.visitid) + 47893.5 AS dawn) AS n
  WHERE d.state <> 'published' AND n.dawn > today - 30 AND n.dawn + hours / 24 < today;

  RETURN QUERY
  SELECT 'precovery', f.item, f.value, f.unit, f.bound, f.value <= f.bound, f.note
  FROM (
    SELECT count(*) AS n, count(*) FILTER (WHERE clock - d.epochtai > deadline) AS late,
      min(d.epochtai) AS oldest, (array_agg(d.reason ORDER BY d.epochtai) FILTER (WHERE d.reason IS NOT NULL))[1] AS why
    FROM ledger.precovery_due() AS d
  ) AS w
  CROSS JOIN (
    SELECT max(extract(epoch FROM p.changedtai - b.epochtai))::double precision / 3600 AS slowest
    FROM ledger.precovery AS p JOIN ledger.batch AS b ON b.batchid = p.batchid
    WHERE p.state = 'done' AND p.attempts > 0 AND p.changedtai > clock - interval '30 days'
  ) AS t
  CROSS JOIN LATERAL (VALUES
    ('waiting', w.n::double precision, NULL, NULL::double precision,
      'visits whose new objects wait for it' || coalesce(', oldest of ' || w.oldest, '')),
    ('late', w.late::double precision, NULL, 0.0::double precision,
      format('after %s h%s', hours, CASE WHEN w.late > 0 THEN
        coalesce('; ' || left(w.why, 200), '') || '; `skyledger images precover` tries again' END)),
    ('slowest', t.slowest, 'h', hours, 'from the epoch of the visit to its precovery, last 30 days')
  ) AS f(item, value, unit, bound, note)
  WHERE f.value IS NOT NULL;

  RETURN QUERY
  SELECT 'partitions', 'made ahead', (min(newest) - today), 'd', 31.0::double precision,
    min(newest) - today >= 31,
    format('to %s; `skyledger db heartbeat` and `skyledger process` make more',
      (date '1858-11-17' + min(newest)::integer))
  FROM (
    SELECT max(p.first + p.span)::date - date '1858-11-17' AS newest
    FROM pg_class AS c
    JOIN pg_inherits AS i ON i.inhparent = c.oid
    JOIN pg_class AS part ON part.oid = i.inhrelid
    CROSS JOIN LATERAL (
      -- A month such as p202611, a quarter such as p2026q4, a year such as p2026.
      SELECT to_date(substring(part.relname FROM '_p(\d{6})$'), 'YYYYMM') AS first,
        interval '1 month' AS span
      WHERE part.relname ~ '_p\d{6}$'
      UNION ALL
      SELECT make_date(substring(part.relname FROM '_p(\d{4})q\d$')::integer,
          3 * right(part.relname, 1)::integer - 2, 1), interval '3 months'
      WHERE part.relname ~ '_p\d{4}q\d$'
      UNION ALL
      SELECT make_date(right(part.relname, 4)::integer, 1, 1), interval '1 year'
      WHERE part.relname ~ '_p\d{4}$'
    ) AS p
    WHERE c.relnamespace = 'prompt_store'::regnamespace AND c.relkind = 'p'
      -- Data observed or published long from now may have partitions of their own.
      AND p.first < science.mjd_to_tai(today + 400)
    GROUP BY c.oid
  ) AS t;

  RETURN QUERY
  SELECT 'serials', 'objects', last_value::double precision / 549755813887, NULL::text, 0.9::double precision,
    last_value < 0.9 * 549755813887, 'part of the serial numbers of objects that is used up'
  FROM ledger.object_serial;

  -- A standby has no staging tables to look into: they are not in the log.
  FOR name IN
    SELECT c.relname FROM pg_class AS c
    WHERE c.relnamespace = 'staging'::regnamespace AND c.relkind = 'p' AND NOT pg_is_in_recovery()
  LOOP
    EXECUTE format('SELECT count(*) FROM staging.%I AS s WHERE NOT EXISTS ('
      'SELECT FROM ledger.batch AS b WHERE b.slot = s.slot AND b.state = ''open'')', name) INTO stray;
    held := held + stray;
  END LOOP;
  RETURN QUERY SELECT 'staging', 'rows left', held::double precision, NULL::text, NULL::double precision,
    NULL::boolean, 'of no open batch; the next one in their slot removes them';

  RETURN QUERY
  SELECT 'archive', 'last file', CASE WHEN s.active
      THEN extract(epoch FROM clock - science.utc_to_tai(a.last_archived_time AT TIME ZONE 'UTC'))::double precision END,
    's', NULL::double precision,
    CASE WHEN s.active THEN a.last_failed_time IS NULL OR a.last_failed_time < coalesce(a.last_archived_time, '-infinity') END,
    CASE WHEN NOT s.active THEN 'write-ahead log is not archived: `skyledger db backup` begins it'
      ELSE format('%s files archived, %s attempts failed', a.archived_count, a.failed_count) END
  FROM pg_stat_archiver AS a
  CROSS JOIN (SELECT current_setting('archive_mode') <> 'off' AND (current_setting('archive_library') <> ''
    OR current_setting('archive_command') NOT IN ('', '(disabled)', '/bin/true')) AS active) AS s;
  RETURN QUERY
  SELECT 'backup', 'age', extract(epoch FROM clock - max(e.epochtai))::double precision / 86400, 'd', 8.0::double precision,
    max(e.epochtai) > clock - interval '8 days',
    coalesce('last ' || max(e.epochtai), 'none was made by `skyledger db backup`')
  FROM ledger.epoch AS e WHERE e.kind = 'backup';

  RETURN QUERY
  WITH relation AS (
    SELECT format('%s.%s', n.nspname, p.relname) AS name, sum(pg_total_relation_size(c.oid)) AS bytes,
      sum(coalesce(s.n_live_tup, 0)) AS alive, sum(coalesce(s.n_dead_tup, 0)) AS dead
    FROM pg_class AS c
    LEFT JOIN pg_inherits AS i ON i.inhrelid = c.oid
    JOIN pg_class AS p ON p.oid = coalesce(i.inhparent, c.oid)
    JOIN pg_namespace AS n ON n.oid = p.relnamespace
    LEFT JOIN pg_stat_all_tables AS s ON s.relid = c.oid
    WHERE c.relkind = 'r' AND n.nspname IN ('prompt_store', 'ledger', 'staging')
    GROUP BY n.nspname, p.relname
  )
  SELECT f.topic, r.name, f.value, f.unit, f.bound, f.ok, f.note
  FROM relation AS r
  CROSS JOIN LATERAL (VALUES
    ('size', r.bytes::double precision, 'B', NULL::double precision, NULL::boolean, format('about %s rows', r.alive)),
    ('dead rows', r.dead / nullif(r.alive + r.dead, 0)::double precision, NULL, 0.2::double precision,
      r.dead < 10000 OR r.dead <= 0.2 * (r.alive + r.dead),
      format('part of the rows that is waiting for VACUUM: %s', r.dead))
  ) AS f(topic, value, unit, bound, ok, note)
  WHERE f.topic = 'size' OR r.dead > 0
  ORDER BY f.topic, r.name;
END $$;

COMMENT ON FUNCTION ledger.status()
IS 'Figures of the running database by topic: horizon, lock times [s], deadlines [h], partitions [d], sizes [B], backups; ok is false where something has to be done.';
