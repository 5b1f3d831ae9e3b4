-- rank_of: in whose name something is done: 'user' or 'operator'. Nobody's name is the
-- administrator's own, which only a session with the rights of the database's owner may use.
CREATE OR REPLACE FUNCTION service.rank_of(in_by text)
RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  rank text;
BEGIN
  IF in_by IS NULL THEN
    IF pg_has_role(session_user, current_user, 'MEMBER') THEN
      RETURN 'operator';
    END IF;
    RAISE EXCEPTION 'nobody is named in whose name this is to be done'
      USING ERRCODE = 'insufficient_privilege', HINT = 'Sign in.';
  END IF;
  SELECT rolename INTO rank FROM service.person WHERE personname = in_by AND disabledtai IS NULL;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'there is no person %', quote_literal(in_by)
      USING ERRCODE = 'insufficient_privilege', HINT = 'Sign in, or ask an operator for an account.';
  END IF;
  RETURN rank;
END $$;

COMMENT ON FUNCTION service.rank_of(text)
IS 'Role of a person, user or operator; of the administrator for NULL in a session of the owner.';
