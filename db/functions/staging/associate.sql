-- associate: gives every staged DIASource of a slot its DIAObject, or makes a new one.
-- DPDD section 3.2.1 step 4 and footnote 23; DIA-11, DIA-12.
--
-- A pair within max_radius [arcsec] has the cost m2 + ln(det S), twice the negative log-likelihood
-- up to a constant: S adds the position covariances of source and object and the systematic one
-- of the ccdVisit; m2 is the squared Mahalanobis distance, at most max_m2. Pairs that are each
-- other's cheapest are taken, then the rest is looked at again: an object gets at most one source
-- of a visit, a source at most one object. Parents and the sub-threshold sample take no part.
-- needs: science.tai_now
CREATE OR REPLACE FUNCTION staging.associate(
  in_slot smallint,
  max_radius double precision DEFAULT 1.5,
  max_m2 double precision DEFAULT 25.0,
  OUT n_matched bigint, OUT n_new bigint)
LANGUAGE plpgsql AS $$
DECLARE
  base bigint;
  hidden bigint;
  taken bigint;
BEGIN
  SELECT databaseid::bigint << 53 INTO STRICT base FROM ledger.database WHERE name = 'prompt';
  SELECT coalesce(sum(1::bigint << bit), 0) INTO hidden FROM ledger.flagdefinition
  WHERE relation = 'DIASource' AND name IN ('PARENT', 'SUBTHRESHOLD');

  CREATE TEMP TABLE IF NOT EXISTS association_pair (
    diasourceid bigint, diaobjectid bigint, cost double precision) ON COMMIT DROP;
  CREATE TEMP TABLE IF NOT EXISTS association_match (
    diasourceid bigint PRIMARY KEY, diaobjectid bigint UNIQUE) ON COMMIT DROP;
  TRUNCATE association_pair, association_match;

  INSERT INTO association_pair
  SELECT diasourceid, diaobjectid, m2 + ln(det)
  FROM (
    SELECT p.*, (vdecl * dra * dra - 2 * cov * dra * ddecl + vra * ddecl * ddecl) / det AS m2
    FROM (
      SELECT s.diasourceid, o.diaobjectid, e.vra, e.vdecl, e.cov,
        e.vra * e.vdecl - e.cov * e.cov AS det, d.dra, d.ddecl
      FROM staging.diasource AS s
      JOIN LATERAL (
        SELECT astromsysraerr, astromsysdeclerr, astromsyscov FROM staging.ccdvisit AS v
        WHERE v.slot = in_slot AND v.ccdvisitid = s.ccdvisitid
      ) AS v ON true
      JOIN prompt_store.diaobject AS o
        ON spoint(radians(o.ra), radians(o.decl))
           <@ scircle(spoint(radians(s.ra), radians(s.decl)), radians(max_radius / 3600))
      CROSS JOIN LATERAL (
        -- 10 mas are added so that two perfect positions do not rule each other out.
        -- A source whose centroid failed is taken to be good to 1 arcsec.
        SELECT coalesce(s.raerr, 1) ^ 2 + o.raerr ^ 2 + coalesce(v.astromsysraerr, 0) ^ 2 + 1e-4 AS vra,
          coalesce(s.declerr, 1) ^ 2 + o.declerr ^ 2 + coalesce(v.astromsysdeclerr, 0) ^ 2 + 1e-4 AS vdecl,
          coalesce(s.radeclcov, 0) + coalesce(o.radeclcov, 0) + coalesce(v.astromsyscov, 0) AS cov
      ) AS e
      CROSS JOIN LATERAL (
        SELECT (s.ra - o.ra - 360 * round((s.ra - o.ra) / 360))
            * cos(radians(s.decl)) * 3600 AS dra,
          (s.decl - o.decl) * 3600 AS ddecl
      ) AS d
      WHERE s.slot = in_slot AND s.ssobjectid IS NULL AND s.flags & hidden = 0
    ) AS p
  ) AS q
  WHERE m2 <= max_m2;
  ANALYZE association_pair;

  LOOP
    INSERT INTO association_match
    SELECT diasourceid, diaobjectid FROM (
      SELECT p.*,
        row_number() OVER (PARTITION BY diasourceid ORDER BY cost, diaobjectid) AS by_source,
        row_number() OVER (PARTITION BY diaobjectid ORDER BY cost, diasourceid) AS by_object
      FROM association_pair AS p
    ) AS ranked
    WHERE by_source = 1 AND by_object = 1;
    GET DIAGNOSTICS taken = ROW_COUNT;
    EXIT WHEN taken = 0;
    DELETE FROM association_pair AS p USING association_match AS m
    WHERE p.diasourceid = m.diasourceid OR p.diaobjectid = m.diaobjectid;
  END LOOP;

  UPDATE staging.diasource AS s SET diaobjectid = m.diaobjectid
  FROM association_match AS m WHERE s.slot = in_slot AND s.diasourceid = m.diasourceid;
  GET DIAGNOSTICS n_matched = ROW_COUNT;

  UPDATE staging.diasource AS s
  SET diaobjectid = base | ((s.hpx29 >> 48) << 39) | nextval('ledger.object_serial')
  WHERE s.slot = in_slot AND s.diaobjectid IS NULL AND s.ssobjectid IS NULL AND s.flags & hidden = 0;
  GET DIAGNOSTICS n_new = ROW_COUNT;
END $$;

COMMENT ON FUNCTION staging.associate(smallint, double precision, double precision)
IS 'Associates staged DIASources with DIAObjects (at most one each per visit); unmatched ones found new DIAObjects.';
