-- allocate: gives somebody another allocation; what is NULL stays as it is. Every
-- allocation is kept with its reason (UGP-06).
-- needs: service.lock_people, service.check_allocation, service.find_person, science.tai_now
CREATE OR REPLACE FUNCTION service.allocate(
    in_name text, in_quota_bytes bigint, in_most_queries integer, in_per_minute integer,
    in_by text, in_reason text
)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '10s'
AS $$
DECLARE
  p service.person%ROWTYPE;
BEGIN
  IF coalesce(in_reason, '') !~ '\S' THEN
    RAISE EXCEPTION 'the allocation of % has no reason', in_name
      USING ERRCODE = 'invalid_parameter_value', HINT = 'Say why it is given.';
  END IF;
  PERFORM service.lock_people();
  p := service.find_person(in_name, true);
  p.quotabytes := coalesce(in_quota_bytes, p.quotabytes);
  p.mostqueries := coalesce(in_most_queries, p.mostqueries);
  p.queriesperminute := coalesce(in_per_minute, p.queriesperminute);
  PERFORM service.check_allocation(p.quotabytes, p.mostqueries, p.queriesperminute);
  UPDATE service.person SET quotabytes = p.quotabytes, mostqueries = p.mostqueries,
    queriesperminute = p.queriesperminute
  WHERE personname = in_name;
  INSERT INTO service.allocation (personname, changedtai, quotabytes, mostqueries, queriesperminute, changedby, reason)
  VALUES (in_name, science.tai_now(), p.quotabytes, p.mostqueries, p.queriesperminute,
    coalesce(in_by, session_user), in_reason);
END $$;

COMMENT ON FUNCTION service.allocate(text, bigint, integer, integer, text, text)
IS 'Gives a person another quota [byte], queries at the same time and queries a minute, what is NULL stays; keeps who did it and why. For the owner.';
