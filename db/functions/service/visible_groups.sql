-- visible_groups: the groups somebody belongs to or owns, with all their members.
CREATE OR REPLACE FUNCTION service.visible_groups(in_person text)
RETURNS TABLE (groupname text, ownername text, description text, createdtai timestamp, members text[])
LANGUAGE sql STABLE ROWS 10 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT g.groupname, g.ownername, g.description, g.createdtai,
    ARRAY(SELECT m.personname FROM service.groupmember AS m WHERE m.groupname = g.groupname ORDER BY 1)
  FROM service.persongroup AS g JOIN service.groupmember AS mine USING (groupname)
  JOIN service.person AS p ON p.personname = mine.personname
  WHERE mine.personname = in_person AND p.disabledtai IS NULL
  ORDER BY 1
$$;

COMMENT ON FUNCTION service.visible_groups(text) IS 'Groups that a person belongs to, with their members.';
