-- add_member: somebody joins a group, and reads at once what is shared with it.
-- needs: service.change_group, service.find_person, service.keep_grants, science.tai_now
CREATE OR REPLACE FUNCTION service.add_member(in_group text, in_person text, in_by text)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM service.change_group(in_group, in_by);
  PERFORM service.find_person(in_person);
  INSERT INTO service.groupmember (groupname, personname, addedtai)
  VALUES (in_group, in_person, science.tai_now()) ON CONFLICT DO NOTHING;
  PERFORM service.keep_grants(schemaname, tablename)
  FROM service.tableshare WHERE granteekind = 'group' AND granteename = in_group;
END $$;

COMMENT ON FUNCTION service.add_member(text, text, text)
IS 'Adds a person to a group. By the group''s owner, an operator, or NULL: the database''s owner.';
