-- polygon: spherical polygon from its vertices, ra and decl in turn [deg], as footprints are stored.
-- (The pg_sphere of Debian 12 makes polygons from points by an aggregate alone.)
CREATE OR REPLACE FUNCTION science.polygon(vertices double precision[])
RETURNS spoly
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
  SELECT spoly(spoint(radians(vertices[2 * k - 1]), radians(vertices[2 * k])) ORDER BY k)
  FROM generate_series(1, cardinality(vertices) / 2) AS k
$$;

COMMENT ON FUNCTION science.polygon(double precision[])
IS 'Spherical polygon with the given vertices: ra, decl, ra, decl ... [deg].';
