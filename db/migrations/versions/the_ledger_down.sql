-- Undoes the_ledger.sql, sections in reverse order.

COMMENT ON SCHEMA staging IS 'Rows on their way in, by slot; emptied by a crash.';
