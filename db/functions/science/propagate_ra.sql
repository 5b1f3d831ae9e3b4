-- propagate_ra: right ascension at another time from position and proper motion (DPDD section
-- 2.2a). Uniform motion of the unit vector along the tangent, without parallax and radial velocity,
-- right at the poles too; pmRa includes cos(decl). 1.327e-11 is one mas/yr in radians a day (Julian
-- years). The sum at the end is 0, or NULL when an argument is NULL.
CREATE OR REPLACE FUNCTION science.propagate_ra(
    ra double precision,
    decl double precision,
    pmRa double precision,
    pmDecl double precision,
    epoch double precision,
    mjd double precision
)
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(nullif(180 + degrees(atan2(
    -(
        (cos(radians(decl)) - 1.3273475184381545e-11 * pmDecl * (mjd - epoch) * sin(radians(decl)))
        * sin(radians(ra))
        + 1.3273475184381545e-11 * pmRa * (mjd - epoch) * cos(radians(ra))
    ),
    -(
        (cos(radians(decl)) - 1.3273475184381545e-11 * pmDecl * (mjd - epoch) * sin(radians(decl)))
        * cos(radians(ra))
        - 1.3273475184381545e-11 * pmRa * (mjd - epoch) * sin(radians(ra))
    )
)), 360), 0 * (ra + decl + pmRa + pmDecl + epoch + mjd));

COMMENT ON FUNCTION science.propagate_ra(
    double precision, double precision, double precision,
    double precision, double precision, double precision
)
IS 'Right ascension [deg, 0 <= ra < 360] at time mjd [MJD TAI, d] of a position [deg] at epoch '
   '[MJD TAI, d] moving by pmRa (with cos decl) and pmDecl [mas/yr].';
