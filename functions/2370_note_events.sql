-- 2370_note_events.sql: every change of a position, order, deal or account is an event.

CALL deploy.become_owner();

-- Triggers, not the ingest functions: what the API or an owner writes is told as well, and an
-- unchanged picture, which updates nothing, costs nothing. pg_control_system() reads a file of the
-- server, 12 microseconds.
CREATE OR REPLACE FUNCTION internal.find_mt5_event_era()
RETURNS integer
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_cluster bigint;
    v_timeline text;
    v_database oid;
    v_era integer;
BEGIN
    SELECT c.system_identifier, l.timeline, d.oid, e.era
    INTO v_cluster, v_timeline, v_database, v_era
    FROM pg_control_system() AS c
    CROSS JOIN left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) AS l (timeline)
    CROSS JOIN pg_database AS d
    LEFT JOIN internal.mt5_event_eras AS e
        ON c.system_identifier = e.cluster_id
        AND l.timeline = e.timeline
        AND d.oid = e.database_id
    WHERE d.datname = current_database();
    IF v_era IS NULL THEN
        INSERT INTO internal.mt5_event_eras AS e (era, cluster_id, timeline, database_id)
        SELECT
            greatest(
                date_part('epoch', clock_timestamp() - timestamptz '2000-01-01 00:00:00+00'),
                max(o.era) + 1
            ),
            v_cluster,
            v_timeline,
            v_database
        FROM internal.mt5_event_eras AS o
        -- two first events of an era wait for each other here
        ON CONFLICT ON CONSTRAINT mt5_event_eras_cluster_id_timeline_database_id_key
        DO UPDATE SET era = e.era
        RETURNING e.era INTO v_era;
    END IF;
    RETURN v_era;
END
$$;
COMMENT ON FUNCTION internal.find_mt5_event_era() IS
'The era in which this server, timeline and database number transactions, made where it is new.';
REVOKE ALL ON FUNCTION internal.find_mt5_event_era() FROM public;

-- A listener is told that there is something, not what: events_after() says what the
-- listener may see.
CREATE OR REPLACE FUNCTION internal.wake_event_readers()
RETURNS void
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c_news CONSTANT integer := 1381319241; -- class of locks, functions/2070_subscribe.sql
BEGIN
    IF pg_try_advisory_lock(c_news, 3) THEN
        PERFORM pg_advisory_unlock(c_news, 3);
    ELSIF public.has_subscribers('rubi_events') THEN
        PERFORM pg_notify('rubi_events', '{"event": "written"}');
    END IF;
END
$$;
COMMENT ON FUNCTION internal.wake_event_readers() IS
'Notifies the channel rubi_events, once a transaction, where somebody has subscribed.';
REVOKE ALL ON FUNCTION internal.wake_event_readers() FROM public;

CREATE OR REPLACE FUNCTION internal.note_event(
    p_account_id bigint,
    p_kind text,
    p_what text,
    p_id bigint,
    p_old jsonb,
    p_new jsonb,
    p_taken_at timestamptz DEFAULT NULL
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_seen_at timestamptz := clock_timestamp();
    v_old jsonb := p_old;
    v_new jsonb := p_new;
BEGIN
    IF p_old = p_new THEN
        RETURN; -- nearly always: something that is not told has changed
    ELSIF p_old IS NOT NULL AND p_new IS NOT NULL THEN
        -- null for those that one of both lacks
        SELECT jsonb_object_agg(e.key, p_old -> e.key), jsonb_object_agg(e.key, p_new -> e.key)
        INTO v_old, v_new
        FROM jsonb_each(p_old || p_new) AS e
        WHERE p_old -> e.key IS DISTINCT FROM p_new -> e.key;
    END IF;
    IF v_old IS NULL AND v_new IS NULL THEN
        RETURN;
    END IF;
    INSERT INTO public.mt5_events (
        account_id, kind, what, id, seen_at, taken_at, era, old_values, new_values
    )
    VALUES (
        p_account_id, p_kind, p_what, p_id, v_seen_at, coalesce(p_taken_at, v_seen_at),
        internal.find_mt5_event_era(), v_old, v_new
    );
    PERFORM internal.wake_event_readers();
END
$$;
COMMENT ON FUNCTION internal.note_event(
    bigint, text, text, bigint, jsonb, jsonb, timestamptz
) IS
'Writes one event: of values before and after those that differ, nothing where none do.';
REVOKE ALL ON FUNCTION internal.note_event(
    bigint, text, text, bigint, jsonb, jsonb, timestamptz
) FROM public;

-- The ingest functions know when a picture was taken: hours ago, where the gateway kept it while
-- the database was away.
CREATE OR REPLACE FUNCTION internal.picture_taken_at()
RETURNS timestamptz
LANGUAGE sql
STABLE
PARALLEL SAFE
AS $$
    SELECT nullif(current_setting('rubi.taken_at', TRUE), '')::timestamptz
$$;
COMMENT ON FUNCTION internal.picture_taken_at() IS
'When the picture that is being stored was taken; NULL outside the ingest functions.';
REVOKE ALL ON FUNCTION internal.picture_taken_at() FROM public;
