-- separation: angle between two directions (DPDD section 2.2a). Half-angle sums of positive terms
-- only, so nothing cancels: full precision for equal, polar and opposite positions.
CREATE OR REPLACE FUNCTION science.separation(
    ra1 double precision,
    decl1 double precision,
    ra2 double precision,
    decl2 double precision
)
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN 7200 * degrees(atan2(
    sqrt(power(sin(radians(decl1 - decl2) / 2) * cos(radians(ra1 - ra2) / 2), 2)
        + power(cos(radians(decl1 + decl2) / 2) * sin(radians(ra1 - ra2) / 2), 2)),
    sqrt(power(cos(radians(decl1 - decl2) / 2) * cos(radians(ra1 - ra2) / 2), 2)
        + power(sin(radians(decl1 + decl2) / 2) * sin(radians(ra1 - ra2) / 2), 2))
));

COMMENT ON FUNCTION science.separation(
    double precision, double precision, double precision,
    double precision
)
IS 'Angular separation [arcsec] of two positions [deg].';
