-- 0371_mt5_event_eras.sql: the lives of this database, each of which numbers its transactions.

CALL deploy.become_owner();

-- After a restore, a failover or a return to an earlier moment transactions are numbered by another
-- history: lower numbers may come later. Events of a later era come after those of an earlier one.
CREATE TABLE IF NOT EXISTS internal.mt5_event_eras (
    era integer NOT NULL,
    cluster_id bigint NOT NULL,
    timeline public.key_text NOT NULL,
    database_id oid NOT NULL,
    began_at public.event_time DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT mt5_event_eras_pkey PRIMARY KEY (era),
    CONSTRAINT mt5_event_eras_cluster_id_timeline_database_id_key UNIQUE (
        cluster_id, timeline, database_id
    )
);
COMMENT ON TABLE internal.mt5_event_eras IS
'Lives of this database: a row for each server, timeline and database that wrote events.';
COMMENT ON COLUMN internal.mt5_event_eras.era IS
'Seconds since 2000 at its first event, more than that of any row before.';
COMMENT ON COLUMN internal.mt5_event_eras.cluster_id IS
'Number that initdb gave to the server''s data directory.';
COMMENT ON COLUMN internal.mt5_event_eras.timeline IS
'Timeline of the write-ahead log, as its files have it: another one after a failover or a return to
an earlier moment.';
COMMENT ON COLUMN internal.mt5_event_eras.database_id IS 'oid of the database.';
COMMENT ON COLUMN internal.mt5_event_eras.began_at IS 'When its first event was written, UTC.';
