-- axis_ratio: axis ratio of the ellipse with given second moments (DPDD Tables 1, 5 and 6).
CREATE OR REPLACE FUNCTION science.axis_ratio(
    ixx double precision,
    iyy double precision,
    ixy double precision
)
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN ixx > 0 AND iyy > 0 AND ixx * iyy >= ixy * ixy
    THEN sqrt((ixx * iyy - ixy * ixy))
        / ((ixx + iyy + sqrt((ixx - iyy) * (ixx - iyy) + 4 * ixy * ixy)) / 2)
END;

COMMENT ON FUNCTION science.axis_ratio(double precision, double precision, double precision)
IS 'Axis ratio minor/major [dimensionless, 0 to 1] of the ellipse with second moments '
   '[arcsec**2]; NULL when they are not those of an ellipse.';
