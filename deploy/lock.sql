-- lock.sql: one deployment at a time, for install.sql and bundles. The runner polls for the same
-- lock. This file tries for two seconds, no longer: a session that waits inside a statement holds a
-- snapshot that CREATE INDEX CONCURRENTLY waits for. The lock ends with the session, and the server
-- may take a moment to end the one of a psql that has just gone.
DO $$
DECLARE
    v_holder text;
    v_is_ours boolean := pg_try_advisory_lock(1381319241);
BEGIN
    FOR v_try IN 1..20 LOOP
        EXIT WHEN v_is_ours;
        PERFORM pg_sleep(0.1);
        v_is_ours := pg_try_advisory_lock(1381319241);
    END LOOP;
    IF NOT v_is_ours THEN
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
