-- 0182_signal_queue.sql: in which order signals wait for a worker, and how far that was read.

CALL deploy.become_owner();

-- While any session holds a snapshot, dead rows and their index entries stay, and a reader that
-- starts at the beginning of a queue reads all of them: 1,800,000 after ten minutes. So no row is
-- changed in place here. An entry is a chance to claim: the first when a signal comes, one more for
-- the time at which a lease ends, one when a claim is given back. Readers begin at the latest mark.
-- No foreign key: an entry without a pending signal is passed over, and goes with expire_signals().
CREATE TABLE IF NOT EXISTS internal.signal_queue (
    lane bigint NOT NULL,
    ready_at timestamptz NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    in_xid xid8 DEFAULT pg_current_xact_id() NOT NULL,
    signal_id bigint NOT NULL,
    attempt integer NOT NULL,
    CONSTRAINT signal_queue_pkey PRIMARY KEY (lane, ready_at, id)
);
-- Minus the lane, so that a plan made while the table is small can't take one index for the other.
CREATE INDEX IF NOT EXISTS idx_signal_queue_lane_xid
ON internal.signal_queue ((-lane), in_xid, ready_at);
COMMENT ON INDEX internal.idx_signal_queue_lane_xid IS
'Entries of transactions that were running when a mark was made.';

COMMENT ON TABLE internal.signal_queue IS
'Chances to claim a signal, by the time from which on each is given.';
COMMENT ON COLUMN internal.signal_queue.lane IS
'The account where the signal names its accounts; minus the user where any account may take it.';
COMMENT ON COLUMN internal.signal_queue.ready_at IS 'From when on it may be claimed, UTC.';
COMMENT ON COLUMN internal.signal_queue.id IS 'Order of entries of the same time.';
COMMENT ON COLUMN internal.signal_queue.in_xid IS 'Transaction that made the entry.';
COMMENT ON COLUMN internal.signal_queue.signal_id IS 'Signal.';
COMMENT ON COLUMN internal.signal_queue.attempt IS 'Attempt that a claim of this entry is.';

-- A mark says: of the entries up to (ready_at, entry_id) none is left to claim, except for listed
-- ones and entries of transactions that its snapshot did not see. A transaction that commits late
-- is never lost, however long it ran. Marks of another server (a restored dump) say nothing.
CREATE TABLE IF NOT EXISTS internal.signal_marks (
    lane bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    made_at timestamptz NOT NULL,
    server bigint NOT NULL,
    ready_at timestamptz NOT NULL,
    entry_id bigint NOT NULL,
    seen_until xid8 NOT NULL,
    unseen_xids xid8[] NOT NULL,
    left_ready_at timestamptz[] NOT NULL,
    left_ids bigint[] NOT NULL,
    CONSTRAINT signal_marks_pkey PRIMARY KEY (lane, id)
);

COMMENT ON TABLE internal.signal_marks IS
'Entry up to which a lane is done; the latest mark counts.';
COMMENT ON COLUMN internal.signal_marks.lane IS 'Lane of internal.signal_queue.';
COMMENT ON COLUMN internal.signal_marks.id IS 'Order of the marks.';
COMMENT ON COLUMN internal.signal_marks.made_at IS 'When it was made, UTC.';
COMMENT ON COLUMN internal.signal_marks.server IS 'Identity of the server that made it.';
COMMENT ON COLUMN internal.signal_marks.ready_at IS 'Time of the last entry that is done with.';
COMMENT ON COLUMN internal.signal_marks.entry_id IS 'Number of that entry.';
COMMENT ON COLUMN internal.signal_marks.seen_until IS
'Transactions from this one on were not seen.';
COMMENT ON COLUMN internal.signal_marks.unseen_xids IS
'Earlier transactions that were still running.';
COMMENT ON COLUMN internal.signal_marks.left_ready_at IS
'Times of entries before it that are not done with.';
COMMENT ON COLUMN internal.signal_marks.left_ids IS 'Numbers of these entries.';
