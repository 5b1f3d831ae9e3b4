-- characterize: recomputes the DIAObjects whose data the staged rows of a slot change, from the
-- sources of the twelve months up to the newest (diaCharacterizationCutoff, 365.25 d; 'infinity'
-- lifts the limit), and stages the new versions. DPDD section 3.2.1 step 6, conventions of section
-- 2.1; DIA-14, L1DB-17, REPROC-02.
--
-- Each source is weighted by the inverse of its covariance plus the systematic one of its ccdVisit
-- (10 mas where that is unknown); a source whose centroid failed counts with an error of 1 arcsec.
-- Position, proper motion and parallax are fitted together once there are 5 points over 60 days
-- (staging.fit_motion); before, the position is the maximum likelihood mean, its epoch the mean of
-- the times with the same weights. Offsets are orthographic, (cos d sin da, sin d cos d0 - ...),
-- about a place that stays the same as long as the sums of an object do.
--
-- The sums of the normal equations are kept (DIAObjectSums): what the slot adds and what the window
-- leaves behind is added to them and taken from them. They are made from the rows where that is not
-- possible: nothing is kept, a row is replaced or withdrawn or comes late, the window moves back, or
-- digits would be lost. Columns that are not computed here are carried over, and so are flags.
-- needs: science.earth_position, science.night_of, staging.band_of, staging.characterize_tables
-- needs: staging.fit_motion, staging.member_forced, staging.reopened, staging.sum_positions
CREATE OR REPLACE FUNCTION staging.characterize(
  in_slot smallint, cutoff_days double precision DEFAULT 365.25)
RETURNS bigint
-- Joined by hash: temporary tables come in no order, and nobody knows how large they are.
-- Three hundred rows tell all there is to know about a slot: one number, distinct objects.
LANGUAGE plpgsql SET enable_mergejoin = off SET default_statistics_target = 1
AS $$
DECLARE
  no_motion bigint;
  no_parallax bigint;
  orphan bigint;
  base bigint;
  reopened bigint[] := '{}';
  in_band text;
  names text;
  old_names text;
  done bigint;
  loops CONSTANT text := current_setting('enable_nestloop');
BEGIN
  SELECT sum(1::bigint << bit) FILTER (WHERE name = 'MOTION_NOT_FITTED'),
    sum(1::bigint << bit) FILTER (WHERE name = 'PARALLAX_NOT_FITTED'),
    sum(1::bigint << bit) FILTER (WHERE name = 'ORPHAN_KEPT')
  INTO STRICT no_motion, no_parallax, orphan FROM ledger.flagdefinition WHERE relation = 'DIAObject';
  SELECT databaseid::bigint << 54 INTO STRICT base FROM ledger.database WHERE name = 'prompt';
  SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum),
    string_agg('o.' || quote_ident(attname), ', ' ORDER BY attnum) INTO STRICT names, old_names
  FROM pg_attribute
  WHERE attrelid = 'staging.diaobject'::regclass AND attnum > 0 AND NOT attisdropped
    AND attname NOT IN ('slot', 'replacestai', 'iswithdrawal', 'diaobjectid', 'ra', 'decl', 'raerr',
      'declerr', 'radeclcov', 'hpx29', 'radectai', 'ndiasources', 'firstdiasourcetai',
      'lastdiasourcetai', 'pmra', 'pmdecl', 'parallax', 'pmparallaxcov', 'pmparallaxlnl',
      'pmparallaxchi2', 'pmparallaxndata', 'flags');

  PERFORM staging.characterize_tables();
  TRUNCATE characterize_staged, characterize_object, characterize_row, characterize_sum,
    characterize_fit;

  INSERT INTO characterize_staged
  SELECT diaobjectid, diasourceid, ccdvisitid, midpointtai, ra, decl, raerr, declerr, radeclcov, psflux,
    psfluxerr, totflux, totfluxerr, templateid, replacestai IS NOT NULL, iswithdrawal IS TRUE
  FROM staging.diasource WHERE slot = in_slot;
  INSERT INTO characterize_row
  SELECT diaobjectid, 1, ccdvisitid, midpointtai, ra, decl, raerr, declerr, radeclcov
  FROM characterize_staged WHERE diaobjectid IS NOT NULL AND NOT iswithdrawal;
  -- So that the planner knows how many objects there are: few are looked up by their key.
  ANALYZE characterize_row (diaobjectid);
  -- A visit replaces nothing, and its forced photometry comes later.
  IF EXISTS (SELECT FROM characterize_staged WHERE replaces)
    OR EXISTS (SELECT FROM staging.diaforcedsource WHERE slot = in_slot)
    OR EXISTS (SELECT FROM staging.ccdvisit WHERE slot = in_slot AND replacestai IS NOT NULL) THEN
    SELECT coalesce(array_agg(r.diaobjectid), '{}') INTO reopened FROM staging.reopened(in_slot) AS r;
  END IF;
  in_band := staging.band_of(in_slot);
  -- Objects that gain a source, and those of which published data change. Sums go on (basis) if all
  -- staged rows of the object are new ones. Else they begin anew, and offsets are counted from the
  -- old position, or that of one source.
  INSERT INTO characterize_object
  SELECT in_slot, t.diaobjectid, o.createdtai, CASE WHEN j.goes_on THEN b.asoftai END, 1, p.ra, p.decl,
    CASE WHEN j.goes_on THEN b.ra0 ELSE p.ra END, CASE WHEN j.goes_on THEN b.decl0 ELSE p.decl END,
    CASE WHEN j.goes_on THEN b.epoch0 ELSE p.newest END, b.sincetai,
    greatest(p.newest - cutoff_days, 0), p.newest, o.firstdiasourcetai, t.first,
    b.oldesttai, b.newesttai, b.mixedbands, CASE WHEN j.goes_on THEN b.positionsums END,
    CASE in_band WHEN 'u' THEN b.ufluxsums WHEN 'g' THEN b.gfluxsums WHEN 'r' THEN b.rfluxsums
      WHEN 'i' THEN b.ifluxsums WHEN 'z' THEN b.zfluxsums WHEN 'y' THEN b.yfluxsums END,
    CASE in_band WHEN 'u' THEN b.utemplateid WHEN 'g' THEN b.gtemplateid WHEN 'r' THEN b.rtemplateid
      WHEN 'i' THEN b.itemplateid WHEN 'z' THEN b.ztemplateid WHEN 'y' THEN b.ytemplateid END
  FROM (
    SELECT coalesce(g.diaobjectid, r.diaobjectid) AS diaobjectid, g.first, g.newest, g.ra, g.decl,
      r.diaobjectid IS NOT NULL AS changed
    FROM (
      SELECT diaobjectid, min(midpointtai) AS first, max(midpointtai) AS newest, min(ra) AS ra,
        min(decl) AS decl
      FROM characterize_row GROUP BY diaobjectid
    ) AS g FULL JOIN unnest(reopened) AS r (diaobjectid) ON r.diaobjectid = g.diaobjectid
    -- Objects that end are staged already.
    WHERE coalesce(g.diaobjectid, r.diaobjectid) NOT IN (SELECT o.diaobjectid
      FROM staging.diaobject AS o WHERE o.slot = in_slot AND o.diaobjectid IS NOT NULL)
    OFFSET 0
  ) AS t
  LEFT JOIN prompt_store.diaobject AS o ON o.diaobjectid = t.diaobjectid
  LEFT JOIN prompt_store.diaobjectsums AS b ON b.diaobjectid = t.diaobjectid
  CROSS JOIN LATERAL (SELECT greatest(o.lastdiasourcetai, t.newest) AS newest,
    coalesce(o.ra, t.ra) AS ra, coalesce(o.decl, t.decl) AS decl) AS p
  CROSS JOIN LATERAL (SELECT NOT t.changed AND t.first > b.newesttai + 1e-4
    AND p.newest - cutoff_days >= b.sincetai AS goes_on) AS j;

  -- What the windows leave behind. The ids say in which month to look.
  IF EXISTS (SELECT FROM characterize_object WHERE basis IS NOT NULL AND oldfirst <= since) THEN
    INSERT INTO characterize_row
    SELECT o.diaobjectid, -1, s.*
    FROM characterize_object AS o CROSS JOIN LATERAL (
      SELECT s.ccdvisitid, s.midpointtai, s.ra, s.decl, s.raerr, s.declerr, s.radeclcov
      FROM prompt_store.diasource AS s
      WHERE s.diaobjectid = o.diaobjectid AND s.midpointtai > o.oldsince AND s.midpointtai <= o.since
        AND s.diasourceid >= base + (greatest(science.night_of(o.oldsince) - 1, 0) << 39)
        AND s.diasourceid < base + ((greatest(science.night_of(o.since), 0) + 2) << 39)
      OFFSET 0
    ) AS s
    WHERE o.basis IS NOT NULL AND o.oldfirst <= o.since;
  END IF;

  FOR in_turn IN 1..2 LOOP
    IF EXISTS (SELECT FROM characterize_object AS o
        WHERE o.turn = in_turn AND o.basis IS NULL AND o.replacestai IS NOT NULL) THEN
      -- From the rows: all of them, as a source that goes may move the window back.
      INSERT INTO characterize_row
      SELECT o.diaobjectid, 1, s.ccdvisitid, s.midpointtai, s.ra, s.decl, s.raerr, s.declerr,
        s.radeclcov
      FROM characterize_object AS o CROSS JOIN LATERAL (
        SELECT * FROM prompt_store.diasource AS s WHERE s.diaobjectid = o.diaobjectid OFFSET 0
      ) AS s
      WHERE o.turn = in_turn AND o.basis IS NULL AND o.replacestai IS NOT NULL AND s.diasourceid NOT IN (
        SELECT r.diasourceid FROM staging.diasource AS r
        WHERE r.slot = in_slot AND r.replacestai IS NOT NULL AND r.diasourceid IS NOT NULL);
      UPDATE characterize_object AS o
      SET newest = m.newest, since = greatest(m.newest - cutoff_days, 0),
        epoch0 = coalesce(m.newest, o.epoch0)
      FROM (
        SELECT o.diaobjectid, max(r.midpointtai) AS newest
        FROM characterize_object AS o LEFT JOIN characterize_row AS r ON r.diaobjectid = o.diaobjectid
        WHERE o.turn = in_turn AND o.basis IS NULL AND o.replacestai IS NOT NULL
        GROUP BY o.diaobjectid
      ) AS m
      WHERE o.diaobjectid = m.diaobjectid;
    END IF;
    TRUNCATE characterize_frame;
    INSERT INTO characterize_frame
    SELECT c.ccdvisitid, c.minute, coalesce(v.astromsysraerr, 0.01)::double precision ^ 2,
      coalesce(v.astromsysdeclerr, 0.01)::double precision ^ 2, coalesce(v.astromsyscov, 0),
      e.e[1], e.e[2], e.e[3]
    FROM (SELECT DISTINCT ccdvisitid, round(midpointtai * 1440) AS minute FROM characterize_row) AS c
    CROSS JOIN LATERAL (SELECT science.earth_position(c.minute / 1440) AS e OFFSET 0) AS e
    LEFT JOIN LATERAL (
      SELECT astromsysraerr, astromsysdeclerr, astromsyscov FROM staging.ccdvisit AS v
      WHERE v.slot = in_slot AND v.ccdvisitid = c.ccdvisitid AND v.iswithdrawal IS NOT TRUE
      UNION ALL
      SELECT astromsysraerr, astromsysdeclerr, astromsyscov FROM prompt_store.ccdvisit AS v
      WHERE v.ccdvisitid = c.ccdvisitid
      LIMIT 1
    ) AS v ON true;

    -- Nothing tells how many rows these tables have: no loops over them.
    PERFORM set_config('enable_nestloop', 'off', true);
    ANALYZE characterize_object (diaobjectid, turn), characterize_frame;
    PERFORM staging.sum_positions(in_slot, in_turn);
    EXIT WHEN in_turn = 2;

    -- Sums that have lost digits, or whose object has moved far from where offsets are counted.
    WITH poor AS (
      DELETE FROM characterize_sum AS p USING characterize_object AS o
      WHERE NOT (p.shrunk < 1e4 AND abs(p.u) < 3 * p.a AND abs(p.v) < 3 * p.c)
        AND o.diaobjectid = p.diaobjectid AND o.basis IS NOT NULL
      RETURNING p.diaobjectid
    )
    UPDATE characterize_object AS o SET turn = 2, basis = NULL, ra0 = o.ra, decl0 = o.decl
    FROM poor AS p WHERE o.diaobjectid = p.diaobjectid;
    EXIT WHEN NOT FOUND;
    DELETE FROM characterize_row AS r USING characterize_object AS o
    WHERE o.diaobjectid = r.diaobjectid AND o.turn = 2 AND r.sign < 0;
    PERFORM set_config('enable_nestloop', loops, true);
  END LOOP;
  PERFORM set_config('enable_nestloop', loops, true);

  IF EXISTS (SELECT FROM characterize_object WHERE basis IS NOT NULL AND oldfirst <= since) THEN
    -- The first source of the window: within a month or so, for most; else anywhere.
    UPDATE characterize_object AS o SET oldfirst = coalesce((
      SELECT d.midpointtai FROM prompt_store.diasource AS d
      WHERE d.diaobjectid = o.diaobjectid AND d.midpointtai > o.since
        AND d.diasourceid >= base + (greatest(science.night_of(o.since) - 1, 0) << 39)
        AND d.diasourceid < base + ((greatest(science.night_of(o.since), 0) + 30) << 39)
      ORDER BY d.midpointtai LIMIT 1
    ), (
      SELECT d.midpointtai FROM prompt_store.diasource AS d
      WHERE d.diaobjectid = o.diaobjectid AND d.midpointtai > o.since
        AND d.diasourceid >= base + (greatest(science.night_of(o.since) - 1, 0) << 39)
      ORDER BY d.midpointtai LIMIT 1
    ), o.first)
    WHERE basis IS NOT NULL AND oldfirst <= since;
  END IF;
  PERFORM set_config('enable_nestloop', 'off', true);
  PERFORM staging.fit_motion();
  PERFORM set_config('enable_nestloop', loops, true);
  ANALYZE characterize_fit (diaobjectid);
  EXECUTE format($statement$
    WITH solved AS (
      SELECT m.*, m.motioncov AS m, o.replacestai, o.newest, o.ra0, o.decl0,
        o.epoch0 + 365.25 * m.epoch AS mjd, m.x / 206264.80624709636 AS dx, m.y / 206264.80624709636 AS dy
      FROM characterize_fit AS m JOIN characterize_object AS o ON o.diaobjectid = m.diaobjectid
      OFFSET 0
    ), placed AS (
      SELECT s.*, s.ra0 + atan2d(s.dx, h.z * cosd(s.decl0) - s.dy * sind(s.decl0)) AS toward,
        atan2d(h.z * sind(s.decl0) + s.dy * cosd(s.decl0),
          sqrt(s.dx * s.dx + (h.z * cosd(s.decl0) - s.dy * sind(s.decl0)) ^ 2)) AS there
      FROM solved AS s CROSS JOIN LATERAL (SELECT sqrt(1 - s.dx * s.dx - s.dy * s.dy) AS z) AS h
      OFFSET 0
    ), turned AS (
      -- North there is not quite North where offsets are counted from.
      SELECT *, sind(there) * sind(toward - ra0) AS r FROM placed OFFSET 0
    )
    INSERT INTO staging.diaobject (slot, diaobjectid, replacestai, ra, decl, raerr, declerr,
      radeclcov, hpx29, radectai, ndiasources, firstdiasourcetai, lastdiasourcetai, pmra, pmdecl,
      parallax, pmparallaxcov, pmparallaxlnl, pmparallaxchi2, pmparallaxndata, flags, %s)
    SELECT $1, p.diaobjectid, p.replacestai, p.toward - 360 * floor(p.toward / 360), p.there,
      sqrt(p.varx + 2 * r * p.covxy), sqrt(p.vary - 2 * r * p.covxy),
      p.covxy + r * (p.vary - p.varx),
      healpix_nest(29, spoint(radians(p.toward), radians(p.there))),
      p.mjd, p.n, p.firsttai, p.newest, (p.pmx + r * p.pmy) * 1000, (p.pmy - r * p.pmx) * 1000,
      p.parallax * 1000, CASE WHEN p.chi2 IS NOT NULL THEN ARRAY[
        (m[1] + 2 * r * m[2]) * 1e6, (m[2] + r * (m[3] - m[1])) * 1e6, (m[3] - 2 * r * m[2]) * 1e6,
        (m[4] + r * m[5]) * 1e6, (m[5] - r * m[4]) * 1e6, m[6] * 1e6] END,
      p.lnl, p.chi2, CASE WHEN p.chi2 IS NOT NULL THEN p.n END,
      coalesce(o.flags, 0) & ~$2 | CASE WHEN p.pmx IS NULL THEN $3 ELSE 0 END
        | CASE WHEN p.parallax IS NULL THEN $4 ELSE 0 END, %s
    FROM turned AS p LEFT JOIN prompt_store.diaobject AS o ON o.diaobjectid = p.diaobjectid
    $statement$, names, old_names)
  USING in_slot, no_motion | no_parallax | orphan, no_motion, no_parallax;
  GET DIAGNOSTICS done = ROW_COUNT;

  -- Without sources an object ends, unless forced photometry of it remains: it keeps its place.
  IF EXISTS (SELECT FROM characterize_object WHERE newest IS NULL) THEN
    EXECUTE format($statement$
      INSERT INTO staging.diaobject (slot, diaobjectid, replacestai, ra, decl, raerr, declerr,
        radeclcov, hpx29, radectai, ndiasources, flags, %s)
      SELECT $1, o.diaobjectid, o.createdtai, o.ra, o.decl, o.raerr, o.declerr, o.radeclcov, o.hpx29,
        o.radectai, 0, o.flags | $2, %s
      FROM characterize_object AS w
      JOIN prompt_store.diaobject AS o ON o.diaobjectid = w.diaobjectid
      WHERE w.newest IS NULL
      $statement$, names, old_names)
    USING in_slot, no_motion | no_parallax | orphan;
    UPDATE staging.diaobject SET iswithdrawal = true, ndiasources = NULL
    WHERE slot = in_slot AND ndiasources = 0 AND diaobjectid NOT IN (
      SELECT f.diaobjectid FROM staging.member_forced(in_slot) AS f);
  END IF;
  RETURN done;
END $$;

COMMENT ON FUNCTION staging.characterize(smallint, double precision)
IS 'Stages new versions of the DIAObjects that staged rows change: position, proper motion, '
   'parallax, counts, times; ends those without data.';
