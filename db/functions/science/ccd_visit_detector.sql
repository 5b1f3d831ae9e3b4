-- ccd_visit_detector: detector in a ccdVisitId (DPDD section 2.4, GEN-18; the layout of
-- skyledger.ids).
CREATE OR REPLACE FUNCTION science.ccd_visit_detector(ccd_visit bigint)
RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ccd_visit & 511;

COMMENT ON FUNCTION science.ccd_visit_detector(bigint)
IS 'Detector number [0-511] of a ccdVisitId [35-bit id].';
