-- unshare_table: takes back what share_table gave. By the owner of the table or an operator.
-- needs: service.lock_people, service.rank_of, service.find_table, service.keep_grants
CREATE OR REPLACE FUNCTION service.unshare_table(
    in_schema text, in_table text, in_kind text, in_grantee text, in_by text
)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  t service.persontable%ROWTYPE;
BEGIN
  PERFORM service.lock_people();
  t := service.find_table(in_schema, in_table);
  IF service.rank_of(in_by) <> 'operator' AND t.personname <> in_by THEN
    RAISE EXCEPTION '%.% is not a table of %', in_schema, in_table, in_by
      USING ERRCODE = 'insufficient_privilege', HINT = 'Only its owner can take back who may read a table.';
  END IF;
  DELETE FROM service.tableshare
  WHERE schemaname = in_schema AND tablename = in_table AND granteekind = in_kind
    AND granteename = coalesce(in_grantee, '');
  IF NOT FOUND THEN
    RAISE EXCEPTION '%.% is not shared with %', in_schema, in_table,
      concat_ws(' ', coalesce(in_kind, 'NULL'), nullif(in_grantee, ''))
      USING ERRCODE = 'undefined_object', HINT = 'The list of the tables says with whom it is shared.';
  END IF;
  PERFORM service.keep_grants(in_schema, in_table);
END $$;

COMMENT ON FUNCTION service.unshare_table(text, text, text, text, text)
IS 'Takes back that a person, a group or everyone may read a table. By its owner, an operator, or NULL: the database''s owner.';
