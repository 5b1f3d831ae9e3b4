-- share_table: lets a person, the members of a group or everybody read a table (UGP-03). Only its
-- owner can: who may read a table may not pass it on, and operators give away nothing of others'.
-- needs: service.lock_people, service.rank_of, service.find_table, service.find_person
-- needs: service.keep_grants, science.tai_now
CREATE OR REPLACE FUNCTION service.share_table(
    in_schema text, in_table text, in_kind text, in_grantee text, in_by text
)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  t service.persontable%ROWTYPE;
BEGIN
  PERFORM service.lock_people();
  PERFORM service.rank_of(in_by);
  t := service.find_table(in_schema, in_table);
  IF t.personname IS DISTINCT FROM in_by THEN
    RAISE EXCEPTION '%.% is not a table of %', in_schema, in_table, coalesce(in_by, 'nobody')
      USING ERRCODE = 'insufficient_privilege', HINT = 'Only its owner can share a table.';
  END IF;
  IF in_kind = 'person' THEN
    PERFORM service.find_person(in_grantee);
    IF in_grantee = in_by THEN
      RAISE EXCEPTION '%.% is %''s own', in_schema, in_table, in_by
        USING ERRCODE = 'invalid_parameter_value', HINT = 'Name somebody else.';
    END IF;
  ELSIF in_kind = 'group' THEN
    IF NOT EXISTS (SELECT FROM service.persongroup WHERE groupname = in_grantee) THEN
      RAISE EXCEPTION 'there is no group %', coalesce(quote_literal(in_grantee), 'without a name')
        USING ERRCODE = 'undefined_object', HINT = 'Correct the name, or make the group.';
    END IF;
  ELSIF in_kind = 'everyone' THEN
    IF coalesce(in_grantee, '') <> '' THEN
      RAISE EXCEPTION 'everyone has no name, not %', quote_literal(in_grantee)
        USING ERRCODE = 'invalid_parameter_value', HINT = 'Leave the name out.';
    END IF;
  ELSE
    RAISE EXCEPTION 'tables are not shared with a %', coalesce(quote_literal(in_kind), 'NULL')
      USING ERRCODE = 'invalid_parameter_value', HINT = 'Give person, group or everyone.';
  END IF;
  INSERT INTO service.tableshare (schemaname, tablename, granteekind, granteename, sharedtai)
  VALUES (in_schema, in_table, in_kind, coalesce(in_grantee, ''), science.tai_now())
  ON CONFLICT DO NOTHING;
  PERFORM service.keep_grants(in_schema, in_table);
END $$;

COMMENT ON FUNCTION service.share_table(text, text, text, text, text)
IS 'Lets a person, a group or everyone read a table. By its owner alone.';
