-- visit_night: night in a visitId (DPDD section 2.4, GEN-18; the layout of skyledger.ids).
CREATE OR REPLACE FUNCTION science.visit_night(visit bigint)
RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN visit >> 11;

COMMENT ON FUNCTION science.visit_night(bigint)
IS 'Night [d since 1990-01-01] of a visitId [26-bit id].';
