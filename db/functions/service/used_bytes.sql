-- used_bytes: how much of a quota is taken. Tables do not change once they are sealed, so what was
-- measured then holds.
CREATE OR REPLACE FUNCTION service.used_bytes(in_person text)
RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT coalesce(sum(t.nbytes), 0)::bigint FROM service.persontable AS t WHERE t.personname = in_person
$$;

COMMENT ON FUNCTION service.used_bytes(text) IS 'What the tables of a person take of the quota [byte].';
