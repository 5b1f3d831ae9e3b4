-- reduced_mag: magnitude at 1 AU from Sun and observer (DPDD section 5, SSO-08).
CREATE OR REPLACE FUNCTION science.reduced_mag(
    m double precision,
    r double precision,
    delta double precision
)
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN r > 0 AND delta > 0 THEN m - 5 * log(r * delta) END;

COMMENT ON FUNCTION science.reduced_mag(double precision, double precision, double precision)
IS 'Reduced magnitude H(alpha) [mag] of apparent magnitude m [mag] at ranges Sun-body r and '
   'observer-body delta [AU]; NULL unless both are positive.';
