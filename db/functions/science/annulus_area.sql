-- annulus_area: area of an elliptical annulus, by which apMeanSb becomes flux (DPDD Tables 5 and 6,
-- CAT-03). The outer semi-major axes of the annuli run in equal logarithmic steps from rmin to
-- rmax; annulus 1 is the full ellipse inside rmin.
-- needs: science.annulus_radius
CREATE OR REPLACE FUNCTION science.annulus_area(
    k integer,
    nann integer,
    rmin double precision,
    rmax double precision,
    q double precision
)
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN k BETWEEN 1 AND nann AND q BETWEEN 0 AND 1
    THEN pi() * q * (
        power(science.annulus_radius(k, nann, rmin, rmax), 2)
        - power(science.annulus_radius(k - 1, nann, rmin, rmax), 2)
    )
END;

COMMENT ON FUNCTION science.annulus_area(
    integer, integer, double precision,
    double precision, double precision
)
IS 'Area [arcsec**2] of elliptical annulus k of nann with axis ratio q = minor/major; rmin and '
   'rmax [arcsec] are the outer semi-major axes of the first and last annulus; annulus 1 is '
   'the full ellipse inside rmin.';
