-- source_id: id of a measured thing: 9 bits database, 35 bits ccdVisitId, 19 bits serial (DPDD
-- section 2.4, GEN-18; the layout of skyledger.ids).
CREATE OR REPLACE FUNCTION science.source_id(db bigint, ccd_visit bigint, serial bigint)
RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN db BETWEEN 0 AND 511
        AND ccd_visit BETWEEN 0 AND 34359738367
        AND serial BETWEEN 0 AND 524287
    THEN (db << 54) | (ccd_visit << 19) | serial
END;

COMMENT ON FUNCTION science.source_id(bigint, bigint, bigint)
IS 'Id of a measured thing [63-bit id] from database [0-511], ccdVisitId [35-bit id] and '
   'serial [0-524287]; NULL when out of range.';
