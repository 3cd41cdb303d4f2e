-- 2240_ingest_mt5_symbols.sql: takes the answers of symbol_info and symbols_get.

CALL deploy.become_owner();

-- The terms of trading, in one value that can be compared.
CREATE OR REPLACE FUNCTION internal.mt5_symbol_terms(p_symbol public.mt5_symbols)
RETURNS jsonb
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT to_jsonb(p_symbol) - ARRAY[
        'account_id', 'valid_from', 'valid_to', 'seen_at', 'raw', 'trade_tick_value',
        'trade_tick_value_profit', 'trade_tick_value_loss'
    ]
$$;
COMMENT ON FUNCTION internal.mt5_symbol_terms(public.mt5_symbols) IS
'The fields whose change makes a new version of an instrument: all except tick values.';
REVOKE ALL ON FUNCTION internal.mt5_symbol_terms(public.mt5_symbols) FROM public;

CREATE OR REPLACE FUNCTION public.ingest_mt5_symbols(
    p_account_id bigint,
    p_rows jsonb,
    p_taken_at timestamptz DEFAULT now()
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
    v_bad bigint [];
    v_given public.mt5_symbols;
    v_current public.mt5_symbols;
BEGIN
    PERFORM internal.check_mt5_taken_at(p_taken_at);
    PERFORM internal.lock_open_mt5_account(p_account_id);
    v_bad := internal.reject_mt5_rows(p_account_id, 'symbols', p_rows, 'api');
    inserted := 0;
    updated := 0;
    rejected := cardinality(v_bad);
    FOR v_given IN
        SELECT DISTINCT ON (r.symbol) r.*
        FROM jsonb_array_elements(p_rows) WITH ORDINALITY AS e (value, n)
        CROSS JOIN LATERAL jsonb_populate_record(
            NULL::public.mt5_symbols,
            (e.value - ARRAY['valid_from', 'valid_to', 'seen_at']) || jsonb_build_object(
                'account_id', p_account_id, 'symbol', e.value -> 'name', 'valid_from', p_taken_at,
                'valid_to', 'infinity', 'seen_at', p_taken_at, 'raw', e.value
            )
        ) AS r
        WHERE e.n <> ALL (v_bad)
        ORDER BY r.symbol, e.n DESC
    LOOP
        SELECT s.* INTO v_current
        FROM public.mt5_symbols AS s
        WHERE s.account_id = p_account_id
            AND s.symbol = v_given.symbol
            AND s.valid_to = 'infinity';
        IF NOT FOUND THEN
            INSERT INTO public.mt5_symbols SELECT v_given.*;
            inserted := inserted + 1;
        ELSIF v_current.seen_at > p_taken_at THEN
            CONTINUE;
        ELSIF internal.mt5_symbol_terms(v_current) = internal.mt5_symbol_terms(v_given) THEN
            UPDATE public.mt5_symbols AS s
            SET
                seen_at = p_taken_at,
                trade_tick_value = v_given.trade_tick_value,
                trade_tick_value_profit = v_given.trade_tick_value_profit,
                trade_tick_value_loss = v_given.trade_tick_value_loss
            WHERE s.account_id = p_account_id
                AND s.symbol = v_given.symbol
                AND s.valid_to = 'infinity';
        ELSIF v_current.valid_from = p_taken_at THEN
            DELETE FROM public.mt5_symbols AS s
            WHERE s.account_id = p_account_id
                AND s.symbol = v_given.symbol
                AND s.valid_from = p_taken_at;
            INSERT INTO public.mt5_symbols SELECT v_given.*;
            updated := updated + 1;
        ELSE
            UPDATE public.mt5_symbols AS s
            SET valid_to = p_taken_at
            WHERE s.account_id = p_account_id
                AND s.symbol = v_given.symbol
                AND s.valid_to = 'infinity';
            INSERT INTO public.mt5_symbols SELECT v_given.*;
            updated := updated + 1;
        END IF;
        -- EURUSD.m with base EUR and profit USD is EURUSD; people who know better set the map
        INSERT INTO public.mt5_symbol_map AS m (account_id, symbol, canonical_symbol, is_derived)
        SELECT p_account_id, v_given.symbol, v_given.currency_base || v_given.currency_profit, TRUE
        WHERE v_given.currency_base <> ''
            AND v_given.currency_profit <> ''
            AND v_given.currency_base <> v_given.currency_profit
            AND starts_with(v_given.symbol, v_given.currency_base || v_given.currency_profit)
            AND v_given.symbol <> v_given.currency_base || v_given.currency_profit
        ON CONFLICT ON CONSTRAINT mt5_symbol_map_pkey DO NOTHING;
    END LOOP;
    PERFORM internal.keep_tick_values(p_account_id, p_taken_at);
    unchanged := v_total - inserted - updated - rejected;
    RETURN NEXT;
END
$$;
COMMENT ON FUNCTION public.ingest_mt5_symbols(bigint, jsonb, timestamptz) IS
'Takes an array of symbols as symbols_get returned them: new terms begin a new version, tick values
are kept up to date, a symbol that is not in the array stays. Answers how many elements were
inserted, updated (a new version), unchanged and rejected. Raises RB024 and RB050 to RB053.';
REVOKE ALL ON FUNCTION public.ingest_mt5_symbols(bigint, jsonb, timestamptz) FROM public;

CREATE OR REPLACE FUNCTION public.canonical_symbol(p_account_id bigint, p_symbol text)
RETURNS text
LANGUAGE sql
STABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(
        (
            SELECT m.canonical_symbol
            FROM public.mt5_symbol_map AS m
            WHERE m.account_id = p_account_id AND m.symbol = p_symbol
        ),
        p_symbol
    )
$$;
COMMENT ON FUNCTION public.canonical_symbol(bigint, text) IS
'Name of an account''s symbol in market_data: by mt5_symbol_map, else the symbol itself.';
REVOKE ALL ON FUNCTION public.canonical_symbol(bigint, text) FROM public;
