-- polygon: spherical polygon from its vertices, ra and decl in turn [deg], as footprints are stored.
-- The pg_sphere of Debian 12 makes polygons from points by an aggregate alone, and that brings the
-- server down if the first of them is NULL; area() does if a polygon has more than 1024 corners.
-- Hence the aggregate is the owner's, who calls it here with none missing and no more than these.
CREATE OR REPLACE FUNCTION science.polygon(vertices double precision[])
RETURNS spoly
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, public, pgsphere, pg_temp
AS $$
BEGIN
  IF cardinality(vertices) > 2048 THEN
    RAISE EXCEPTION 'a polygon of % corners is too large', cardinality(vertices) / 2
      USING ERRCODE = 'program_limit_exceeded', HINT = 'Give at most 1024 corners, or several polygons.';
  END IF;
  RETURN (
    SELECT spoly(spoint(radians(v.ra), radians(v.decl)) ORDER BY v.k)
    FROM (
      SELECT k, vertices[2 * k - 1] AS ra, vertices[2 * k] AS decl,
        bool_and(coalesce(abs(vertices[2 * k - 1] + vertices[2 * k]) < 'Infinity', false)) OVER () AS complete
      FROM generate_series(1, cardinality(vertices) / 2) AS k
    ) AS v
    WHERE v.complete
  );
END $$;

COMMENT ON FUNCTION science.polygon(double precision[])
IS 'Spherical polygon with the given vertices, at most 1024: ra, decl, ra, decl ... [deg]; NULL if one is NULL, NaN or infinite.';
