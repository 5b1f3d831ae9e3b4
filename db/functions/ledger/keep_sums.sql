-- keep_sums: carries the staged sums of a slot (DIAObjectSums) into the store, or forgets sums that
-- the rows published meanwhile have overtaken: then the next version of the object is made from its
-- rows. Called by ledger.publish_relations under the publication lock, before the rows are carried over.
CREATE OR REPLACE FUNCTION ledger.keep_sums(in_slot smallint, in_epoch timestamp)
RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  names text;
  changes text;
  read_at timestamp;
  earliest double precision;
  latest double precision;
  overtaken boolean;
BEGIN
  -- Forced measurements do not change the version of their object, which guards everything else.
  -- Those of an earlier time than what the sums hold already would be missed.
  IF (SELECT min(midpointtai) FROM staging.diaforcedsource WHERE slot = in_slot)
      <= (SELECT max(midpointtai) + 1e-4 FROM prompt_store.ccdvisit) THEN
    DELETE FROM prompt_store.diaobjectsums AS c
    USING staging.diaforcedsource AS f
    WHERE f.slot = in_slot AND c.diaobjectid = f.diaobjectid AND f.midpointtai <= c.newesttai + 1e-4
      AND f.diaobjectid NOT IN (SELECT o.diaobjectid FROM staging.diaobject AS o
        WHERE o.slot = in_slot AND o.diaobjectid IS NOT NULL);
  END IF;
  IF NOT EXISTS (SELECT FROM staging.diaobject WHERE slot = in_slot) THEN
    RETURN;
  END IF;
  -- And those published since the sums were made, looked for at the times of their visits.
  SELECT min(s.asoftai) INTO read_at FROM staging.diaobjectsums AS s WHERE s.slot = in_slot;
  SELECT coalesce(min(v.midpointtai) - 0.01, 0), coalesce(max(v.midpointtai) + 0.01, 1e6),
    count(*) > 0
  INTO earliest, latest, overtaken
  FROM ledger.epoch AS e
  JOIN ledger.batch AS b ON b.batchid = e.batchid
  LEFT JOIN prompt_store.ccdvisit AS v ON v.visitid = b.visitid
  WHERE e.epochtai > read_at AND e.epochtai < in_epoch AND e.nrows > 0;
  IF overtaken THEN
    DELETE FROM staging.diaobjectsums AS s
    WHERE s.slot = in_slot AND EXISTS (
      SELECT FROM prompt_store.diaforcedsource AS f
      WHERE f.diaobjectid = s.diaobjectid AND f.insertedtai > s.asoftai
        AND f.midpointtai BETWEEN earliest AND latest);
  END IF;
  SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum),
    string_agg(CASE WHEN attname ~ '^[ugrizy](fluxsums|templateid)$'
      THEN format('%1$I = coalesce(s.%1$I, c.%1$I)', attname)
      ELSE format('%1$I = s.%1$I', attname) END, ', ' ORDER BY attnum)
      FILTER (WHERE attname <> 'diaobjectid')
  INTO STRICT names, changes
  FROM pg_attribute
  WHERE attrelid = 'prompt_store.diaobjectsums'::regclass AND attnum > 0 AND NOT attisdropped;
  EXECUTE format('UPDATE prompt_store.diaobjectsums AS c SET %s FROM staging.diaobjectsums AS s '
    'WHERE s.slot = $1 AND s.replacestai IS NOT NULL AND s.asoftai IS NOT NULL '
    'AND c.diaobjectid = s.diaobjectid AND c.asoftai = s.replacestai', changes) USING in_slot;
  -- What does not go on begins anew or is forgotten.
  DELETE FROM prompt_store.diaobjectsums AS c USING staging.diaobject AS o
  WHERE o.slot = in_slot AND o.replacestai IS NOT NULL AND c.diaobjectid = o.diaobjectid
    AND o.diaobjectid NOT IN (SELECT s.diaobjectid FROM staging.diaobjectsums AS s
      WHERE s.slot = in_slot AND s.diaobjectid IS NOT NULL AND s.replacestai IS NOT NULL
        AND s.asoftai IS NOT NULL);
  -- Where no measurement was left, another publication has taken them: it has changed the version of
  -- the object too, and the carrying over of versions finds the conflict.
  EXECUTE format('INSERT INTO prompt_store.diaobjectsums (%1$s) SELECT %1$s '
    'FROM staging.diaobjectsums WHERE slot = $1 AND replacestai IS NULL AND asoftai IS NOT NULL '
    'AND newesttai IS NOT NULL', names)
  USING in_slot;
END $$;

COMMENT ON FUNCTION ledger.keep_sums(smallint, timestamp)
IS 'Carries the staged sums of a slot into the store; called by ledger.publish_relations.';
