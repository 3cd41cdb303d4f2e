-- 2241_keep_tick_values.sql: keeps what a move of the price is worth when that changes.

CALL deploy.become_owner();

CREATE OR REPLACE FUNCTION internal.keep_tick_values(p_account_id bigint, p_taken_at timestamptz)
RETURNS void
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    WITH seen AS MATERIALIZED (
        SELECT
            s.symbol,
            t.taken_at,
            (
                t.currency_profit, t.trade_calc_mode, t.trade_contract_size, t.trade_tick_size,
                t.trade_tick_value, t.trade_tick_value_profit, t.trade_tick_value_loss
            ) IS NOT DISTINCT FROM (
                s.currency_profit, s.trade_calc_mode, s.trade_contract_size, s.trade_tick_size,
                s.trade_tick_value, s.trade_tick_value_profit, s.trade_tick_value_loss
            ) AS is_same
        FROM public.mt5_symbols AS s
        LEFT JOIN LATERAL (
            SELECT v.*
            FROM public.mt5_tick_values AS v
            WHERE v.account_id = s.account_id AND v.symbol = s.symbol
            ORDER BY v.taken_at DESC
            LIMIT 1
        ) AS t ON TRUE
        WHERE s.account_id = p_account_id
            AND s.valid_to = 'infinity'
            AND s.seen_at = p_taken_at
    )
    INSERT INTO public.mt5_tick_values AS k (
        account_id, symbol, taken_at, seen_at, currency_profit, trade_calc_mode,
        trade_contract_size, trade_tick_size, trade_tick_value, trade_tick_value_profit,
        trade_tick_value_loss
    )
    SELECT
        s.account_id, s.symbol, CASE WHEN n.is_same THEN n.taken_at ELSE p_taken_at END,
        p_taken_at, s.currency_profit, s.trade_calc_mode, s.trade_contract_size,
        s.trade_tick_size, s.trade_tick_value, s.trade_tick_value_profit,
        s.trade_tick_value_loss
    FROM seen AS n
    INNER JOIN public.mt5_symbols AS s
        ON n.symbol = s.symbol AND s.account_id = p_account_id AND s.valid_to = 'infinity'
    -- the same moment told again counts as it was told last
    ON CONFLICT ON CONSTRAINT mt5_tick_values_pkey DO UPDATE
    SET
        seen_at = greatest(k.seen_at, excluded.seen_at),
        currency_profit = excluded.currency_profit,
        trade_calc_mode = excluded.trade_calc_mode,
        trade_contract_size = excluded.trade_contract_size,
        trade_tick_size = excluded.trade_tick_size,
        trade_tick_value = excluded.trade_tick_value,
        trade_tick_value_profit = excluded.trade_tick_value_profit,
        trade_tick_value_loss = excluded.trade_tick_value_loss;
END
$$;
COMMENT ON FUNCTION internal.keep_tick_values(bigint, timestamptz) IS
'Keeps the tick values of the symbols of an account that were seen at a moment, a new row where they
changed.';
REVOKE ALL ON FUNCTION internal.keep_tick_values(bigint, timestamptz) FROM public;
