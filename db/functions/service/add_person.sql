-- add_person: somebody gets an account: a role, a schema of his own, and an allocation (UGP-01).
-- needs: service.lock_people, service.make_role, service.open_schema, service.check_allocation
-- needs: science.tai_now
CREATE OR REPLACE FUNCTION service.add_person(
    in_name text, in_full_name text, in_role text,
    in_quota_bytes bigint, in_most_queries integer, in_per_minute integer, in_by text
)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '10s'
AS $$
DECLARE
  now timestamp := science.tai_now();
BEGIN
  IF in_name IS NULL OR in_name !~ '^[a-z][a-z0-9_]{1,30}$' THEN
    RAISE EXCEPTION '% cannot be the name of a person', coalesce(quote_literal(in_name), 'NULL')
      USING ERRCODE = 'invalid_parameter_value',
        HINT = 'Use 2 to 31 small letters, digits and underscores, a letter first.';
  END IF;
  IF in_role IS NULL OR in_role NOT IN ('user', 'operator') THEN
    RAISE EXCEPTION '% is no role of a person', coalesce(quote_literal(in_role), 'NULL')
      USING ERRCODE = 'invalid_parameter_value', HINT = 'Give user or operator.';
  END IF;
  PERFORM service.check_allocation(in_quota_bytes, in_most_queries, in_per_minute);
  PERFORM service.lock_people();
  IF EXISTS (SELECT FROM service.person WHERE personname = in_name) THEN
    RAISE EXCEPTION 'there is a person % already', in_name
      USING ERRCODE = 'duplicate_object', HINT = 'Choose another name; names are not given twice.';
  END IF;
  IF to_regnamespace(quote_ident('mydb_' || in_name)) IS NOT NULL THEN
    RAISE EXCEPTION 'there is a schema mydb_% already, and it is no person''s', in_name
      USING ERRCODE = 'duplicate_schema', HINT = 'Choose another name, or rename the schema.';
  END IF;
  INSERT INTO service.person (personname, fullname, rolename, createdtai, quotabytes, mostqueries, queriesperminute)
  VALUES (in_name, coalesce(in_full_name, ''), in_role, now, in_quota_bytes, in_most_queries, in_per_minute);
  INSERT INTO service.allocation (personname, changedtai, quotabytes, mostqueries, queriesperminute, changedby, reason)
  VALUES (in_name, now, in_quota_bytes, in_most_queries, in_per_minute, coalesce(in_by, session_user), 'added');
  PERFORM service.make_role(in_name);
  PERFORM service.open_schema(in_name);
END $$;

COMMENT ON FUNCTION service.add_person(text, text, text, bigint, integer, integer, text)
IS 'Adds a person with a quota [byte], queries at the same time and queries a minute. For the owner.';
