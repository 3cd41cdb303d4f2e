-- 3120_monitoring_activity.sql: slow statements and connections.
-- needs: schema/0030_schemas.sql, schema/0020_extensions.sql
-- transaction: yes

CALL deploy.become_owner();

CREATE OR REPLACE VIEW monitoring.slow_statements
WITH (security_invoker = TRUE) AS
SELECT
    s.calls,
    s.mean_exec_time AS mean_ms,
    s.max_exec_time AS max_ms,
    s.query
FROM public.pg_stat_statements AS s
INNER JOIN pg_catalog.pg_database AS d ON s.dbid = d.oid
WHERE d.datname = current_database()
ORDER BY s.mean_exec_time DESC
LIMIT 20;

COMMENT ON VIEW monitoring.slow_statements IS
'The 20 slowest statements of this database by mean time in milliseconds. Texts of other roles need
pg_monitor; needs pg_stat_statements in shared_preload_libraries.';
COMMENT ON COLUMN monitoring.slow_statements.calls IS 'How often it ran.';
COMMENT ON COLUMN monitoring.slow_statements.mean_ms IS 'Mean time of a run, milliseconds.';
COMMENT ON COLUMN monitoring.slow_statements.max_ms IS 'Longest run, milliseconds.';
COMMENT ON COLUMN monitoring.slow_statements.query IS 'Text with constants replaced.';

CREATE OR REPLACE VIEW monitoring.active_connections
WITH (security_invoker = TRUE) AS
SELECT
    a.pid,
    a.datname AS database,
    a.usename AS username,
    a.application_name,
    a.client_addr,
    a.state,
    a.state_change,
    a.query
FROM pg_catalog.pg_stat_activity AS a
WHERE a.backend_type = 'client backend';

COMMENT ON VIEW monitoring.active_connections IS
'Client connections of the whole server. Queries of other roles need pg_monitor.';
COMMENT ON COLUMN monitoring.active_connections.pid IS 'Process of the server.';
COMMENT ON COLUMN monitoring.active_connections.database IS 'Database connected to.';
COMMENT ON COLUMN monitoring.active_connections.username IS 'Role logged in.';
COMMENT ON COLUMN monitoring.active_connections.application_name IS 'What the client calls itself.';
COMMENT ON COLUMN monitoring.active_connections.client_addr IS
'Address of the client; NULL for a local socket.';
COMMENT ON COLUMN monitoring.active_connections.state IS 'active, idle, idle in transaction ...';
COMMENT ON COLUMN monitoring.active_connections.state_change IS 'Since when, UTC.';
COMMENT ON COLUMN monitoring.active_connections.query IS 'Latest statement.';
