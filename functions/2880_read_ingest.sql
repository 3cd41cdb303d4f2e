-- 2880_read_ingest.sql: the latest data of each source, and the time when more is due.

CALL deploy.become_owner();

-- Only sources with data of the last two weeks are called live: nobody waits for old bars that were
-- loaded once, and older chunks are left out when planning. A bar is stored when it has closed, so
-- the next one is due two lengths after the last one's opening time.
CREATE OR REPLACE FUNCTION monitoring.read_ingest()
RETURNS TABLE (
    kind text,
    source text,
    last_at timestamptz,
    overdue interval
)
LANGUAGE sql
STABLE
PARALLEL RESTRICTED
SECURITY DEFINER -- rubi_monitor reads no user data, only its age
SET search_path = pg_catalog, pg_temp
AS $$
    WITH series AS (
        SELECT
            CASE WHEN s.timeframe = 'TICK' THEN 'tick' ELSE 'bar' END AS kind,
            coalesce(s.source, 'not named') AS source,
            coalesce(c.calendar, 'forex') AS calendar,
            coalesce(b.timestamp, t.timestamp) AS last_at,
            coalesce(
                b.timestamp + 2 * public.timeframe_length(s.timeframe), t.timestamp
            ) AS due_at
        FROM public.market_series AS s
        LEFT JOIN public.market_calendars AS c ON s.symbol = c.symbol
        LEFT JOIN LATERAL (
            SELECT m.timestamp
            FROM public.market_data AS m
            WHERE s.timeframe <> 'TICK'
                AND m.symbol = s.symbol
                AND m.timeframe = s.timeframe
                AND m.timestamp > now() - interval '14 days'
            ORDER BY m.timestamp DESC
            LIMIT 1
        ) AS b ON TRUE
        LEFT JOIN LATERAL (
            SELECT m.timestamp
            FROM public.market_ticks AS m
            WHERE s.timeframe = 'TICK'
                AND m.symbol = s.symbol
                AND m.timestamp > now() - interval '14 days'
            ORDER BY m.timestamp DESC
            LIMIT 1
        ) AS t ON TRUE
    ),

    live AS (
        SELECT
            s.kind,
            s.source,
            s.calendar,
            max(s.last_at) AS last_at,
            max(s.due_at) AS due_at
        FROM series AS s
        WHERE s.last_at IS NOT NULL
        GROUP BY s.kind, s.source, s.calendar
    )

    SELECT
        l.kind,
        format('%s, %s', l.source, l.calendar),
        l.last_at,
        coalesce((
            SELECT sum(upper(r.hours) - lower(r.hours))
            FROM unnest(public.open_hours(l.calendar, l.due_at, now())) AS r (hours)
            WHERE l.due_at < now()
        ), interval '0')
    FROM live AS l
    UNION ALL
    SELECT
        'ping',
        coalesce(s.server, s.broker),
        max(s.last_ping) FILTER (WHERE s.last_ping <= now() + interval '5 minutes'),
        -- a ping of tomorrow, which any tenant may write, proves nothing about today
        greatest(
            now() - coalesce(
                max(s.last_ping) FILTER (WHERE s.last_ping <= now() + interval '5 minutes'),
                min(s.connected_at)
            ),
            interval '0'
        )
    FROM public.mt5_sessions AS s
    -- a report or an old spool opens a session that no heartbeat came from: nobody waits for one
    WHERE s.is_active AND s.last_ping > s.connected_at - interval '1 minute'
    GROUP BY coalesce(s.server, s.broker)
    UNION ALL
    SELECT
        'snapshot',
        coalesce(s.server, s.broker),
        max(a.timestamp),
        greatest(now() - coalesce(max(a.timestamp), min(s.connected_at)), interval '0')
    FROM public.mt5_sessions AS s
    LEFT JOIN LATERAL (
        SELECT h.timestamp
        FROM public.account_snapshots AS h
        WHERE h.session_id = s.session_id
            AND h.timestamp > now() - interval '14 days'
            AND h.timestamp <= now() + interval '5 minutes'
        ORDER BY h.timestamp DESC
        LIMIT 1
    ) AS a ON TRUE
    WHERE s.is_active AND s.last_ping > s.connected_at - interval '1 minute'
    GROUP BY coalesce(s.server, s.broker)
$$;
COMMENT ON FUNCTION monitoring.read_ingest() IS
'For each live source the latest bar, tick, snapshot and ping, and the delay of the next one.
Bars and ticks count the hours their market was open; a session counts from its first heartbeat.';
REVOKE ALL ON FUNCTION monitoring.read_ingest() FROM public;
