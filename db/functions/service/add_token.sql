-- add_token: keeps the SHA-256 of a token with which a person signs in for some days (UGP-01).
-- needs: service.lock_people, service.find_person, science.tai_now
CREATE OR REPLACE FUNCTION service.add_token(in_name text, in_token_hash bytea, in_label text, in_days integer)
RETURNS timestamp
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '10s'
AS $$
DECLARE
  now timestamp := science.tai_now();
BEGIN
  IF in_token_hash IS NULL OR octet_length(in_token_hash) <> 32 THEN
    RAISE EXCEPTION 'the hash of a token has 32 bytes, not %', octet_length(in_token_hash)
      USING ERRCODE = 'invalid_parameter_value', HINT = 'Give the SHA-256 of the token.';
  END IF;
  IF in_label IS NULL OR in_label !~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$' THEN
    RAISE EXCEPTION '% cannot be the label of a token', coalesce(quote_literal(in_label), 'NULL')
      USING ERRCODE = 'invalid_parameter_value',
        HINT = 'Use 1 to 63 letters, digits, points, hyphens and underscores, a letter or digit first.';
  END IF;
  IF in_days IS NULL OR in_days NOT BETWEEN 1 AND 3660 THEN
    RAISE EXCEPTION 'a token cannot live % days', in_days
      USING ERRCODE = 'invalid_parameter_value', HINT = 'Give days from 1 to 3660.';
  END IF;
  PERFORM service.lock_people();
  PERFORM service.find_person(in_name, true);
  IF EXISTS (
    SELECT FROM service.accesstoken
    WHERE personname = in_name AND label = in_label AND revokedtai IS NULL AND expirestai > now
  ) THEN
    RAISE EXCEPTION '% has a token % already', in_name, in_label
      USING ERRCODE = 'duplicate_object', HINT = 'Give another label, or revoke that token first.';
  END IF;
  INSERT INTO service.accesstoken (tokenhash, personname, label, createdtai, expirestai)
  VALUES (in_token_hash, in_name, in_label, now, now + make_interval(days => in_days));
  RETURN now + make_interval(days => in_days);
END $$;

COMMENT ON FUNCTION service.add_token(text, bytea, text, integer)
IS 'Lets a person sign in with a token of this SHA-256 for some days; returns until when (TAI). For the owner.';
