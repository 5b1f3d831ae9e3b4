-- in_cone: is a position inside a circle on the sky (DPDD section 21)? Inlined it is the expression
-- of the GiST index on spoint(radians(ra), radians(decl)), which it uses. The names of pg_sphere
-- stand without schema: it is the search path of the installation that finds them.
CREATE OR REPLACE FUNCTION science.in_cone(
    ra double precision,
    decl double precision,
    ra0 double precision,
    decl0 double precision,
    radius double precision
)
RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN spoint(radians(ra), radians(decl))
<@ scircle(spoint(radians(ra0), radians(decl0)), radians(radius / 3600));

COMMENT ON FUNCTION science.in_cone(
    double precision, double precision, double precision,
    double precision, double precision
)
IS 'True when position ra, decl [deg] is within radius [arcsec, 0 to 324000] of ra0, decl0 '
   '[deg]; the edge is known to 0.0003 arcsec.';
