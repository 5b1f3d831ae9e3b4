-- make_alias: a login for one virtual database: plain names mean it, and all living tables are
-- read as of its instant (design section 4; GEN-21). The settings are defaults of the role, so
-- they survive RESET and the DISCARD ALL of a connection pool. Belongs to skyledger_user, so an
-- embargo on the public holds for it. The instant has been settled by ledger.settle.
CREATE OR REPLACE FUNCTION ledger.make_alias(in_alias text, in_database text, in_instant timestamp)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog
AS $$
DECLARE
  mark CONSTANT text := 'virtual database of Skyledger';
BEGIN
  IF in_alias !~ '^[a-z0-9][a-z0-9_.-]{0,61}[a-z0-9]$' THEN
    RAISE EXCEPTION '% cannot be the name of an alias', quote_literal(in_alias)
      USING ERRCODE = 'invalid_parameter_value',
        HINT = 'Use 2 to 63 small letters, digits, points, hyphens and underscores.';
  END IF;
  IF to_regrole(quote_ident(in_alias)) IS NULL THEN
    EXECUTE format('CREATE ROLE %I LOGIN IN ROLE skyledger_user', in_alias);
    EXECUTE format('COMMENT ON ROLE %I IS %L', in_alias, mark);
  ELSIF shobj_description(to_regrole(quote_ident(in_alias)), 'pg_authid') IS DISTINCT FROM mark THEN
    RAISE EXCEPTION 'role % is there and is no alias', in_alias
      USING ERRCODE = 'duplicate_object', HINT = 'Choose another name.';
  END IF;
  EXECUTE format('ALTER ROLE %I SET default_transaction_read_only = on', in_alias);
  EXECUTE format('ALTER ROLE %I IN DATABASE %I SET search_path = %I, science, public',
    in_alias, current_database(), in_database);
  EXECUTE format('ALTER ROLE %I IN DATABASE %I SET skyledger.as_of = %L',
    in_alias, current_database(), coalesce(to_char(in_instant, 'YYYY-MM-DD"T"HH24:MI:SS.US'), ''));
END $$;

COMMENT ON FUNCTION ledger.make_alias(text, text, timestamp)
IS 'Makes or changes the login of a virtual database, by default settings of a role. For the owner.';
