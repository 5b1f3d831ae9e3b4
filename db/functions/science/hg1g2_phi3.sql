-- hg1g2_phi3: third basis function of the H-G1-G2 system, the opposition effect (Muinonen et al.
-- 2010; DPDD section 5): cubic spline through 1, 0.83381185, 0.57735424, 0.42144772, 0.2317423,
-- 0.10348178, 0.061733473, 0.016107006, 0 at 0, 0.3, 1, 2, 4, 8, 12, 20, 30 deg, flat at 30 deg, 0
-- beyond. The slope at 0 is -1.0630097 per radian as in sbpy; the paper's table of slopes goes with
-- -0.10630097, which moves Phi3 by at most 0.0009 (at 0.12 deg).
CREATE OR REPLACE FUNCTION science.hg1g2_phi3(phase double precision)
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN phase < 0 OR phase > 180 THEN NULL
    WHEN phase < 0.3 THEN 1 + phase * (-0.018553019245637167
        + phase * (-3.0405913259710857 + phase * 4.186332411521809))
    WHEN phase < 1 THEN 0.83381185 + (phase - 0.3) * (-0.7125980637174001
        + (phase - 0.3) * (0.7271078443985413 + (phase - 0.3) * -0.33213355438223086))
    WHEN phase < 2 THEN 0.57735424 + (phase - 1) * (-0.18288340650132157
        + (phase - 1) * (0.029627380195856534 + (phase - 1) * -0.002650493694534961))
    WHEN phase < 4 THEN 0.42144772 + (phase - 2) * (-0.1315801271932134
        + (phase - 2) * (0.02167589911225161 + (phase - 2) * -0.0016560952578224541))
    WHEN phase < 8 THEN 0.2317423 + (phase - 4) * (-0.06474967383807641
        + (phase - 4) * (0.01173932756531688 + (phase - 4) * -0.0008920479014494446))
    WHEN phase < 12 THEN 0.10348178 + (phase - 8) * (-0.013653352585114716
        + (phase - 8) * (0.001034752747923548 + (phase - 8) * -5.767094728621725e-05))
    WHEN phase < 20 THEN 0.061733473 + (phase - 12) * (-0.00814353607146476
        + (phase - 12) * (0.0003427013804889414 + (phase - 12) * -4.709114803855806e-06))
    WHEN phase < 30 THEN 0.016107006 + (phase - 20) * (-0.003564464025982011
        + (phase - 20) * (0.00022968262519640218 + (phase - 20) * -3.43062825982011e-06))
    WHEN phase <= 180 THEN 0
END;

COMMENT ON FUNCTION science.hg1g2_phi3(double precision)
IS 'H-G1-G2 basis function Phi3 [dimensionless] at a phase angle [deg]; NULL outside 0 to 180 '
   'deg.';
