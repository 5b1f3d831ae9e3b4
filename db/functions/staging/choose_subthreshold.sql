-- choose_subthreshold: of the staged detections below the threshold keeps those that a rule wants
-- (ledger.SubThresholdRule) and removes the others. What a rule keeps whose detections are to be
-- associated is flagged CHOSEN, and takes part in staging.associate; a sample does not. To be called
-- before staging.associate. DPDD section 3.2.1 on detections below transSNR; DIA-21.
CREATE OR REPLACE FUNCTION staging.choose_subthreshold(in_slot smallint)
RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
  weak bigint;
  chosen bigint;
  removed bigint;
BEGIN
  SELECT sum(1::bigint << bit) FILTER (WHERE name = 'SUBTHRESHOLD'),
    sum(1::bigint << bit) FILTER (WHERE name = 'CHOSEN')
  INTO STRICT weak, chosen FROM ledger.flagdefinition WHERE relation = 'DIASource';
  IF NOT EXISTS (SELECT FROM staging.diasource AS s WHERE s.slot = in_slot AND s.flags & weak <> 0) THEN
    RETURN 0;
  END IF;
  CREATE TEMP TABLE subthreshold_kept ON COMMIT DROP AS
  SELECT s.diasourceid, bool_or(r.isassociated) AS associated
  FROM staging.diasource AS s
  JOIN staging.ccdvisit AS v ON v.slot = in_slot AND v.ccdvisitid = s.ccdvisitid
  JOIN ledger.subthresholdrule AS r ON r.isinforce
    AND coalesce(s.snr >= r.minsnr, true) AND coalesce(s.snr < r.maxsnr, true)
    AND coalesce(v.band = r.band, true)
    AND (r.radius IS NULL OR spoint(radians(s.ra), radians(s.decl))
      <@ scircle(spoint(radians(r.ra), radians(r.decl)), radians(r.radius)))
    AND (r.objectradius IS NULL OR EXISTS (SELECT FROM prompt_store.diaobject AS o
      WHERE spoint(radians(o.ra), radians(o.decl))
          <@ scircle(spoint(radians(s.ra), radians(s.decl)), radians(r.objectradius / 3600))
        AND o.ndiasources >= coalesce(r.minsources, 1)))
    -- Ids are numbers without meaning here: their checksum decides, the same at every attempt.
    AND ('x' || left(md5(s.diasourceid || r.rulename), 8))::bit(32)::bigint < r.fraction * 4294967296
  WHERE s.slot = in_slot AND s.flags & weak <> 0
  GROUP BY s.diasourceid;
  WITH gone AS (
    DELETE FROM staging.diasource AS s
    WHERE s.slot = in_slot AND s.flags & weak <> 0
      AND s.diasourceid NOT IN (SELECT k.diasourceid FROM subthreshold_kept AS k)
    RETURNING s.ccdvisitid
  ), counted AS (
    SELECT ccdvisitid, count(*) AS n FROM gone GROUP BY ccdvisitid
  ), corrected AS (
    UPDATE staging.ccdvisit AS v SET ndiasources = v.ndiasources - c.n
    FROM counted AS c WHERE v.slot = in_slot AND v.ccdvisitid = c.ccdvisitid
  )
  SELECT coalesce(sum(n), 0) INTO removed FROM counted;
  UPDATE staging.diasource AS s SET flags = s.flags | chosen
  FROM subthreshold_kept AS k
  WHERE s.slot = in_slot AND s.diasourceid = k.diasourceid AND k.associated;
  DROP TABLE subthreshold_kept;
  RETURN removed;
END $$;

COMMENT ON FUNCTION staging.choose_subthreshold(smallint)
IS 'Keeps of the staged detections below the threshold those that a rule wants; returns how many are removed.';
