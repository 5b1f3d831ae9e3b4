-- source_ccd_visit: ccdVisitId in the id of a measured thing (DPDD section 2.4, GEN-18; the layout
-- of skyledger.ids).
CREATE OR REPLACE FUNCTION science.source_ccd_visit(id bigint)
RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (id >> 19) & 34359738367;

COMMENT ON FUNCTION science.source_ccd_visit(bigint)
IS 'ccdVisitId [35-bit id] of the id of a measured thing [63-bit id].';
