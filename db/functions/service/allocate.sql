-- allocate: gives somebody another allocation; every one is kept with its reason (UGP-06).
-- needs: service.lock_people, service.check_allocation, service.find_person, science.tai_now
CREATE OR REPLACE FUNCTION service.allocate(
    in_name text, in_quota_bytes bigint, in_most_queries integer, in_per_minute integer,
    in_by text, in_reason text
)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '10s'
AS $$
BEGIN
  PERFORM service.check_allocation(in_quota_bytes, in_most_queries, in_per_minute);
  IF coalesce(in_reason, '') !~ '\S' THEN
    RAISE EXCEPTION 'the allocation of % has no reason', in_name
      USING ERRCODE = 'invalid_parameter_value', HINT = 'Say why it is given.';
  END IF;
  PERFORM service.lock_people();
  PERFORM service.find_person(in_name, true);
  UPDATE service.person SET quotabytes = in_quota_bytes, mostqueries = in_most_queries,
    queriesperminute = in_per_minute
  WHERE personname = in_name;
  INSERT INTO service.allocation (personname, changedtai, quotabytes, mostqueries, queriesperminute, changedby, reason)
  VALUES (in_name, science.tai_now(), in_quota_bytes, in_most_queries, in_per_minute,
    coalesce(in_by, session_user), in_reason);
END $$;

COMMENT ON FUNCTION service.allocate(text, bigint, integer, integer, text, text)
IS 'Gives a person another quota [byte], queries at the same time and queries a minute, and keeps who did it and why. For the owner.';
