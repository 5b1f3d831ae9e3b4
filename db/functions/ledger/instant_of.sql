-- instant_of: what may follow the @ of a virtual database, as an instant of ledger time (design
-- section 4; GEN-21): a date or date and time (TAI, or UTC with a final Z), citation:ID (the
-- instant of a citation), source:ID (when a DIASource was first known: the instant of the
-- publication that alerts on it follow). Alerts are not made yet, so alert:ID is refused.
-- needs: ledger.horizon, science.utc_to_tai
CREATE OR REPLACE FUNCTION ledger.instant_of(in_name text)
RETURNS timestamp
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
  parts text[];
  found timestamp;
BEGIN
  IF in_name ~ '^\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d{1,6})?)?)?$' THEN
    RETURN in_name::timestamp;
  ELSIF in_name ~ '^\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d{1,6})?)?)?[Zz]$' THEN
    RETURN science.utc_to_tai(rtrim(in_name, 'Zz')::timestamp);
  END IF;
  parts := regexp_match(in_name, '^(citation|source|alert):(\w{1,60})$');
  IF parts[1] = 'citation' THEN
    SELECT instanttai INTO found FROM ledger.citation WHERE citationid = lower(parts[2]);
  ELSIF parts[1] = 'source' AND parts[2] ~ '^\d{1,18}$' THEN
    SELECT min(insertedtai) INTO found FROM prompt_history.diasource
    WHERE diasourceid = parts[2]::bigint;
  ELSIF parts[1] = 'alert' THEN
    RAISE EXCEPTION 'alert % has no instant: alerts are not made yet', parts[2]
      USING ERRCODE = 'feature_not_supported',
        HINT = 'source:ID names the instant at which a DIASource was first known.';
  ELSIF parts[1] IS NULL OR parts[1] = 'source' THEN
    RAISE EXCEPTION '% is not an instant', quote_literal(in_name)
      USING ERRCODE = 'invalid_parameter_value',
        HINT = 'Write 2026-01-01 or 2026-01-01T04:00:00 (TAI, or UTC with a final Z), citation:ID or source:ID.';
  END IF;
  -- What is under embargo is as unknown as what is not there.
  IF found IS NULL OR found > ledger.horizon() THEN
    RAISE EXCEPTION 'there is no % %', parts[1], parts[2]
      USING ERRCODE = 'invalid_parameter_value', HINT = 'Look at its spelling.';
  END IF;
  RETURN found;
END $$;

COMMENT ON FUNCTION ledger.instant_of(text)
IS 'Instant (TAI) named by a date and time, by citation:ID or by source:ID (a DIASource).';
