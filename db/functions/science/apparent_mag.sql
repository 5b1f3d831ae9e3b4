-- apparent_mag: apparent magnitude in the H-G1-G2 system, the inverse of absolute_mag (Muinonen et
-- al. 2010; DPDD section 5, SSO-08).
-- Inlined where phase is a column or a short expression. A computed phase angle is used many times
-- over: compute it in a subquery with OFFSET 0 (20 times faster than as an argument).
-- needs: science.hg1g2_phase_mag
CREATE OR REPLACE FUNCTION science.apparent_mag(
    h double precision,
    r double precision,
    delta double precision,
    phase double precision,
    g1 double precision,
    g2 double precision
)
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN r > 0 AND delta > 0
    THEN h + 5 * log(r * delta) + science.hg1g2_phase_mag(phase, g1, g2)
END;

COMMENT ON FUNCTION science.apparent_mag(
    double precision, double precision, double precision,
    double precision, double precision, double precision
)
IS 'Apparent magnitude [mag] of absolute magnitude h [mag] at ranges Sun-body r and '
   'observer-body delta [AU], phase angle [deg], slopes g1 and g2; one band.';
