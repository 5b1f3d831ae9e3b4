-- characterize_fluxes: the flux statistics of the DIAObjects staged in a slot, in the bands that
-- its rows change or the window leaves behind, from the measurements of the twelve months up to the
-- newest source. DPDD sections 2.1 and 3.2.1 step 6, conventions of section 2.2a:
--   psFlux*        from the DIASources: inverse-variance weighted mean, its error, chi2 about it,
--                  unweighted sample standard deviation (NULL for one point), number
--   psForcedFlux*  from the forced rows; those that came without a source since the last version
--                  of the object are taken in now
--   totFlux*       one value a ccdVisit: the forced row, else the DIASource
-- MIXED_TEMPLATE is set where the difference fluxes of a band are of more than one template.
-- To be called after the forced photometry of the visit is staged.
--
-- As in staging.characterize the sums go on from those kept (DIAObjectSums) where they can. Fluxes
-- are counted from a reference near their mean: nothing cancels.
-- needs: science.night_of, staging.band_of, staging.characterize, staging.characterize_tables
-- needs: staging.sum_fluxes
CREATE OR REPLACE FUNCTION staging.characterize_fluxes(
  in_slot smallint, cutoff_days double precision DEFAULT 365.25)
RETURNS bigint
-- Joined by hash: temporary tables come in no order, and nobody knows how large they are.
-- Three hundred rows tell all there is to know about a slot: one number, distinct objects.
LANGUAGE plpgsql SET enable_mergejoin = off SET default_statistics_target = 1
AS $$
DECLARE
  horizon CONSTANT timestamp := ledger.horizon();
  base bigint;
  mixed bigint;
  in_band CONSTANT text := staging.band_of(in_slot);
  earliest double precision;
  month record;
  joins text;
  sum_names text;
  sums text;
  newest_sum text;
  oldest_sum text;
  set_mixed text;
  set_fluxes text;
  done bigint;
  packed CONSTANT text := '#.f0, #.g0, #.n, #.w, #.wf, #.wff, #.f, #.ff, #.fn, #.fw, #.fwf, #.tn, #.tw, '
    '#.twf, #.tf, #.tff, #.others, #.shrunk';
  loops CONSTANT text := current_setting('enable_nestloop');
BEGIN
  SELECT databaseid::bigint << 54 INTO STRICT base FROM ledger.database WHERE name = 'prompt';
  SELECT 1::bigint << bit INTO STRICT mixed FROM ledger.flagdefinition
  WHERE relation = 'DIAObject' AND name = 'MIXED_TEMPLATE';
  PERFORM staging.characterize_tables();
  TRUNCATE flux_object, flux_row, flux_sum;

  IF (SELECT bool_and(slot = in_slot) FROM characterize_object) IS NOT TRUE
    AND EXISTS (SELECT FROM staging.diaobject WHERE slot = in_slot AND iswithdrawal IS NOT TRUE) THEN
    RAISE EXCEPTION 'the DIAObjects of slot % were not characterized in this transaction', in_slot
      USING ERRCODE = 'object_not_in_prerequisite_state',
        HINT = 'Call staging.characterize first, in the same transaction.';
  END IF;
  SELECT least((SELECT min(midpointtai) FROM characterize_staged
      WHERE diaobjectid IS NOT NULL AND NOT iswithdrawal),
    (SELECT min(midpointtai) FROM staging.diaforcedsource
     WHERE slot = in_slot AND iswithdrawal IS NOT TRUE)) INTO earliest;
  -- Nothing tells how many rows these tables have: no loops over them.
  PERFORM set_config('enable_nestloop', 'off', true);
  -- Sums of positions that go on (basis) let those of fluxes go on, if all staged rows are new.
  INSERT INTO flux_object
  SELECT o.diaobjectid, CASE WHEN earliest > c.keptnewest + 1e-4 THEN c.basis END, 1,
    o.replacestai IS NOT NULL, c.oldsince,
    CASE WHEN o.lastdiasourcetai IS NOT NULL THEN
      coalesce(c.since, greatest(o.lastdiasourcetai - cutoff_days, 0)) END,
    c.keptoldest, c.keptnewest, c.keptmixed,
    strpos('ugrizy', in_band), c.fluxkept, c.templatekept
  FROM staging.diaobject AS o
  LEFT JOIN characterize_object AS c ON c.diaobjectid = o.diaobjectid
  WHERE o.slot = in_slot AND o.iswithdrawal IS NOT TRUE;
  -- Each with its id, negative for forced rows: the lowest one counts where one a ccdVisit does.
  -- Forced rows staged for other objects are no concern of ours.
  INSERT INTO flux_row
  SELECT diaobjectid, false, 1, false, diasourceid, ccdvisitid, midpointtai, psflux, psfluxerr,
    totflux, totfluxerr, templateid
  FROM characterize_staged WHERE diaobjectid IS NOT NULL AND NOT iswithdrawal
  UNION ALL
  SELECT f.diaobjectid, false, 1, true, -f.diaforcedsourceid, f.ccdvisitid, f.midpointtai, f.psflux,
    f.psfluxerr, f.totflux, f.totfluxerr, f.templateid
  FROM staging.diaforcedsource AS f JOIN flux_object AS o ON o.diaobjectid = f.diaobjectid
  WHERE f.slot = in_slot AND f.iswithdrawal IS NOT TRUE;
  PERFORM set_config('enable_nestloop', loops, true);

  -- What the windows leave behind; forced rows a little beyond, to know which source has one.
  IF EXISTS (SELECT FROM flux_object WHERE basis IS NOT NULL AND oldest <= since) THEN
    INSERT INTO flux_row
    SELECT o.diaobjectid, true, -1, false, s.*
    FROM flux_object AS o CROSS JOIN LATERAL (
      SELECT s.diasourceid, s.ccdvisitid, s.midpointtai, s.psflux, s.psfluxerr, s.totflux,
        s.totfluxerr, s.templateid
      FROM prompt_store.diasource AS s
      WHERE s.diaobjectid = o.diaobjectid AND s.midpointtai > o.oldsince AND s.midpointtai <= o.since
        AND s.diasourceid >= base + (greatest(science.night_of(o.oldsince) - 1, 0) << 39)
        AND s.diasourceid < base + ((greatest(science.night_of(o.since), 0) + 2) << 39)
      OFFSET 0
    ) AS s
    WHERE o.basis IS NOT NULL AND o.oldest <= o.since
    UNION ALL
    SELECT o.diaobjectid, true, CASE WHEN s.midpointtai > o.oldsince AND s.midpointtai <= o.since
        THEN -1 ELSE 0 END, true, s.*
    FROM flux_object AS o CROSS JOIN LATERAL (
      SELECT -s.diaforcedsourceid, s.ccdvisitid, s.midpointtai, s.psflux, s.psfluxerr, s.totflux,
        s.totfluxerr, s.templateid
      FROM prompt_store.diaforcedsource AS s
      WHERE s.diaobjectid = o.diaobjectid AND s.midpointtai > o.oldsince - 1e-4
        AND s.midpointtai <= o.since + 1e-4
        AND s.diaforcedsourceid >= base + (greatest(science.night_of(o.oldsince) - 1, 0) << 39)
        AND s.diaforcedsourceid < base + ((greatest(science.night_of(o.since), 0) + 2) << 39)
      OFFSET 0
    ) AS s
    WHERE o.basis IS NOT NULL AND o.oldest <= o.since;
  END IF;
  -- What came without a source. Month by month, of which the ids tell: a partition each, which the
  -- planner knows, and opens once and not for every object.
  ANALYZE flux_object (diaobjectid, turn, basis);
  FOR month IN
    SELECT m.day::date - date '1990-01-01' AS first,
      (m.day + interval '1 month')::date - date '1990-01-01' AS next
    FROM (SELECT min(greatest(newest, since)) AS since FROM flux_object WHERE basis IS NOT NULL) AS o
    CROSS JOIN LATERAL generate_series(
      date_trunc('month', date '1990-01-01' + (science.night_of(o.since) - 1)::integer),
      date '1990-01-01'
        + (SELECT science.night_of(max(midpointtai)) + 1 FROM prompt_store.ccdvisit)::integer,
      interval '1 month') AS m (day)
  LOOP
    EXECUTE format($statement$
      INSERT INTO flux_row
      SELECT o.diaobjectid, true, CASE WHEN s.midpointtai > o.since THEN 1 ELSE 0 END, true,
        -s.diaforcedsourceid, s.ccdvisitid, s.midpointtai, s.psflux, s.psfluxerr, s.totflux,
        s.totfluxerr, s.templateid
      FROM flux_object AS o
      JOIN prompt_store.diaforcedsource AS s ON s.diaobjectid = o.diaobjectid AND s.midpointtai > o.newest
      WHERE o.basis IS NOT NULL AND s.diaforcedsourceid >= %1$s AND s.diaforcedsourceid < %2$s
        AND science.night_of(o.newest) <= %3$s
      $statement$, base + (month.first::bigint << 39), base + (month.next::bigint << 39), month.next);
  END LOOP;

  FOR in_turn IN 1..2 LOOP
    IF EXISTS (SELECT FROM flux_object AS o
        WHERE o.turn = in_turn AND o.basis IS NULL AND o.published) THEN
      INSERT INTO flux_row
      SELECT o.diaobjectid, true, 1, false, s.diasourceid, s.ccdvisitid, s.midpointtai, s.psflux,
        s.psfluxerr, s.totflux, s.totfluxerr, s.templateid
      FROM flux_object AS o CROSS JOIN LATERAL (
        SELECT * FROM prompt_store.diasource AS s WHERE s.diaobjectid = o.diaobjectid OFFSET 0
      ) AS s
      WHERE o.turn = in_turn AND o.basis IS NULL AND o.published AND s.diasourceid NOT IN (
        SELECT r.diasourceid FROM staging.diasource AS r
        WHERE r.slot = in_slot AND r.replacestai IS NOT NULL AND r.diasourceid IS NOT NULL)
      UNION ALL
      SELECT o.diaobjectid, true, 1, true, -s.diaforcedsourceid, s.ccdvisitid, s.midpointtai, s.psflux,
        s.psfluxerr, s.totflux, s.totfluxerr, s.templateid
      FROM flux_object AS o CROSS JOIN LATERAL (
        SELECT * FROM prompt_store.diaforcedsource AS s
        WHERE s.diaobjectid = o.diaobjectid OFFSET 0
      ) AS s
      WHERE o.turn = in_turn AND o.basis IS NULL AND o.published AND s.diaforcedsourceid NOT IN (
        SELECT r.diaforcedsourceid FROM staging.diaforcedsource AS r
        WHERE r.slot = in_slot AND r.replacestai IS NOT NULL AND r.diaforcedsourceid IS NOT NULL);
    END IF;
    TRUNCATE flux_band;
    INSERT INTO flux_band
    SELECT c.ccdvisitid, strpos('ugrizy', v.band)
    FROM (SELECT DISTINCT ccdvisitid FROM flux_row) AS c CROSS JOIN LATERAL (
      SELECT band FROM staging.ccdvisit AS v
      WHERE v.slot = in_slot AND v.ccdvisitid = c.ccdvisitid AND v.iswithdrawal IS NOT TRUE
      UNION ALL
      SELECT band FROM prompt_store.ccdvisit AS v WHERE v.ccdvisitid = c.ccdvisitid
      LIMIT 1
    ) AS v;
    ANALYZE flux_row (diaobjectid, ccdvisitid), flux_band;
    PERFORM set_config('enable_nestloop', 'off', true);
    -- An object without sources is described by the months up to its newest forced measurement.
    IF EXISTS (SELECT FROM flux_object WHERE since IS NULL) THEN
      UPDATE flux_object AS o SET since = greatest(r.newest - cutoff_days, 0)
      FROM (SELECT diaobjectid, max(midpointtai) AS newest FROM flux_row GROUP BY diaobjectid) AS r
      WHERE o.since IS NULL AND r.diaobjectid = o.diaobjectid;
    END IF;
    PERFORM staging.sum_fluxes(in_turn);
    EXIT WHEN in_turn = 2;

    EXIT WHEN NOT EXISTS (SELECT FROM flux_sum WHERE poor);
    UPDATE flux_object AS o SET turn = 2, basis = NULL
    FROM flux_sum AS c WHERE c.poor AND c.diaobjectid = o.diaobjectid AND o.basis IS NOT NULL;
    EXIT WHEN NOT FOUND;
    DELETE FROM flux_row AS r USING flux_object AS o
    WHERE o.diaobjectid = r.diaobjectid AND o.turn = 2 AND r.known;
    DELETE FROM flux_sum AS r USING flux_object AS o
    WHERE o.diaobjectid = r.diaobjectid AND o.turn = 2;
    PERFORM set_config('enable_nestloop', loops, true);
  END LOOP;

  EXECUTE format('ANALYZE staging.%I (slot, diaobjectid)', 'diaobject_s' || in_slot);
  -- Bands without news keep their statistics, but not if the sums began anew without them.
  IF EXISTS (SELECT FROM flux_object WHERE basis IS NULL AND published) THEN
    SELECT string_agg(attname || ' = NULL', ', ') INTO STRICT set_fluxes
    FROM pg_attribute
    WHERE attrelid = 'staging.diaobject'::regclass
      AND attname ~ '^[ugrizy](psflux|psforcedflux|totflux)';
    EXECUTE format('UPDATE staging.diaobject AS o SET %s FROM flux_object AS w WHERE o.slot = $1 '
      'AND o.diaobjectid = w.diaobjectid AND w.basis IS NULL AND w.published', set_fluxes)
    USING in_slot;
  END IF;
  -- In the texts # is the band and + its number.
  SELECT string_agg(replace(replace(
      ' LEFT JOIN flux_sum AS # ON #.diaobjectid = o.diaobjectid AND #.band = +', '#', b),
      '+', n), ''),
    string_agg(replace(', #fluxsums, #templateid', '#', b), ''),
    string_agg(replace(
      ', CASE WHEN #.n IS NOT NULL THEN ARRAY[' || packed || '] END, #.templateid', '#', b), ''),
    string_agg(format(' & ~CASE WHEN %1$s.n IS NULL THEN 0 ELSE %2$s END '
      '| CASE WHEN %1$s.others > 0 THEN %2$s ELSE 0 END', b, 1 << n::integer), ''),
    string_agg(replace(', #.newest', '#', b), ''), string_agg(replace(', #.oldest', '#', b), ''),
    string_agg(replace(
      ', #psfluxmean = CASE WHEN #.n IS NULL THEN w.#psfluxmean
          WHEN #.n > 0 THEN #.f0 + #.wf / #.w END
      , #psfluxmeanerr = CASE WHEN #.n IS NULL THEN w.#psfluxmeanerr
          WHEN #.n > 0 THEN 1 / sqrt(#.w) END
      , #psfluxsigma = CASE WHEN #.n IS NULL THEN w.#psfluxsigma
          WHEN #.n > 1 THEN sqrt(greatest(#.ff - #.f * #.f / #.n, 0) / (#.n - 1)) END
      , #psfluxchi2 = CASE WHEN #.n IS NULL THEN w.#psfluxchi2
          WHEN #.n > 1 THEN greatest(#.wff - #.wf * #.wf / #.w, 0) WHEN #.n > 0 THEN 0 END
      , #psfluxndata = CASE WHEN #.n IS NULL THEN w.#psfluxndata WHEN #.n > 0 THEN #.n END
      , #psforcedfluxmean = CASE WHEN #.n IS NULL THEN w.#psforcedfluxmean
          WHEN #.fn > 0 THEN #.f0 + #.fwf / #.fw END
      , #psforcedfluxmeanerr = CASE WHEN #.n IS NULL THEN w.#psforcedfluxmeanerr
          WHEN #.fn > 0 THEN 1 / sqrt(#.fw) END
      , #psforcedfluxndata = CASE WHEN #.n IS NULL THEN w.#psforcedfluxndata
          WHEN #.fn > 0 THEN #.fn END
      , #totfluxmean = CASE WHEN #.n IS NULL THEN w.#totfluxmean
          WHEN #.tn > 0 THEN #.g0 + #.twf / #.tw END
      , #totfluxmeanerr = CASE WHEN #.n IS NULL THEN w.#totfluxmeanerr
          WHEN #.tn > 0 THEN 1 / sqrt(#.tw) END
      , #totfluxsigma = CASE WHEN #.n IS NULL THEN w.#totfluxsigma
          WHEN #.tn > 1 THEN sqrt(greatest(#.tff - #.tf * #.tf / #.tn, 0) / (#.tn - 1)) END',
      '#', b), '')
  INTO joins, sum_names, sums, set_mixed, newest_sum, oldest_sum, set_fluxes
  FROM (SELECT DISTINCT band::text AS n, substr('ugrizy', band, 1) AS b FROM flux_sum) AS bands;
  PERFORM set_config('enable_nestloop', 'off', true);
  EXECUTE format($statement$
    INSERT INTO staging.diaobjectsums (slot, diaobjectid, replacestai, ra0, decl0, epoch0, sincetai,
      oldesttai, newesttai, asoftai, positionsums, mixedbands %1$s)
    SELECT $1, o.diaobjectid, o.basis, c.ra0, c.decl0, c.epoch0, c.since,
      CASE WHEN o.basis IS NULL THEN greatest(least(NULL::double precision %3$s), o.since)
        WHEN o.oldest <= o.since THEN o.since ELSE o.oldest END,
      greatest(CASE WHEN o.basis IS NOT NULL THEN o.newest END %4$s), $2,
      ARRAY[p.n, p.a, p.b, p.c, p.ta, p.tb, p.tc, p.tta, p.ttb, p.ttc, p.h, p.k, p.th, p.tk, p.hk, p.u,
        p.v, p.tu, p.tv, p.uv, p.xx, p.lndet, p.shrunk],
      CASE WHEN o.basis IS NULL THEN 0 ELSE o.mixedbands END %5$s %2$s
    FROM flux_object AS o
    JOIN characterize_object AS c ON c.diaobjectid = o.diaobjectid
    JOIN characterize_sum AS p ON p.diaobjectid = o.diaobjectid %6$s
    $statement$, sum_names, sums, oldest_sum, newest_sum, set_mixed, joins)
  USING in_slot, horizon;
  EXECUTE format($statement$
    UPDATE staging.diaobject AS w
    SET flags = w.flags & ~$2
      | CASE WHEN CASE WHEN o.basis IS NULL THEN 0 ELSE o.mixedbands END %1$s <> 0 THEN $2 ELSE 0 END
      %2$s
    FROM flux_object AS o %3$s
    WHERE w.slot = $1 AND w.diaobjectid = o.diaobjectid
    $statement$, set_mixed, set_fluxes, joins)
  USING in_slot, mixed;
  GET DIAGNOSTICS done = ROW_COUNT;
  PERFORM set_config('enable_nestloop', loops, true);
  RETURN done;
END $$;

COMMENT ON FUNCTION staging.characterize_fluxes(smallint, double precision)
IS 'Fills the per-band flux statistics of the DIAObjects staged in a slot.';
