-- make_role: the role of a person, which reads what that person may read (UGP-01, UGP-03). Roles
-- belong to the whole server: another database may have made it, or a restore may miss it. What
-- an embargo has taken from it is not given back.
CREATE OR REPLACE FUNCTION service.make_role(in_name text)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  mark CONSTANT text := 'person of Skyledger';
  role CONSTANT name := 'mydb_' || in_name;
BEGIN
  IF to_regrole(quote_ident(role)) IS NULL THEN
    EXECUTE format('CREATE ROLE %I NOLOGIN', role);
    EXECUTE format('COMMENT ON ROLE %I IS %L', role, mark);
  ELSIF shobj_description(to_regrole(quote_ident(role)), 'pg_authid') IS DISTINCT FROM mark THEN
    RAISE EXCEPTION 'role % is there and is no person''s', role
      USING ERRCODE = 'duplicate_object', HINT = 'Choose another name, or rename the role.';
  END IF;
  IF NOT EXISTS (
    SELECT FROM pg_auth_members
    WHERE member = to_regrole(quote_ident(role))
      AND roleid IN ('skyledger_reader'::regrole, 'skyledger_delayed'::regrole)
  ) THEN
    IF EXISTS (SELECT FROM ledger.embargo WHERE rolename = role) THEN
      EXECUTE format('GRANT skyledger_delayed TO %I', role);
    ELSE
      EXECUTE format('GRANT skyledger_reader TO %I', role);
    END IF;
  END IF;
  IF NOT EXISTS (
    SELECT FROM pg_auth_members
    WHERE roleid = to_regrole(quote_ident(role)) AND member = 'skyledger_member'::regrole
  ) THEN
    EXECUTE format('GRANT %I TO skyledger_member', role);
  END IF;
END $$;

COMMENT ON FUNCTION service.make_role(text) IS 'Makes the role of a person, or what is missing of it.';
