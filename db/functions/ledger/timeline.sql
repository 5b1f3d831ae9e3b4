-- timeline: which line of its history the server is on. A recovery from a backup and the promotion
-- of a standby begin a new line, which may lack what was published last on the old one.
CREATE OR REPLACE FUNCTION ledger.timeline()
RETURNS integer
LANGUAGE sql VOLATILE
AS $$ SELECT ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::integer $$;

COMMENT ON FUNCTION ledger.timeline()
IS 'Line of the history of this server (PostgreSQL''s timeline); a standby that replays has none and refuses.';
