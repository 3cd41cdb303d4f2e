-- 2362_assign_mt5_netted_deals.sql: gives a report's deals their position, on netting accounts.

CALL deploy.become_owner();

-- Netting: one position a symbol. From flat a deal opens the position that its order names, and all
-- deals up to flat are its own, a reversal too. Before the volume is known (a history that is cut)
-- the lists name the position that covers a deal's second, if any.
CREATE OR REPLACE FUNCTION internal.assign_mt5_netted_deals(
    p_account_id bigint,
    p_positions jsonb,
    p_open jsonb,
    p_is_whole boolean
)
RETURNS bigint[]
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_deal record;
    v_symbol text;
    v_position bigint;
    v_net numeric;
    v_tickets bigint[] := '{}';
    v_positions bigint[] := '{}';
BEGIN
    FOR v_deal IN
        WITH listed AS MATERIALIZED (
            SELECT c.ticket, c.symbol, c.time, c.time_close
            FROM jsonb_to_recordset(p_positions || p_open) AS c (
                ticket bigint, symbol text, time bigint, time_close bigint
            )
        )
        SELECT
            d.*,
            (1 - 2 * d.type) * d.volume AS moved,
            EXISTS (
                SELECT FROM listed AS l
                WHERE l.ticket = d.order_ticket AND l.symbol = d.symbol
            ) AS opens,
            (
                SELECT CASE WHEN count(DISTINCT l.ticket) = 1 THEN min(l.ticket) END
                FROM listed AS l
                WHERE l.symbol = d.symbol
                    AND l.time < d.time
                    AND d.time <= coalesce(l.time_close, d.time)
            ) AS covering
        FROM public.trading_deals AS d
        WHERE d.account_id = p_account_id AND d.type IN (0, 1) AND d.entry IN (0, 1, 2)
            AND coalesce(d.reason, 0) NOT IN (7, 8, 9, 10)
        ORDER BY d.symbol, d.time_msc, d.ticket
    LOOP
        IF v_symbol IS DISTINCT FROM v_deal.symbol THEN
            v_symbol := v_deal.symbol;
            v_position := NULL;
            v_net := CASE WHEN p_is_whole THEN 0 END;
        END IF;
        IF v_deal.position_id > 0 THEN
            IF v_deal.position_id IS DISTINCT FROM v_position
                AND v_deal.order_ticket = v_deal.position_id AND v_deal.entry = 0 THEN
                v_net := 0;
            END IF;
            v_position := v_deal.position_id;
        ELSIF v_deal.entry = 0 AND (v_net = 0 OR (v_net IS NULL AND v_deal.opens)) THEN
            v_position := nullif(v_deal.order_ticket, 0);
            v_net := 0;
        ELSIF v_net IS NULL THEN
            v_position := v_deal.covering;
        END IF;
        v_net := v_net + v_deal.moved;
        IF v_position IS NOT NULL AND v_deal.position_id IS NULL AND v_deal.source = 'report' THEN
            v_tickets := v_tickets || v_deal.ticket;
            v_positions := v_positions || v_position;
        END IF;
        IF v_net = 0 THEN
            v_position := NULL;
        END IF;
    END LOOP;
    UPDATE public.trading_deals AS d
    SET position_id = u.position_id
    FROM unnest(v_tickets, v_positions) AS u (ticket, position_id)
    WHERE d.account_id = p_account_id AND d.ticket = u.ticket;
    RETURN ARRAY(SELECT DISTINCT u.id FROM unnest(v_positions) AS u (id));
END
$$;
COMMENT ON FUNCTION internal.assign_mt5_netted_deals(bigint, jsonb, jsonb, boolean) IS
'Gives deals of a netting account their position by walking each symbol from flat to flat; answers
the positions. p_is_whole: no position was open before the first deal.';
REVOKE ALL ON FUNCTION internal.assign_mt5_netted_deals(bigint, jsonb, jsonb, boolean) FROM public;
