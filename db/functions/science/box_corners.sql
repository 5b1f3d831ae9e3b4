-- box_corners: corners of a box on the sky (ADQL 2.1, BOX). A cross of great circles along right
-- ascension and declination, half the width and height to each side; the sides of the box are great
-- circles at right angles to its ends. In the plane that touches the sphere at the centre that is
-- a rectangle. Not inlined: it collects corners with a sub-select.
CREATE OR REPLACE FUNCTION science.box_corners(
    ra double precision,
    decl double precision,
    width double precision,
    height double precision
)
RETURNS double precision[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
  SELECT CASE WHEN count(c.lon + c.lat) = 8 THEN array_agg(part ORDER BY c.k, which) END
  FROM (
    SELECT k, degrees(atan2(cosd(ra) * y + sind(ra) * x, cosd(ra) * x - sind(ra) * y)) AS lon,
      degrees(atan2(z, sqrt(x * x + y * y))) AS lat
    FROM (
      -- Turned to right ascension 0: x outwards, y to the east, z to the north.
      SELECT k, cosd(decl) - sy * tand(height / 2) * sind(decl) AS x, sx * tand(width / 2) AS y,
        sind(decl) + sy * tand(height / 2) * cosd(decl) AS z
      FROM (VALUES (1, -1, -1), (2, 1, -1), (3, 1, 1), (4, -1, 1)) AS corner (k, sx, sy)
    ) AS v
  ) AS c
  CROSS JOIN LATERAL (VALUES (1, (c.lon + 360) - 360 * floor((c.lon + 360) / 360)), (2, c.lat))
    AS p (which, part)
$$;

COMMENT ON FUNCTION science.box_corners(
    double precision, double precision, double precision, double precision
)
IS 'Corners of a box on the sky: ra, decl, ra, decl ... [deg], anticlockwise as seen from outside, '
   'of a box of a width along right ascension and a height along declination [deg, below 180] '
   'around ra, decl [deg].';
