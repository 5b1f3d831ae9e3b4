-- object_id: id of an object: 9 bits database, an empty one, 14 bits HEALPix order-5 nested pixel of birth, 39
-- bits serial (DPDD section 2.4, GEN-18; the layout of skyledger.ids).
CREATE OR REPLACE FUNCTION science.object_id(db bigint, pixel bigint, serial bigint)
RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN db BETWEEN 0 AND 511
        AND pixel BETWEEN 0 AND 16383
        AND serial BETWEEN 0 AND 549755813887
    THEN (db << 54) | (pixel << 39) | serial
END;

COMMENT ON FUNCTION science.object_id(bigint, bigint, bigint)
IS 'Id of an object [63-bit id] from database [0-511], HEALPix order-5 nested pixel [0-16383] '
   'and serial [0-549755813887]; NULL when out of range.';
