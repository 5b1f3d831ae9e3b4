-- mag_err_to_flux_err: standard error of the flux behind an AB magnitude (DPDD section 2.3);
-- 0.9210... is ln 10 / 2.5.
CREATE OR REPLACE FUNCTION science.mag_err_to_flux_err(
    mag double precision,
    magErr double precision
)
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN mag BETWEEN -700 AND 700 AND magErr >= 0
    THEN 0.9210340371976183 * magErr * power(10, 0.4 * (31.4 - mag))
END;

COMMENT ON FUNCTION science.mag_err_to_flux_err(double precision, double precision)
IS 'Standard error [nJy] of the flux of an AB magnitude [mag] with error [mag], to first '
   'order; NULL outside -700 to 700 mag or when the error is negative.';
