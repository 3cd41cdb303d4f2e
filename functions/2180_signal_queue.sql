-- 2180_signal_queue.sql: what waits to be claimed, and how far that is done with.

CALL deploy.become_owner();

-- An entry is open while its signal waits and this attempt may be claimed. All that makes one not
-- open is final; valid_until is too, since a later one makes a new entry. Look-ups by key in place
-- of joins and NOT EXISTS, which a planner may turn into a read of whole tables. Signals are looked
-- up by id, their status and user in a form that no index has: the indexes of pending signals are
-- full of dead entries while a snapshot is held. The function becomes a part of the calling query,
-- so it has no path.
CREATE OR REPLACE FUNCTION internal.waiting_entries(
    p_lane bigint,
    p_mark internal.signal_marks,
    p_until timestamptz,
    p_window integer
)
RETURNS TABLE (
    ready_at timestamptz, id bigint, signal_id bigint, attempt integer, locker xid, is_open boolean
)
LANGUAGE sql
STABLE
PARALLEL SAFE
AS $$
    SELECT
        q.ready_at,
        q.id,
        q.signal_id,
        q.attempt,
        q.locker,
        CASE
            -- in this order: most entries that are read are done with
            WHEN (
                SELECT TRUE
                FROM public.signal_claims AS c
                WHERE c.signal_id = q.signal_id AND c.lane = p_lane AND c.attempt = q.attempt
            ) THEN FALSE
            WHEN (
                SELECT TRUE
                FROM public.trading_signals AS s
                WHERE s.id = q.signal_id
                    AND s.status::text = 'PENDING'
                    AND (s.valid_until IS NULL OR s.valid_until > p_until)
                    AND (p_lane > 0 OR -s.user_id = p_lane)
            ) IS NULL THEN FALSE
            WHEN q.attempt > 1 AND (
                SELECT TRUE
                FROM public.signal_claims AS c
                WHERE c.signal_id = q.signal_id
                    AND c.lane = p_lane
                    AND c.attempt = q.attempt - 1
                    AND (c.sent_at IS NOT NULL OR c.outcome IN ('EXECUTED', 'REJECTED'))
            ) THEN FALSE
            WHEN p_lane < 0 AND (
                SELECT TRUE
                FROM public.signal_intents AS i
                WHERE i.signal_id = q.signal_id
                LIMIT 1
            ) THEN FALSE
            ELSE TRUE
        END AS is_open
    FROM (
        SELECT r.ready_at, r.id, r.signal_id, r.attempt, r.xmax AS locker
        FROM internal.signal_queue AS r
        WHERE -r.lane = -p_lane
            AND r.in_xid = ANY ((p_mark).unseen_xids)
            AND r.ready_at <= (p_mark).ready_at
        UNION ALL
        SELECT r.ready_at, r.id, r.signal_id, r.attempt, r.xmax AS locker
        FROM internal.signal_queue AS r
        WHERE -r.lane = -p_lane
            AND r.in_xid >= (p_mark).seen_until
            AND r.ready_at <= (p_mark).ready_at
        UNION ALL
        SELECT r.ready_at, r.id, r.signal_id, r.attempt, r.xmax AS locker
        FROM unnest((p_mark).left_ready_at, (p_mark).left_ids) AS l (ready_at, id)
        INNER JOIN internal.signal_queue AS r
            ON r.lane = p_lane AND l.ready_at = r.ready_at AND l.id = r.id
        UNION ALL
        SELECT f.ready_at, f.id, f.signal_id, f.attempt, f.locker
        FROM (
            SELECT r.ready_at, r.id, r.signal_id, r.attempt, r.xmax AS locker
            FROM internal.signal_queue AS r
            WHERE r.lane = p_lane
                AND (r.ready_at, r.id) > ((p_mark).ready_at, (p_mark).entry_id)
                AND r.ready_at <= p_until
            ORDER BY r.ready_at, r.id
            LIMIT p_window
        ) AS f
    ) AS q
$$;
COMMENT ON FUNCTION
internal.waiting_entries(bigint, internal.signal_marks, timestamptz, integer) IS
'Entries of a lane that a mark does not cover and that are ready at p_until, at most p_window of
those behind the mark; which transaction had its lock last, and whether each may be claimed.';
REVOKE ALL ON FUNCTION
internal.waiting_entries(bigint, internal.signal_marks, timestamptz, integer) FROM public;

-- A mark of another server is passed over while its transactions lie ahead of this server's;
-- expire_signals() takes it away before they don't.
CREATE OR REPLACE FUNCTION internal.find_signal_mark(p_lane bigint)
RETURNS internal.signal_marks
LANGUAGE plpgsql
STABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_mark internal.signal_marks;
BEGIN
    SELECT m.* INTO v_mark
    FROM internal.signal_marks AS m
    WHERE m.lane = p_lane AND m.seen_until <= pg_snapshot_xmax(pg_current_snapshot())
    ORDER BY m.id DESC
    LIMIT 1;
    IF NOT FOUND THEN
        v_mark := ROW(
            p_lane, NULL, '-infinity', NULL, '-infinity', 0, '18446744073709551615', NULL, NULL,
            NULL
        );
    END IF;
    RETURN v_mark;
END
$$;
COMMENT ON FUNCTION internal.find_signal_mark(bigint) IS
'Latest mark of a lane; one before everything where there is none.';
REVOKE ALL ON FUNCTION internal.find_signal_mark(bigint) FROM public;

-- At most 64 open entries are left behind: those that other workers are taking right now. Where
-- more come late, from a long transaction that stored many, the mark goes back before them. An own
-- transaction may still add entries, so its number counts as running.
CREATE OR REPLACE FUNCTION internal.move_signal_mark(
    p_lane bigint,
    p_mark internal.signal_marks,
    p_until timestamptz,
    p_window integer
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c_left CONSTANT integer := 64;
    v_own xid8 := pg_current_xact_id();
BEGIN
    INSERT INTO internal.signal_marks (
        lane, made_at, server, ready_at, entry_id, seen_until, unseen_xids, left_ready_at, left_ids
    )
    WITH entries AS MATERIALIZED (
        SELECT w.ready_at, w.id, w.is_open
        FROM internal.waiting_entries(p_lane, p_mark, p_until, p_window) AS w
        UNION
        SELECT p_mark.ready_at, p_mark.entry_id, FALSE
    ),

    counted AS (
        SELECT e.*, count(*) FILTER (WHERE e.is_open) OVER (ORDER BY e.ready_at, e.id) AS open
        FROM entries AS e
    ),

    place AS (
        SELECT c.ready_at, c.id - (c.open > c_left)::integer AS id
        FROM counted AS c
        WHERE (NOT c.is_open AND c.open <= c_left)
            OR (
                c.is_open AND c.open = c_left + 1
                AND (c.ready_at, c.id) < (p_mark.ready_at, p_mark.entry_id)
            )
        ORDER BY c.ready_at DESC, c.id DESC
        LIMIT 1
    ),

    made AS (
        SELECT
            p.ready_at,
            p.id,
            pg_snapshot_xmax(pg_current_snapshot()) AS seen_until,
            ARRAY(
                SELECT x.xid
                FROM (
                    SELECT pg_snapshot_xip(pg_current_snapshot())
                    UNION ALL
                    SELECT v_own
                ) AS x (xid)
                WHERE x.xid < pg_snapshot_xmax(pg_current_snapshot())
            ) AS unseen_xids,
            l.ready_at AS left_ready_at,
            l.ids AS left_ids
        FROM place AS p
        CROSS JOIN LATERAL (
            SELECT
                array_agg(c.ready_at ORDER BY c.ready_at, c.id) AS ready_at,
                array_agg(c.id ORDER BY c.ready_at, c.id) AS ids
            FROM counted AS c
            WHERE c.is_open AND (c.ready_at, c.id) < (p.ready_at, p.id)
        ) AS l
        WHERE (p.ready_at, p.id) <> (p_mark.ready_at, p_mark.entry_id)
    )

    SELECT
        p_lane, p_until, s.system_identifier, m.ready_at, m.id, m.seen_until, m.unseen_xids,
        coalesce(m.left_ready_at, '{}'), coalesce(m.left_ids, '{}')
    FROM (
        -- the first is one before everything: expire_signals() begins there
        SELECT 1 AS place, p_mark.ready_at, p_mark.entry_id AS id, p_mark.seen_until,
            '{}'::xid8[] AS unseen_xids, NULL::timestamptz[] AS left_ready_at,
            NULL::bigint[] AS left_ids
        FROM made AS f
        WHERE p_mark.id IS NULL
        UNION ALL
        SELECT 2, n.ready_at, n.id, n.seen_until, n.unseen_xids, n.left_ready_at, n.left_ids
        FROM made AS n
    ) AS m
    CROSS JOIN pg_control_system() AS s
    ORDER BY m.place;
END
$$;
COMMENT ON FUNCTION
internal.move_signal_mark(bigint, internal.signal_marks, timestamptz, integer) IS
'Makes a mark behind the entries of a lane that are done with, in sight of the caller''s own,
at most p_window entries on.';
REVOKE ALL ON FUNCTION
internal.move_signal_mark(bigint, internal.signal_marks, timestamptz, integer) FROM public;

-- By the latest mark, not by that of a call's beginning: fifty workers that all moved on from the
-- same mark came 500 entries further while they took 2,500.
CREATE OR REPLACE FUNCTION internal.renew_signal_mark(
    p_lane bigint,
    p_until timestamptz,
    p_window integer
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c_between_marks CONSTANT interval := '20 milliseconds';
    v_mark internal.signal_marks := internal.find_signal_mark(p_lane);
BEGIN
    IF v_mark.made_at < p_until - c_between_marks THEN
        PERFORM internal.move_signal_mark(p_lane, v_mark, p_until, p_window);
    END IF;
END
$$;
COMMENT ON FUNCTION internal.renew_signal_mark(bigint, timestamptz, integer) IS
'Moves the latest mark of a lane on where it is older than 20 milliseconds.';
REVOKE ALL ON FUNCTION internal.renew_signal_mark(bigint, timestamptz, integer) FROM public;
