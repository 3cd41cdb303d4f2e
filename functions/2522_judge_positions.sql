-- 2522_judge_positions.sql: measures what is open by the rules on lots, positions and weekends.

CALL deploy.become_owner();

CREATE OR REPLACE FUNCTION public.is_risk_weekend(p_rule public.risk_rules, p_at timestamptz)
RETURNS boolean
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    -- a week begins on Monday: its Saturday is five days later
    SELECT t.clock_time >= date_trunc('week', t.clock_time)
        + interval '5 days' - make_interval(secs => 3600 * p_rule.amount::double precision)
    FROM (SELECT public.utc_to_clock(p_at, p_rule.clock) AS clock_time) AS t
$$;
COMMENT ON FUNCTION public.is_risk_weekend(public.risk_rules, timestamptz) IS
'Whether a moment lies between the amount of hours before Saturday and Monday, by the rule''s
clock.';
REVOKE ALL ON FUNCTION public.is_risk_weekend(public.risk_rules, timestamptz) FROM public;

-- A strategy's rule counts its positions in all accounts of the user.
CREATE OR REPLACE FUNCTION internal.measure_positions(p_account_ids bigint[], p_at timestamptz)
RETURNS TABLE (it public.risk_rules, account_id bigint, value numeric, evidence jsonb)
LANGUAGE plpgsql
STABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c_tickets CONSTANT integer := 50; -- evidence, not a list of the whole account
BEGIN
    RETURN QUERY
    SELECT
        r,
        min(p.account_id),
        CASE r.kind WHEN 'maximum_lots' THEN sum(p.volume) ELSE count(*) END::numeric,
        jsonb_build_object('tickets', (array_agg(p.ticket ORDER BY p.ticket))[1:c_tickets])
    FROM public.risk_rules AS r
    INNER JOIN public.risk_positions AS p ON r.id = p.rule_id
    WHERE r.id IN (
        SELECT a.id FROM public.risk_rules AS a WHERE a.account_id = ANY (p_account_ids)
        UNION ALL
        SELECT s.id
        FROM public.mt5_magic_strategies AS m
        INNER JOIN public.risk_rules AS s ON m.strategy_id = s.strategy_id
        WHERE m.account_id = ANY (p_account_ids)
    )
        AND p_at >= r.valid_from
        AND p_at < r.valid_to
    GROUP BY r.id;
END
$$;
COMMENT ON FUNCTION internal.measure_positions(bigint[], timestamptz) IS
'Rules on positions that bind some accounts or strategies in them, with what is open under each:
lots or positions, and their tickets. Rules under which nothing is open are left out.';
REVOKE ALL ON FUNCTION internal.measure_positions(bigint[], timestamptz) FROM public;

-- Positions are judged as they are now: pictures in between leave no trace to be measured.
CREATE OR REPLACE FUNCTION internal.judge_positions(p_account_ids bigint[], p_at timestamptz)
RETURNS bigint
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_told bigint;
BEGIN
    IF NOT EXISTS (
        SELECT FROM public.risk_rules AS r WHERE r.account_id = ANY (p_account_ids)
        UNION ALL
        SELECT
        FROM public.mt5_magic_strategies AS m
        INNER JOIN public.risk_rules AS r ON m.strategy_id = r.strategy_id
        WHERE m.account_id = ANY (p_account_ids)
    ) THEN
        RETURN 0;
    END IF;
    -- Two accounts of a strategy that come together would each count their own positions only: the
    -- second waits until the first has committed, and the statement below sees both. By id after
    -- the account, which each caller has locked; other accounts and strategies do not wait.
    PERFORM
    FROM public.risk_rules AS r
    WHERE r.kind IN ('maximum_lots', 'maximum_positions')
        AND p_at >= r.valid_from
        AND p_at < r.valid_to
        AND r.strategy_id IN (
            SELECT m.strategy_id
            FROM public.mt5_magic_strategies AS m
            WHERE m.account_id = ANY (p_account_ids)
        )
    ORDER BY r.id
    FOR NO KEY UPDATE;
    WITH judged AS (
        SELECT
            m.*,
            CASE (m.it).kind WHEN 'no_weekend' THEN 0 ELSE (m.it).amount END AS level,
            CASE
                WHEN (m.it).kind = 'no_weekend'
                    THEN CASE WHEN public.is_risk_weekend(m.it, p_at) THEN 'breach' END
                WHEN m.value > (m.it).amount THEN 'breach'
                WHEN m.value >= (m.it).amount * (m.it).warning_share THEN 'warning'
            END AS event
        FROM internal.measure_positions(p_account_ids, p_at) AS m
    ),
    told AS (
        INSERT INTO public.risk_breaches AS b (
            rule_id, user_id, account_id, day, event, level, first_at, first_value,
            first_evidence, worst_at, worst_value, worst_evidence
        )
        SELECT
            (j.it).id, (j.it).user_id, j.account_id,
            public.utc_to_clock(p_at, (j.it).clock)::date, j.event, j.level, p_at, j.value,
            j.evidence, p_at, j.value, j.evidence
        FROM judged AS j
        WHERE j.event IS NOT NULL
        -- two accounts of one strategy write the same rows in one order: no deadlock
        ORDER BY (j.it).id
        ON CONFLICT ON CONSTRAINT risk_breaches_rule_id_event_day_key DO UPDATE
        SET (worst_at, worst_value, worst_evidence) = (
            excluded.worst_at, excluded.worst_value, excluded.worst_evidence
        )
        WHERE excluded.worst_value > b.worst_value
        RETURNING b.xmax = 0 AS is_new
    )
    SELECT count(*) FILTER (WHERE t.is_new) INTO v_told FROM told AS t;
    RETURN v_told;
END
$$;
COMMENT ON FUNCTION internal.judge_positions(bigint[], timestamptz) IS
'Measures the open positions of some accounts by the rules on lots, positions and weekends; answers
how many warnings and breaches are new.';
REVOKE ALL ON FUNCTION internal.judge_positions(bigint[], timestamptz) FROM public;
