-- polygon: spherical polygon from its vertices, ra and decl in turn [deg], as footprints are stored.
-- (The pg_sphere of Debian 12 makes polygons from points by an aggregate alone, and that brings the
-- server down if one of them is NULL.)
CREATE OR REPLACE FUNCTION science.polygon(vertices double precision[])
RETURNS spoly
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
  SELECT spoly(spoint(radians(v.ra), radians(v.decl)) ORDER BY v.k)
  FROM (
    SELECT k, vertices[2 * k - 1] AS ra, vertices[2 * k] AS decl,
      bool_and(vertices[2 * k - 1] + vertices[2 * k] IS NOT NULL) OVER () AS complete
    FROM generate_series(1, cardinality(vertices) / 2) AS k
  ) AS v
  WHERE v.complete
$$;

COMMENT ON FUNCTION science.polygon(double precision[])
IS 'Spherical polygon with the given vertices: ra, decl, ra, decl ... [deg]; NULL if one is NULL.';
