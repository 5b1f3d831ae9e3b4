-- measure_answer: runs an expanded query as of an instant, read-only and with the rights of a
-- reader, and boils the answer down: rows and a checksum, whatever their order. Where rows were
-- summed up (in_rounded), floats depend in their last digits on the order of adding; then there
-- are, besides, a checksum without their values, and three sums a float column. The weight of the
-- third is fixed by the rest of the row, so that values that changed places are found (design
-- section 5). Belongs to skyledger_citer (see the grants). The settings fix how values are spelled.
CREATE OR REPLACE FUNCTION ledger.measure_answer(
  in_expanded text, in_types text[], in_rounded boolean, in_instant timestamp,
  OUT n bigint, OUT exact text, OUT steady text, OUT sums jsonb)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog SET transaction_read_only = on SET skyledger.as_of = ''
SET datestyle = 'ISO, YMD' SET timezone = 'UTC' SET intervalstyle = 'postgres'
SET bytea_output = 'hex' SET extra_float_digits = 1
AS $$
DECLARE
  finite CONSTANT text := 'c%1$s NOT IN (''NaN'', ''Infinity'', ''-Infinity'')';
  -- Eight bytes of the checksums of all rows, added up.
  added CONSTANT text := $sql$sum(('x' || encode(substring(%s FROM %s FOR 8), 'hex'))::bit(64)::bigint)$sql$;
  columns text;
  without text;  -- the columns with floats reduced to whether they are numbers at all
  floats text;
  summed text;
BEGIN
  IF current_user <> 'skyledger_citer' THEN
    RAISE EXCEPTION 'ledger.measure_answer belongs to %, not to skyledger_citer', current_user
      USING ERRCODE = 'insufficient_privilege', HINT = 'Run `skyledger db upgrade`.';
  END IF;
  SELECT string_agg('c' || i, ', ' ORDER BY i),
    string_agg(format(CASE WHEN rounded THEN 'CASE WHEN ' || finite || ' THEN ''f'' ELSE c%1$s::text END'
      ELSE 'c%1$s' END, i), ', ' ORDER BY i),
    coalesce(string_agg(format(', CASE WHEN ' || finite || ' THEN c%1$s::double precision END AS f%1$s', i),
      '' ORDER BY i) FILTER (WHERE rounded), ''),
    coalesce(string_agg(format('jsonb_build_object(''type'', %2$L, ''sum'', coalesce(sum(f%1$s), 0), '
      '''size'', coalesce(sum(abs(f%1$s)), 0), ''mixed'', coalesce(sum(f%1$s * weight), 0))', i, t),
      ', ' ORDER BY i) FILTER (WHERE rounded), '')
  INTO columns, without, floats, summed
  FROM unnest(in_types) WITH ORDINALITY AS u(t, i)
  CROSS JOIN LATERAL (SELECT in_rounded AND t IN ('real', 'double precision') AS rounded) AS r;

  PERFORM set_config('skyledger.as_of', in_instant::text, true);
  -- OFFSET 0 keeps the checksum of a row from being computed once for each use.
  EXECUTE format($sql$
SELECT n, left(encode(sha256(convert_to(concat_ws(' ', n, w1, w2), 'UTF8')), 'hex'), 32),
  left(encode(sha256(convert_to(concat_ws(' ', n, s1, s2), 'UTF8')), 'hex'), 32), sums
FROM (
  SELECT count(*) AS n, %s AS w1, %s AS w2, %s AS s1, %s AS s2, jsonb_build_array(%s) AS sums
  FROM (
    SELECT *, ('x' || encode(substring(steady FROM 17 FOR 4), 'hex'))::bit(32)::bigint
      / 4294967296.0::double precision AS weight
    FROM (
      SELECT sha256(convert_to(ROW(%s)::text, 'UTF8')) AS whole, %s AS steady%s
      FROM (%s) AS answer(%s) OFFSET 0
    ) AS hashed OFFSET 0
  ) AS weighed
) AS measured$sql$,
    format(added, 'whole', 1), format(added, 'whole', 9),
    format(added, 'steady', 1), format(added, 'steady', 9), summed, columns,
    CASE WHEN in_rounded THEN format('sha256(convert_to(ROW(%s)::text, ''UTF8''))', without) ELSE 'NULL::bytea' END,
    floats, in_expanded, columns)
  INTO n, exact, steady, sums;
END $$;

COMMENT ON FUNCTION ledger.measure_answer(text, text[], boolean, timestamp)
IS 'Rows, checksums and sums of floats of an expanded query as of an instant (TAI); called by ledger.cite and ledger.verify.';
