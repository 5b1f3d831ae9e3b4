-- find_person: the row of somebody who is not shut out; locked, if it is to be changed or counted.
CREATE OR REPLACE FUNCTION service.find_person(in_name text, in_lock boolean DEFAULT false)
RETURNS service.person
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  found service.person%ROWTYPE;
BEGIN
  IF in_lock THEN
    SELECT * INTO found FROM service.person WHERE personname = in_name FOR UPDATE;
  ELSE
    SELECT * INTO found FROM service.person WHERE personname = in_name;
  END IF;
  IF found.personname IS NULL THEN
    RAISE EXCEPTION 'there is no person %', coalesce(quote_literal(in_name), 'without a name')
      USING ERRCODE = 'undefined_object', HINT = 'Correct the name; `skyledger people list` shows who is there.';
  ELSIF found.disabledtai IS NOT NULL THEN
    RAISE EXCEPTION 'person % is shut out since % (TAI)', in_name, found.disabledtai
      USING ERRCODE = 'insufficient_privilege', HINT = 'An operator can let the person in again.';
  END IF;
  RETURN found;
END $$;

COMMENT ON FUNCTION service.find_person(text, boolean)
IS 'Row of a person, locked if wanted; refuses who is unknown or shut out.';
