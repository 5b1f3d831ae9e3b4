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
-- needs: staging.characterize, staging.reopened, staging.sum_fluxes, science.night_of
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
  pivot text;
  joins text;
  set_sums text;
  set_mixed text;
  set_fluxes text;
  done bigint;
  loops CONSTANT text := current_setting('enable_nestloop');
BEGIN
  SELECT databaseid::bigint << 54 INTO STRICT base FROM ledger.database WHERE name = 'prompt';
  SELECT 1::bigint << bit INTO STRICT mixed FROM ledger.flagdefinition
  WHERE relation = 'DIAObject' AND name = 'MIXED_TEMPLATE';
  CREATE TEMP TABLE IF NOT EXISTS flux_object (
    diaobjectid bigint, basis timestamp, turn integer, published boolean,
    oldsince double precision, since double precision, oldest double precision,
    newest double precision, mixedbands smallint) ON COMMIT DROP;
  CREATE TEMP TABLE IF NOT EXISTS flux_row (
    diaobjectid bigint, known boolean, sign double precision, forced boolean, id bigint,
    ccdvisitid bigint, midpointtai double precision, psflux real, psfluxerr real, totflux real, totfluxerr real,
    templateid bigint) ON COMMIT DROP;
  CREATE TEMP TABLE IF NOT EXISTS flux_band (ccdvisitid bigint, band text) ON COMMIT DROP;
  CREATE TEMP TABLE IF NOT EXISTS flux_base (
    diaobjectid bigint, band text, since double precision, s double precision[],
    f0 double precision, g0 double precision, t0 bigint, lost boolean) ON COMMIT DROP;
  CREATE TEMP TABLE IF NOT EXISTS flux_sum (
    diaobjectid bigint, band text, s double precision[], templateid bigint, lost boolean
  ) ON COMMIT DROP;
  TRUNCATE flux_object, flux_row, flux_sum;

  -- Each with its id, negative for forced rows: the lowest one counts where one a ccdVisit does.
  INSERT INTO flux_row
  SELECT diaobjectid, false, 1, false, diasourceid, ccdvisitid, midpointtai, psflux, psfluxerr,
    totflux, totfluxerr, templateid
  FROM staging.diasource
  WHERE slot = in_slot AND diaobjectid IS NOT NULL AND iswithdrawal IS NOT TRUE
  UNION ALL
  SELECT diaobjectid, false, 1, true, -diaforcedsourceid, ccdvisitid, midpointtai, psflux, psfluxerr,
    totflux, totfluxerr, templateid
  FROM staging.diaforcedsource WHERE slot = in_slot AND iswithdrawal IS NOT TRUE;
  EXECUTE format('ANALYZE staging.%I (slot, diaobjectid)', 'diaobject_s' || in_slot);
  -- Forced rows staged for other objects are no concern of ours.
  INSERT INTO flux_object
  SELECT o.diaobjectid, CASE WHEN r.first > b.newesttai + 1e-4 THEN b.asoftai END, 1,
    o.replacestai IS NOT NULL, b.sincetai, s.sincetai, b.oldesttai, b.newesttai, b.mixedbands
  FROM staging.diaobject AS o
  LEFT JOIN staging.diaobjectsums AS s ON s.slot = in_slot AND s.diaobjectid = o.diaobjectid
  LEFT JOIN prompt_store.diaobjectsums AS b
    ON b.diaobjectid = o.diaobjectid AND b.asoftai = s.replacestai
  LEFT JOIN (SELECT diaobjectid, min(midpointtai) AS first FROM flux_row GROUP BY diaobjectid) AS r
    ON r.diaobjectid = o.diaobjectid
  WHERE o.slot = in_slot AND o.iswithdrawal IS NOT TRUE;

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
  -- What came without a source.
  INSERT INTO flux_row
  SELECT o.diaobjectid, true, CASE WHEN s.midpointtai > o.since THEN 1 ELSE 0 END, true, s.*
  FROM flux_object AS o CROSS JOIN LATERAL (
    SELECT -s.diaforcedsourceid, s.ccdvisitid, s.midpointtai, s.psflux, s.psfluxerr, s.totflux,
      s.totfluxerr, s.templateid
    FROM prompt_store.diaforcedsource AS s
    WHERE s.diaobjectid = o.diaobjectid AND s.midpointtai > o.newest
      AND s.diaforcedsourceid >= base + (greatest(science.night_of(o.newest) - 1, 0) << 39)
    OFFSET 0
  ) AS s
  WHERE o.basis IS NOT NULL;

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
    SELECT c.ccdvisitid, v.band
    FROM (SELECT DISTINCT ccdvisitid FROM flux_row) AS c CROSS JOIN LATERAL (
      SELECT band FROM staging.ccdvisit AS v
      WHERE v.slot = in_slot AND v.ccdvisitid = c.ccdvisitid AND v.iswithdrawal IS NOT TRUE
      UNION ALL
      SELECT band FROM prompt_store.ccdvisit AS v WHERE v.ccdvisitid = c.ccdvisitid
      LIMIT 1
    ) AS v;
    PERFORM set_config('enable_nestloop', 'off', true);
    -- An object without sources is described by the months up to its newest forced measurement.
    IF EXISTS (SELECT FROM flux_object WHERE since IS NULL) THEN
      UPDATE flux_object AS o SET since = greatest(r.newest - cutoff_days, 0)
      FROM (SELECT diaobjectid, max(midpointtai) AS newest FROM flux_row GROUP BY diaobjectid) AS r
      WHERE o.since IS NULL AND r.diaobjectid = o.diaobjectid;
    END IF;
    PERFORM staging.sum_fluxes(in_turn);
    PERFORM set_config('enable_nestloop', loops, true);
    EXIT WHEN in_turn = 2;

    -- Sums that have lost digits, or whose reference or template is of values that have left; and
    -- those that another publication has just forgotten.
    UPDATE flux_object AS o SET turn = 2, basis = NULL
    FROM flux_sum AS c
    WHERE c.diaobjectid = o.diaobjectid AND o.basis IS NOT NULL AND (
      c.lost OR s[18] > 1e4 OR (s[17] > 0 AND s[17] >= s[3] + s[9])
      OR (s[3] > 1 AND (s[6] > 1e6 * (s[6] - s[5] * s[5] / s[4])
        OR s[8] > 1e6 * (s[8] - s[7] * s[7] / s[3])))
      OR (s[12] > 1 AND s[16] > 1e6 * (s[16] - s[15] * s[15] / s[12])));
    EXIT WHEN NOT FOUND;
    DELETE FROM flux_row AS r USING flux_object AS o
    WHERE o.diaobjectid = r.diaobjectid AND o.turn = 2 AND r.known;
    DELETE FROM flux_sum AS r USING flux_object AS o
    WHERE o.diaobjectid = r.diaobjectid AND o.turn = 2;
  END LOOP;

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
  -- In the texts # is the band and @ its sums.
  SELECT string_agg(replace(', #.s AS #, #.templateid AS t#', '#', b), ''),
    string_agg(replace(
      ' LEFT JOIN flux_sum AS # ON #.diaobjectid = o.diaobjectid AND #.band = ', '#', b)
      || quote_literal(b), ''),
    string_agg(replace(', #fluxsums = p.#, #templateid = p.t#', '#', b), ''),
    string_agg(format(' & ~CASE WHEN %1$s.s IS NULL THEN 0 ELSE %2$s END '
      '| CASE WHEN %1$s.s[17] > 0 THEN %2$s ELSE 0 END', b, 1 << strpos('ugrizy', b)), ''),
    string_agg(replace(replace(
      ', #psfluxmean = CASE WHEN @ IS NULL THEN o.#psfluxmean
          WHEN @[3] > 0 THEN @[1] + @[5] / @[4] END
      , #psfluxmeanerr = CASE WHEN @ IS NULL THEN o.#psfluxmeanerr
          WHEN @[3] > 0 THEN 1 / sqrt(@[4]) END
      , #psfluxsigma = CASE WHEN @ IS NULL THEN o.#psfluxsigma
          WHEN @[3] > 1 THEN sqrt(greatest(@[8] - @[7] * @[7] / @[3], 0) / (@[3] - 1)) END
      , #psfluxchi2 = CASE WHEN @ IS NULL THEN o.#psfluxchi2
          WHEN @[3] > 1 THEN greatest(@[6] - @[5] * @[5] / @[4], 0) WHEN @[3] > 0 THEN 0 END
      , #psfluxndata = CASE WHEN @ IS NULL THEN o.#psfluxndata WHEN @[3] > 0 THEN @[3] END
      , #psforcedfluxmean = CASE WHEN @ IS NULL THEN o.#psforcedfluxmean
          WHEN @[9] > 0 THEN @[1] + @[11] / @[10] END
      , #psforcedfluxmeanerr = CASE WHEN @ IS NULL THEN o.#psforcedfluxmeanerr
          WHEN @[9] > 0 THEN 1 / sqrt(@[10]) END
      , #psforcedfluxndata = CASE WHEN @ IS NULL THEN o.#psforcedfluxndata
          WHEN @[9] > 0 THEN @[9] END
      , #totfluxmean = CASE WHEN @ IS NULL THEN o.#totfluxmean
          WHEN @[12] > 0 THEN @[2] + @[14] / @[13] END
      , #totfluxmeanerr = CASE WHEN @ IS NULL THEN o.#totfluxmeanerr
          WHEN @[12] > 0 THEN 1 / sqrt(@[13]) END
      , #totfluxsigma = CASE WHEN @ IS NULL THEN o.#totfluxsigma
          WHEN @[12] > 1 THEN sqrt(greatest(@[16] - @[15] * @[15] / @[12], 0) / (@[12] - 1)) END',
      '#', b), '@', 'p.' || b), '')
  INTO pivot, joins, set_sums, set_mixed, set_fluxes
  FROM (SELECT DISTINCT band AS b FROM flux_sum) AS bands;
  PERFORM set_config('enable_nestloop', 'off', true);
  EXECUTE format($statement$
    WITH span AS (
      SELECT diaobjectid, max(midpointtai) FILTER (WHERE sign > 0) AS newest,
        min(midpointtai) AS oldest
      FROM flux_row GROUP BY diaobjectid
    ), news AS MATERIALIZED (
      SELECT o.diaobjectid, o.basis,
        CASE WHEN o.basis IS NULL THEN greatest(n.oldest, o.since)
          WHEN o.oldest <= o.since THEN o.since ELSE o.oldest END AS oldest,
        greatest(o.newest, n.newest) AS newest,
        CASE WHEN o.basis IS NULL THEN 0 ELSE o.mixedbands END %3$s AS mixedbands %1$s
      FROM flux_object AS o LEFT JOIN span AS n ON n.diaobjectid = o.diaobjectid %2$s
    ), kept AS (
      UPDATE staging.diaobjectsums AS o
      SET replacestai = p.basis, oldesttai = p.oldest, newesttai = p.newest, asoftai = $2,
        mixedbands = p.mixedbands %4$s
      FROM news AS p WHERE o.slot = $1 AND o.diaobjectid = p.diaobjectid
    )
    UPDATE staging.diaobject AS o
    SET flags = o.flags & ~$3 | CASE WHEN p.mixedbands <> 0 THEN $3 ELSE 0 END %5$s
    FROM news AS p WHERE o.slot = $1 AND o.diaobjectid = p.diaobjectid
    $statement$, pivot, joins, set_mixed, set_sums, set_fluxes)
  USING in_slot, horizon, mixed;
  GET DIAGNOSTICS done = ROW_COUNT;
  PERFORM set_config('enable_nestloop', loops, true);
  RETURN done;
END $$;

COMMENT ON FUNCTION staging.characterize_fluxes(smallint, double precision)
IS 'Fills the per-band flux statistics of the DIAObjects staged in a slot.';
