-- citation_of: what is kept of a citation, for everybody who may know its instant: the table of
-- citations is closed to roles under embargo.
-- needs: ledger.horizon
CREATE OR REPLACE FUNCTION ledger.citation_of(in_citation text)
RETURNS SETOF ledger.citation
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
AS $$
SELECT * FROM ledger.citation WHERE citationid = lower(in_citation) AND instanttai <= ledger.horizon()
$$;

COMMENT ON FUNCTION ledger.citation_of(text)
IS 'The citation of a name, unless its instant is under embargo.';
