-- 2380_link_orders_of_api.sql: trips get the orders that the API wrote for them.

CALL deploy.become_owner();

-- A trip that the API wrote an order for is that order: by number within the account, or by number
-- and symbol where the API named no account and no other account of the user has this number. The
-- settings of internal.refresh_trading_orders(), the caller, hold here.
CREATE OR REPLACE FUNCTION internal.link_orders_of_api(
    p_account_id bigint,
    p_user_id bigint,
    p_positions bigint[],
    p_numbers text[]
)
RETURNS bigint[]
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_known bigint[];
    v_orders bigint[];
BEGIN
    -- Of this account or of none: many other accounts may have the numbers. Rows are compared, so
    -- that no index serves which begins with the account, whose rows seem to be few; nor one that
    -- begins with the user.
    SELECT array_agg(k.id) INTO v_known
    FROM unnest(p_numbers) AS u (number)
    CROSS JOIN LATERAL (
        SELECT o.id
        FROM public.trading_orders AS o
        WHERE (o.mt5_order_id, o.account_id) >= (u.number, p_account_id)
            AND (o.mt5_order_id, o.account_id) <= (u.number, p_account_id)
        UNION ALL
        SELECT o.id
        FROM public.trading_orders AS o
        WHERE o.mt5_order_id = u.number
            AND o.account_id IS NULL
            AND coalesce(o.user_id, 0) = p_user_id
    ) AS k;
    IF v_known IS NULL THEN
        RETURN '{}';
    END IF;
    WITH waiting AS MATERIALIZED (
        SELECT
            t.account_id, t.position_id, t.leg, t.symbol,
            coalesce(t.open_order, t.position_id)::text AS number
        FROM public.mt5_trips AS t
        WHERE t.account_id = p_account_id
            AND t.position_id = ANY (p_positions)
            -- not by that index, which would read all trips that wait
            AND coalesce(t.trading_order_id, 0) = 0
            AND t.side IS NOT NULL
            AND (t.open_order IS NOT NULL OR t.leg = 1)
    ),
    candidates AS (
        SELECT DISTINCT ON (o.id) w.account_id, w.position_id, w.leg, o.id
        FROM (
            SELECT o.id, o.account_id, o.user_id, o.mt5_order_id, o.symbol
            FROM public.trading_orders AS o
            WHERE o.id = ANY (v_known)
            -- As the foreign key does, which would refuse a row that is being deleted, and with it
            -- all deals. By the id alone, so that a row that gets its account meanwhile stays.
            FOR KEY SHARE
        ) AS o
        INNER JOIN waiting AS w
            ON o.mt5_order_id = w.number
                AND (
                    o.account_id = p_account_id
                    OR o.account_id IS NULL AND o.user_id = p_user_id AND o.symbol = w.symbol
                )
        LEFT JOIN LATERAL (
            SELECT TRUE AS is_taken
            FROM public.mt5_trips AS t
            WHERE t.trading_order_id = o.id
            LIMIT 1
        ) AS k ON TRUE
        WHERE k.is_taken IS NULL
            AND (
                o.account_id IS NOT NULL
                OR (
                    (
                        SELECT TRUE
                        FROM public.trading_orders AS x
                        WHERE x.id = ANY (v_known)
                            AND x.account_id = p_account_id
                            AND x.mt5_order_id = o.mt5_order_id
                    ) IS NULL
                    AND (
                        SELECT TRUE
                        FROM public.mt5_accounts AS a
                        INNER JOIN public.trading_deals AS d ON a.id = d.account_id
                        WHERE a.user_id = p_user_id
                            AND a.id <> p_account_id
                            AND d.order_ticket = w.number::bigint
                        LIMIT 1
                    ) IS NULL
                )
            )
        ORDER BY o.id, w.position_id, w.leg
    ),
    single AS (
        SELECT DISTINCT ON (c.position_id, c.leg) c.account_id, c.position_id, c.leg, c.id
        FROM candidates AS c
        ORDER BY c.position_id, c.leg, c.id
    ),
    linked AS (
        UPDATE public.mt5_trips AS t
        SET trading_order_id = s.id
        FROM single AS s
        -- not p_account_id, which would have all trips of the account read
        WHERE t.account_id = s.account_id AND t.position_id = s.position_id AND t.leg = s.leg
        RETURNING t.trading_order_id
    )
    SELECT coalesce(array_agg(l.trading_order_id), '{}') INTO v_orders FROM linked AS l;
    RETURN v_orders;
END
$$;
COMMENT ON FUNCTION internal.link_orders_of_api(bigint, bigint, bigint[], text[]) IS
'Gives trips of some positions that have no order the one that the API wrote with one of p_numbers,
the trips'' order numbers; answers the ids.';
REVOKE ALL ON FUNCTION internal.link_orders_of_api(bigint, bigint, bigint[], text[]) FROM public;
