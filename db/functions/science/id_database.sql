-- id_database: database of the id of an object or of a measured thing (DPDD section 2.4, GEN-18;
-- the layout of skyledger.ids).
CREATE OR REPLACE FUNCTION science.id_database(id bigint)
RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN id >> 54;

COMMENT ON FUNCTION science.id_database(bigint)
IS 'Database number [0-511] of the id of an object or a measured thing [63-bit id].';
