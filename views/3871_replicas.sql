-- 3871_replicas.sql: how far replicas are behind, seen from the primary and from one.

CALL deploy.become_owner();

CREATE OR REPLACE VIEW monitoring.replicas
WITH (security_invoker = TRUE) AS
SELECT
    r.application_name AS replica,
    r.client_addr,
    r.state,
    r.sync_state,
    pg_wal_lsn_diff(pg_current_wal_lsn(), r.replay_lsn)::bigint AS bytes_behind,
    r.write_lag,
    r.flush_lag,
    r.replay_lag,
    r.reply_time AS last_reply_at
FROM pg_catalog.pg_stat_replication AS r
WHERE NOT pg_is_in_recovery();

COMMENT ON VIEW monitoring.replicas IS
'One row a replica that streams from this primary; none on a replica. Needs pg_monitor. A replica
that should be here and is not is down or can''t connect.';
COMMENT ON COLUMN monitoring.replicas.replica IS 'Name the replica gives itself.';
COMMENT ON COLUMN monitoring.replicas.client_addr IS 'Its address; NULL for a local socket.';
COMMENT ON COLUMN monitoring.replicas.state IS 'streaming, catchup, backup ...';
COMMENT ON COLUMN monitoring.replicas.sync_state IS
'sync or quorum: commits wait for it. async or potential: they don''t.';
COMMENT ON COLUMN monitoring.replicas.bytes_behind IS 'WAL it has not replayed yet, bytes.';
COMMENT ON COLUMN monitoring.replicas.write_lag IS
'Time from flush here to written there; NULL when idle.';
COMMENT ON COLUMN monitoring.replicas.flush_lag IS
'Time from flush here to safe on disk there; NULL when idle.';
COMMENT ON COLUMN monitoring.replicas.replay_lag IS
'Time from flush here to visible to readers there; NULL when idle.';
COMMENT ON COLUMN monitoring.replicas.last_reply_at IS 'Last message from it, UTC.';

-- A primary that writes nothing would make its replica look older each second: the age counts from
-- the last replayed commit only while something received is not replayed, or nobody is connected.
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
        -- others than pg_monitor see no more of it than that it is there
        (SELECT count(*) FROM pg_catalog.pg_stat_wal_receiver) > 0 AS is_connected,
        pg_last_wal_replay_lsn() AS replayed_lsn,
        pg_last_wal_receive_lsn() AS received_lsn,
        pg_last_xact_replay_timestamp() AS replayed_until
) AS s;

COMMENT ON VIEW public.read_age IS
'One row: how old what is read on this server may be. Ask it on a replica before reading there.';
COMMENT ON COLUMN public.read_age.is_replica IS 'Whether this server is a replica.';
COMMENT ON COLUMN public.read_age.is_connected IS
'Whether it receives from its primary at the moment; FALSE on a primary.';
COMMENT ON COLUMN public.read_age.replayed_until IS
'When the last replayed transaction was committed, UTC; NULL on a primary.';
COMMENT ON COLUMN public.read_age.age IS
'0 on a primary and where all that was received is replayed; else the time since replayed_until,
NULL when that is not known. A primary that fell silent is noticed after wal_receiver_timeout.';
