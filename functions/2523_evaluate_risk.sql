-- 2523_evaluate_risk.sql: rules asked by hand or schedule, and whether an account may trade.

CALL deploy.become_owner();

CREATE OR REPLACE FUNCTION public.evaluate_risk(p_account_id bigint DEFAULT NULL)
RETURNS bigint
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- nobody but the database writes breaches
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_user text := nullif(current_setting('app.user_id', TRUE), '');
    v_accounts bigint[];
BEGIN
    SELECT array_agg(a.id ORDER BY a.id) INTO v_accounts
    FROM public.mt5_accounts AS a
    WHERE a.closed_at IS NULL
        AND (p_account_id IS NULL OR a.id = p_account_id)
        AND (v_user IS NULL OR a.user_id::text = v_user)
        AND (
            EXISTS (SELECT FROM public.risk_rules AS r WHERE r.account_id = a.id)
            OR EXISTS (
                SELECT
                FROM public.strategy_accounts AS s
                INNER JOIN public.risk_rules AS r ON s.strategy_id = r.strategy_id
                WHERE s.account_id = a.id
            )
        );
    -- one evaluation of an account at a time, as the gateway's calls are
    PERFORM FROM public.mt5_accounts AS a
    WHERE a.id = ANY (v_accounts)
    ORDER BY a.id
    FOR NO KEY UPDATE;
    RETURN internal.judge_snapshots(v_accounts) + internal.judge_positions(v_accounts, now());
END
$$;
COMMENT ON FUNCTION public.evaluate_risk(bigint) IS
'Measures all snapshots that the rules have not seen, and what is open now, of one account or all
(NULL); answers how many warnings, breaches and targets are new. The gateway''s calls do so for
their account; this is for a client that writes snapshots itself. app.user_id, where set,
bounds it.';
REVOKE ALL ON FUNCTION public.evaluate_risk(bigint) FROM public;

-- risk_state is made later; pg_dump does the same.
SET check_function_bodies = off;

-- Runs as its caller, as may_trade does, which asks it too: claims ask once for the account, and
-- for each strategy what is left.
CREATE OR REPLACE FUNCTION public.list_strategy_reasons(p_strategy_id bigint)
RETURNS SETOF text
LANGUAGE sql
STABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'inactive_strategy'
    FROM public.trading_strategies AS s
    WHERE s.id = p_strategy_id AND NOT s.is_active
    UNION ALL
    -- one more position would be one too many
    SELECT 'max_positions of the strategy'
    FROM public.trading_strategies AS s
    WHERE s.id = p_strategy_id
        AND s.max_positions <= (
            SELECT count(*)
            FROM public.strategy_positions AS p
            WHERE p.strategy_id = p_strategy_id
        )
    UNION ALL
    SELECT r.reason
    FROM public.risk_state AS s
    CROSS JOIN LATERAL (
        VALUES (s.kind || ': ' || s.name), (CASE WHEN s.is_stale THEN 'stale_heartbeat' END)
    ) AS r (reason)
    WHERE s.strategy_id = p_strategy_id AND s.forbids_trading AND r.reason IS NOT NULL
$$;
COMMENT ON FUNCTION public.list_strategy_reasons(bigint) IS
'Reasons against another position of a strategy in whatever account, as may_trade has them.';
REVOKE ALL ON FUNCTION public.list_strategy_reasons(bigint) FROM public;

-- Runs as its caller: a tenant asks of its own accounts, and hears unknown_account of others.
CREATE OR REPLACE FUNCTION public.may_trade(
    p_account_id bigint,
    p_strategy_id bigint DEFAULT NULL,
    OUT allowed boolean,
    OUT reasons text[]
)
RETURNS record
LANGUAGE sql
STABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT
        count(*) = 0,
        coalesce(array_agg(DISTINCT w.reason ORDER BY w.reason), '{}')
    FROM (
        SELECT 'unknown_account' AS reason
        WHERE NOT EXISTS (SELECT FROM public.mt5_accounts AS a WHERE a.id = p_account_id)
        UNION ALL
        SELECT 'closed_account'
        FROM public.mt5_accounts AS a
        WHERE a.id = p_account_id AND a.closed_at IS NOT NULL
        UNION ALL
        SELECT 'trade_not_allowed'
        FROM public.mt5_account_states AS s
        WHERE s.account_id = p_account_id AND NOT s.trade_allowed
        UNION ALL
        SELECT 'unknown_strategy'
        WHERE p_strategy_id IS NOT NULL
            AND NOT EXISTS (
                SELECT
                FROM public.trading_strategies AS s
                INNER JOIN public.mt5_accounts AS a ON s.user_id = a.user_id
                WHERE s.id = p_strategy_id AND a.id = p_account_id
            )
        UNION ALL
        SELECT r.reason
        FROM public.list_strategy_reasons(p_strategy_id) AS r (reason)
        UNION ALL
        SELECT r.reason
        FROM public.risk_state AS s
        CROSS JOIN LATERAL (
            VALUES (s.kind || ': ' || s.name), (CASE WHEN s.is_stale THEN 'stale_heartbeat' END)
        ) AS r (reason)
        WHERE s.account_id = p_account_id AND s.forbids_trading AND r.reason IS NOT NULL
    ) AS w
$$;
COMMENT ON FUNCTION public.may_trade(bigint, bigint) IS
'Whether an account, and a strategy in it, may open another position, and all reasons against it:
unknown_account, closed_account, trade_not_allowed (by the broker), unknown_strategy (none of the
account''s user), inactive_strategy, max_positions of the strategy, stale_heartbeat (the account was
last heard of longer ago than a rule''s max_age, or in the future), or the kind and name of each
rule that is stale, broken or would be.';
REVOKE ALL ON FUNCTION public.may_trade(bigint, bigint) FROM public;
