-- aperture_flux: flux within the outermost of the elliptical annuli of apMeanSb (DPDD Tables 5 and
-- 6, CAT-03). A slice gives the flux within annulus n: mean_sb[1:n] with rmax = annulus_radius(n,
-- nann, rmin, rmax). An annulus without value leaves the flux unknown. Not inlined: it sums over an
-- array.
-- needs: science.annulus_area
CREATE OR REPLACE FUNCTION science.aperture_flux(
    mean_sb real[],
    rmin double precision,
    rmax double precision,
    q double precision
)
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN array_position(mean_sb, NULL) IS NULL THEN (
    SELECT sum(sb * science.annulus_area(k::integer, cardinality(mean_sb), rmin, rmax, q))
    FROM unnest(mean_sb) WITH ORDINALITY AS annulus (sb, k)
) END;

COMMENT ON FUNCTION science.aperture_flux(
    real[], double precision, double precision,
    double precision
)
IS 'Flux [nJy] within all elliptical annuli of mean surface brightness [nJy/arcsec**2], axis '
   'ratio q; rmin and rmax [arcsec] are the outer semi-major axes of the first and last '
   'annulus; NULL when an annulus has no value.';
