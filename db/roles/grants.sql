-- Who may do what. Seven roles, the same in every database of the server:
--   skyledger_reader   reads the published forms and calls the functions for astronomers
--   skyledger_delayed  the same under an embargo: only the forms that keep to its horizon
--   skyledger_user     the login of everybody who asks: a reader and nothing else
--   skyledger_ingest   stages rows and publishes them; cannot write to the store
--   skyledger_service  keeps jobs, the log of queries and what can be asked; reads no data
--   skyledger_member   the login behind which the service asks as a person: may do nothing itself,
--                      and takes the role of one person, mydb_NAME, for each transaction
--   skyledger_citer    owns the functions that run cited queries: the rights of a reader, whoever cites
DO $$
BEGIN
  -- Roles belong to the whole server: another database may have made them already.
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'skyledger_reader') THEN
    CREATE ROLE skyledger_reader NOLOGIN;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'skyledger_delayed') THEN
    CREATE ROLE skyledger_delayed NOLOGIN;
  END IF;
  -- What an administrator has changed about it since is left alone.
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'skyledger_user') THEN
    CREATE ROLE skyledger_user LOGIN IN ROLE skyledger_reader;
    ALTER ROLE skyledger_user SET default_transaction_read_only = on;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'skyledger_service') THEN
    CREATE ROLE skyledger_service LOGIN;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'skyledger_member') THEN
    CREATE ROLE skyledger_member LOGIN NOINHERIT;
    ALTER ROLE skyledger_member SET default_transaction_read_only = on;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'skyledger_ingest') THEN
    CREATE ROLE skyledger_ingest NOLOGIN;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'skyledger_citer') THEN
    CREATE ROLE skyledger_citer NOLOGIN IN ROLE skyledger_reader;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
  NULL;
END $$;

GRANT USAGE ON SCHEMA prompt, prompt_live, prompt_at, prompt_history, science, ledger, rubin,
  rubin_live, rubin_at, prompt_changes
  TO skyledger_reader, skyledger_ingest;
GRANT SELECT ON ALL TABLES IN SCHEMA prompt, prompt_live, prompt_history, rubin, rubin_live
  TO skyledger_reader, skyledger_ingest;
GRANT SELECT ON ledger.epoch, ledger.database, ledger.flagdefinition, ledger.featuredefinition,
  ledger.provenance, ledger.detector, ledger.citation TO skyledger_reader, skyledger_ingest;

-- Under an embargo: no current rows, no epochs, no citations of others. prompt_at reads what lies
-- behind prompt_history with the rights of its caller; without USAGE of that schema nobody can
-- name it, only functions that were made with its name understood can.
GRANT USAGE ON SCHEMA prompt, prompt_at, prompt_changes, rubin, rubin_at, science, ledger
  TO skyledger_delayed;
GRANT SELECT ON ALL TABLES IN SCHEMA prompt, prompt_history, rubin TO skyledger_delayed;
GRANT SELECT ON ledger.database, ledger.flagdefinition, ledger.featuredefinition
  TO skyledger_delayed;
-- What the query service keeps is for its own login alone.
GRANT USAGE ON SCHEMA service, science, ledger TO skyledger_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON service.job, service.jobupload TO skyledger_service;
GRANT SELECT, INSERT ON service.querylog TO skyledger_service;
GRANT SELECT ON service.tapschema, service.taptable, service.tapcolumn, service.tapkey,
  service.tapkeycolumn, ledger.database, ledger.schema_version, ledger.replayed
  TO skyledger_service;
GRANT USAGE ON SEQUENCE service.query_id TO skyledger_service;
GRANT EXECUTE ON FUNCTION ledger.horizon(), ledger.status() TO skyledger_service;
-- What can be asked, as TAP says it.
GRANT USAGE ON SCHEMA tap_schema TO skyledger_reader, skyledger_delayed, skyledger_ingest;
GRANT SELECT ON ALL TABLES IN SCHEMA tap_schema
  TO skyledger_reader, skyledger_delayed, skyledger_ingest;
-- Whether software and database fit each other.
GRANT SELECT ON ledger.schema_version, ledger.replayed TO skyledger_reader, skyledger_delayed;

-- New functions are everybody's unless taken away.
REVOKE EXECUTE ON ALL ROUTINES IN SCHEMA ledger, staging, service FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.horizon(), ledger.horizon(name), ledger.settled(timestamp),
  ledger.settled_in_order(timestamp, timestamp), ledger.as_of(), ledger.instant_of(text), ledger.resolve(timestamp),
  ledger.settle(text, timestamp), ledger.open_answer(text), ledger.cite(text, timestamp, text),
  ledger.verify(text), ledger.citation_of(text)
  TO skyledger_reader, skyledger_delayed, skyledger_ingest;

-- People's tables are made, filled, shared and dropped by functions alone. Accounts, tokens and
-- allocations are the owner's.
GRANT EXECUTE ON FUNCTION service.sign_in(bytea), service.used_bytes(text),
  service.open_table(text, text, text, text, jsonb, text, text, timestamp),
  service.seal_table(text, text, text, text), service.drop_table(text, text, text),
  service.share_table(text, text, text, text, text),
  service.unshare_table(text, text, text, text, text), service.visible_tables(text),
  service.add_group(text, text, text), service.drop_group(text, text),
  service.add_member(text, text, text), service.remove_member(text, text, text),
  service.visible_groups(text)
  TO skyledger_service;
-- Whose turn it is to have a job run, and how much room there is for a table.
GRANT SELECT (personname, disabledtai, quotabytes, mostqueries) ON service.person
  TO skyledger_service;
-- After an upgrade, or a restore to another server.
SELECT service.keep_roles();

-- What a citation runs, it runs as this role.
ALTER FUNCTION ledger.read_query(text, text) OWNER TO skyledger_citer;
ALTER FUNCTION ledger.measure_answer(text, text[], boolean, timestamp) OWNER TO skyledger_citer;

-- What is computed for a visit reads the store and the releases, and writes to staging alone.
GRANT skyledger_reader TO skyledger_ingest;
GRANT USAGE ON SCHEMA staging, prompt_store TO skyledger_ingest;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA staging TO skyledger_ingest;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA staging TO skyledger_ingest;
DO $$
DECLARE
  t regclass;
BEGIN
  -- Partitions, which come and go, are read through their parents.
  FOR t IN SELECT oid FROM pg_class WHERE relnamespace = 'prompt_store'::regnamespace
    AND relkind IN ('r', 'p') AND NOT relispartition
  LOOP
    EXECUTE format('GRANT SELECT ON %s TO skyledger_ingest', t);
  END LOOP;
END $$;
GRANT USAGE ON SEQUENCE ledger.object_serial, ledger.rejected_id TO skyledger_ingest;
GRANT SELECT ON ledger.batch, ledger.delivery, ledger.rejected, ledger.refusedfile,
  ledger.releasedensity TO skyledger_ingest;
GRANT UPDATE (nrejected) ON ledger.batch TO skyledger_ingest;
GRANT INSERT ON ledger.detector, ledger.provenance, ledger.rejected TO skyledger_ingest;
GRANT INSERT, UPDATE, DELETE ON ledger.refusedfile TO skyledger_ingest;
GRANT SELECT ON ledger.forcedpolicy, ledger.subthresholdrule TO skyledger_ingest;
GRANT SELECT, INSERT, UPDATE ON ledger.precovery, ledger.master TO skyledger_ingest;
GRANT SELECT, INSERT, DELETE ON ledger.forcedobject TO skyledger_ingest;
GRANT EXECUTE ON FUNCTION ledger.is_forced(ledger.forcedpolicy, integer, double precision),
  ledger.set_forced_policy(text, text, integer, double precision), ledger.forced_growth()
  TO skyledger_ingest;
GRANT EXECUTE ON FUNCTION ledger.publish(bigint), ledger.fail_batch(bigint, text),
  ledger.fail_delivery(bigint, bigint, smallint, text, text),
  ledger.open_batch(text, bigint, smallint[], text, smallint), ledger.join_batch(bigint),
  ledger.ensure_partitions(double precision, double precision), ledger.heartbeat(),
  ledger.status(), ledger.precovery_due(),
  ledger.withdraw(bigint, text), ledger.withdraw_sources(bigint[], text),
  ledger.relink_chunks(bigint[], bigint[], bigint[], integer),
  ledger.relink_chunk(bigint[], bigint[], bigint[], timestamp[], bigint[])
  TO skyledger_ingest;
GRANT EXECUTE ON PROCEDURE ledger.relink(bigint[], bigint[], bigint[], integer, bigint)
  TO skyledger_ingest;

-- PostgreSQL lets everybody make large objects, take any advisory lock (of publications, too), end
-- the sessions of the same login (readers share one) and write to the log of changes. Not here.
DO $$
DECLARE
  f regprocedure;
BEGIN
  FOR f IN
    SELECT oid::regprocedure FROM pg_proc
    WHERE pronamespace = 'pg_catalog'::regnamespace
      AND proname ~ '^(lo_.*|lo(read|write)|pg_(try_)?advisory_.*|pg_(cancel|terminate)_backend|pg_logical_emit_message)$'
  LOOP
    EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f);
    IF f::text LIKE 'pg%advisory%' THEN
      EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO skyledger_ingest', f);
    END IF;
  END LOOP;
END $$;

-- What brings the server down, or does not heed its time limits, when it is called with NULL, NaN
-- or large numbers (q3c 2.0, pg_sphere 1.2; found by calling all their functions). Nothing here
-- needs it from a reader: polygons come from science.polygon, cones from science.in_cone.
DO $$
DECLARE
  f regprocedure;
BEGIN
  FOR f IN
    SELECT p.oid::regprocedure
    FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
    WHERE n.nspname IN ('public', 'pgsphere') AND (
      p.proname ~ '^q3c_'
      OR p.proname ~ '^(healpix_ring|set_sphere_output|smoc|smoc_disc)$'
      OR p.proname ~ '^(spoly|spath)_add_point'
      OR p.proname IN ('spoly', 'spath') AND p.prokind = 'a'
    )
  LOOP
    EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f);
  END LOOP;
END $$;
