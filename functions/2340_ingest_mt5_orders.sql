-- 2340_ingest_mt5_orders.sql: takes the answers of history_orders_get and orders_get.

CALL deploy.become_owner();

-- An order that is done stays done, and what was filled stays filled, when an older version arrives
-- later. Of two versions that neither rule parts the later wins.
CREATE OR REPLACE FUNCTION public.ingest_mt5_orders(
    p_account_id bigint,
    p_rows jsonb,
    p_source text DEFAULT 'api',
    p_from_msc bigint DEFAULT NULL,
    p_to_msc bigint DEFAULT NULL
)
RETURNS TABLE (inserted bigint, updated bigint, unchanged bigint, rejected bigint)
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- the gateway's role has no rights on tables
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- CANCELED, FILLED, REJECTED, EXPIRED
    c_done CONSTANT integer[] := '{2, 4, 5, 6}';
    v_total bigint := internal.check_mt5_rows(p_rows);
    v_account public.mt5_accounts;
    v_sound jsonb;
BEGIN
    PERFORM internal.check_mt5_source(p_source);
    PERFORM internal.check_mt5_window(p_source, p_from_msc, p_to_msc);
    v_account := internal.lock_open_mt5_account(p_account_id);
    SELECT 0, 0, t.rejected, t.sound
    INTO inserted, updated, rejected, v_sound
    FROM internal.take_mt5_rows(p_account_id, 'orders', p_rows, p_source) AS t;
    IF v_sound IS NOT NULL THEN
        WITH good AS MATERIALIZED (
            SELECT DISTINCT ON (r.ticket)
                r.*,
                coalesce(nullif(r.time_setup_msc, 0), r.time_setup * 1000) AS setup_msc,
                coalesce(nullif(r.time_done_msc, 0), nullif(r.time_done, 0) * 1000) AS done_msc
            FROM ROWS FROM (
                jsonb_to_recordset(v_sound) AS (
                    ticket bigint, time_setup bigint, time_setup_msc bigint, time_done bigint,
                    time_done_msc bigint, time_expiration bigint, type integer, type_time integer,
                    type_filling integer, state integer, magic bigint, position_id bigint,
                    position_by_id bigint, reason integer, volume_initial numeric,
                    volume_current numeric, price_open numeric, sl numeric, tp numeric,
                    price_current numeric, price_stoplimit numeric, symbol text, comment text,
                    external_id text
                ),
                jsonb_array_elements(v_sound)
            ) WITH ORDINALITY AS r
            ORDER BY r.ticket, r.state = ANY (c_done) DESC, r.volume_current, r.ordinality DESC
        ),
        stored AS (
            INSERT INTO public.mt5_orders AS o (
                account_id, ticket, time_setup, time_setup_msc, time_done, time_done_msc,
                time_expiration, magic, position_id, position_by_id, setup_at, done_at, expires_at,
                type, type_time, type_filling, state, reason, time_ambiguous, volume_initial,
                volume_current, price_open, sl, tp, price_current, price_stoplimit, symbol,
                comment, external_id, source, raw
            )
            SELECT
                p_account_id, g.ticket, g.time_setup, g.setup_msc, g.time_done,
                coalesce(g.done_msc, g.time_done_msc), g.time_expiration, g.magic, g.position_id,
                g.position_by_id, s.utc, d.utc,
                -- the clock is asked only where an order expires
                CASE WHEN g.time_expiration > 0 THEN (
                    SELECT x.utc
                    FROM public.mt5_server_time(v_account.server, g.time_expiration * 1000) AS x
                ) END,
                g.type, g.type_time, g.type_filling, g.state, g.reason,
                s.is_ambiguous OR coalesce(d.is_ambiguous, FALSE), g.volume_initial,
                g.volume_current, g.price_open, g.sl, g.tp, g.price_current, g.price_stoplimit,
                g.symbol, g.comment, g.external_id, p_source, g.value
            FROM good AS g
            CROSS JOIN LATERAL public.mt5_server_time(v_account.server, g.setup_msc) AS s
            CROSS JOIN LATERAL public.mt5_server_time(v_account.server, g.done_msc) AS d
            ON CONFLICT ON CONSTRAINT mt5_orders_pkey DO UPDATE
            SET
                (
                    time_setup, time_setup_msc, time_done, time_done_msc, time_expiration, magic,
                    position_id, position_by_id, setup_at, done_at, expires_at, type, type_time,
                    type_filling, state, reason, time_ambiguous, volume_initial, volume_current,
                    price_open, sl, tp, price_current, price_stoplimit, symbol, comment,
                    external_id, source, raw, gone_since
                ) = (
                    excluded.time_setup, excluded.time_setup_msc, excluded.time_done,
                    excluded.time_done_msc, excluded.time_expiration, excluded.magic,
                    excluded.position_id, excluded.position_by_id, excluded.setup_at,
                    excluded.done_at, excluded.expires_at, excluded.type, excluded.type_time,
                    excluded.type_filling, excluded.state, excluded.reason,
                    excluded.time_ambiguous, excluded.volume_initial, excluded.volume_current,
                    excluded.price_open, excluded.sl, excluded.tp, excluded.price_current,
                    excluded.price_stoplimit, excluded.symbol, excluded.comment,
                    excluded.external_id, excluded.source, excluded.raw, NULL
                )
            WHERE (excluded.source = 'api' OR o.source = 'report')
                AND (
                    o.source <> excluded.source
                    OR excluded.state = ANY (c_done)
                    OR (
                        o.state <> ALL (c_done) AND excluded.volume_current <= o.volume_current
                    )
                )
                AND (
                    (o.raw, o.source) IS DISTINCT FROM (excluded.raw, excluded.source)
                    OR o.gone_since IS NOT NULL
                )
            RETURNING o.xmax = 0 AS is_new
        )
        SELECT count(*) FILTER (WHERE s.is_new), count(*) FILTER (WHERE NOT s.is_new)
        INTO inserted, updated
        FROM stored AS s;
    END IF;
    PERFORM internal.follow_mt5_history(p_account_id, 'orders', p_rows, p_from_msc, p_to_msc);
    unchanged := v_total - inserted - updated - rejected;
    RETURN NEXT;
END
$$;
COMMENT ON FUNCTION public.ingest_mt5_orders(bigint, jsonb, text, bigint, bigint) IS
'Takes an array of orders as history_orders_get or orders_get returned them. p_source is api, or
report for rows of a trade history report, which never replace the API''s. p_from_msc and p_to_msc
say that these are all orders of the history from the one up to and without the other, milliseconds
on the server''s clock: stored orders placed and done within, that two such calls 10 minutes apart
lack, get gone_since. Answers how many elements were inserted, updated (an order that came back is
one), unchanged and rejected; the rejected are in mt5_rejects. Raises RB024, RB050, RB051, RB052,
RB054 and RB059.';
REVOKE ALL ON FUNCTION public.ingest_mt5_orders(bigint, jsonb, text, bigint, bigint) FROM public;
