-- change_group: sees that somebody may change a group, and takes the lock under which it is done.
-- needs: service.lock_people, service.rank_of
CREATE OR REPLACE FUNCTION service.change_group(in_name text, in_by text)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  owner text;
BEGIN
  PERFORM service.lock_people();
  SELECT ownername INTO owner FROM service.persongroup WHERE groupname = in_name;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'there is no group %', coalesce(quote_literal(in_name), 'without a name')
      USING ERRCODE = 'undefined_object', HINT = 'Correct the name, or make the group.';
  END IF;
  IF service.rank_of(in_by) <> 'operator' AND owner <> in_by THEN
    RAISE EXCEPTION 'group % belongs to another than %', in_name, in_by
      USING ERRCODE = 'insufficient_privilege', HINT = 'Only its owner can change a group.';
  END IF;
END $$;

COMMENT ON FUNCTION service.change_group(text, text)
IS 'Refuses whoever may not change a group: all but its owner, operators, and NULL: the database''s owner.';
