-- propagate_decl: declination at another time from position and proper motion (DPDD section 2.2a).
-- Uniform motion of the unit vector along the tangent, without parallax and radial velocity, right
-- at the poles too; pmRa includes cos(decl). 1.327e-11 is one mas/yr in radians a day (Julian
-- years).
CREATE OR REPLACE FUNCTION science.propagate_decl(
    ra double precision,
    decl double precision,
    pmRa double precision,
    pmDecl double precision,
    epoch double precision,
    mjd double precision
)
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN degrees(atan2(
    sin(radians(decl)) + 1.3273475184381545e-11 * pmDecl * (mjd - epoch) * cos(radians(decl)),
    sqrt(
        power(
            cos(radians(decl))
            - 1.3273475184381545e-11 * pmDecl * (mjd - epoch) * sin(radians(decl)), 2
        )
        + power(1.3273475184381545e-11 * pmRa * (mjd - epoch), 2)
    )
)) + 0 * ra;

COMMENT ON FUNCTION science.propagate_decl(
    double precision, double precision, double precision,
    double precision, double precision, double precision
)
IS 'Declination [deg] at time mjd [MJD TAI, d] of a position [deg] at epoch [MJD TAI, d] '
   'moving by pmRa (with cos decl) and pmDecl [mas/yr].';
