-- source_night: night in the id of a measured thing (DPDD section 2.4, GEN-18; the layout of
-- skyledger.ids).
CREATE OR REPLACE FUNCTION science.source_night(id bigint)
RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (id >> 39) & 32767;

COMMENT ON FUNCTION science.source_night(bigint)
IS 'Night [d since 1990-01-01] of the id of a measured thing [63-bit id].';
