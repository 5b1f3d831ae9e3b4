-- ccd_visit_visit: visitId in a ccdVisitId (DPDD section 2.4, GEN-18; the layout of skyledger.ids).
CREATE OR REPLACE FUNCTION science.ccd_visit_visit(ccd_visit bigint)
RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ccd_visit >> 9;

COMMENT ON FUNCTION science.ccd_visit_visit(bigint)
IS 'visitId [26-bit id] of a ccdVisitId [35-bit id].';
