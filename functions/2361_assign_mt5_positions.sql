-- 2361_assign_mt5_positions.sql: gives a report's deals their position, on hedging accounts.

CALL deploy.become_owner();

-- A report's deals name no position; its list of positions names no deals. Ticket and order tell
-- most: a hedged position has the ticket of its opening order, a netted one the ticket of the order
-- which opened the position from flat. An unknown position stays NULL.

CREATE OR REPLACE FUNCTION internal.find_mt5_closings(
    p_account_id bigint,
    p_symbol text,
    p_type integer,
    p_opened bigint,
    p_closed bigint,
    p_latest bigint,
    p_volume numeric,
    p_profit numeric,
    p_swap numeric
)
RETURNS SETOF bigint[]
LANGUAGE sql
STABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    -- 16 deals make 65,536 sets; more are not looked through. Of deals that differ only in their
    -- ticket the lower comes first, so that such a pair isn't two ways.
    WITH RECURSIVE candidates AS MATERIALIZED (
        SELECT
            d.ticket,
            d.time,
            d.volume,
            d.profit,
            d.swap,
            row_number() OVER (ORDER BY d.time_msc, d.ticket) AS n,
            lag(d.ticket) OVER (
                PARTITION BY d.time, d.volume, d.price, d.profit, d.swap, d.commission, d.fee
                ORDER BY d.ticket
            ) AS twin
        FROM public.trading_deals AS d
        WHERE d.account_id = p_account_id
            AND d.source = 'report'
            AND d.position_id IS NULL
            AND d.symbol = p_symbol
            AND d.type = p_type
            AND d.entry IN (1, 3)
            AND d.time >= p_opened
            AND d.time <= coalesce(p_closed, d.time)
            AND d.volume <= p_volume
    ),
    sets AS (
        SELECT
            0::bigint AS n,
            0::numeric AS volume,
            0::numeric AS profit,
            0::numeric AS swap,
            p_latest AS latest,
            '{}'::bigint[] AS tickets
        WHERE (SELECT count(*) FROM candidates AS c) BETWEEN 1 AND 16
        UNION ALL
        SELECT
            c.n,
            s.volume + c.volume,
            s.profit + c.profit,
            s.swap + c.swap,
            greatest(s.latest, c.time),
            s.tickets || c.ticket
        FROM sets AS s
        INNER JOIN candidates AS c
            ON s.n < c.n
            AND s.volume + c.volume <= p_volume
            AND (c.twin IS NULL OR c.twin = ANY (s.tickets))
    )
    SELECT s.tickets
    FROM sets AS s
    WHERE s.volume = p_volume
        AND s.profit = coalesce(p_profit, s.profit)
        AND s.swap = coalesce(p_swap, s.swap)
        AND s.latest = coalesce(p_closed, s.latest)
    LIMIT 2
$$;
COMMENT ON FUNCTION internal.find_mt5_closings(
    bigint, text, integer, bigint, bigint, bigint, numeric, numeric, numeric
) IS
'Sets of closing deals without a position that together have a volume, profit and swap and, with
the latest closing known, end at a second of the server''s clock; NULL leaves a condition out. At
most two sets; a second set means that the answer is open.';
REVOKE ALL ON FUNCTION internal.find_mt5_closings(
    bigint, text, integer, bigint, bigint, bigint, numeric, numeric, numeric
) FROM public;

-- Hedging, first part: deals with a single match. An opening deal's position is its order. A
-- closing deal that alone has the second, volume, price, profit and swap of one listed position is
-- its closing; where several deals and as many positions share all of these, they go by their
-- tickets.
CREATE OR REPLACE FUNCTION internal.assign_mt5_hedged_deals(
    p_account_id bigint,
    p_positions jsonb
)
RETURNS bigint[]
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_positions bigint[];
BEGIN
    WITH positions AS MATERIALIZED (
        SELECT
            p.*,
            row_number() OVER same AS n,
            count(*) OVER (
                PARTITION BY p.symbol, p.type, p.time_close, p.volume, p.price_close, p.profit,
                    p.swap
            ) AS number
        FROM jsonb_to_recordset(p_positions) AS p (
            ticket bigint, symbol text, type integer, volume numeric, price_close numeric,
            profit numeric, swap numeric, time_close bigint
        )
        WHERE NOT EXISTS (
            SELECT FROM public.trading_deals AS d
            WHERE d.account_id = p_account_id
                AND d.position_id = p.ticket
                AND d.entry IN (1, 2, 3)
        )
        WINDOW same AS (
            PARTITION BY p.symbol, p.type, p.time_close, p.volume, p.price_close, p.profit, p.swap
            ORDER BY p.ticket
        )
    ),
    deals AS MATERIALIZED (
        SELECT
            d.*,
            row_number() OVER same AS n,
            count(*) OVER (
                PARTITION BY d.symbol, d.type, d.time, d.volume, d.price, d.profit, d.swap
            ) AS number
        FROM public.trading_deals AS d
        WHERE d.account_id = p_account_id
            AND d.source = 'report'
            AND d.position_id IS NULL
            AND d.type IN (0, 1)
            AND d.entry IN (1, 3)
        WINDOW same AS (
            PARTITION BY d.symbol, d.type, d.time, d.volume, d.price, d.profit, d.swap
            ORDER BY d.ticket
        )
    ),
    told AS (
        SELECT d.ticket, d.order_ticket AS position_id
        FROM public.trading_deals AS d
        WHERE d.account_id = p_account_id
            AND d.source = 'report'
            AND d.position_id IS NULL
            AND d.type IN (0, 1)
            AND d.entry = 0
            AND d.order_ticket > 0
        UNION ALL
        SELECT m.ticket, p.ticket AS position_id
        FROM positions AS p
        INNER JOIN deals AS m
            ON p.symbol = m.symbol
            AND 1 - p.type = m.type
            AND p.time_close = m.time
            AND p.volume = m.volume
            AND p.price_close = m.price
            AND p.profit = m.profit
            AND p.swap = m.swap
            AND p.number = m.number
            AND p.n = m.n
    ),
    -- in one statement: derived rows follow each statement
    changed AS (
        UPDATE public.trading_deals AS d
        SET position_id = t.position_id
        FROM told AS t
        WHERE d.account_id = p_account_id AND d.ticket = t.ticket
        RETURNING d.position_id
    )
    SELECT array_agg(DISTINCT c.position_id) INTO v_positions FROM changed AS c;
    RETURN coalesce(v_positions, '{}');
END
$$;
COMMENT ON FUNCTION internal.assign_mt5_hedged_deals(bigint, jsonb) IS
'Gives opening deals of a hedging account, and closing deals that close a listed position alone,
their position; answers the positions.';
REVOKE ALL ON FUNCTION internal.assign_mt5_hedged_deals(bigint, jsonb) FROM public;

-- Hedging, second part: positions closed by several deals, with all money known, and positions
-- still open, with a known volume. Each match may make another one possible.
CREATE OR REPLACE FUNCTION internal.assign_mt5_partial_closings(
    p_account_id bigint,
    p_positions jsonb,
    p_open jsonb
)
RETURNS bigint[]
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_row record;
    v_tickets bigint[];
    v_found integer;
    v_changed bigint[] := '{}';
    v_before integer;
BEGIN
    IF NOT EXISTS (
        SELECT FROM public.trading_deals AS d
        WHERE d.account_id = p_account_id
            AND d.source = 'report'
            AND d.position_id IS NULL
            AND d.type IN (0, 1)
            AND d.entry IN (1, 3)
    ) THEN
        RETURN v_changed;
    END IF;
    LOOP
        v_before := cardinality(v_changed);
        FOR v_row IN
            SELECT
                p.ticket,
                p.symbol,
                p.type,
                p.time,
                p.time_close,
                d.latest,
                p.volume - coalesce(d.closed, 0) AS volume,
                p.profit - coalesce(d.profit, 0) AS profit,
                p.swap - coalesce(d.swap, 0) AS swap
            FROM (
                SELECT c.* FROM jsonb_to_recordset(p_positions) AS c (
                    ticket bigint, symbol text, type integer, time bigint, time_close bigint,
                    volume numeric, profit numeric, swap numeric
                )
                UNION ALL
                SELECT
                    o.ticket,
                    o.symbol,
                    o.type,
                    o.time,
                    NULL,
                    (
                        SELECT sum(x.volume)
                        FROM public.trading_deals AS x
                        WHERE x.account_id = p_account_id
                            AND x.position_id = o.ticket
                            AND x.entry = 0
                    ) - o.volume,
                    NULL,
                    NULL
                FROM jsonb_to_recordset(p_open) AS o (
                    ticket bigint, symbol text, type integer, time bigint, volume numeric
                )
            ) AS p
            LEFT JOIN LATERAL (
                SELECT
                    sum(x.volume) FILTER (WHERE x.entry IN (1, 3)) AS closed,
                    max(x.time) FILTER (WHERE x.entry IN (1, 3)) AS latest,
                    sum(x.profit) AS profit,
                    sum(x.swap) AS swap
                FROM public.trading_deals AS x
                WHERE x.account_id = p_account_id AND x.position_id = p.ticket
            ) AS d ON TRUE
            WHERE p.volume > coalesce(d.closed, 0)
            ORDER BY p.time_close, p.ticket
        LOOP
            SELECT count(*), min(w.tickets) INTO v_found, v_tickets
            FROM internal.find_mt5_closings(
                p_account_id, v_row.symbol, 1 - v_row.type, v_row.time, v_row.time_close,
                v_row.latest, v_row.volume, v_row.profit, v_row.swap
            ) AS w (tickets);
            IF v_found = 1 THEN
                UPDATE public.trading_deals AS d
                SET position_id = v_row.ticket
                WHERE d.account_id = p_account_id AND d.ticket = ANY (v_tickets);
                v_changed := v_changed || v_row.ticket;
            END IF;
        END LOOP;
        EXIT WHEN cardinality(v_changed) = v_before;
    END LOOP;
    RETURN v_changed;
END
$$;
COMMENT ON FUNCTION internal.assign_mt5_partial_closings(bigint, jsonb, jsonb) IS
'Gives closing deals of a hedging account that close a position in parts their position, where one
way fits its volume and money; answers the positions.';
REVOKE ALL ON FUNCTION internal.assign_mt5_partial_closings(bigint, jsonb, jsonb) FROM public;
