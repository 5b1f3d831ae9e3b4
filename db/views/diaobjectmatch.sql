-- The Objects of the newest data release, or of a reference catalogue, that lie near a DIAObject:
-- up to three stars and three galaxies. They are neighbours on the sky and no more: nothing says
-- that a DIAObject and an Object are the same thing.
-- objectId: Identifier of the neighbour, an Object of the newest data release []
-- isGalaxy: True for a neighbour taken from the galaxies, false for one from the stars []
-- dist: Distance between DIAObject and neighbour [arcsec]
-- lnP: Natural logarithm of the probability that DIAObject and neighbour are the same, as DIAObject gives it []
-- rank: Place of the neighbour by distance, 1 for the nearest []
SELECT o.diaObjectId, n.objectId, n.isGalaxy, n.dist, n.lnP, n.rank
FROM prompt.DIAObject AS o
CROSS JOIN LATERAL (
  SELECT c.objectId, c.isGalaxy, c.dist, c.lnP, row_number() OVER (ORDER BY c.dist, c.objectId) AS rank
  FROM (VALUES
    (o.nearbyStar1, false, o.nearbyStar1Dist, o.nearbyStar1LnP),
    (o.nearbyStar2, false, o.nearbyStar2Dist, o.nearbyStar2LnP),
    (o.nearbyStar3, false, o.nearbyStar3Dist, o.nearbyStar3LnP),
    (o.nearbyGal1, true, o.nearbyGal1Dist, o.nearbyGal1LnP),
    (o.nearbyGal2, true, o.nearbyGal2Dist, o.nearbyGal2LnP),
    (o.nearbyGal3, true, o.nearbyGal3Dist, o.nearbyGal3LnP)
  ) AS c (objectId, isGalaxy, dist, lnP)
  WHERE c.objectId IS NOT NULL
) AS n
