-- absolute_mag: absolute magnitude in the H-G1-G2 system (Muinonen et al. 2010; DPDD section 5,
-- SSO-08).
-- Inlined where phase is a column or a short expression. A computed phase angle is used many times
-- over: compute it in a subquery with OFFSET 0 (20 times faster than as an argument).
-- needs: science.hg1g2_phase_mag, science.reduced_mag
CREATE OR REPLACE FUNCTION science.absolute_mag(
    m double precision,
    r double precision,
    delta double precision,
    phase double precision,
    g1 double precision,
    g2 double precision
)
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN science.reduced_mag(m, r, delta) - science.hg1g2_phase_mag(phase, g1, g2);

COMMENT ON FUNCTION science.absolute_mag(
    double precision, double precision, double precision,
    double precision, double precision, double precision
)
IS 'Absolute magnitude H [mag] of apparent magnitude m [mag] at ranges Sun-body r and '
   'observer-body delta [AU], phase angle [deg], slopes g1 and g2; one band.';
