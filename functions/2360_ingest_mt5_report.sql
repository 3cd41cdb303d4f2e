-- 2360_ingest_mt5_report.sql: a report's facts beyond deals and orders.

CALL deploy.become_owner();

-- The earliest report has the balance before its first deal; older deals, which the API may bring
-- later, are taken from this balance, down to 0 when the history is whole. Of archived deals and
-- the one that stands for them the report has those that were there when it was loaded.
CREATE OR REPLACE FUNCTION internal.refresh_mt5_opening_balance(p_account_id bigint)
RETURNS void
LANGUAGE sql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE public.mt5_account_states AS s
    SET
        opening_balance = n.balance,
        history_from = CASE WHEN n.balance <> 0 THEN n.first_at END
    FROM (
        SELECT
            r.opening_balance - coalesce((
                SELECT sum(d.profit + d.commission + d.swap + d.fee)
                FROM public.trading_deals AS d
                LEFT JOIN public.mt5_deal_types AS t ON d.type = t.code
                LEFT JOIN public.mt5_explanations AS e
                    ON d.account_id = e.account_id AND d.ticket = e.deal_ticket AND e.is_explained
                WHERE d.account_id = p_account_id
                    AND d.time_msc < r.first_msc
                    AND coalesce(t.effect, 'balance') <> 'credit'
                    AND CASE WHEN a.is_archived THEN d.gone_since IS NULL ELSE e.id IS NULL END
            ), 0) AS balance,
            (
                SELECT min(d.executed_at)
                FROM public.trading_deals AS d
                WHERE d.account_id = p_account_id
            ) AS first_at
        FROM public.mt5_reports AS r
        CROSS JOIN LATERAL (
            SELECT EXISTS (
                SELECT FROM public.mt5_explanations AS e
                INNER JOIN public.trading_deals AS d
                    ON e.account_id = d.account_id AND e.deal_ticket = d.ticket
                WHERE e.account_id = p_account_id
                    AND e.is_explained
                    AND d.stored_at <= r.loaded_at
            ) AS is_archived
        ) AS a
        WHERE r.account_id = p_account_id AND r.opening_balance IS NOT NULL
        ORDER BY r.first_msc, r.id
        LIMIT 1
    ) AS n
    WHERE s.account_id = p_account_id
        AND (s.opening_balance, s.history_from)
        IS DISTINCT FROM (n.balance, CASE WHEN n.balance <> 0 THEN n.first_at END)
$$;
COMMENT ON FUNCTION internal.refresh_mt5_opening_balance(bigint) IS
'Sets an account''s balance before its first deal: by its earliest report and older deals.';
REVOKE ALL ON FUNCTION internal.refresh_mt5_opening_balance(bigint) FROM public;

CREATE OR REPLACE FUNCTION public.ingest_mt5_report(p_account_id bigint, p_report jsonb)
RETURNS TABLE (report_id bigint, positions bigint, deals_without_position bigint)
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- the gateway's role has no rights on tables
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_account public.mt5_accounts := internal.lock_open_mt5_account(p_account_id);
    v_report public.mt5_reports;
    v_closed jsonb := coalesce(p_report -> 'positions', '[]');
    v_open jsonb := coalesce(p_report -> 'open_positions', '[]');
    v_is_whole boolean;
    v_positions bigint[];
BEGIN
    PERFORM internal.check_mt5_rows(v_closed);
    PERFORM internal.check_mt5_rows(v_open);
    SELECT * INTO v_report
    FROM jsonb_populate_record(NULL::public.mt5_reports, p_report);
    INSERT INTO public.mt5_reports AS r (
        account_id, first_msc, last_msc, made_msc, deals, opening_balance, closing_balance, figures
    )
    VALUES (
        p_account_id, v_report.first_msc, v_report.last_msc, v_report.made_msc, v_report.deals,
        v_report.opening_balance, v_report.closing_balance, coalesce(v_report.figures, '{}')
    )
    ON CONFLICT ON CONSTRAINT mt5_reports_report_key DO NOTHING;
    SELECT r.id INTO report_id
    FROM public.mt5_reports AS r
    WHERE r.account_id = p_account_id
        AND r.first_msc = v_report.first_msc
        AND r.last_msc = v_report.last_msc
        AND r.deals = v_report.deals
        AND r.made_msc IS NOT DISTINCT FROM v_report.made_msc;
    PERFORM internal.refresh_mt5_opening_balance(p_account_id);

    SELECT s.opening_balance = 0 AND s.history_from IS NULL INTO v_is_whole
    FROM public.mt5_account_states AS s
    WHERE s.account_id = p_account_id;
    IF v_account.margin_mode IN (0, 1) THEN
        v_positions := internal.assign_mt5_netted_deals(
            p_account_id, v_closed, v_open, coalesce(v_is_whole, FALSE)
        );
    ELSE
        v_positions := internal.assign_mt5_hedged_deals(p_account_id, v_closed);
        v_positions := v_positions
            || internal.assign_mt5_partial_closings(p_account_id, v_closed, v_open);
    END IF;
    SELECT array_agg(DISTINCT u.id) INTO v_positions FROM unnest(v_positions) AS u (id);

    positions := coalesce(cardinality(v_positions), 0);
    SELECT count(*) INTO deals_without_position
    FROM public.trading_deals AS d
    WHERE d.account_id = p_account_id AND d.type IN (0, 1) AND d.position_id IS NULL;
    RETURN NEXT;
END
$$;
COMMENT ON FUNCTION public.ingest_mt5_report(bigint, jsonb) IS
'Takes a trade history report''s lists of closed and open positions, balances and figures, after its
orders and deals were ingested: gives deals their positions and makes trips and trading_orders
follow. Answers the row in mt5_reports, the number of changed positions, and the number of trades
whose position the report doesn''t tell. Raises RB024 and RB050 to RB052.';
REVOKE ALL ON FUNCTION public.ingest_mt5_report(bigint, jsonb) FROM public;
