-- enable_person: lets somebody in again who was shut out; new tokens are needed.
-- needs: service.lock_people, service.keep_grants, science.tai_now
CREATE OR REPLACE FUNCTION service.enable_person(in_name text, in_by text)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '10s'
AS $$
BEGIN
  PERFORM service.lock_people();
  IF service.rank_of(in_by) <> 'operator' THEN
    RAISE EXCEPTION '% may not let people in', in_by
      USING ERRCODE = 'insufficient_privilege', HINT = 'Ask an operator.';
  END IF;
  UPDATE service.person SET disabledtai = NULL WHERE personname = in_name AND disabledtai IS NOT NULL;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'there is nobody % who was shut out', coalesce(quote_literal(in_name), 'without a name')
      USING ERRCODE = 'undefined_object', HINT = 'Correct the name; `skyledger people list` shows who is there.';
  END IF;
  PERFORM service.keep_grants(schemaname, tablename) FROM service.persontable;
END $$;

COMMENT ON FUNCTION service.enable_person(text, text)
IS 'Lets a person in again; new tokens are needed. By an operator, or NULL: the owner.';
