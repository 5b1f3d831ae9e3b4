-- source_serial: serial in the id of a measured thing (DPDD section 2.4, GEN-18; the layout of
-- skyledger.ids).
CREATE OR REPLACE FUNCTION science.source_serial(id bigint)
RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN id & 524287;

COMMENT ON FUNCTION science.source_serial(bigint)
IS 'Serial within its ccdVisit [0-524287] of the id of a measured thing [63-bit id].';
