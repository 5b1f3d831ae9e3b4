-- ccd_visit_id: id of one detector's exposure: 25 bits visitId, 9 bits detector (DPDD section 2.4,
-- GEN-18; the layout of skyledger.ids).
CREATE OR REPLACE FUNCTION science.ccd_visit_id(visit bigint, detector bigint)
RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN visit BETWEEN 0 AND 67108863 AND detector BETWEEN 0 AND 511
    THEN (visit << 9) | detector
END;

COMMENT ON FUNCTION science.ccd_visit_id(bigint, bigint)
IS 'ccdVisitId [35-bit id] from visitId [26-bit id] and detector number [0-511]; NULL when out '
   'of range.';
