-- flux_to_mag_err: standard error of an AB magnitude (DPDD section 2.3); 1.0857... is 2.5 / ln 10.
CREATE OR REPLACE FUNCTION science.flux_to_mag_err(flux double precision, fluxErr double precision)
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN flux > 0 AND fluxErr >= 0 THEN 1.0857362047581296 * fluxErr / flux END;

COMMENT ON FUNCTION science.flux_to_mag_err(double precision, double precision)
IS 'Standard error [mag] of the AB magnitude of a flux [nJy] with error [nJy], to first order; '
   'NULL when flux <= 0 or the error is negative.';
