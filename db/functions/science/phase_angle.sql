-- phase_angle: Sun-asteroid-Earth angle from the three ranges (DPDD section 5, SSO-08). Half-angle
-- form: the law of cosines written with acos loses small angles.
CREATE OR REPLACE FUNCTION science.phase_angle(
    r double precision,
    delta double precision,
    r_earth double precision
)
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN r > 0 AND delta > 0 AND r_earth > 0
    THEN degrees(2 * atan2(
        sqrt(greatest(0, (r_earth - r + delta) * (r_earth + r - delta))),
        sqrt(greatest(0, (r + delta - r_earth) * (r + delta + r_earth)))
    ))
END;

COMMENT ON FUNCTION science.phase_angle(double precision, double precision, double precision)
IS 'Phase angle [deg, 0 to 180] at a body with ranges Sun-body r, observer-body delta and '
   'Sun-observer r_earth [AU]; topocentric if the ranges are; NULL unless all are positive.';
