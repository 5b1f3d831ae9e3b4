-- position_angle: bearing from the first to the second position, North through East (DPDD section
-- 2.2a). The atan2 of the reversed vector plus 180 runs from 0 to 360; rounding may reach 360,
-- which is 0. The sum at the end is 0, or NULL when a coordinate is NULL.
CREATE OR REPLACE FUNCTION science.position_angle(
    ra1 double precision,
    decl1 double precision,
    ra2 double precision,
    decl2 double precision
)
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(nullif(180 + degrees(atan2(
    -(sin(radians(ra2 - ra1)) * cos(radians(decl2))),
    -(sin(radians(decl2 - decl1))
        + 2 * sin(radians(decl1)) * cos(radians(decl2)) * power(sin(radians(ra2 - ra1) / 2), 2))
)), 360), 0 * (ra1 + decl1 + ra2 + decl2));

COMMENT ON FUNCTION science.position_angle(
    double precision, double precision, double precision,
    double precision
)
IS 'Position angle [deg, 0 <= angle < 360], North through East, of the second position as seen '
   'from the first, positions in [deg]; without meaning when they coincide.';
