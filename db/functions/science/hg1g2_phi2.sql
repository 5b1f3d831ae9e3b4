-- hg1g2_phi2: second basis function of the H-G1-G2 system (Muinonen et al. 2010; DPDD section 5):
-- linear to 7.5 deg, then a cubic spline through 0.925, 0.62884169, 0.31755495, 0.12716367,
-- 0.022373903, 0.00016505689 at 7.5, 30, 60, 90, 120, 150 deg with end slopes -0.5729578 and
-- -8.6573138e-8 per radian; beyond, along that slope.
CREATE OR REPLACE FUNCTION science.hg1g2_phi2(phase double precision)
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN phase < 0 OR phase > 180 THEN NULL
    WHEN phase < 7.5 THEN 1 - phase / 100
    WHEN phase < 30 THEN 0.925 + (phase - 7.5) * (-0.010000000084983212
        + (phase - 7.5) * (-0.0002711183297407565 + (phase - 7.5) * 5.802609281174668e-06))
    WHEN phase < 60 THEN 0.62884169 + (phase - 30) * (-0.013387612077533228
        + (phase - 30) * (0.00012055779673853385 + (phase - 30) * -6.726072125438369e-07))
    WHEN phase < 90 THEN 0.31755495 + (phase - 60) * (-0.007970183747089557
        + (phase - 60) * (6.00231476095885e-05 + (phase - 60) * -1.9654075688677475e-07))
    WHEN phase < 120 THEN 0.12716367 + (phase - 90) * (-0.004899454934108539
        + (phase - 90) * (4.2334479489778894e-05 + (phase - 90) * 1.5158701786870969e-07))
    WHEN phase < 150 THEN 0.022373903 + (phase - 120) * (-0.0019501012164762895
        + (phase - 120) * (5.5977311097962695e-05 + (phase - 120) * -5.216810964399161e-07))
    WHEN phase <= 180 THEN 0.00016505689 - 1.5109863018834187e-09 * (phase - 150)
END;

COMMENT ON FUNCTION science.hg1g2_phi2(double precision)
IS 'H-G1-G2 basis function Phi2 [dimensionless] at a phase angle [deg]; NULL outside 0 to 180 '
   'deg.';
