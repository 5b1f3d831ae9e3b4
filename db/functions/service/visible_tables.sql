-- visible_tables: the tables of people that somebody may read, with their columns (UGP-02, UGP-03);
-- for nobody in particular, NULL, those shared with everyone. With whom a table is shared is for
-- its owner to know.
CREATE OR REPLACE FUNCTION service.visible_tables(in_person text)
RETURNS TABLE (schemaname text, tablename text, ownername text, description text, nrows bigint, nbytes bigint, createdtai timestamp, origin text, query text, databasename text, instanttai timestamp, racolumn text, declcolumn text, sharedwith text[], columns jsonb)
LANGUAGE sql STABLE ROWS 100 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  WITH me AS (
    SELECT p.personname FROM service.person AS p WHERE p.personname = in_person AND p.disabledtai IS NULL
  ), readable AS (
    SELECT t.schemaname, t.tablename FROM service.persontable AS t JOIN me USING (personname)
    UNION
    SELECT s.schemaname, s.tablename FROM service.tableshare AS s WHERE s.granteekind = 'everyone'
    UNION
    SELECT s.schemaname, s.tablename FROM service.tableshare AS s
    JOIN me ON s.granteekind = 'person' AND s.granteename = me.personname
    UNION
    SELECT s.schemaname, s.tablename FROM me JOIN service.groupmember AS g USING (personname)
    JOIN service.tableshare AS s ON s.granteekind = 'group' AND s.granteename = g.groupname
  )
  SELECT t.schemaname, t.tablename, t.personname, t.description, t.nrows, t.nbytes, t.createdtai,
    t.origin, t.query, t.databasename, t.instanttai, t.racolumn, t.declcolumn,
    CASE WHEN t.personname = (SELECT me.personname FROM me) THEN ARRAY(
      SELECT concat_ws(':', s.granteekind, nullif(s.granteename, '')) FROM service.tableshare AS s
      WHERE s.schemaname = t.schemaname AND s.tablename = t.tablename ORDER BY 1
    ) END,
    (
      SELECT jsonb_agg(jsonb_build_object('name', c.columnname, 'sql_name', c.sqlname, 'type', c.sqltype,
        'datatype', c.datatype, 'arraysize', c.arraysize, 'xtype', c.xtype, 'unit', c.unit, 'ucd', c.ucd,
        'utype', c.utype, 'description', c.description, 'isIndexed', c.isindexed) ORDER BY c.columnindex)
      FROM service.personcolumn AS c WHERE c.schemaname = t.schemaname AND c.tablename = t.tablename
    )
  FROM readable JOIN service.persontable AS t USING (schemaname, tablename)
  WHERE t.sealedtai IS NOT NULL
  ORDER BY 1, 2
$$;

COMMENT ON FUNCTION service.visible_tables(text)
IS 'Tables that a person may read, own and shared ones; those shared with everyone for NULL.';
