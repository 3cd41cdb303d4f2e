-- closing.sql: the source refuses writes, or waits for the tool to be done.

-- WRITERS: who holds a lock that writing takes on one of the tables
SELECT DISTINCT a.usename::text, a.pid
FROM pg_locks AS l
INNER JOIN pg_stat_activity AS a ON l.pid = a.pid
WHERE
    l.granted
    AND l.pid <> pg_backend_pid()
    AND l.relation = ANY (%(tables)s::oid[])
    AND l.mode NOT IN ('AccessShareLock', 'RowShareLock')
ORDER BY a.pid;

-- SESSIONS: those that may have written; superusers' are not among them, nobody else may end those
SELECT a.pid, a.usename::text
FROM pg_stat_activity AS a
INNER JOIN pg_roles AS r ON a.usesysid = r.oid
WHERE
    a.datname = current_database()
    AND a.pid <> pg_backend_pid()
    AND coalesce(a.backend_type, '') NOT IN ('autovacuum worker', 'parallel worker', 'walsender')
    AND NOT r.rolsuper
    AND a.usename NOT IN ('rubi_readonly', 'rubi_monitor', 'rubi_backup')
ORDER BY a.pid;

-- UNTOLD: sessions of superusers whose writes before a moment the statistics may not show yet.
-- What a role may not see of a session is NULL.
SELECT a.pid
FROM pg_stat_activity AS a
INNER JOIN pg_roles AS r ON a.usesysid = r.oid
WHERE
    a.datname = current_database()
    AND a.pid <> pg_backend_pid()
    AND coalesce(a.backend_type, 'client backend') = 'client backend'
    AND r.rolsuper
    AND coalesce(a.backend_start, '-infinity') < %(start)s
    AND NOT coalesce(
        a.state = 'idle'
        AND (
            -- a session that comes to rest tells what is older than a second
            a.state_change > %(start)s + interval '1 second'
            -- and all after ten seconds of rest
            OR a.state_change < clock_timestamp() - interval '10.5 seconds'
        ),
        FALSE
    );

-- REFUSE: what each write into the source meets from then on
CREATE FUNCTION deploy.refuse_writes()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION USING
        ERRCODE = 'read_only_sql_transaction',
        MESSAGE = 'this database has moved to another server: rows are written there',
        HINT = 'Connect to the new server. scripts/copy_database.py --reopen takes this back.';
END
$$;
COMMENT ON FUNCTION deploy.refuse_writes() IS
'Trigger: the rows moved to another server.';
REVOKE ALL ON FUNCTION deploy.refuse_writes() FROM public;

-- CLOSE: statements by which tables refuse writes
SELECT
    format(
        'CREATE TRIGGER "00_refuse_writes" BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE'
        ' ON %%s FOR EACH STATEMENT EXECUTE FUNCTION deploy.refuse_writes()',
        t.oid::regclass
    )
FROM unnest(%(tables)s::oid[]) AS t (oid);

-- OPEN: statements by which those that refuse writes take them again
SELECT format('DROP TRIGGER "00_refuse_writes" ON %s', c.oid::regclass)
FROM pg_trigger AS t
INNER JOIN pg_class AS c ON t.tgrelid = c.oid
INNER JOIN pg_namespace AS n ON c.relnamespace = n.oid
WHERE
    t.tgfoid = to_regproc('deploy.refuse_writes')
    AND t.tgname = '00_refuse_writes'
    AND n.nspname !~ '^_timescaledb';
