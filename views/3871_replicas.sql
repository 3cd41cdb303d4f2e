-- 3871_replicas.sql: lag of replicas, seen from the primary and from a replica.

CALL deploy.become_owner();

CREATE OR REPLACE VIEW monitoring.replicas
WITH (security_invoker = TRUE) AS
SELECT
    r.application_name AS replica,
    r.client_addr,
    r.state,
    r.sync_state,
    pg_wal_lsn_diff(
        CASE
            WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn()
            ELSE pg_current_wal_lsn()
        END,
        coalesce(r.replay_lsn, r.flush_lsn, r.write_lsn, r.sent_lsn)
    )::bigint AS bytes_behind,
    r.write_lag,
    r.flush_lag,
    r.replay_lag,
    r.reply_time AS last_reply_at
FROM pg_catalog.pg_stat_replication AS r;

COMMENT ON VIEW monitoring.replicas IS
'One row a server that streams from this one: a replica, another reader of the WAL, or a base
backup. Details need pg_monitor. A missing replica is down or can''t connect.';
COMMENT ON COLUMN monitoring.replicas.replica IS 'Name that the replica gives itself.';
COMMENT ON COLUMN monitoring.replicas.client_addr IS 'Its address; NULL for a local socket.';
COMMENT ON COLUMN monitoring.replicas.state IS
'streaming, catchup, backup ...; NULL when out of sight.';
COMMENT ON COLUMN monitoring.replicas.sync_state IS
'sync or quorum: commits wait for this replica. async or potential: commits don''t wait.';
COMMENT ON COLUMN monitoring.replicas.bytes_behind IS
'WAL that the replica has not replayed, bytes; not written, where it replays none; NULL when out of
sight.';
COMMENT ON COLUMN monitoring.replicas.write_lag IS
'Time from flush here to written there; NULL when idle.';
COMMENT ON COLUMN monitoring.replicas.flush_lag IS
'Time from flush here to safe on disk there; NULL when idle.';
COMMENT ON COLUMN monitoring.replicas.replay_lag IS
'Time from flush here to visible to readers there; NULL when idle.';
COMMENT ON COLUMN monitoring.replicas.last_reply_at IS 'Last message from the replica, UTC.';

-- A primary that writes nothing would make its replica look older each second: the age counts from
-- the last replayed commit only while received WAL is not replayed, or without a connection.
CREATE OR REPLACE VIEW public.read_age
WITH (security_invoker = TRUE) AS
SELECT
    s.is_replica,
    s.is_connected,
    s.replayed_until,
    CASE
        WHEN NOT s.is_replica THEN interval '0'
        WHEN s.is_connected AND s.replayed_lsn >= s.received_lsn THEN interval '0'
        ELSE now() - s.replayed_until
    END AS age
FROM (
    SELECT
        pg_is_in_recovery() AS is_replica,
        -- roles outside pg_monitor see only that a receiver exists
        (SELECT count(*) FROM pg_catalog.pg_stat_wal_receiver) > 0 AS is_connected,
        pg_last_wal_replay_lsn() AS replayed_lsn,
        pg_last_wal_receive_lsn() AS received_lsn,
        pg_last_xact_replay_timestamp() AS replayed_until
) AS s;

COMMENT ON VIEW public.read_age IS
'One row: the possible age of data read on this server. Ask this view on a replica before reading
there.';
COMMENT ON COLUMN public.read_age.is_replica IS 'Whether this server is a replica.';
COMMENT ON COLUMN public.read_age.is_connected IS
'Whether the server receives from its primary at the moment; FALSE on a primary.';
COMMENT ON COLUMN public.read_age.replayed_until IS
'Commit time of the last replayed transaction, UTC; NULL on a primary.';
COMMENT ON COLUMN public.read_age.age IS
'0 on a primary and where all received WAL is replayed; else the time since replayed_until, NULL
when unknown. A primary that fell silent is noticed after wal_receiver_timeout.';
