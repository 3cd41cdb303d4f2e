-- 3861_monitoring_activity.sql: slow statements and connections.

CALL deploy.become_owner();

CREATE OR REPLACE VIEW monitoring.slow_statements
WITH (security_invoker = TRUE) AS
SELECT
    s.calls,
    s.mean_ms,
    s.max_ms,
    s.query,
    s.total_ms
FROM monitoring.read_statements() AS s
ORDER BY s.mean_ms DESC
LIMIT 20;

COMMENT ON VIEW monitoring.slow_statements IS
'The 20 slowest statements of this database by mean time in milliseconds. Texts of other roles need
pg_monitor. Without pg_stat_statements a single row says so.';
COMMENT ON COLUMN monitoring.slow_statements.calls IS 'Number of runs.';
COMMENT ON COLUMN monitoring.slow_statements.mean_ms IS 'Mean time of a run, milliseconds.';
COMMENT ON COLUMN monitoring.slow_statements.max_ms IS 'Longest run, milliseconds.';
COMMENT ON COLUMN monitoring.slow_statements.query IS 'Text with constants replaced.';
COMMENT ON COLUMN monitoring.slow_statements.total_ms IS 'Time of all runs, milliseconds.';

CREATE OR REPLACE VIEW monitoring.frequent_statements
WITH (security_invoker = TRUE) AS
SELECT
    s.calls,
    round(s.total_ms::numeric) AS total_ms,
    round((100 * s.total_ms / nullif(sum(s.total_ms) OVER (), 0))::numeric, 1) AS percent_of_time,
    round(s.mean_ms::numeric, 3) AS mean_ms,
    s.row_count,
    s.query
FROM monitoring.read_statements() AS s
ORDER BY s.calls DESC
LIMIT 20;

COMMENT ON VIEW monitoring.frequent_statements IS
'The 20 statements of this database that ran most often.';
COMMENT ON COLUMN monitoring.frequent_statements.calls IS 'Number of runs.';
COMMENT ON COLUMN monitoring.frequent_statements.total_ms IS 'Time of all runs, milliseconds.';
COMMENT ON COLUMN monitoring.frequent_statements.percent_of_time IS
'Share of the time of all statements, percent.';
COMMENT ON COLUMN monitoring.frequent_statements.mean_ms IS 'Mean time of a run, milliseconds.';
COMMENT ON COLUMN monitoring.frequent_statements.row_count IS 'Rows read or changed.';
COMMENT ON COLUMN monitoring.frequent_statements.query IS 'Text with constants replaced.';

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
COMMENT ON COLUMN monitoring.active_connections.application_name IS
'Name that the client gives itself.';
COMMENT ON COLUMN monitoring.active_connections.client_addr IS
'Address of the client; NULL for a local socket.';
COMMENT ON COLUMN monitoring.active_connections.state IS 'active, idle, idle in transaction ...';
COMMENT ON COLUMN monitoring.active_connections.state_change IS 'Beginning of the connection, UTC.';
COMMENT ON COLUMN monitoring.active_connections.query IS 'Latest statement.';
