-- polygon_centroid: middle of a polygon of great circles (ADQL 2.1, CENTROID). The mean direction of
-- the area: half the sum, over the sides, of the length of the side times the unit vector at right
-- angles to its plane. Not inlined: it sums over sides with a sub-select.
CREATE OR REPLACE FUNCTION science.polygon_centroid(vertices double precision[])
RETURNS double precision[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
  -- Of two opposite directions the one on the side of the corners.
  SELECT ARRAY[
    (degrees(atan2(s * y, s * x)) + 360) - 360 * floor((degrees(atan2(s * y, s * x)) + 360) / 360),
    degrees(atan2(s * z, sqrt(x * x + y * y)))]
  FROM (
    SELECT x, y, z, sign(x * mx + y * my + z * mz) AS s
    FROM (
      SELECT sum(w * nx) AS x, sum(w * ny) AS y, sum(w * nz) AS z,
        sum(x1) AS mx, sum(y1) AS my, sum(z1) AS mz
      FROM (
        SELECT *, CASE WHEN n > 0 THEN atan2(n, x1 * x2 + y1 * y2 + z1 * z2) / n ELSE 0 END AS w
        FROM (
          SELECT *, sqrt(nx * nx + ny * ny + nz * nz) AS n
          FROM (
            SELECT *, y1 * z2 - z1 * y2 AS nx, z1 * x2 - x1 * z2 AS ny, x1 * y2 - y1 * x2 AS nz
            FROM (
              SELECT x AS x1, y AS y1, z AS z1,
                coalesce(lead(x) OVER o, first_value(x) OVER o) AS x2,
                coalesce(lead(y) OVER o, first_value(y) OVER o) AS y2,
                coalesce(lead(z) OVER o, first_value(z) OVER o) AS z2
              FROM (
                SELECT k, cosd(lat) * cosd(lon) AS x, cosd(lat) * sind(lon) AS y, sind(lat) AS z
                FROM (
                  SELECT k, vertices[2 * k - 1] AS lon, vertices[2 * k] AS lat
                  FROM generate_series(1, cardinality(vertices) / 2) AS k
                ) AS corner
              ) AS unit WINDOW o AS (ORDER BY k)
            ) AS side
          ) AS normal
        ) AS angle
      ) AS term
    ) AS total
  ) AS signed
  WHERE x IS NOT NULL
$$;

COMMENT ON FUNCTION science.polygon_centroid(double precision[])
IS 'Centroid ra, decl [deg] of the area of a spherical polygon with the given vertices: ra, decl, '
   'ra, decl ... [deg]; for polygons smaller than half the sky.';
