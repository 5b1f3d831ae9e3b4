-- add_group: makes a group, whose owner is its first member (UGP-03).
-- needs: service.lock_people, service.rank_of, service.find_person, science.tai_now
CREATE OR REPLACE FUNCTION service.add_group(in_name text, in_owner text, in_description text)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM service.lock_people();
  PERFORM service.find_person(in_owner);
  IF in_name IS NULL OR in_name !~ '^[a-z][a-z0-9_]{1,30}$' THEN
    RAISE EXCEPTION '% cannot be the name of a group', coalesce(quote_literal(left(in_name, 100)), 'NULL')
      USING ERRCODE = 'invalid_name', HINT = 'Use 2 to 31 small letters, digits and underscores, a letter first.';
  END IF;
  IF EXISTS (SELECT FROM service.persongroup WHERE groupname = in_name) THEN
    RAISE EXCEPTION 'there is a group % already', in_name
      USING ERRCODE = 'duplicate_object', HINT = 'Choose another name.';
  END IF;
  INSERT INTO service.persongroup (groupname, ownername, description, createdtai)
  VALUES (in_name, in_owner, coalesce(in_description, ''), science.tai_now());
  INSERT INTO service.groupmember (groupname, personname, addedtai) VALUES (in_name, in_owner, science.tai_now());
END $$;

COMMENT ON FUNCTION service.add_group(text, text, text) IS 'Makes a group of a person, who is its first member.';
