-- hg12_g1: slope G1 of the two-parameter H-G12 system (Muinonen et al. 2010, eq. 28; DPDD section
-- 5), for use in absolute_mag and apparent_mag.
CREATE OR REPLACE FUNCTION science.hg12_g1(g12 double precision)
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN g12 < 0.2 THEN 0.7527 * g12 + 0.06164 ELSE 0.9529 * g12 + 0.02162 END;

COMMENT ON FUNCTION science.hg12_g1(double precision)
IS 'Slope G1 [dimensionless] that belongs to G12 [dimensionless].';
