-- nearby: the three nearest stars and three nearest galaxies within 60 arcsec among the Objects of
-- the newest release, for the DIAObjects staged in a slot, each with its distance and the logarithm
-- of the probability that it is the same as the DIAObject. DPDD section 3.2.1 step 8, Table 3 and
-- footnote 52; DIA-16, L1DB-19. Without a release nothing is done.
--
-- Looked up are new DIAObjects, and known ones that have no neighbour, or neighbours of another
-- release, or moved by more than 0.1 arcsec, or whose number of sources has passed a power of two:
-- their error, and with it the probability, has changed by then. The others keep what they have.
--
-- The probability: a DIAObject is one of the release's stars with probability star_fraction, one of
-- its galaxies with galaxy_fraction, else none of them. A neighbour has then the weight
-- fraction / (density of its class) x (likelihood of the offset and motion if they are the same),
-- none has what is left of 1; ln P is normalised over the six neighbours and none, and -700 where
-- it would be less. The density is
-- that of the HEALPix pixel of order 8. Both sides' position errors enter, with 10 mas an axis
-- between the frames of the survey and the release (100 mas for a position without error), and the
-- motions, as in science.ln_same_object. A star without a motion has the prior of
-- staging.associate, galaxies have none. Parallaxes are not followed but count as errors.
--
-- A cone in which six of a class are expected comes first; only where three are not in it, 60 arcsec.
-- needs: science.ln_same_object
CREATE OR REPLACE FUNCTION staging.nearby(
  in_slot smallint,
  star_fraction double precision DEFAULT 0.5,
  galaxy_fraction double precision DEFAULT 0.2)
RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
  newest ledger.database%ROWTYPE;
  kinds boolean[];  -- classes that the release has: false for stars, true for galaxies
  nothing double precision;
  looked bigint;
BEGIN
  SELECT * INTO newest FROM ledger.database
  WHERE kind = 'release' AND name ~ '^dr\d+$' ORDER BY substring(name FROM 3)::integer DESC LIMIT 1;
  IF NOT FOUND THEN
    RETURN 0;
  END IF;
  SELECT array_remove(ARRAY[
    CASE WHEN EXISTS (SELECT FROM ledger.releasedensity
      WHERE databaseid = newest.databaseid AND nstars > 0) THEN false END,
    CASE WHEN EXISTS (SELECT FROM ledger.releasedensity
      WHERE databaseid = newest.databaseid AND ngalaxies > 0) THEN true END], NULL) INTO kinds;
  nothing := 1 - CASE WHEN false = ANY (kinds) THEN star_fraction ELSE 0 END
    - CASE WHEN true = ANY (kinds) THEN galaxy_fraction ELSE 0 END;

  CREATE TEMP TABLE IF NOT EXISTS nearby_object (
    diaobjectid bigint, ra double precision, decl double precision, epoch double precision,
    vx double precision, vxy double precision, vy double precision, pmx double precision,
    pmy double precision, pmvx double precision, pmvxy double precision, pmvy double precision,
    stars double precision, galaxies double precision, radius double precision) ON COMMIT DROP;
  CREATE TEMP TABLE IF NOT EXISTS nearby_found (
    diaobjectid bigint, galaxy boolean, rank integer, objectid bigint, distance double precision,
    x double precision, y double precision, vx double precision, vxy double precision,
    vy double precision, years double precision, pmx double precision, pmy double precision,
    pmvx double precision, pmvxy double precision, pmvy double precision, drifts boolean
  ) ON COMMIT DROP;
  TRUNCATE nearby_object, nearby_found;

  INSERT INTO nearby_object
  SELECT t.diaobjectid, t.ra, t.decl, t.radectai,
    coalesce(t.raerr, 1)::double precision ^ 2 + 1e-4, coalesce(t.radeclcov, 0),
    coalesce(t.declerr, 1)::double precision ^ 2 + 1e-4,
    t.pmra::double precision / 1000, t.pmdecl::double precision / 1000,
    t.pmparallaxcov[1]::double precision / 1e6, t.pmparallaxcov[2]::double precision / 1e6,
    t.pmparallaxcov[3]::double precision / 1e6, n.stars, n.galaxies,
    -- Six of the rarer class are expected within.
    least(60, sqrt(6 / (pi() * CASE
      WHEN false = ALL (kinds) THEN n.stars WHEN true = ALL (kinds) THEN n.galaxies
      ELSE least(n.stars, n.galaxies) END)))
  FROM staging.diaobject AS t
  LEFT JOIN prompt_store.diaobject AS o ON o.diaobjectid = t.diaobjectid
  LEFT JOIN ledger.releasedensity AS d
    ON d.databaseid = newest.databaseid AND d.pixel = (t.hpx29 >> 42)::integer
  CROSS JOIN LATERAL (
    SELECT (coalesce(d.nstars, 0) + 1) / 679828.0::double precision AS stars,
      (coalesce(d.ngalaxies, 0) + 1) / 679828.0::double precision AS galaxies
  ) AS n
  WHERE t.slot = in_slot AND t.iswithdrawal IS NOT TRUE
    AND ((coalesce(o.nearbystar1, o.nearbygal1) >> 54) IS DISTINCT FROM newest.databaseid
      OR floor(1e-9 + ln(greatest(t.ndiasources, 1)::double precision) / ln(2::double precision))
        IS DISTINCT FROM
        floor(1e-9 + ln(greatest(o.ndiasources, 1)::double precision) / ln(2::double precision))
      OR abs(t.decl - o.decl) > 0.1 / 3600
      OR abs(sind(t.ra - o.ra)) * cosd(t.decl) > 4.8481e-7);
  GET DIAGNOSTICS looked = ROW_COUNT;

  WHILE EXISTS (SELECT FROM nearby_object WHERE radius > 0) LOOP
    EXECUTE format($q$
      INSERT INTO nearby_found
      SELECT n.diaobjectid, c.galaxy, c.rank, c.objectid, c.distance,
        c.x - 3600 * (c.psra - c.ra) * cosd(c.decl), c.y - 3600 * (c.psdecl - c.decl),
        n.vx + coalesce(c.pscov[1], 0.01) + c.parallax ^ 2 / 2e6, n.vxy + coalesce(c.pscov[2], 0),
        n.vy + coalesce(c.pscov[3], 0.01) + c.parallax ^ 2 / 2e6,
        coalesce(n.epoch - c.psradectai, 0) / 365.25,
        CASE WHEN c.galaxy THEN 0 ELSE coalesce(c.pspmra::double precision / 1000, 0) END,
        CASE WHEN c.galaxy THEN 0 ELSE coalesce(c.pspmdecl::double precision / 1000, 0) END,
        CASE WHEN c.galaxy THEN 0 ELSE coalesce(c.pscov[6]::double precision / 1e6, 0.0004) END,
        CASE WHEN c.galaxy THEN 0 ELSE coalesce(c.pscov[9]::double precision / 1e6, 0) END,
        CASE WHEN c.galaxy THEN 0 ELSE coalesce(c.pscov[10]::double precision / 1e6, 0.0004) END,
        NOT c.galaxy AND c.pscov[6] IS NULL
      FROM nearby_object AS n
      CROSS JOIN LATERAL (
        SELECT q.*, row_number() OVER (PARTITION BY galaxy ORDER BY distance, objectid) AS rank
        FROM (
          SELECT d.*, sqrt(d.x * d.x + d.y * d.y) AS distance
          FROM (
            SELECT o.objectid, o.ra, o.decl, o.psradectai, o.pscov, o.extendedness >= 0.5 AS galaxy,
              coalesce(o.psra, o.ra) AS psra, coalesce(o.psdecl, o.decl) AS psdecl, o.pspmra,
              o.pspmdecl, coalesce(o.psparallax, 0)::double precision AS parallax,
              206264.80624709636 * cos(radians(o.decl)) * sin(radians(n.ra - o.ra)) AS x,
              206264.80624709636 * (sin(radians(n.decl - o.decl)) - 2 * cos(radians(o.decl))
                * sin(radians(n.decl)) * sin(radians(n.ra - o.ra) / 2) ^ 2) AS y
            FROM %1$I.object AS o
            WHERE spoint(radians(o.ra), radians(o.decl))
                <@ scircle(spoint(radians(n.ra), radians(n.decl)), radians(n.radius / 3600))
              AND o.extendedness IS NOT NULL
            OFFSET 0
          ) AS d
        ) AS q
      ) AS c
      WHERE n.radius > 0 AND c.rank <= 3
      $q$, newest.name);
    -- Where three of a kind are missing the cone was too small.
    UPDATE nearby_object AS o SET radius = CASE WHEN c.complete OR o.radius >= 60 THEN 0 ELSE 60 END
    FROM (
      SELECT n.diaobjectid, count(*) FILTER (WHERE f.rank = 3) = cardinality(kinds) AS complete
      FROM nearby_object AS n LEFT JOIN nearby_found AS f ON f.diaobjectid = n.diaobjectid
      WHERE n.radius > 0 GROUP BY n.diaobjectid
    ) AS c
    WHERE c.diaobjectid = o.diaobjectid;
    DELETE FROM nearby_found AS f USING nearby_object AS o
    WHERE o.radius > 0 AND f.diaobjectid = o.diaobjectid;
  END LOOP;
  ANALYZE nearby_found (diaobjectid);
  ANALYZE nearby_object (diaobjectid);

  WITH scored AS (
    -- Shares of 90, 9 and 1 % of the stars move 0.02, 0.3 and 3 arcsec/yr an axis.
    SELECT f.*, o.pmx AS ax, o.pmy AS ay, o.pmvx AS avx, o.pmvxy AS avxy, o.pmvy AS avy,
      science.ln_same_object(f.x, f.y, f.vx, f.vxy, f.vy, f.years, f.pmx, f.pmy,
        f.pmvx, f.pmvxy, f.pmvy, o.pmx, o.pmy, o.pmvx, o.pmvxy, o.pmvy) AS slow,
      CASE WHEN f.drifts THEN science.ln_same_object(f.x, f.y, f.vx, f.vxy, f.vy, f.years, f.pmx, f.pmy,
        0.09, 0, 0.09, o.pmx, o.pmy, o.pmvx, o.pmvxy, o.pmvy) END AS fast,
      CASE WHEN f.drifts THEN science.ln_same_object(f.x, f.y, f.vx, f.vxy, f.vy, f.years, f.pmx, f.pmy,
        9, 0, 9, o.pmx, o.pmy, o.pmvx, o.pmvxy, o.pmvy) END AS faster,
      CASE WHEN f.galaxy THEN galaxy_fraction / o.galaxies ELSE star_fraction / o.stars END AS weight
    FROM nearby_found AS f JOIN nearby_object AS o ON o.diaobjectid = f.diaobjectid
    OFFSET 0
  ), weighed AS (
    -- Exponents are cut off: numbers below 1e-300 are errors.
    SELECT diaobjectid, galaxy, rank, objectid, distance, ln(weight) + CASE WHEN NOT drifts THEN slow
        ELSE greatest(slow, fast, faster) + ln(
          0.90 * exp(greatest(slow - greatest(slow, fast, faster), -690))
          + 0.09 * exp(greatest(fast - greatest(slow, fast, faster), -690))
          + 0.01 * exp(greatest(faster - greatest(slow, fast, faster), -690))) END AS lnw,
      ln(nothing) + CASE WHEN ax IS NULL THEN 0 ELSE ln(1e-300
        + 0.90 * exp(greatest(science.ln_normal_density(ax, ay, avx + 0.0004, avxy, avy + 0.0004), -690))
        + 0.09 * exp(greatest(science.ln_normal_density(ax, ay, avx + 0.09, avxy, avy + 0.09), -690))
        + 0.01 * exp(greatest(science.ln_normal_density(ax, ay, avx + 9, avxy, avy + 9), -690))) END
        AS lnnone
    FROM scored
    OFFSET 0
  ), topped AS (
    SELECT w.*, max(greatest(lnw, lnnone)) OVER (PARTITION BY diaobjectid) AS best FROM weighed AS w
  ), judged AS (
    -- Not below -700, so that exp() of it is a number.
    SELECT t.*, greatest(least(lnw - best - ln(exp(greatest(lnnone - best, -690))
      + sum(exp(greatest(lnw - best, -690))) OVER (PARTITION BY diaobjectid)), 0), -700)::real AS lnp
    FROM topped AS t
  ), wide AS (
    SELECT diaobjectid,
      max(objectid) FILTER (WHERE NOT galaxy AND rank = 1) AS s1,
      max(objectid) FILTER (WHERE NOT galaxy AND rank = 2) AS s2,
      max(objectid) FILTER (WHERE NOT galaxy AND rank = 3) AS s3,
      max(objectid) FILTER (WHERE galaxy AND rank = 1) AS g1,
      max(objectid) FILTER (WHERE galaxy AND rank = 2) AS g2,
      max(objectid) FILTER (WHERE galaxy AND rank = 3) AS g3,
      max(distance) FILTER (WHERE NOT galaxy AND rank = 1) AS s1d,
      max(distance) FILTER (WHERE NOT galaxy AND rank = 2) AS s2d,
      max(distance) FILTER (WHERE NOT galaxy AND rank = 3) AS s3d,
      max(distance) FILTER (WHERE galaxy AND rank = 1) AS g1d,
      max(distance) FILTER (WHERE galaxy AND rank = 2) AS g2d,
      max(distance) FILTER (WHERE galaxy AND rank = 3) AS g3d,
      max(lnp) FILTER (WHERE NOT galaxy AND rank = 1) AS s1p,
      max(lnp) FILTER (WHERE NOT galaxy AND rank = 2) AS s2p,
      max(lnp) FILTER (WHERE NOT galaxy AND rank = 3) AS s3p,
      max(lnp) FILTER (WHERE galaxy AND rank = 1) AS g1p,
      max(lnp) FILTER (WHERE galaxy AND rank = 2) AS g2p,
      max(lnp) FILTER (WHERE galaxy AND rank = 3) AS g3p
    FROM judged GROUP BY diaobjectid
    UNION ALL
    SELECT o.diaobjectid, o.nearbystar1, o.nearbystar2, o.nearbystar3,
      o.nearbygal1, o.nearbygal2, o.nearbygal3,
      o.nearbystar1dist, o.nearbystar2dist, o.nearbystar3dist,
      o.nearbygal1dist, o.nearbygal2dist, o.nearbygal3dist,
      o.nearbystar1lnp, o.nearbystar2lnp, o.nearbystar3lnp,
      o.nearbygal1lnp, o.nearbygal2lnp, o.nearbygal3lnp
    FROM prompt_store.diaobject AS o
    JOIN staging.diaobject AS t ON t.slot = in_slot AND t.diaobjectid = o.diaobjectid
    WHERE coalesce(o.nearbystar1, o.nearbygal1) IS NOT NULL AND t.iswithdrawal IS NOT TRUE
      AND NOT EXISTS (SELECT FROM nearby_object AS x WHERE x.diaobjectid = o.diaobjectid)
  )
  UPDATE staging.diaobject AS t
  SET nearbyobj = ARRAY[w.s1, w.s2, w.s3, w.g1, w.g2, w.g3],
    nearbystar1 = w.s1, nearbystar2 = w.s2, nearbystar3 = w.s3,
    nearbygal1 = w.g1, nearbygal2 = w.g2, nearbygal3 = w.g3,
    nearbystar1dist = w.s1d, nearbystar2dist = w.s2d, nearbystar3dist = w.s3d,
    nearbygal1dist = w.g1d, nearbygal2dist = w.g2d, nearbygal3dist = w.g3d,
    nearbystar1lnp = w.s1p, nearbystar2lnp = w.s2p, nearbystar3lnp = w.s3p,
    nearbygal1lnp = w.g1p, nearbygal2lnp = w.g2p, nearbygal3lnp = w.g3p
  FROM wide AS w
  WHERE t.slot = in_slot AND t.diaobjectid = w.diaobjectid;
  RETURN looked;
END $$;

COMMENT ON FUNCTION staging.nearby(smallint, double precision, double precision)
IS 'Fills the nearest stars and galaxies of the DIAObjects staged in a slot from the newest release; '
   'returns how many it looked up.';
