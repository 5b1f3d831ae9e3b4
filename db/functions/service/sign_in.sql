-- sign_in: whose token it is, and what that person may; no row if it is nobody's (UGP-01). When it
-- was used last is written down once an hour, and not at all where that would have to wait.
-- needs: science.tai_now
CREATE OR REPLACE FUNCTION service.sign_in(in_token_hash bytea)
RETURNS TABLE (person_name text, role_name text, quota_bytes bigint, most_queries integer, queries_per_minute integer)
LANGUAGE plpgsql ROWS 1 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  now timestamp := science.tai_now();
  used timestamp;
BEGIN
  SELECT p.personname, p.rolename, p.quotabytes, p.mostqueries, p.queriesperminute, t.lastusedtai
  INTO person_name, role_name, quota_bytes, most_queries, queries_per_minute, used
  FROM service.accesstoken AS t JOIN service.person AS p ON p.personname = t.personname
  WHERE t.tokenhash = in_token_hash AND t.revokedtai IS NULL AND t.expirestai > now
    AND p.disabledtai IS NULL;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  IF (used IS NULL OR used < now - interval '1 hour') AND current_setting('transaction_read_only') = 'off' THEN
    UPDATE service.accesstoken AS t SET lastusedtai = date_trunc('hour', now)
    WHERE t.tokenhash = (
      SELECT k.tokenhash FROM service.accesstoken AS k WHERE k.tokenhash = in_token_hash
      FOR UPDATE SKIP LOCKED
    );
  END IF;
  RETURN NEXT;
END $$;

COMMENT ON FUNCTION service.sign_in(bytea)
IS 'Person to whom the token of this SHA-256 belongs: name, role, quota [byte], queries at the same time and a minute; no row if it is nobody''s.';
