-- hg1g2_phi1: first basis function of the H-G1-G2 system (Muinonen et al. 2010; DPDD section 5):
-- linear to 7.5 deg, then a cubic spline through 0.75, 0.33486016, 0.1341056, 0.051104756,
-- 0.021465687, 0.0036396989 at 7.5, 30, 60, 90, 120, 150 deg with end slopes -1.9098593 and
-- -0.091328612 per radian; beyond, along that slope, never negative.
CREATE OR REPLACE FUNCTION science.hg1g2_phi1(phase double precision)
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN phase < 0 OR phase > 180 THEN NULL
    WHEN phase < 7.5 THEN 1 - phase / 30
    WHEN phase < 30 THEN 0.75 + (phase - 7.5) * (-0.033333333034834135
        + (phase - 7.5) * (0.0009331058929941784 + (phase - 7.5) * -1.207349948264777e-05))
    WHEN phase < 60 THEN 0.33486016 + (phase - 30) * (-0.009680195189367408
        + (phase - 30) * (0.00011814467791545355 + (phase - 30) * -6.177375719587402e-07))
    WHEN phase < 90 THEN 0.1341056 + (phase - 60) * (-0.004259405958728794
        + (phase - 60) * (6.254829643916686e-05 + (phase - 60) * -4.2637526049578977e-07))
    WHEN phase < 120 THEN 0.051104756 + (phase - 90) * (-0.0016577213757174153
        + (phase - 90) * (2.417452299454586e-05 + (phase - 90) * -6.164808976180803e-08))
    WHEN phase < 150 THEN 0.021465687 + (phase - 120) * (-0.0003736998384015454
        + (phase - 120) * (1.8626194915983142e-05 + (phase - 120) * -8.658729026792026e-07))
    WHEN phase <= 180 THEN greatest(0, 0.0036396989 - 0.0015939849806764035 * (phase - 150))
END;

COMMENT ON FUNCTION science.hg1g2_phi1(double precision)
IS 'H-G1-G2 basis function Phi1 [dimensionless] at a phase angle [deg]; NULL outside 0 to 180 '
   'deg.';
