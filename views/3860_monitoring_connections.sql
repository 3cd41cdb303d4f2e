-- 3860_monitoring_connections.sql: connections, blocking sessions, and transactions that stay open.

CALL deploy.become_owner();

CREATE OR REPLACE VIEW monitoring.blind_spots
WITH (security_invoker = TRUE) AS
SELECT
    'sessions of other roles' AS subject,
    format('%s is not in pg_monitor', current_user) AS reason,
    format(
        'GRANT pg_monitor TO %I, as superuser or, from PostgreSQL 16 on, as administrator',
        current_user
    ) AS remedy
WHERE NOT monitoring.can_see_all()
UNION ALL
SELECT
    'statements' AS subject,
    s.query AS reason,
    'preload pg_stat_statements and create the extension in this database' AS remedy
FROM monitoring.read_statements() AS s
WHERE s.calls IS NULL
UNION ALL
SELECT
    'what sessions do' AS subject,
    'track_activities is off' AS reason,
    'switch it on for the server' AS remedy
WHERE current_setting('track_activities') = 'off'
UNION ALL
SELECT
    'use of tables and indexes' AS subject,
    'track_counts is off' AS reason,
    'switch it on for the server: autovacuum needs it too' AS remedy
WHERE current_setting('track_counts') = 'off'
UNION ALL
SELECT
    'rights of PUBLIC' AS subject,
    format('every role may use %s objects that no role needs, %s', count(*), min(o.object))
        AS reason,
    'have a superuser, the service''s support for instance, run grants/6020_extensions.sql in this'
    ' database: docs/guides/security.md has the words' AS remedy
FROM monitoring.open_rights AS o
HAVING count(*) > 0
UNION ALL
SELECT
    'large objects' AS subject,
    format('%s, which no dump holds', count(*)) AS reason,
    'SELECT lo_unlink(oid) FROM pg_largeobject_metadata, as superuser' AS remedy
FROM pg_catalog.pg_largeobject_metadata
HAVING count(*) > 0
UNION ALL
-- https://github.com/timescale/timescaledb/issues/7667
SELECT
    'pgaudit' AS subject,
    format(
        'pgaudit.log = %s, pgaudit.role = %s: a COPY into a hypertable ends the server',
        quote_literal(a.log), quote_literal(a.role)
    ) AS reason,
    'set pgaudit.log to none and pgaudit.role to nothing for this database, or for all roles but'
    ' those of people; audit.changes notes the writes that matter' AS remedy
FROM (
    SELECT
        coalesce(current_setting('pgaudit.log', TRUE), '') AS log,
        coalesce(current_setting('pgaudit.role', TRUE), '') AS role
) AS a
-- any class does, also one that COPY is not of
WHERE trim(lower(a.log)) NOT IN ('', 'none') OR a.role <> '';

COMMENT ON VIEW monitoring.blind_spots IS
'Facts that the reader of these views can''t see here, with the cure. No row when all is in sight.';
COMMENT ON COLUMN monitoring.blind_spots.subject IS 'Facts out of sight.';
COMMENT ON COLUMN monitoring.blind_spots.reason IS 'Why.';
COMMENT ON COLUMN monitoring.blind_spots.remedy IS 'The cure.';

CREATE OR REPLACE VIEW monitoring.connection_usage
WITH (security_invoker = TRUE) AS
WITH limits AS (
    SELECT
        current_setting('max_connections')::integer AS slots,
        current_setting('max_connections')::integer
        - current_setting('superuser_reserved_connections')::integer
        - coalesce(current_setting('reserved_connections', TRUE), '0')::integer AS usable
),

-- without pg_monitor the kind of a session is hidden, but not its database
sessions AS (
    SELECT a.state
    FROM pg_catalog.pg_stat_activity AS a
    WHERE
        a.backend_type = 'client backend'
        OR (a.backend_type IS NULL AND a.datname IS NOT NULL)
)

SELECT
    l.slots AS max_connections,
    l.usable,
    count(s.*) AS used,
    round(100.0 * count(s.*) / l.usable, 1) AS percent,
    CASE WHEN monitoring.can_see_all() THEN count(*) FILTER (WHERE s.state = 'active') END
        AS active,
    CASE WHEN monitoring.can_see_all() THEN count(*) FILTER (WHERE s.state = 'idle') END AS idle,
    CASE
        WHEN monitoring.can_see_all()
            THEN count(*) FILTER (WHERE s.state LIKE 'idle in transaction%')
    END AS idle_in_transaction,
    (
        SELECT count(DISTINCT k.pid) FROM pg_catalog.pg_locks AS k
        WHERE NOT k.granted)
        AS waiting_for_lock
FROM limits AS l
LEFT JOIN sessions AS s ON TRUE
GROUP BY l.slots, l.usable;

COMMENT ON VIEW monitoring.connection_usage IS
'Connections of the server against its limit, one row.';
COMMENT ON COLUMN monitoring.connection_usage.max_connections IS 'Slots of the server.';
COMMENT ON COLUMN monitoring.connection_usage.usable IS
'Slots that are not kept for superusers and reserved roles.';
COMMENT ON COLUMN monitoring.connection_usage.used IS 'Connections of clients.';
COMMENT ON COLUMN monitoring.connection_usage.percent IS 'used in percent of usable.';
COMMENT ON COLUMN monitoring.connection_usage.active IS
'Running a statement; NULL when out of sight.';
COMMENT ON COLUMN monitoring.connection_usage.idle IS
'Connected, in no transaction; NULL when out of sight.';
COMMENT ON COLUMN monitoring.connection_usage.idle_in_transaction IS
'In a transaction and waiting for the client; NULL when out of sight.';
COMMENT ON COLUMN monitoring.connection_usage.waiting_for_lock IS 'Waiting for a lock.';

CREATE OR REPLACE VIEW monitoring.blocking
WITH (security_invoker = TRUE) AS
WITH RECURSIVE waiting AS MATERIALIZED (
    SELECT
        k.pid,
        min(k.waitstart) AS since,
        min(format(
            '%s on %s', k.mode,
            CASE
                WHEN k.relation IS NULL THEN k.locktype
                WHEN k.database = d.oid THEN k.relation::regclass::text
                ELSE format('relation %s of another database', k.relation)
            END
        )) AS lock
    FROM pg_catalog.pg_locks AS k
    CROSS JOIN pg_catalog.pg_database AS d
    WHERE NOT k.granted AND d.datname = current_database()
    GROUP BY k.pid
),

edges AS MATERIALIZED (
    SELECT DISTINCT
        w.pid,
        b.blocker
    FROM waiting AS w
    CROSS JOIN LATERAL unnest(pg_blocking_pids(w.pid)) AS b (blocker)
),

tree AS (
    SELECT DISTINCT
        e.blocker AS root_pid,
        0 AS depth,
        e.blocker AS pid,
        NULL::integer AS blocked_by,
        ARRAY[e.blocker] AS path
    FROM edges AS e
    WHERE e.blocker NOT IN (SELECT w.pid FROM waiting AS w)
    UNION ALL
    SELECT
        t.root_pid,
        t.depth + 1 AS depth,
        e.pid,
        t.pid AS blocked_by,
        t.path || e.pid AS path
    FROM tree AS t
    INNER JOIN edges AS e ON t.pid = e.blocker
    WHERE e.pid <> all(t.path)
)

SELECT
    t.root_pid,
    t.depth,
    t.pid,
    t.blocked_by,
    CASE WHEN t.depth > 0 THEN clock_timestamp() - w.since END AS waited,
    CASE WHEN t.depth > 0 THEN w.lock END AS lock,
    a.datname AS database,
    a.usename AS username,
    a.application_name,
    a.state,
    now() - a.xact_start AS transaction_age,
    a.query
FROM tree AS t
LEFT JOIN waiting AS w ON t.pid = w.pid
LEFT JOIN pg_catalog.pg_stat_activity AS a ON t.pid = a.pid
ORDER BY t.path;

COMMENT ON VIEW monitoring.blocking IS
'Waiting sessions and their blockers: each tree begins with a session that blocks others and
waits for none.';
COMMENT ON COLUMN monitoring.blocking.root_pid IS 'Session that blocks the whole tree.';
COMMENT ON COLUMN monitoring.blocking.depth IS
'0 for the root, 1 for a session that waits for the root, and so on.';
COMMENT ON COLUMN monitoring.blocking.pid IS
'Process of the session; 0 for a prepared transaction.';
COMMENT ON COLUMN monitoring.blocking.blocked_by IS
'Session that blocks this one; NULL at the root.';
COMMENT ON COLUMN monitoring.blocking.waited IS 'Time of waiting; NULL at the root.';
COMMENT ON COLUMN monitoring.blocking.lock IS 'Lock that the session waits for.';
COMMENT ON COLUMN monitoring.blocking.database IS 'Database.';
COMMENT ON COLUMN monitoring.blocking.username IS 'Role.';
COMMENT ON COLUMN monitoring.blocking.application_name IS 'Name that the client gives itself.';
COMMENT ON COLUMN monitoring.blocking.state IS
'active, idle in transaction ...; NULL when out of sight.';
COMMENT ON COLUMN monitoring.blocking.transaction_age IS 'Age of the open transaction.';
COMMENT ON COLUMN monitoring.blocking.query IS 'Latest statement.';

CREATE OR REPLACE VIEW monitoring.long_transactions
WITH (security_invoker = TRUE) AS
SELECT
    a.pid,
    a.datname AS database,
    a.usename AS username,
    a.application_name,
    a.client_addr,
    a.state,
    clock_timestamp() - a.xact_start AS transaction_age,
    clock_timestamp() - a.state_change AS state_age,
    a.backend_xmin IS NOT NULL OR a.backend_xid IS NOT NULL AS holds_back_vacuum,
    a.query
FROM pg_catalog.pg_stat_activity AS a
WHERE
    a.backend_type = 'client backend'
    AND a.xact_start IS NOT NULL
    AND a.pid <> pg_backend_pid()
ORDER BY a.xact_start;

COMMENT ON VIEW monitoring.long_transactions IS
'Open transactions of clients, the oldest first. Transactions of other roles need pg_monitor.';
COMMENT ON COLUMN monitoring.long_transactions.pid IS 'Process of the session.';
COMMENT ON COLUMN monitoring.long_transactions.database IS 'Database.';
COMMENT ON COLUMN monitoring.long_transactions.username IS 'Role.';
COMMENT ON COLUMN monitoring.long_transactions.application_name IS
'Name that the client gives itself.';
COMMENT ON COLUMN monitoring.long_transactions.client_addr IS
'Address of the client; NULL for a local socket.';
COMMENT ON COLUMN monitoring.long_transactions.state IS 'active, idle in transaction ...';
COMMENT ON COLUMN monitoring.long_transactions.transaction_age IS
'Time since the transaction began.';
COMMENT ON COLUMN monitoring.long_transactions.state_age IS
'Time since the state began: idle, or running the statement.';
COMMENT ON COLUMN monitoring.long_transactions.holds_back_vacuum IS
'TRUE when the transaction keeps dead rows from being removed.';
COMMENT ON COLUMN monitoring.long_transactions.query IS 'Latest statement.';
