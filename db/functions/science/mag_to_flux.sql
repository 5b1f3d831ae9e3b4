-- mag_to_flux: AB magnitude to calibrated flux (DPDD section 2.3). Outside +-700 mag no double
-- precision number holds the flux, and power() would stop the query.
CREATE OR REPLACE FUNCTION science.mag_to_flux(mag double precision)
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN mag BETWEEN -700 AND 700 THEN power(10, 0.4 * (31.4 - mag)) END;

COMMENT ON FUNCTION science.mag_to_flux(double precision)
IS 'Flux [nJy] of an AB magnitude [mag]; NULL outside -700 to 700 mag.';
