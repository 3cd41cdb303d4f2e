-- 2480_explain_archived_deals.sql: the deal a broker leaves in the place of those it archived.

CALL deploy.become_owner();

-- A broker that archives may book the sum of what it took away as one balance deal. Beside the
-- deals kept here the sum counts twice, in the proof, the running balance and the operations. The
-- rule is strict, since a wrong explanation hides a loss: the gap of the balance, the sum of the
-- deals gone and the amount of the one deal are equal, and the deal came after all that are gone.
CREATE OR REPLACE FUNCTION internal.explain_archived_deals(p_account_id bigint)
RETURNS void
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM internal.lock_mt5_account(p_account_id);
    WITH moved AS (
        SELECT
            d.ticket,
            d.type,
            d.time_msc,
            d.stored_at,
            d.gone_since,
            d.profit + d.commission + d.swap + d.fee AS amount,
            e.id IS NOT NULL AS stands_in
        FROM public.trading_deals AS d
        LEFT JOIN public.mt5_deal_types AS t ON d.type = t.code
        LEFT JOIN public.mt5_explanations AS e
            ON d.account_id = e.account_id AND d.ticket = e.deal_ticket
        WHERE d.account_id = p_account_id AND coalesce(t.effect, 'balance') <> 'credit'
    ),
    -- what a deal in their place stands for is no longer missing, until that deal goes, too
    lost AS (
        SELECT
            coalesce(sum(m.amount) FILTER (
                WHERE m.gone_since IS NOT NULL AND NOT m.stands_in
            ), 0)
            - coalesce(sum(m.amount) FILTER (
                WHERE m.gone_since IS NULL AND m.stands_in
            ), 0) AS amount,
            count(*) FILTER (WHERE m.gone_since IS NOT NULL) AS deals,
            min(m.gone_since) AS since,
            max(m.stored_at) FILTER (WHERE m.gone_since IS NOT NULL) AS stored_at
        FROM moved AS m
    )
    INSERT INTO public.mt5_explanations (account_id, deal_ticket, reason, evidence, made_by)
    SELECT
        p_account_id, m.ticket, 'archived',
        format('the amount of %s deals gone since %s', l.deals, l.since), 'rule'
    FROM monitoring.balance_violations AS b
    CROSS JOIN lost AS l
    INNER JOIN moved AS m ON m.amount = l.amount
    WHERE b.account_id = p_account_id
        AND b.difference = l.amount
        AND m.type IN (2, 5) -- BALANCE, CORRECTION
        AND m.gone_since IS NULL
        AND m.stored_at > l.stored_at
        AND NOT m.stands_in
    ORDER BY m.time_msc DESC, m.ticket DESC
    LIMIT 1;
END
$$;
COMMENT ON FUNCTION internal.explain_archived_deals(bigint) IS
'Finds the deal that a broker booked for those it archived, and writes it into mt5_explanations.
Raises RB051.';
REVOKE ALL ON FUNCTION internal.explain_archived_deals(bigint) FROM public;

CREATE OR REPLACE FUNCTION internal.follow_mt5_explanations()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- operations and opening balances are the owner's to write
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_account_id bigint;
    v_tickets bigint[];
BEGIN
    FOR v_account_id, v_tickets IN EXECUTE format(
        $changed$
            SELECT c.account_id, array_agg(DISTINCT c.deal_ticket)
            FROM (%s) AS c
            WHERE c.deal_ticket IS NOT NULL
            GROUP BY c.account_id
            ORDER BY c.account_id
        $changed$,
        CASE TG_OP
            WHEN 'UPDATE' THEN 'TABLE old_rows UNION ALL TABLE changed_rows'
            ELSE 'TABLE changed_rows'
        END
    ) LOOP
        PERFORM FROM public.mt5_accounts AS a WHERE a.id = v_account_id FOR NO KEY UPDATE;
        PERFORM internal.refresh_ledger(v_account_id, NULL, v_tickets, 0);
    END LOOP;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION internal.follow_mt5_explanations() IS
'Trigger: a deal that stands for others is no operation, and moves no opening balance.';
REVOKE ALL ON FUNCTION internal.follow_mt5_explanations() FROM public;
