-- set_embargo: lets a role see the archive only as it was some hours ago (design section 5).
-- It loses skyledger_reader, hence the current rows and the list of epochs, and gets
-- skyledger_delayed: the forms prompt and prompt_at, which keep to its horizon. 0 hours give
-- skyledger_reader back. Nobody may run functions of his own in a database with an embargo: they
-- could be handed rows before the instant is applied.
CREATE OR REPLACE FUNCTION ledger.set_embargo(in_role name, in_hours double precision)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog
AS $$
DECLARE
  seeing name;
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = in_role AND NOT rolsuper) THEN
    RAISE EXCEPTION 'there is no role % that an embargo could hold back', in_role
      USING ERRCODE = 'undefined_object', HINT = 'Name a role that exists and is no superuser.';
  END IF;
  IF in_hours IS NULL OR NOT in_hours BETWEEN 0 AND 1e6 THEN
    RAISE EXCEPTION 'an embargo of % hours is none', in_hours
      USING ERRCODE = 'invalid_parameter_value', HINT = 'Give hours from 0, which lifts it, to 1000000.';
  END IF;
  IF in_hours = 0 THEN
    DELETE FROM ledger.embargo WHERE rolename = in_role;
    EXECUTE format('GRANT skyledger_reader TO %I', in_role);
    EXECUTE format('REVOKE skyledger_delayed FROM %I', in_role);
    RETURN;
  END IF;
  EXECUTE format('REVOKE skyledger_reader FROM %I', in_role);
  EXECUTE format('GRANT skyledger_delayed TO %I', in_role);
  EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
  EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO skyledger_reader, skyledger_ingest, skyledger_citer',
    current_database());
  INSERT INTO ledger.embargo (rolename, delayhours) VALUES (in_role, in_hours)
  ON CONFLICT (rolename) DO UPDATE SET delayhours = excluded.delayhours;
  -- It holds for the members of the role, too, whatever else they belong to.
  WITH RECURSIVE held(role) AS (
    SELECT oid FROM pg_roles WHERE rolname = in_role
    UNION
    SELECT m.member FROM held JOIN pg_auth_members AS m ON m.roleid = held.role
  )
  SELECT r.rolname INTO seeing FROM held JOIN pg_roles AS r ON r.oid = held.role
  WHERE has_schema_privilege(r.oid, 'prompt_live', 'USAGE')
    OR has_schema_privilege(r.oid, 'rubin_live', 'USAGE')
    OR has_schema_privilege(r.oid, 'prompt_history', 'USAGE')
    OR has_table_privilege(r.oid, 'ledger.epoch', 'SELECT')
  LIMIT 1;
  IF seeing IS NOT NULL THEN
    RAISE EXCEPTION 'role % would still see the present', seeing
      USING ERRCODE = 'object_not_in_prerequisite_state',
        HINT = 'Take from it every other role that may read prompt_live, rubin_live, prompt_history or ledger.epoch.';
  END IF;
END $$;

COMMENT ON FUNCTION ledger.set_embargo(name, double precision)
IS 'Holds a role and its members back by some hours; 0 lifts the embargo. For the owner.';
