-- 2311_rederive_mt5_times.sql: UTC once more, after a clock rule was corrected.

CALL deploy.become_owner();

CREATE OR REPLACE FUNCTION public.rederive_mt5_times(p_server text)
RETURNS bigint
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- uses functions of the schema internal
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_account_id bigint;
    v_changed bigint := 0;
    v_count bigint;
BEGIN
    -- in the order of ids, so that two calls don't deadlock
    FOR v_account_id IN
        SELECT a.id FROM public.mt5_accounts AS a WHERE a.server = p_server ORDER BY a.id
    LOOP
        PERFORM internal.lock_mt5_account(v_account_id);
        UPDATE public.trading_deals AS d
        SET executed_at = t.utc, time_ambiguous = t.is_ambiguous
        FROM public.trading_deals AS o
        CROSS JOIN LATERAL public.mt5_server_time(p_server, o.time_msc) AS t
        WHERE o.account_id = v_account_id
            AND d.account_id = o.account_id
            AND d.ticket = o.ticket
            AND (d.executed_at, d.time_ambiguous) IS DISTINCT FROM (t.utc, t.is_ambiguous);
        GET DIAGNOSTICS v_count = ROW_COUNT;
        v_changed := v_changed + v_count;

        UPDATE public.mt5_orders AS m
        SET
            setup_at = s.utc,
            done_at = d.utc,
            expires_at = x.utc,
            time_ambiguous = s.is_ambiguous OR coalesce(d.is_ambiguous, FALSE)
        FROM public.mt5_orders AS o
        CROSS JOIN LATERAL public.mt5_server_time(p_server, o.time_setup_msc) AS s
        CROSS JOIN LATERAL public.mt5_server_time(p_server, nullif(o.time_done_msc, 0)) AS d
        CROSS JOIN LATERAL public.mt5_server_time(
            p_server, nullif(o.time_expiration, 0) * 1000
        ) AS x
        WHERE o.account_id = v_account_id
            AND m.account_id = o.account_id
            AND m.ticket = o.ticket
            AND (m.setup_at, m.done_at, m.expires_at, m.time_ambiguous) IS DISTINCT FROM (
                s.utc, d.utc, x.utc, s.is_ambiguous OR coalesce(d.is_ambiguous, FALSE)
            );
        GET DIAGNOSTICS v_count = ROW_COUNT;
        v_changed := v_changed + v_count;

        UPDATE public.trading_positions AS p
        SET open_time = t.utc
        FROM public.trading_positions AS o
        CROSS JOIN LATERAL public.mt5_server_time(p_server, o.time_msc) AS t
        WHERE o.account_id = v_account_id
            AND o.time_msc IS NOT NULL
            AND p.id = o.id
            AND p.open_time <> t.utc;
        GET DIAGNOSTICS v_count = ROW_COUNT;
        v_changed := v_changed + v_count;
    END LOOP;
    RETURN v_changed;
END
$$;
COMMENT ON FUNCTION public.rederive_mt5_times(text) IS
'Computes UTC again from the server''s milliseconds for all accounts of a server, after a change of
mt5_server_clocks; answers how many deals, orders and positions changed.';
REVOKE ALL ON FUNCTION public.rederive_mt5_times(text) FROM public;
