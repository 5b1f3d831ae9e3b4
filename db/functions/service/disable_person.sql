-- disable_person: shuts somebody out: tokens are revoked for ever, what was shared with the person
-- can no longer be read, nor the person's own tables, except by those with whom they are shared.
-- The tables stay until they are dropped.
-- needs: service.lock_people, service.keep_grants, service.find_person, science.tai_now
CREATE OR REPLACE FUNCTION service.disable_person(in_name text, in_by text)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '10s'
AS $$
BEGIN
  PERFORM service.lock_people();
  IF service.rank_of(in_by) <> 'operator' THEN
    RAISE EXCEPTION '% may not shut people out', in_by
      USING ERRCODE = 'insufficient_privilege', HINT = 'Ask an operator.';
  END IF;
  PERFORM service.find_person(in_name, true);
  UPDATE service.person SET disabledtai = science.tai_now() WHERE personname = in_name;
  UPDATE service.accesstoken SET revokedtai = science.tai_now() WHERE personname = in_name AND revokedtai IS NULL;
  PERFORM service.keep_grants(schemaname, tablename) FROM service.persontable;
END $$;

COMMENT ON FUNCTION service.disable_person(text, text)
IS 'Shuts a person out: no token works, no table of people can be read. By an operator, or NULL: the owner.';
