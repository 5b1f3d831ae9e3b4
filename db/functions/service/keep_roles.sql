-- keep_roles: makes what is missing of people's roles and rights, after a restore to another server
-- or an upgrade; nothing is to do where nothing was lost.
-- needs: service.make_role, service.keep_grants, service.lock_people
CREATE OR REPLACE FUNCTION service.keep_roles()
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  name text;
  t record;
BEGIN
  PERFORM service.lock_people();
  FOR name IN SELECT personname FROM service.person ORDER BY 1 LOOP
    PERFORM service.make_role(name);
    PERFORM service.open_schema(name);
  END LOOP;
  FOR t IN SELECT schemaname, tablename FROM service.persontable ORDER BY 1, 2 LOOP
    PERFORM service.keep_grants(t.schemaname, t.tablename);
  END LOOP;
END $$;

COMMENT ON FUNCTION service.keep_roles()
IS 'Makes what is missing of the roles, schemas and rights of people. Called by upgrades.';
