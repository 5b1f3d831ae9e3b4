-- associate: gives every staged DIASource of a visit its DIAObject, or makes a new one.
-- DPDD section 3.2.1 step 4 and footnote 23; DIA-11, DIA-12. A slot holds one visit.
--
-- The most likely explanation of the visit as a whole is taken. A source at offset d from the place
-- predicted for an object has the likelihood N(d; S), of being something new new_density a square
-- arcsec; the pair costs -2 ln(N / new_density) and is worth while below 0. The default density is
-- that of 10,000 new sources in a field of view, what the first visit of a field shows.
--
-- The place: position, motion and parallax of the object at the time of the source. S adds the
-- covariances of the source, of its ccdVisit (10 mas where unknown), of the object's position and
-- of its motion. Motions have a prior, an isotropic Gaussian of 0.02, 0.3 or 3 arcsec/yr an axis
-- for 90, 9 and 1 % of the objects: it shrinks a fitted motion, and stands for it where none is
-- fitted. An object with motion but no parallax yet may have one of a tenth of its yearly motion
-- (100 AU/yr along the line), which displaces it by up to twice that, growing with time.
--
-- Candidates come from the sky index: positions within max_radius [arcsec], which holds motions of
-- 5 arcsec/yr for a year; wider the prior never makes a pair worth while. The cheapest assignment
-- as a whole is found by staging.assign. Parents and the sub-threshold sample take no part.
-- needs: staging.assign, science.earth_position
CREATE OR REPLACE FUNCTION staging.associate(
  in_slot smallint,
  max_radius double precision DEFAULT 8,
  new_density double precision DEFAULT 1e-4,
  OUT n_matched bigint, OUT n_new bigint)
LANGUAGE plpgsql AS $$
DECLARE
  base bigint;
  hidden bigint;
BEGIN
  SELECT databaseid::bigint << 53 INTO STRICT base FROM ledger.database WHERE name = 'prompt';
  SELECT coalesce(sum(1::bigint << bit), 0) INTO hidden FROM ledger.flagdefinition
  WHERE relation = 'DIASource' AND name IN ('PARENT', 'SUBTHRESHOLD');

  CREATE TEMP TABLE IF NOT EXISTS association_pair (
    diasourceid bigint, diaobjectid bigint, cost double precision, m2 double precision
  ) ON COMMIT DROP;
  CREATE TEMP TABLE IF NOT EXISTS association_match (
    diasourceid bigint PRIMARY KEY, diaobjectid bigint UNIQUE, cost double precision,
    m2 double precision) ON COMMIT DROP;
  TRUNCATE association_pair, association_match;

  INSERT INTO association_pair
  WITH frame AS MATERIALIZED (
    SELECT ccdvisitid, coalesce(astromsysraerr, 0.01)::double precision ^ 2 AS vra,
      coalesce(astromsysdeclerr, 0.01)::double precision ^ 2 AS vdecl,
      coalesce(astromsyscov, 0)::double precision AS cov,
      science.earth_position(midpointtai) AS e
    FROM staging.ccdvisit WHERE slot = in_slot
  ), near AS (
    SELECT s.diasourceid, o.diaobjectid, (s.midpointtai - o.radectai) / 365.25 AS t,
      -- 0.1 mas are added so that two perfect positions do not rule each other out.
      -- A source whose centroid failed is taken to be good to 1 arcsec.
      coalesce(s.raerr, 1)::double precision ^ 2 + o.raerr ^ 2 + f.vra + 1e-8 AS vra,
      coalesce(s.declerr, 1)::double precision ^ 2 + o.declerr ^ 2 + f.vdecl + 1e-8 AS vdecl,
      coalesce(s.radeclcov, 0)::double precision + coalesce(o.radeclcov, 0) + f.cov AS cov,
      206264.80624709636 * cosd(s.decl) * sind(s.ra - o.ra)
        - coalesce(o.parallax, 0) / 1000 * (f.e[1] * sind(o.ra) - f.e[2] * cosd(o.ra)) AS x,
      206264.80624709636 * (sind(s.decl - o.decl)
        + 2 * cosd(s.decl) * sind(o.decl) * sind((s.ra - o.ra) / 2) ^ 2)
        - coalesce(o.parallax, 0) / 1000 * ((f.e[1] * cosd(o.ra) + f.e[2] * sind(o.ra))
          * sind(o.decl) - f.e[3] * cosd(o.decl)) AS y,
      coalesce(o.pmra, 0)::double precision / 1000 AS pmx,
      coalesce(o.pmdecl, 0)::double precision / 1000 AS pmy,
      -- Variance of the fitted motion an axis, none known: so large that the prior decides.
      coalesce((o.pmparallaxcov[1] + o.pmparallaxcov[3])::double precision / 2e6, 1e6) AS vpm,
      CASE WHEN o.pmra IS NOT NULL AND o.parallax IS NULL THEN 0.1 ELSE 0 END AS unknown_parallax
    FROM staging.diasource AS s
    JOIN frame AS f ON f.ccdvisitid = s.ccdvisitid
    JOIN prompt_store.diaobject AS o
      ON spoint(radians(o.ra), radians(o.decl))
         <@ scircle(spoint(radians(s.ra), radians(s.decl)), radians(max_radius / 3600))
    WHERE s.slot = in_slot AND s.ssobjectid IS NULL AND s.diaobjectid IS NULL
      AND s.iswithdrawal IS NOT TRUE AND s.flags & hidden = 0
  ), judged AS (
    SELECT n.diasourceid, n.diaobjectid, h.*
    FROM near AS n CROSS JOIN LATERAL (
      -- The mixture of the three priors. Exponents are cut off: numbers below 1e-300 are errors.
      SELECT -2 * ln(sum(exp(greatest(lnw - m2 / 2, -690)) / sqrt(det))
          / sum(exp(greatest(lnw, -690))) / (2 * pi() * new_density)) AS cost,
        (array_agg(m2 ORDER BY m2 + ln(det) - 2 * lnw))[1] AS m2
      FROM (
        SELECT p.lnw, d.det, (d.vy * d.dx ^ 2 - 2 * n.cov * d.dx * d.dy + d.vx * d.dy ^ 2) / d.det AS m2
        FROM (
          SELECT ln(share / (width ^ 2 + n.vpm)) - (n.pmx ^ 2 + n.pmy ^ 2) / (2 * (width ^ 2 + n.vpm)) AS lnw,
            width ^ 2 / (width ^ 2 + n.vpm) AS shrink, width ^ 2 * n.vpm / (width ^ 2 + n.vpm) AS v
          FROM (VALUES (0.90, 0.02::double precision), (0.09, 0.3), (0.01, 3)) AS prior (share, width)
        ) AS p
        CROSS JOIN LATERAL (
          SELECT p.v * n.t ^ 2 + n.unknown_parallax ^ 2 * (p.shrink ^ 2 * (n.pmx ^ 2 + n.pmy ^ 2) + 2 * p.v)
            * least(20 * n.t ^ 2, 2 + 6.3 * abs(n.t)) ^ 2 AS grown
        ) AS g
        CROSS JOIN LATERAL (
          SELECT n.vra + g.grown AS vx, n.vdecl + g.grown AS vy,
            (n.vra + g.grown) * (n.vdecl + g.grown) - n.cov ^ 2 AS det,
            n.x - p.shrink * n.pmx * n.t AS dx, n.y - p.shrink * n.pmy * n.t AS dy
        ) AS d
      ) AS q
    ) AS h
  )
  SELECT diasourceid, diaobjectid, cost, m2 FROM judged WHERE cost < 0;

  -- Detectors of the visit that were published before have their objects already.
  IF EXISTS (SELECT FROM staging.ccdvisit AS s JOIN prompt_store.ccdvisit AS c USING (visitid)
             WHERE s.slot = in_slot) THEN
    DELETE FROM association_pair AS p
    USING staging.diasource AS s, prompt_store.diasource AS c
    WHERE s.slot = in_slot AND s.diasourceid = p.diasourceid AND c.diaobjectid = p.diaobjectid
      AND c.visitid = s.visitid
      AND NOT EXISTS (SELECT FROM staging.diasource AS r
        WHERE r.slot = in_slot AND r.replacestai IS NOT NULL AND r.diasourceid = c.diasourceid);
  END IF;

  -- Pairs that nothing competes with are taken as they are.
  WITH counted AS MATERIALIZED (
    SELECT p.*, count(*) OVER (PARTITION BY diasourceid) = 1
      AND count(*) OVER (PARTITION BY diaobjectid) = 1 AS alone
    FROM association_pair AS p
  ), contested AS (
    SELECT array_agg(diasourceid) AS sources, array_agg(diaobjectid) AS objects,
      array_agg(cost) AS costs
    FROM counted WHERE NOT alone
  )
  INSERT INTO association_match
  SELECT diasourceid, diaobjectid, cost, m2 FROM counted WHERE alone
  UNION ALL
  SELECT p.diasourceid, p.diaobjectid, p.cost, p.m2
  FROM contested AS c
  CROSS JOIN LATERAL staging.assign(c.sources, c.objects, c.costs) AS taken(k)
  JOIN association_pair AS p
    ON p.diasourceid = c.sources[taken.k] AND p.diaobjectid = c.objects[taken.k];

  UPDATE staging.diasource AS s SET diaobjectid = m.diaobjectid
  FROM association_match AS m WHERE s.slot = in_slot AND s.diasourceid = m.diasourceid;
  GET DIAGNOSTICS n_matched = ROW_COUNT;

  UPDATE staging.diasource AS s
  SET diaobjectid = base | ((s.hpx29 >> 48) << 39) | nextval('ledger.object_serial')
  WHERE s.slot = in_slot AND s.diaobjectid IS NULL AND s.ssobjectid IS NULL
    AND s.iswithdrawal IS NOT TRUE AND s.flags & hidden = 0;
  GET DIAGNOSTICS n_new = ROW_COUNT;
END $$;

COMMENT ON FUNCTION staging.associate(smallint, double precision, double precision)
IS 'Associates staged DIASources with DIAObjects (at most one each per visit) by the greatest '
   'likelihood; unmatched ones found new DIAObjects.';
