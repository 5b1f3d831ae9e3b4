-- has_flag: is a bit of a flag mask set (DPDD section 3, columns flags)? Bits count from 0.
CREATE OR REPLACE FUNCTION science.has_flag(flags bigint, bit_number integer)
RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN bit_number BETWEEN 0 AND 63 THEN (flags >> bit_number) & 1 = 1 END;

COMMENT ON FUNCTION science.has_flag(bigint, integer)
IS 'True when bit bit_number [0-63] of a flag mask is set; NULL outside 0 to 63.';
