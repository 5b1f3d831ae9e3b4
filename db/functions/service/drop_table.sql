-- drop_table: takes a table of a person away, with all its shares. By its owner or an operator.
-- needs: service.lock_people, service.rank_of, service.find_table
CREATE OR REPLACE FUNCTION service.drop_table(in_schema text, in_table text, in_by text)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
DECLARE
  t service.persontable%ROWTYPE;
  rank text := service.rank_of(in_by);
BEGIN
  t := service.find_table(in_schema, in_table);
  IF rank <> 'operator' AND t.personname <> in_by THEN
    RAISE EXCEPTION '%.% is not a table of %', in_schema, in_table, in_by
      USING ERRCODE = 'insufficient_privilege', HINT = 'Only its owner can drop a table.';
  END IF;
  BEGIN
    -- Whoever reads the table now may read it to the end, but not make everybody else wait.
    EXECUTE format('LOCK TABLE %I.%I', in_schema, in_table);
  EXCEPTION
    WHEN lock_not_available THEN
      RAISE EXCEPTION '%.% is being read', in_schema, in_table
        USING ERRCODE = 'lock_not_available', HINT = 'Drop it when the queries that read it have ended.';
    WHEN undefined_table THEN
      NULL;  -- somebody has dropped it by hand: what is known of it goes, too
  END;
  PERFORM service.lock_people();
  EXECUTE format('DROP TABLE IF EXISTS %I.%I', in_schema, in_table);
  DELETE FROM service.tableshare WHERE schemaname = in_schema AND tablename = in_table;
  DELETE FROM service.personcolumn WHERE schemaname = in_schema AND tablename = in_table;
  DELETE FROM service.persontable WHERE schemaname = in_schema AND tablename = in_table;
END $$;

COMMENT ON FUNCTION service.drop_table(text, text, text)
IS 'Drops a person''s table. By its owner, an operator, or NULL: the database''s owner.';
