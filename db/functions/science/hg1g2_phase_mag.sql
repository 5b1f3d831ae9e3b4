-- hg1g2_phase_mag: brightness at a phase angle relative to zero phase in the H-G1-G2 system
-- (Muinonen et al. 2010; DPDD section 5).
-- needs: science.hg1g2_phi1, science.hg1g2_phi2, science.hg1g2_phi3
CREATE OR REPLACE FUNCTION science.hg1g2_phase_mag(
    phase double precision,
    g1 double precision,
    g2 double precision
)
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN -2.5 * log(nullif(greatest(0,
    g1 * science.hg1g2_phi1(phase)
    + g2 * science.hg1g2_phi2(phase)
    + (1 - g1 - g2) * science.hg1g2_phi3(phase)
), 0));

COMMENT ON FUNCTION science.hg1g2_phase_mag(double precision, double precision, double precision)
IS 'Magnitudes [mag] by which a body of slopes g1, g2 is fainter at a phase angle [deg] than '
   'at 0; NULL where the phase function is not positive.';
