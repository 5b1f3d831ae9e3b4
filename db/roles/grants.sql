-- Who may do what. Three roles, the same in every database of the server:
--   skyledger_reader  reads the published forms and calls the functions for astronomers
--   skyledger_ingest  stages rows and publishes them; cannot write to the store
--   skyledger_citer   owns the functions that run cited queries: the rights of a reader, whoever cites
DO $$
BEGIN
  -- Roles belong to the whole server: another database may have made them already.
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'skyledger_reader') THEN
    CREATE ROLE skyledger_reader NOLOGIN;
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

GRANT USAGE ON SCHEMA prompt, prompt_live, prompt_at, prompt_history, science, ledger
  TO skyledger_reader, skyledger_ingest;
GRANT SELECT ON ALL TABLES IN SCHEMA prompt, prompt_live, prompt_history
  TO skyledger_reader, skyledger_ingest;
GRANT SELECT ON ledger.epoch, ledger.database, ledger.flagdefinition, ledger.featuredefinition,
  ledger.provenance, ledger.detector, ledger.citation TO skyledger_reader, skyledger_ingest;

-- New functions are everybody's unless taken away.
REVOKE EXECUTE ON ALL ROUTINES IN SCHEMA ledger, staging FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.horizon(), ledger.settled(timestamp), ledger.as_of(),
  ledger.resolve(timestamp), ledger.open_answer(text), ledger.cite(text, timestamp, text),
  ledger.verify(text) TO skyledger_reader, skyledger_ingest;

-- What a citation runs, it runs as this role.
ALTER FUNCTION ledger.read_query(text, text) OWNER TO skyledger_citer;
ALTER FUNCTION ledger.measure_answer(text, text[], boolean, timestamp) OWNER TO skyledger_citer;

GRANT USAGE ON SCHEMA staging TO skyledger_ingest;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA staging TO skyledger_ingest;
GRANT SELECT ON ledger.batch, ledger.delivery, ledger.rejected TO skyledger_ingest;
GRANT EXECUTE ON FUNCTION ledger.publish(bigint), ledger.fail_batch(bigint, text),
  ledger.fail_delivery(bigint, bigint, smallint, text, text),
  ledger.open_batch(text, bigint, smallint[], text, smallint),
  ledger.ensure_partitions(double precision, double precision), ledger.heartbeat(),
  ledger.status(),
  ledger.withdraw(bigint, text), ledger.withdraw_sources(bigint[], text),
  ledger.relink_chunks(bigint[], bigint[], bigint[], integer),
  ledger.relink_chunk(bigint[], bigint[], bigint[])
  TO skyledger_ingest;
GRANT EXECUTE ON PROCEDURE ledger.relink(bigint[], bigint[], bigint[], integer, bigint)
  TO skyledger_ingest;
