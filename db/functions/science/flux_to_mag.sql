-- flux_to_mag: calibrated flux to AB magnitude (DPDD section 2.3).
CREATE OR REPLACE FUNCTION science.flux_to_mag(flux double precision)
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN flux > 0 THEN 31.4 - 2.5 * log(flux) END;

COMMENT ON FUNCTION science.flux_to_mag(double precision)
IS 'AB magnitude [mag] of a flux [nJy]; NULL when flux <= 0.';
