-- hg12_g2: slope G2 of the two-parameter H-G12 system (Muinonen et al. 2010, eq. 28; DPDD section
-- 5), for use in absolute_mag and apparent_mag.
CREATE OR REPLACE FUNCTION science.hg12_g2(g12 double precision)
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN g12 < 0.2 THEN -0.9612 * g12 + 0.6270 ELSE -0.6125 * g12 + 0.5572 END;

COMMENT ON FUNCTION science.hg12_g2(double precision)
IS 'Slope G2 [dimensionless] that belongs to G12 [dimensionless].';
