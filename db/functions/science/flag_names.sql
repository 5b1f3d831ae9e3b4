-- flag_names: names of the bits set in a flag mask, from ledger.flagdefinition (DPDD section 21). A
-- bit without definition is shown by its number. Relations with 128 flags pass both columns: bit 0
-- of flags2 is flag 64. Not inlined: it reads a table.
-- needs: science.has_flag
CREATE OR REPLACE FUNCTION science.flag_names(relation text, flags bigint)
RETURNS text[]
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE WHEN relation IS NOT NULL AND flags IS NOT NULL THEN ARRAY(
    SELECT coalesce(definition.name, 'bit ' || bits.bit)
    FROM generate_series(0, 63) AS bits (bit)
    LEFT JOIN ledger.flagdefinition AS definition
        ON lower(definition.relation) = lower(flag_names.relation)
        AND definition.bit = bits.bit
    WHERE science.has_flag(flag_names.flags, bits.bit)
    ORDER BY bits.bit
) END;

COMMENT ON FUNCTION science.flag_names(text, bigint)
IS 'Names [text, in order of the bits 0-63] of the flags set in a mask of a relation, for '
   'example flag_names(''DIASource'', flags); an undefined bit is named by its number.';

CREATE OR REPLACE FUNCTION science.flag_names(relation text, flags bigint, flags2 bigint)
RETURNS text[]
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE WHEN relation IS NOT NULL AND flags IS NOT NULL AND flags2 IS NOT NULL THEN ARRAY(
    SELECT coalesce(definition.name, 'bit ' || bits.bit)
    FROM generate_series(0, 127) AS bits (bit)
    LEFT JOIN ledger.flagdefinition AS definition
        ON lower(definition.relation) = lower(flag_names.relation)
        AND definition.bit = bits.bit
    WHERE science.has_flag(flag_names.flags, bits.bit)
        OR science.has_flag(flag_names.flags2, bits.bit - 64)
    ORDER BY bits.bit
) END;

COMMENT ON FUNCTION science.flag_names(text, bigint, bigint)
IS 'Names [text, in order of the bits 0-127] of the flags set in the two masks of a relation, for '
   'example flag_names(''Object'', flags, flags2); an undefined bit is named by its number.';
