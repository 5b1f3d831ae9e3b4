-- open_answer: opens a cursor for a user's query. A cursor takes exactly one statement that
-- returns rows, so nothing can be smuggled in behind a semicolon.
CREATE OR REPLACE FUNCTION ledger.open_answer(query text)
RETURNS refcursor
LANGUAGE plpgsql
AS $$
DECLARE
  answer refcursor := 'answer';
BEGIN
  OPEN answer NO SCROLL FOR EXECUTE query;
  RETURN answer;
END $$;

COMMENT ON FUNCTION ledger.open_answer(text)
IS 'Opens the cursor "answer" for one statement that returns rows.';
