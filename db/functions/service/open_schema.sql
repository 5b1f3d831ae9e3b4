-- open_schema: the schema of a person's tables. Everybody may look into it; what is read there is
-- decided table by table.
CREATE OR REPLACE FUNCTION service.open_schema(in_name text)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  place CONSTANT name := 'mydb_' || in_name;
BEGIN
  IF to_regnamespace(quote_ident(place)) IS NULL THEN
    EXECUTE format('CREATE SCHEMA %I', place);
  END IF;
  IF NOT has_schema_privilege('skyledger_reader', place, 'USAGE')
    OR NOT has_schema_privilege('skyledger_delayed', place, 'USAGE')
    OR NOT has_schema_privilege('skyledger_service', place, 'USAGE')
  THEN
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO skyledger_reader, skyledger_delayed, skyledger_service', place);
  END IF;
END $$;

COMMENT ON FUNCTION service.open_schema(text) IS 'Makes the schema of a person''s tables, if it is missing.';
