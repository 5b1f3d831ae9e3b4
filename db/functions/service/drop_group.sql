-- drop_group: takes a group away, and with it what its members could read through it.
-- needs: service.change_group, service.keep_grants
CREATE OR REPLACE FUNCTION service.drop_group(in_name text, in_by text)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  t record;
BEGIN
  PERFORM service.change_group(in_name, in_by);
  DELETE FROM service.groupmember WHERE groupname = in_name;
  DELETE FROM service.persongroup WHERE groupname = in_name;
  FOR t IN
    DELETE FROM service.tableshare WHERE granteekind = 'group' AND granteename = in_name
    RETURNING schemaname, tablename
  LOOP
    PERFORM service.keep_grants(t.schemaname, t.tablename);
  END LOOP;
END $$;

COMMENT ON FUNCTION service.drop_group(text, text)
IS 'Takes a group away with all that was shared with it. By its owner, an operator, or NULL: the database''s owner.';
