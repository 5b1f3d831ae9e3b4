-- earth_position: where the Earth is, for parallaxes (L1DB-17). Keplerian orbits with the mean
-- elements of Standish and Williams ("Approximate Positions of the Planets", JPL, valid 1800 to
-- 2050) give the Earth-Moon barycentre about the Sun and, weighted with their masses, the four
-- giants that move the Sun about the barycentre; the Moon's main term moves the Earth about theirs.
-- Good to 1.5e-4 AU between 1950 and 2050: a parallax is wrong by that fraction of itself.
CREATE OR REPLACE FUNCTION science.earth_position(mjd double precision)
RETURNS double precision[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
DECLARE
  -- Rows: Earth and Moon, Jupiter, Saturn, Uranus, Neptune. Columns: mass (1 for the orbit of the
  -- Earth, minus the share of the Sun's mass for what displaces the Sun); then value and change a
  -- century of semi-major axis [AU], eccentricity, inclination, mean longitude, longitude of
  -- perihelion and of the node [deg], ecliptic and equinox of J2000.
  orbits CONSTANT double precision[] := '{
    {1, 1.00000261, 0.00000562, 0.01671123, -0.00004392, -0.00001531, -0.01294668,
     100.46457166, 35999.37244981, 102.93768193, 0.32327364, 0, 0},
    {-9.547919e-4, 5.20288700, -0.00011607, 0.04838624, -0.00013253, 1.30439695, -0.00183714,
     34.39644051, 3034.74612775, 14.72847983, 0.21252668, 100.47390909, 0.20469106},
    {-2.858860e-4, 9.53667594, -0.00125060, 0.05386179, -0.00050991, 2.48599187, 0.00193609,
     49.95424423, 1222.49362201, 92.59887831, -0.41897216, 113.66242448, -0.28867794},
    {-4.366244e-5, 19.18916464, -0.00196176, 0.04725744, -0.00004397, 0.77263783, -0.00242939,
     313.23810451, 428.48202785, 170.95427630, 0.40805281, 74.01692503, 0.04240589},
    {-5.151389e-5, 30.06992276, 0.00026291, 0.00859048, 0.00005105, 1.77004347, 0.00035372,
     -55.12002969, 218.45945325, 44.96476227, -0.32241464, 131.78422574, -0.00508664}}';
  o double precision[];
  t CONSTANT double precision := (mjd - 51544.5) / 36525;
  moon CONSTANT double precision := radians(218.3164477 + 13.17639648 * (mjd - 51544.5));
  e double precision;
  i double precision;
  m double precision;
  w double precision;
  node double precision;
  p double precision;
  q double precision;
  x double precision := -3.12e-5 * cos(moon);
  y double precision := -3.12e-5 * sin(moon);
  z double precision := 0;
BEGIN
  FOREACH o SLICE 1 IN ARRAY orbits LOOP
    e := o[4] + o[5] * t;
    i := radians(o[6] + o[7] * t);
    m := radians(o[8] - o[10] + (o[9] - o[11]) * t);
    node := radians(o[12] + o[13] * t);
    w := radians(o[10] + o[11] * t) - node;
    -- Kepler's equation to the fourth power of e.
    m := m + (e - e ^ 3 / 8) * sin(m) + (e ^ 2 / 2 - e ^ 4 / 6) * sin(2 * m)
      + 3 * e ^ 3 / 8 * sin(3 * m) + e ^ 4 / 3 * sin(4 * m);
    p := o[1] * (o[2] + o[3] * t) * (cos(m) - e);
    q := o[1] * (o[2] + o[3] * t) * sqrt(1 - e * e) * sin(m);
    x := x + (cos(w) * cos(node) - sin(w) * sin(node) * cos(i)) * p
      - (sin(w) * cos(node) + cos(w) * sin(node) * cos(i)) * q;
    y := y + (cos(w) * sin(node) + sin(w) * cos(node) * cos(i)) * p
      - (sin(w) * sin(node) - cos(w) * cos(node) * cos(i)) * q;
    z := z + sin(w) * sin(i) * p + cos(w) * sin(i) * q;
  END LOOP;
  RETURN ARRAY[x, cosd(23.43928) * y - sind(23.43928) * z, sind(23.43928) * y + cosd(23.43928) * z];
END $$;

COMMENT ON FUNCTION science.earth_position(double precision)
IS 'Position of the Earth relative to the barycentre of the Solar System, ICRS axes [AU], at time '
   'mjd [MJD TAI, d]: x, y, z. Good to 1.5e-4 AU from 1950 to 2050.';
