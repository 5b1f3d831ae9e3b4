-- no_polygon: raises for corners that make no polygon. Of positions that a query names itself it is
-- known when the query is planned; NULL, as for those of a table, would look like "nothing there".
CREATE OR REPLACE FUNCTION science.no_polygon(vertices double precision[])
RETURNS spoly
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
BEGIN
  RAISE EXCEPTION 'the corners % make no polygon', vertices
    USING ERRCODE = 'invalid_parameter_value',
      HINT = 'Give them in turn around it, so that no two edges cross, and within half of the sky.';
END $$;

COMMENT ON FUNCTION science.no_polygon(double precision[])
IS 'Raises for corners [deg] that make no polygon, as their edges cross or it is too large.';
