-- lock.sql: one deployment at a time, for install.sql and bundles. The runner polls for the same
-- lock. This file tries once: a session that waits inside a statement would hold a snapshot that
-- CREATE INDEX CONCURRENTLY waits for. The lock ends with the session.
DO $$
DECLARE
    v_holder text;
BEGIN
    IF NOT pg_try_advisory_lock(1381319241) THEN
        SELECT string_agg(format('pid %s (%s, %s)', a.pid, a.usename, a.application_name), ', ')
        INTO v_holder
        FROM pg_locks AS l
        INNER JOIN pg_stat_activity AS a ON l.pid = a.pid
        WHERE l.locktype = 'advisory' AND l.classid = 0 AND l.objid = 1381319241 AND l.granted
            AND a.datname = current_database();
        RAISE EXCEPTION USING
            ERRCODE = 'RB002',
            MESSAGE = format('another deployment is at work: %s', v_holder),
            HINT = 'Run this again when it has finished.';
    END IF;
END
$$;
