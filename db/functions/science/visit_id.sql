-- visit_id: id of a visit: 15 bits night, 11 bits visit of the night (DPDD section 2.4, GEN-18; the
-- layout of skyledger.ids).
CREATE OR REPLACE FUNCTION science.visit_id(night bigint, sequence bigint)
RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN night BETWEEN 0 AND 32767 AND sequence BETWEEN 0 AND 2047
    THEN (night << 11) | sequence
END;

COMMENT ON FUNCTION science.visit_id(bigint, bigint)
IS 'visitId [26-bit id] from night [d since 1990-01-01, 0-32767] and number within the night '
   '[0-2047]; NULL when out of range.';
