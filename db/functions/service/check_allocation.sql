-- check_allocation: what anybody can be given (UGP-06).
CREATE OR REPLACE FUNCTION service.check_allocation(
    in_quota_bytes bigint, in_most_queries integer, in_per_minute integer
)
RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF in_quota_bytes IS NULL OR in_quota_bytes NOT BETWEEN 0 AND 1e15 THEN
    RAISE EXCEPTION 'a quota of % bytes is none', in_quota_bytes
      USING ERRCODE = 'invalid_parameter_value', HINT = 'Give bytes from 0 to 10^15.';
  END IF;
  IF in_most_queries IS NULL OR in_most_queries NOT BETWEEN 0 AND 1000 THEN
    RAISE EXCEPTION '% queries at the same time are no limit', in_most_queries
      USING ERRCODE = 'invalid_parameter_value', HINT = 'Give a number from 0 to 1000.';
  END IF;
  IF in_per_minute IS NULL OR in_per_minute NOT BETWEEN 0 AND 100000 THEN
    RAISE EXCEPTION '% queries a minute are no limit', in_per_minute
      USING ERRCODE = 'invalid_parameter_value', HINT = 'Give a number from 0 to 100000.';
  END IF;
END $$;

COMMENT ON FUNCTION service.check_allocation(bigint, integer, integer)
IS 'Refuses allocations that make no sense: bytes, queries at the same time, queries a minute.';
