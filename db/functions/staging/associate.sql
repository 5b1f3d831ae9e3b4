-- associate: gives every staged DIASource of a visit its DIAObject or predicted SSObject, or makes a
-- new DIAObject (staging.likeliest says how). DPDD section 3.2.1 step 4 and footnote 23; DIA-05,
-- DIA-11, DIA-12. A slot holds one visit. Parents and the sub-threshold sample take no part;
-- what staging.choose_subthreshold has chosen does.
-- needs: staging.likeliest
CREATE OR REPLACE FUNCTION staging.associate(
  in_slot smallint, OUT n_matched bigint, OUT n_new bigint)
LANGUAGE plpgsql AS $$
DECLARE
  base bigint;
  loops CONSTANT text := current_setting('enable_nestloop');
BEGIN
  SELECT databaseid::bigint << 54 INTO STRICT base FROM ledger.database WHERE name = 'prompt';
  -- The planner knows neither how many rows are staged nor how many come back: no loops over both.
  PERFORM set_config('enable_nestloop', 'off', true);
  WITH linked AS (
    UPDATE staging.diasource AS s
    SET diaobjectid = coalesce(m.diaobjectid, CASE WHEN m.ssobjectid IS NULL
          THEN base | ((s.hpx29 >> 48) << 39) | nextval('ledger.object_serial') END),
      ssobjectid = m.ssobjectid
    FROM staging.likeliest(in_slot) AS m
    WHERE s.slot = in_slot AND s.diasourceid = m.diasourceid
    RETURNING m.cost IS NULL AS is_new
  )
  SELECT count(*) FILTER (WHERE NOT is_new), count(*) FILTER (WHERE is_new)
  INTO n_matched, n_new FROM linked;
  PERFORM set_config('enable_nestloop', loops, true);
END $$;

COMMENT ON FUNCTION staging.associate(smallint)
IS 'Associates staged DIASources with DIAObjects and predicted SSObjects (at most one each per visit) '
   'by the greatest likelihood; unmatched ones found new DIAObjects.';
