-- object_serial: serial in the id of an object (DPDD section 2.4, GEN-18; the layout of
-- skyledger.ids).
CREATE OR REPLACE FUNCTION science.object_serial(id bigint)
RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN id & 549755813887;

COMMENT ON FUNCTION science.object_serial(bigint)
IS 'Serial [0-549755813887] of the id of an object [63-bit id].';
