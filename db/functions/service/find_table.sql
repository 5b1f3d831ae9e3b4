-- find_table: the row of a table of a person that can be read.
CREATE OR REPLACE FUNCTION service.find_table(in_schema text, in_table text)
RETURNS service.persontable
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  found service.persontable%ROWTYPE;
BEGIN
  SELECT * INTO found FROM service.persontable
  WHERE schemaname = in_schema AND tablename = in_table AND sealedtai IS NOT NULL;
  IF found.tablename IS NULL THEN
    RAISE EXCEPTION 'there is no table %', coalesce(format('%I.%I', in_schema, in_table), 'without a name')
      USING ERRCODE = 'undefined_table', HINT = 'Correct the name, mydb_PERSON.TABLE.';
  END IF;
  RETURN found;
END $$;

COMMENT ON FUNCTION service.find_table(text, text) IS 'Row of a table of a person; refuses what is not there.';
