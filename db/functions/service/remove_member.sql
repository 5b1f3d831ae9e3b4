-- remove_member: somebody leaves a group, and with it loses what is shared with it. Everybody can
-- leave; the owner's group would belong to nobody, so the owner stays.
-- needs: service.change_group, service.keep_grants, service.rank_of, service.lock_people
CREATE OR REPLACE FUNCTION service.remove_member(in_group text, in_person text, in_by text)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF in_person IS NOT DISTINCT FROM in_by AND in_by IS NOT NULL THEN
    PERFORM service.lock_people();
    PERFORM service.rank_of(in_by);
  ELSE
    PERFORM service.change_group(in_group, in_by);
  END IF;
  IF EXISTS (SELECT FROM service.persongroup WHERE groupname = in_group AND ownername = in_person) THEN
    RAISE EXCEPTION 'group % belongs to %', in_group, in_person
      USING ERRCODE = 'invalid_parameter_value', HINT = 'The owner cannot leave; drop the group.';
  END IF;
  DELETE FROM service.groupmember WHERE groupname = in_group AND personname = in_person;
  IF NOT FOUND THEN
    RAISE EXCEPTION '% is in no group %', coalesce(quote_literal(in_person), 'NULL'), coalesce(quote_literal(in_group), 'NULL')
      USING ERRCODE = 'undefined_object', HINT = 'Correct the names.';
  END IF;
  PERFORM service.keep_grants(schemaname, tablename)
  FROM service.tableshare WHERE granteekind = 'group' AND granteename = in_group;
END $$;

COMMENT ON FUNCTION service.remove_member(text, text, text)
IS 'Takes a person out of a group. By the person, the group''s owner, an operator, or NULL: the database''s owner.';
