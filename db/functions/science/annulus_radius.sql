-- annulus_radius: outer radius of an elliptical annulus (DPDD Tables 5 and 6, CAT-03). The outer
-- semi-major axes of the annuli run in equal logarithmic steps from rmin to rmax; annulus 1 is the
-- full ellipse inside rmin; a single annulus (nann = 1) is the ellipse inside rmax.
CREATE OR REPLACE FUNCTION science.annulus_radius(
    k integer,
    nann integer,
    rmin double precision,
    rmax double precision
)
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN k = 0 AND nann >= 1 AND rmin > 0 AND rmax >= rmin THEN 0
    WHEN k BETWEEN 1 AND nann AND rmin > 0 AND rmax >= rmin
    THEN rmax * power(rmin / rmax, (nann - k)::double precision / greatest(nann - 1, 1))
END;

COMMENT ON FUNCTION science.annulus_radius(integer, integer, double precision, double precision)
IS 'Outer semi-major axis [arcsec] of elliptical annulus k of nann, 0 for k = 0, with rmin and '
   'rmax [arcsec] those of the first and last annulus in equal logarithmic steps; NULL outside '
   '0..nann.';
