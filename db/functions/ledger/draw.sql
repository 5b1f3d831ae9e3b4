-- draw: opens an epoch under the publication lock, held to the end of the transaction, so that
-- the epochs visible to anybody are always a prefix (design section 5; GEN-19).
-- needs: ledger.horizon, ledger.timeline, science.tai_now
CREATE OR REPLACE FUNCTION ledger.draw(in_kind text, in_batch bigint DEFAULT NULL)
RETURNS timestamp
LANGUAGE plpgsql
AS $$
DECLARE
  opened timestamp;
  line integer;
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'an epoch is drawn in a READ COMMITTED transaction, not in %',
      upper(current_setting('transaction_isolation'))
      USING ERRCODE = 'invalid_transaction_state',
        HINT = 'Publish in a transaction of its own.';
  END IF;
  -- A commit is seen by others a moment before they hear of its new partitions: a reader in that
  -- moment would know the epoch and miss its rows.
  IF current_setting('skyledger.partitions_made', true) = pg_current_xact_id_if_assigned()::text THEN
    RAISE EXCEPTION 'partitions made in this transaction are not committed yet'
      USING ERRCODE = 'object_not_in_prerequisite_state',
        HINT = 'Commit after ledger.ensure_partitions, then publish.';
  END IF;
  -- The key is the same for every publisher of this database.
  PERFORM pg_advisory_xact_lock(7526, 1);
  -- After a recovery or a failover epochs and ids that somebody has seen may be missing here, and
  -- the staged rows may bear such ids again: nothing is published before that has been dealt with.
  SELECT e.timeline INTO line FROM ledger.epoch AS e ORDER BY e.epochtai DESC LIMIT 1;
  IF line <> ledger.timeline() THEN
    RAISE EXCEPTION 'the server was recovered or replaced by a standby: epochs were drawn on line % of its history, it is on line %',
      line, ledger.timeline()
      USING ERRCODE = 'object_not_in_prerequisite_state',
        HINT = 'As the owner run SELECT ledger.restored(); then compute and publish again.';
  END IF;
  -- A new statement, hence a snapshot that sees the epoch of whoever held the lock before.
  SELECT greatest(science.tai_now(), ledger.horizon() + interval '1 microsecond') INTO opened;
  INSERT INTO ledger.epoch (epochtai, kind, batchid, nrows, timeline)
  VALUES (opened, in_kind, in_batch, 0, ledger.timeline());
  -- An epoch that somebody has seen must outlive a crash, whatever the server is told to risk.
  IF current_setting('synchronous_commit') = 'off' THEN
    PERFORM set_config('synchronous_commit', 'on', true);
  END IF;
  -- Lets the statements of this transaction, and of no other, write to the store.
  PERFORM set_config('skyledger.publishing', pg_current_xact_id()::text, true);
  RETURN opened;
END $$;

COMMENT ON FUNCTION ledger.draw(text, bigint)
IS 'Opens an epoch (TAI) under the publication lock; the lock is held until the commit.';
