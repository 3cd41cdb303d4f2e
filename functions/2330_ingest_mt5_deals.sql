-- 2330_ingest_mt5_deals.sql: takes the answer of history_deals_get.

CALL deploy.become_owner();

-- This function only stores: derived rows follow by the deals' triggers (internal.follow_deals).
-- Of two versions of one deal the later wins, but a report never replaces what the API gave, and a
-- cancelled deal stays cancelled when an old version arrives after it.
CREATE OR REPLACE FUNCTION public.ingest_mt5_deals(
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
    v_total bigint := internal.check_mt5_rows(p_rows);
    v_account public.mt5_accounts;
    v_sound jsonb;
BEGIN
    PERFORM internal.check_mt5_source(p_source);
    PERFORM internal.check_mt5_window(p_source, p_from_msc, p_to_msc);
    v_account := internal.lock_open_mt5_account(p_account_id);
    SELECT 0, 0, t.rejected, t.sound
    INTO inserted, updated, rejected, v_sound
    FROM internal.take_mt5_rows(p_account_id, 'deals', p_rows, p_source) AS t;
    IF v_sound IS NOT NULL THEN
        WITH good AS MATERIALIZED (
            SELECT DISTINCT ON (r.ticket)
                r.*,
                coalesce(nullif(r.time_msc, 0), r.time * 1000) AS msc
            FROM ROWS FROM (
                jsonb_to_recordset(v_sound) AS (
                    ticket bigint, "order" bigint, time bigint, time_msc bigint, type integer,
                    entry integer, magic bigint, position_id bigint, reason integer, volume numeric,
                    price numeric, commission numeric, swap numeric, profit numeric, fee numeric,
                    symbol text, comment text, external_id text
                ),
                jsonb_array_elements(v_sound)
            ) WITH ORDINALITY AS r
            ORDER BY r.ticket, r.type IN (13, 14) DESC, r.ordinality DESC
        ),
        stored AS (
            INSERT INTO public.trading_deals AS d (
                account_id, ticket, order_ticket, time, time_msc, position_id, magic, executed_at,
                type, entry, reason, time_ambiguous, volume, price, commission, swap, profit, fee,
                symbol, comment, external_id, source, raw
            )
            SELECT
                p_account_id, g.ticket, g."order", g.time, g.msc, g.position_id, g.magic, t.utc,
                g.type, g.entry, g.reason, t.is_ambiguous, g.volume, g.price,
                coalesce(g.commission, 0), coalesce(g.swap, 0), g.profit, coalesce(g.fee, 0),
                g.symbol, g.comment, g.external_id, p_source, g.value
            FROM good AS g
            CROSS JOIN LATERAL public.mt5_server_time(v_account.server, g.msc) AS t
            ON CONFLICT ON CONSTRAINT trading_deals_pkey DO UPDATE
            SET
                (
                    order_ticket, time, time_msc, position_id, magic, executed_at, type, entry,
                    reason, time_ambiguous, volume, price, commission, swap, profit, fee, symbol,
                    comment, external_id, source, raw, gone_since
                ) = (
                    excluded.order_ticket, excluded.time, excluded.time_msc,
                    -- a report names none, and what was told of an earlier one still holds
                    coalesce(excluded.position_id, d.position_id), excluded.magic,
                    excluded.executed_at, excluded.type, excluded.entry,
                    excluded.reason, excluded.time_ambiguous, excluded.volume, excluded.price,
                    excluded.commission, excluded.swap, excluded.profit, excluded.fee,
                    excluded.symbol, excluded.comment, excluded.external_id, excluded.source,
                    excluded.raw, NULL
                )
            WHERE (excluded.source = 'api' OR d.source = 'report')
                AND NOT (d.type IN (13, 14) AND excluded.type IN (0, 1))
                AND (
                    (d.raw, d.source) IS DISTINCT FROM (excluded.raw, excluded.source)
                    OR d.gone_since IS NOT NULL
                )
            RETURNING d.xmax = 0 AS is_new
        )
        SELECT count(*) FILTER (WHERE s.is_new), count(*) FILTER (WHERE NOT s.is_new)
        INTO inserted, updated
        FROM stored AS s;
    END IF;
    PERFORM internal.follow_mt5_history(p_account_id, 'deals', p_rows, p_from_msc, p_to_msc);
    unchanged := v_total - inserted - updated - rejected;
    RETURN NEXT;
END
$$;
COMMENT ON FUNCTION public.ingest_mt5_deals(bigint, jsonb, text, bigint, bigint) IS
'Takes an array of deals as history_deals_get returned them, and makes trips and trading_orders
follow. p_source is api, or report for rows of a trade history report, which never replace the
API''s. p_from_msc and p_to_msc say that these are all deals from the one up to and without the
other, milliseconds on the server''s clock: stored deals that two such calls 10 minutes apart lack
get gone_since. Answers how many elements were inserted, updated (a deal that came back is one),
unchanged and rejected; the rejected are in mt5_rejects. Raises RB024, RB050, RB051, RB052, RB054
and RB059.';
REVOKE ALL ON FUNCTION public.ingest_mt5_deals(bigint, jsonb, text, bigint, bigint) FROM public;
