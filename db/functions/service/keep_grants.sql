-- keep_grants: makes the rights on a person's table those that the shares say: its owner, persons,
-- members of groups or everybody may read it, as long as they are not shut out, and nobody may do
-- more (UGP-03). Groups are no roles, because membership would hold in every database of the server.
CREATE OR REPLACE FUNCTION service.keep_grants(in_schema text, in_table text)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  change text;
BEGIN
  FOR change IN
    WITH target AS (
      SELECT c.oid, c.relacl, c.relowner
      FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
      WHERE n.nspname = in_schema AND c.relname = in_table AND c.relkind = 'r'
    ), mine AS (
      SELECT t.personname, s.granteekind, s.granteename
      FROM service.persontable AS t
      LEFT JOIN service.tableshare AS s USING (schemaname, tablename)
      WHERE t.schemaname = in_schema AND t.tablename = in_table AND t.sealedtai IS NOT NULL
    ), reading AS (
      SELECT personname FROM mine
      UNION
      SELECT granteename FROM mine WHERE granteekind = 'person'
      UNION
      SELECT g.personname FROM mine JOIN service.groupmember AS g ON g.groupname = mine.granteename
      WHERE granteekind = 'group'
    ), wanted AS (
      SELECT r.oid
      FROM reading JOIN service.person AS p USING (personname)
      JOIN pg_roles AS r ON r.rolname = 'mydb_' || p.personname
      WHERE p.disabledtai IS NULL
      UNION
      SELECT role::oid FROM mine,
        unnest(ARRAY['skyledger_reader', 'skyledger_delayed']::regrole[]) AS role
      WHERE granteekind = 'everyone'
    ), present AS (
      SELECT a.grantee AS oid, array_agg(a.privilege_type) AS rights
      FROM target CROSS JOIN LATERAL aclexplode(target.relacl) AS a
      WHERE a.grantee <> target.relowner GROUP BY 1
    )
    SELECT CASE
      WHEN w.oid IS NULL THEN format('REVOKE ALL ON %I.%I FROM %s', in_schema, in_table,
        CASE WHEN p.oid = 0 THEN 'PUBLIC' ELSE p.oid::regrole::text END)
      ELSE format('GRANT SELECT ON %I.%I TO %s', in_schema, in_table, w.oid::regrole)
      END
    FROM target CROSS JOIN (wanted AS w FULL JOIN present AS p ON p.oid = w.oid)
    WHERE w.oid IS NULL OR p.oid IS NULL
  LOOP
    EXECUTE change;
  END LOOP;
END $$;

COMMENT ON FUNCTION service.keep_grants(text, text)
IS 'Makes the rights on a person''s table those that the shares say.';
