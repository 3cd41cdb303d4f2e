-- 2185_link_signals.sql: an order that came of a claim carries the claim's signal.

CALL deploy.become_owner();

-- A signal is in one order only: the first order of a copied signal carries the signal, the others
-- its strategy. Both become the API's, whose signal and strategy the deals leave alone. A row made
-- from deals has the strategy of the magic number, which comes after the signal's. As where trips
-- are refreshed, a look-up by key for each position.
CREATE OR REPLACE FUNCTION internal.link_signals(p_account_id bigint, p_positions bigint[])
RETURNS void
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_link record;
BEGIN
    FOR v_link IN
        SELECT o.id, o.signal_id IS NULL AND x.id IS NULL AS is_first, s.id AS signal, s.strategy_id
        FROM unnest(p_positions) AS u (position_id)
        INNER JOIN public.mt5_trips AS t
            ON t.account_id = p_account_id AND u.position_id = t.position_id
        INNER JOIN public.mt5_order_sends AS e
            ON e.account_id = p_account_id
                AND t.open_order = e.order_ticket
                AND e.claim_id IS NOT NULL
        INNER JOIN public.signal_claims AS c ON e.claim_id = c.id
        INNER JOIN public.trading_signals AS s ON c.signal_id = s.id
        INNER JOIN public.trading_orders AS o ON t.trading_order_id = o.id AND s.user_id = o.user_id
        LEFT JOIN public.trading_orders AS x ON s.id = x.signal_id
        WHERE o.signal_id IS NULL AND (x.id IS NULL OR o.made_by = 'deals')
        ORDER BY o.id
    LOOP
        BEGIN
            UPDATE public.trading_orders AS o
            SET
                made_by = 'api',
                signal_id = CASE WHEN v_link.is_first THEN v_link.signal END,
                strategy_id = CASE o.made_by
                    WHEN 'deals' THEN coalesce(v_link.strategy_id, o.strategy_id)
                    ELSE coalesce(o.strategy_id, v_link.strategy_id)
                END
            WHERE o.id = v_link.id AND o.signal_id IS NULL;
        EXCEPTION
            -- the deals of another account that carried the signal out came in the same moment
            WHEN unique_violation THEN
                UPDATE public.trading_orders AS o
                SET
                    made_by = 'api',
                    strategy_id = CASE o.made_by
                        WHEN 'deals' THEN coalesce(v_link.strategy_id, o.strategy_id)
                        ELSE coalesce(o.strategy_id, v_link.strategy_id)
                    END
                WHERE o.id = v_link.id AND o.signal_id IS NULL;
        END;
    END LOOP;
END
$$;
COMMENT ON FUNCTION internal.link_signals(bigint, bigint[]) IS
'Gives orders of some positions that came of claims the signal, or its strategy where another order
has it. The account is locked before.';
REVOKE ALL ON FUNCTION internal.link_signals(bigint, bigint[]) FROM public;
