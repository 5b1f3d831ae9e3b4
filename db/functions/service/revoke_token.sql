-- revoke_token: a token, named by its label, is worth nothing from now on.
-- needs: science.tai_now
CREATE OR REPLACE FUNCTION service.revoke_token(in_name text, in_label text)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '10s'
AS $$
BEGIN
  UPDATE service.accesstoken SET revokedtai = science.tai_now()
  WHERE personname = in_name AND label = in_label AND revokedtai IS NULL;
  IF NOT FOUND THEN
    RAISE EXCEPTION '% has no token % that could be revoked', quote_literal(in_name), quote_literal(in_label)
      USING ERRCODE = 'undefined_object', HINT = 'Correct name and label; `skyledger people list --json` shows them.';
  END IF;
END $$;

COMMENT ON FUNCTION service.revoke_token(text, text) IS 'Revokes the token of a person that has a label. For the owner.';
