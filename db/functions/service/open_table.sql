-- open_table: makes an empty table of a person, which the service then fills by COPY and seals, all
-- in one transaction (UGP-02). Columns: [{"name", "type", "datatype", "arraysize", "xtype", "unit",
-- "ucd", "utype", "description"}], types of PostgreSQL from a fixed list. In PostgreSQL a column is
-- called as its name with A-Z in small letters. Entries in catalogues cost room that no table
-- shows, so each table counts for 128 KiB and each column for 1 KiB beside its rows (UGP-06).
-- needs: service.find_person, service.used_bytes, science.tai_now
CREATE OR REPLACE FUNCTION service.open_table(
    in_person text, in_table text, in_description text, in_origin text, in_columns jsonb,
    in_query text DEFAULT NULL, in_database text DEFAULT NULL, in_instant timestamp DEFAULT NULL
)
RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  owner service.person%ROWTYPE;
  place text;
  n integer;
  fault text;
  body text;
  fixed bigint;
  used bigint;
BEGIN
  owner := service.find_person(in_person);
  place := 'mydb_' || owner.personname;
  IF in_table IS NULL OR in_table !~ '^[a-z][a-z0-9_]{0,62}$' THEN
    RAISE EXCEPTION '% cannot be the name of a table', coalesce(quote_literal(left(in_table, 100)), 'NULL')
      USING ERRCODE = 'invalid_name', HINT = 'Use 1 to 63 small letters, digits and underscores, a letter first.';
  END IF;
  -- Two loads of one name: the second is told at once, and does not wait for the end of the first.
  IF NOT pg_try_advisory_xact_lock(7527, hashtext(place || '.' || in_table)) THEN
    RAISE EXCEPTION '%.% is being loaded', place, in_table
      USING ERRCODE = 'lock_not_available', HINT = 'Wait until the other load has ended, or choose another name.';
  END IF;
  IF EXISTS (
    SELECT FROM pg_class AS c JOIN pg_namespace AS s ON s.oid = c.relnamespace
    WHERE s.nspname = place AND c.relname = in_table
  ) THEN
    RAISE EXCEPTION 'there is a table % already', place || '.' || in_table
      USING ERRCODE = 'duplicate_table', HINT = 'Drop it first, or choose another name.';
  END IF;
  IF in_origin IS NULL OR in_origin NOT IN ('upload', 'query')
    OR in_origin = 'query' AND (in_query IS NULL OR in_database IS NULL)
  THEN
    RAISE EXCEPTION '% is no origin of a table', coalesce(quote_literal(in_origin), 'NULL')
      USING ERRCODE = 'invalid_parameter_value', HINT = 'Give upload, or query with the query and its database.';
  END IF;
  IF jsonb_typeof(in_columns) IS DISTINCT FROM 'array' THEN
    RAISE EXCEPTION 'the columns of %.% are no list', place, in_table
      USING ERRCODE = 'invalid_parameter_value', HINT = 'Give a list of objects with name, type and datatype.';
  END IF;
  n := jsonb_array_length(in_columns);
  IF n NOT BETWEEN 1 AND 1600 THEN
    RAISE EXCEPTION '%.% has % columns', place, in_table, n
      USING ERRCODE = 'too_many_columns', HINT = 'A table has 1 to 1600 columns; leave some out.';
  END IF;
  WITH given AS (
    SELECT k, c ->> 'name' AS name, lower((c ->> 'name') COLLATE "C") AS sqlname, c ->> 'type' AS type,
      c ->> 'datatype' AS datatype
    FROM jsonb_array_elements(in_columns) WITH ORDINALITY AS e(c, k)
  ), judged AS (
    SELECT k, sqlname, type, CASE
      WHEN name IS NULL OR name = '' THEN format('column %s has no name', k)
      WHEN octet_length(name) > 63 THEN format('the name of column %s is longer than 63 bytes', k)
      WHEN name ~ '[[:cntrl:]]' THEN format('the name of column %s holds a control character', k)
      WHEN sqlname IN ('ctid', 'xmin', 'xmax', 'cmin', 'cmax', 'tableoid')
        THEN format('column %s is called %s, as a column that every table of PostgreSQL has', k, quote_ident(name))
      WHEN count(*) OVER (PARTITION BY sqlname) > 1 THEN format('two columns are called %s', quote_ident(sqlname))
      WHEN type IS NULL OR regexp_replace(type, '\[\]$', '') NOT IN (
          'boolean', 'smallint', 'integer', 'bigint', 'real', 'double precision', 'text', 'timestamp', 'bytea')
        THEN format('column %s has type %s', quote_ident(name), coalesce(quote_literal(left(type, 100)), 'NULL'))
      WHEN coalesce(datatype, '') = '' THEN format('column %s has no datatype', quote_ident(name))
      END AS fault
    FROM given
  )
  SELECT (array_agg(j.fault ORDER BY k) FILTER (WHERE j.fault IS NOT NULL))[1],
    string_agg(quote_ident(sqlname) || ' ' || type, ', ' ORDER BY k)
  INTO fault, body FROM judged AS j;
  IF fault IS NOT NULL THEN
    RAISE EXCEPTION '%.% cannot be made: %', place, in_table, fault
      USING ERRCODE = 'invalid_table_definition',
        HINT = 'Give each column a name of its own, a VOTable datatype, and one of the types boolean, smallint, integer, '
          'bigint, real, double precision, text, timestamp, bytea and arrays of them.';
  END IF;
  fixed := 131072 + 1024 * n + octet_length(in_columns::text) + octet_length(coalesce(in_description, ''))
    + octet_length(coalesce(in_query, ''));
  used := service.used_bytes(owner.personname);
  IF used + fixed > owner.quotabytes THEN
    RAISE EXCEPTION 'no room for %.%: % of % bytes are used, and the empty table takes %',
      place, in_table, used, owner.quotabytes, fixed
      USING ERRCODE = 'disk_full', HINT = 'Drop tables, or ask an operator for a larger quota.';
  END IF;
  EXECUTE format('CREATE TABLE %I.%I (%s)', place, in_table, body);
  EXECUTE format('GRANT INSERT ON %I.%I TO skyledger_service', place, in_table);
  INSERT INTO service.persontable (schemaname, tablename, personname, description, nbytes, createdtai,
    origin, query, databasename, instanttai)
  VALUES (place, in_table, owner.personname, coalesce(in_description, ''), fixed, science.tai_now(),
    in_origin, in_query, in_database, in_instant);
  INSERT INTO service.personcolumn (schemaname, tablename, columnname, columnindex, sqlname, sqltype,
    datatype, arraysize, xtype, unit, ucd, utype, description, isindexed)
  SELECT place, in_table, c ->> 'name', k - 1, lower((c ->> 'name') COLLATE "C"), c ->> 'type',
    c ->> 'datatype', c ->> 'arraysize', c ->> 'xtype', c ->> 'unit', c ->> 'ucd', c ->> 'utype',
    c ->> 'description', false
  FROM jsonb_array_elements(in_columns) WITH ORDINALITY AS e(c, k);
  RETURN format('%I.%I', place, in_table);
END $$;

COMMENT ON FUNCTION service.open_table(text, text, text, text, jsonb, text, text, timestamp)
IS 'Makes an empty table of a person to be filled by COPY and sealed in the same transaction; returns its name as SQL writes it.';
