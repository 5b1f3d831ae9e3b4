-- visit_sequence: number of a visit within its night (DPDD section 2.4, GEN-18; the layout of
-- skyledger.ids).
CREATE OR REPLACE FUNCTION science.visit_sequence(visit bigint)
RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN visit & 2047;

COMMENT ON FUNCTION science.visit_sequence(bigint)
IS 'Number within the night [0-2047] of a visitId [26-bit id].';
