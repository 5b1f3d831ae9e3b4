-- object_pixel: HEALPix pixel of birth in the id of an object (DPDD section 2.4, GEN-18; the layout
-- of skyledger.ids).
CREATE OR REPLACE FUNCTION science.object_pixel(id bigint)
RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (id >> 39) & 16383;

COMMENT ON FUNCTION science.object_pixel(bigint)
IS 'HEALPix order-5 nested pixel of birth [0-16383] of the id of an object [63-bit id].';
