-- 2323_merge_double_accounts.sql: one account again, after its trade server got another name.

CALL deploy.become_owner();

-- What a terminal or a report tells again is deleted with the newer account: deals, orders,
-- positions, what is made of them, and symbols. So are its events, in which all deals were new a
-- second time, and its explanations, which are about its own balance. What else nobody tells again
-- goes to the older one; of what both have by a key, the older one's row stays.
CREATE OR REPLACE FUNCTION public.merge_double_accounts()
RETURNS TABLE (account_id bigint, account_number text, old_server text, new_server text)
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    v_double record;
    v_moved record;
BEGIN
    FOR v_double IN
        SELECT v.* FROM monitoring.double_account_violations AS v
        ORDER BY v.account_id, v.other_account_id
    LOOP
        PERFORM FROM public.mt5_accounts AS a
        WHERE a.id IN (v_double.account_id, v_double.other_account_id)
        ORDER BY a.id
        FOR UPDATE;
        -- with them go their trips, the orders that were made of these, and balance operations
        DELETE FROM public.trading_deals AS d WHERE d.account_id = v_double.account_id;
        DELETE FROM public.mt5_orders AS o WHERE o.account_id = v_double.account_id;
        DELETE FROM public.trading_positions AS p WHERE p.account_id = v_double.account_id;
        FOR v_moved IN
            SELECT m.*
            FROM (
                VALUES
                ('mt5_sessions', NULL), ('trading_orders', NULL), ('signal_claims', NULL),
                ('signal_intents', 'signal_id'), ('mt5_order_sends', NULL),
                ('mt5_first_stops', 'position_id, taken_at'),
                ('mt5_tick_values', 'symbol, taken_at'), ('mt5_symbol_map', 'symbol'),
                ('mt5_magic_strategies', 'magic, valid_from'), ('journal_entries', NULL),
                ('risk_rules', NULL), ('risk_breaches', NULL)
            ) AS m (name, key)
        LOOP
            EXECUTE format(
                'UPDATE public.%1$I AS n SET account_id = $1 WHERE n.account_id = $2'
                || CASE
                    WHEN v_moved.key IS NOT NULL
                        THEN ' AND (%2$s) NOT IN ('
                            'SELECT %2$s FROM public.%1$I AS o WHERE o.account_id = $1)'
                    ELSE ''
                END,
                v_moved.name,
                v_moved.key
            ) USING v_double.other_account_id, v_double.account_id;
        END LOOP;
        DELETE FROM public.signal_intents AS i WHERE i.account_id = v_double.account_id;
        DELETE FROM public.mt5_accounts AS a WHERE a.id = v_double.account_id;
        UPDATE public.mt5_accounts AS a
        SET server = v_double.server
        WHERE a.id = v_double.other_account_id
        RETURNING a.id, a.account_number, v_double.other_server, v_double.server
        INTO account_id, account_number, old_server, new_server;
        CONTINUE WHEN NOT FOUND; -- one of three names, merged already
        -- nobody answers by the old name; by the new one a trigger finds the account
        UPDATE public.mt5_sessions AS s
        SET
            server = v_double.server,
            is_active = FALSE,
            disconnected_at = coalesce(
                s.disconnected_at, greatest(s.last_ping, s.connected_at)
            )
        WHERE s.account_id = v_double.other_account_id AND s.server = v_double.other_server;
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION public.merge_double_accounts() IS
'Makes one account of each two in monitoring.double_account_violations, the older one under the
newer''s server: sessions with their snapshots, the API''s orders, claims, sends, stops, journal and
rules move. Events and explanations of the newer one are lost, the rest comes back when the gateway
reads, or a report is loaded, again. End the gateways before. Raises unique_violation where both
accounts have notes of the same thing.';
REVOKE ALL ON FUNCTION public.merge_double_accounts() FROM public;
