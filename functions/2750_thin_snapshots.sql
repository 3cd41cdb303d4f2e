-- 2750_thin_snapshots.sql: of old snapshots those that curves, falls and rules need.

CALL deploy.become_owner();

CREATE OR REPLACE FUNCTION internal.find_account_days(p_since timestamptz, p_until timestamptz)
RETURNS TABLE (account_id bigint, starts timestamptz[])
LANGUAGE sql
STABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
    SELECT
        a.id,
        array_agg(DISTINCT b.at)
    FROM public.mt5_accounts AS a
    CROSS JOIN LATERAL (
        SELECT s.clock
        FROM public.mt5_server_clocks AS s
        WHERE s.server = a.server
        UNION
        -- as without a rule
        SELECT 'America/New_York+7'
        UNION
        SELECT r.clock
        FROM public.risk_rules AS r
        WHERE r.account_id = a.id
    ) AS k
    CROSS JOIN LATERAL (
        SELECT
            public.clock_day_start(
                date_trunc('day', public.utc_to_clock(p_since, k.clock)) + n * interval '1 day',
                k.clock
            ) AS at
        FROM generate_series(0, ceil(date_part('epoch', p_until - p_since) / 86400)::integer) AS n
        UNION
        -- a rule that began or ended within the day measures its own part of it
        SELECT v.at
        FROM public.risk_rules AS r
        CROSS JOIN LATERAL (VALUES (r.valid_from), (r.valid_to)) AS v (at)
        WHERE r.account_id = a.id
        UNION
        -- results take out what was booked, and the snapshots within a minute of it
        SELECT k.at + m.shift
        FROM public.find_bookings(
            a.id, p_since - interval '1 minute', p_until + interval '1 minute'
        ) AS k
        CROSS JOIN (VALUES (interval '-1 minute'), ('1 minute')) AS m (shift)
    ) AS b
    WHERE b.at > p_since AND b.at < p_until
    GROUP BY a.id
$$;
COMMENT ON FUNCTION internal.find_account_days(timestamptz, timestamptz) IS
'Moments between two others at which a day of the account begins: by the clocks that its server had,
and by those of its rules; also at which a rule begins or ends, and a minute before and after what
was booked.';
REVOKE ALL ON FUNCTION internal.find_account_days(timestamptz, timestamptz) FROM public;

-- Of each stretch (an account and hour or UTC day, cut where another clock's day begins, where a
-- rule begins or ends, and around what was booked) stay the first and last snapshot, also of each
-- session, those with the highest and lowest equity and balance, the highest margin and lowest
-- margin level, and the two between which equity fell furthest: from its own highest so far, in
-- money and in percent, and from the balance's. A fall from a high of before the stretch ends at
-- its lowest, so that the deepest fall over any time is among those that stay.
-- Of equal ones the first stays: snapshots that are thinned again stay all.
-- All windows but one are of one order: rows are sorted twice, not once for each of the reasons.
CREATE OR REPLACE FUNCTION internal.find_spare_snapshots(
    p_level text,
    p_since timestamptz,
    p_until timestamptz
)
RETURNS TABLE (session_id uuid, at timestamptz)
LANGUAGE sql
STABLE
PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_custom_plan
AS $$
    WITH taken AS (
        SELECT
            m.account_id,
            CASE p_level WHEN 'hour' THEN date_trunc('hour', s.timestamp, 'UTC') ELSE p_since END
                AS since,
            coalesce(width_bucket(s.timestamp, d.starts), 0) AS part,
            s.session_id, s.timestamp AS at, s.balance, s.equity, s.margin, s.margin_level
        FROM public.account_snapshots AS s
        INNER JOIN public.mt5_sessions AS m ON s.session_id = m.session_id
        LEFT JOIN internal.find_account_days(p_since, p_until) AS d ON m.account_id = d.account_id
        WHERE s.timestamp >= p_since AND s.timestamp < p_until
    ),
    so_far AS (
        SELECT
            t.*,
            max(t.equity) OVER w AS equity_high,
            max(t.balance) OVER w AS balance_high,
            -- of the high, NULL while there is nothing to fall from
            t.equity / nullif(greatest(max(t.equity) OVER w, 0), 0) AS share,
            row_number() OVER w AS place,
            lead(t.at) OVER w IS NULL AS is_last,
            row_number() OVER s AS place_of_session,
            lead(t.at) OVER s IS NULL AS is_last_of_session
        FROM taken AS t
        WINDOW
            w AS (PARTITION BY t.account_id, t.since, t.part ORDER BY t.at, t.session_id),
            s AS (PARTITION BY t.account_id, t.since, t.part, t.session_id ORDER BY t.at)
    ),
    known AS (
        SELECT
            f.*,
            max(f.equity) OVER w AS highest, min(f.equity) OVER w AS lowest,
            max(f.balance) OVER w AS most, min(f.balance) OVER w AS least,
            max(f.margin) OVER w AS margin_high,
            min(nullif(f.margin_level, 0)) OVER w AS level_low,
            max(f.equity_high - f.equity) OVER w AS fall,
            min(f.share) OVER w AS least_share,
            max(f.balance_high - f.equity) OVER w AS plunge
        FROM so_far AS f
        WINDOW w AS (PARTITION BY f.account_id, f.since, f.part)
    ),
    peaks AS (
        SELECT
            k.*,
            min(k.equity_high) FILTER (WHERE k.equity_high - k.equity = k.fall) OVER w AS peak,
            min(k.equity_high) FILTER (WHERE k.share = k.least_share) OVER w AS crest,
            min(k.balance_high) FILTER (WHERE k.balance_high - k.equity = k.plunge) OVER w AS top
        FROM known AS k
        WINDOW w AS (PARTITION BY k.account_id, k.since, k.part)
    ),
    counted AS (
        SELECT
            p.*,
            count(*) FILTER (WHERE p.equity = p.highest) OVER w AS n_highest,
            count(*) FILTER (WHERE p.equity = p.lowest) OVER w AS n_lowest,
            count(*) FILTER (WHERE p.balance = p.most) OVER w AS n_most,
            count(*) FILTER (WHERE p.balance = p.least) OVER w AS n_least,
            count(*) FILTER (WHERE p.margin = p.margin_high) OVER w AS n_margin,
            count(*) FILTER (WHERE p.margin_level = p.level_low) OVER w AS n_level,
            count(*) FILTER (WHERE p.equity_high - p.equity = p.fall) OVER w AS n_fall,
            count(*) FILTER (WHERE p.share = p.least_share) OVER w AS n_share,
            count(*) FILTER (WHERE p.balance_high - p.equity = p.plunge) OVER w AS n_plunge,
            count(*) FILTER (WHERE p.equity = p.peak) OVER w AS n_peak,
            count(*) FILTER (WHERE p.equity = p.crest) OVER w AS n_crest,
            count(*) FILTER (WHERE p.balance = p.top) OVER w AS n_top
        FROM peaks AS p
        WINDOW w AS (
            PARTITION BY p.account_id, p.since, p.part ORDER BY p.at, p.session_id
            ROWS UNBOUNDED PRECEDING
        )
    )
    SELECT c.session_id, c.at
    FROM counted AS c
    WHERE NOT (
        c.place = 1 OR c.is_last OR c.place_of_session = 1 OR c.is_last_of_session
        OR (c.equity = c.highest AND c.n_highest = 1)
        OR (c.equity = c.lowest AND c.n_lowest = 1)
        OR (c.balance = c.most AND c.n_most = 1)
        OR (c.balance = c.least AND c.n_least = 1)
        OR (c.margin = c.margin_high AND c.n_margin = 1)
        OR coalesce(c.margin_level = c.level_low AND c.n_level = 1, FALSE)
        OR (c.equity_high - c.equity = c.fall AND c.n_fall = 1)
        OR coalesce(c.share = c.least_share AND c.n_share = 1, FALSE)
        OR (c.balance_high - c.equity = c.plunge AND c.n_plunge = 1)
        OR (c.equity = c.peak AND c.n_peak = 1)
        OR coalesce(c.equity = c.crest AND c.n_crest = 1, FALSE)
        OR (c.balance = c.top AND c.n_top = 1)
    )
$$;
COMMENT ON FUNCTION internal.find_spare_snapshots(text, timestamptz, timestamptz) IS
'Snapshots of a time that thinning takes away; p_level hour or day.';
REVOKE ALL ON FUNCTION
internal.find_spare_snapshots(text, timestamptz, timestamptz) FROM public;

CREATE OR REPLACE FUNCTION internal.thin_snapshots(p_level text, p_day date)
RETURNS bigint
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_since timestamptz := p_day::timestamp AT TIME ZONE 'UTC';
    v_until timestamptz := (p_day + 1)::timestamp AT TIME ZONE 'UTC';
    v_gone bigint;
    v_left bigint;
BEGIN
    DELETE FROM public.account_snapshots AS s
    USING internal.find_spare_snapshots(p_level, v_since, v_until) AS f
    WHERE s.session_id = f.session_id
        AND s.timestamp = f.at
        AND s.timestamp >= v_since AND s.timestamp < v_until;
    GET DIAGNOSTICS v_gone = ROW_COUNT;
    SELECT count(*) INTO v_left
    FROM public.account_snapshots AS s
    WHERE s.timestamp >= v_since AND s.timestamp < v_until;
    INSERT INTO monitoring.thinned_days AS d (relation, level, day, rows_before, rows_after)
    SELECT 'public.account_snapshots', p_level, p_day, v_gone + v_left, v_left
    WHERE v_left > 0
    ON CONFLICT (relation, level, day) DO UPDATE
    SET (rows_before, rows_after, thinned_at, compacted_at)
        = (excluded.rows_before, excluded.rows_after, excluded.thinned_at, NULL);
    RETURN v_gone;
END
$$;
COMMENT ON FUNCTION internal.thin_snapshots(text, date) IS
'Thins the snapshots of a UTC day to the hour or the day and notes it; answers how many went.';
REVOKE ALL ON FUNCTION internal.thin_snapshots(text, date) FROM public;

-- One index entry a day, for any number of snapshots.
CREATE OR REPLACE FUNCTION internal.find_snapshot_days(p_until timestamptz)
RETURNS TABLE (day date)
LANGUAGE plpgsql
STABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_at timestamptz := '-infinity';
BEGIN
    LOOP
        SELECT s.timestamp INTO v_at
        FROM public.account_snapshots AS s
        WHERE s.timestamp >= v_at AND s.timestamp < p_until
        ORDER BY s.timestamp
        LIMIT 1;
        EXIT WHEN NOT FOUND;
        v_at := date_trunc('day', v_at, 'UTC');
        day := (v_at AT TIME ZONE 'UTC')::date;
        RETURN NEXT;
        v_at := v_at + interval '24 hours';
    END LOOP;
END
$$;
COMMENT ON FUNCTION internal.find_snapshot_days(timestamptz) IS
'UTC days before a moment that have snapshots, oldest first.';
REVOKE ALL ON FUNCTION internal.find_snapshot_days(timestamptz) FROM public;

-- Rows that went leave gaps that no row of the past fills. The chunk is written again in the order
-- of its key; a fence, which holds rows that came late, stays as it is.
CREATE OR REPLACE FUNCTION internal.compact_snapshots(p_since timestamptz, p_until timestamptz)
RETURNS void
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_chunk record;
BEGIN
    FOR v_chunk IN
        SELECT format('%I.%I', c.chunk_schema, c.chunk_name)::regclass AS chunk
        FROM timescaledb_information.chunks AS c
        WHERE c.hypertable_schema = 'public'
            AND c.hypertable_name = 'account_snapshots'
            AND c.range_start = p_since AND c.range_end = p_until
            AND p_until <= p_since + interval '31 days'
    LOOP
        PERFORM internal.cluster_chunk(v_chunk.chunk);
    END LOOP;
    UPDATE monitoring.thinned_days AS d SET compacted_at = clock_timestamp()
    WHERE d.relation = 'public.account_snapshots'
        AND d.compacted_at IS NULL
        AND d.day >= (p_since AT TIME ZONE 'UTC')::date
        AND d.day < (p_until AT TIME ZONE 'UTC')::date;
END
$$;
COMMENT ON FUNCTION internal.compact_snapshots(timestamptz, timestamptz) IS
'Writes the chunk of a range again without the gaps that thinning left, and notes it.';
REVOKE ALL ON FUNCTION internal.compact_snapshots(timestamptz, timestamptz) FROM public;
