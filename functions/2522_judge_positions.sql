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

-- Of a day's breach or warning the worst moment is moved on; a picture that is no worse writes
-- nothing.
CREATE OR REPLACE FUNCTION internal.tell_positions(
    p_rule public.risk_rules,
    p_account_id bigint,
    p_at timestamptz,
    p_event text,
    p_value numeric
)
RETURNS bigint
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c_tickets CONSTANT integer := 50; -- evidence, not a list of the whole account
    v_day date := public.utc_to_clock(p_at, p_rule.clock)::date;
    v_evidence jsonb;
    v_is_new boolean;
BEGIN
    IF EXISTS (
        SELECT FROM public.risk_breaches AS b
        WHERE b.rule_id = p_rule.id
            AND b.event = p_event
            AND b.day = v_day
            AND b.worst_value >= p_value
    ) THEN
        RETURN 0;
    END IF;
    SELECT jsonb_build_object('tickets', (array_agg(p.ticket ORDER BY p.ticket))[1:c_tickets])
    INTO v_evidence
    FROM public.risk_positions AS p
    WHERE p.rule_id = p_rule.id;
    INSERT INTO public.risk_breaches AS b (
        rule_id, user_id, account_id, day, event, level, first_at, first_value, first_evidence,
        worst_at, worst_value, worst_evidence
    )
    VALUES (
        p_rule.id, p_rule.user_id, p_account_id, v_day, p_event,
        CASE p_rule.kind WHEN 'no_weekend' THEN 0 ELSE p_rule.amount END,
        p_at, p_value, v_evidence, p_at, p_value, v_evidence
    )
    ON CONFLICT ON CONSTRAINT risk_breaches_rule_id_event_day_key DO UPDATE
    SET (worst_at, worst_value, worst_evidence) = (
        excluded.worst_at, excluded.worst_value, excluded.worst_evidence
    )
    WHERE excluded.worst_value > b.worst_value
    RETURNING b.xmax = 0 INTO v_is_new;
    RETURN coalesce(v_is_new, FALSE)::integer;
END
$$;
COMMENT ON FUNCTION
internal.tell_positions(public.risk_rules, bigint, timestamptz, text, numeric) IS
'Writes a warning or breach of a rule on positions with the tickets that show it; 1 when it is the
first of its day.';
REVOKE ALL ON FUNCTION
internal.tell_positions(public.risk_rules, bigint, timestamptz, text, numeric) FROM public;

-- Positions are judged as they are now: pictures in between leave no trace to be measured. A loop
-- of small statements, because each picture of each account comes here: one statement over all
-- rules took three times as long (benchmarks/risk.py).
CREATE OR REPLACE FUNCTION internal.judge_positions(p_account_ids bigint[], p_at timestamptz)
RETURNS bigint
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_rule public.risk_rules;
    v_counted bigint;
    v_locked bigint;
    v_account_id bigint;
    v_positions bigint;
    v_lots numeric;
    v_value numeric;
    v_event text;
    v_told bigint := 0;
BEGIN
    FOR v_rule IN
        SELECT r.*
        FROM (
            SELECT a.* FROM public.risk_rules AS a WHERE a.account_id = ANY (p_account_ids)
            UNION ALL
            SELECT s.*
            FROM public.risk_rules AS s
            WHERE s.id IN (
                SELECT x.id
                FROM public.mt5_accounts AS a
                INNER JOIN public.risk_rules AS x ON a.user_id = x.user_id
                WHERE a.id = ANY (p_account_ids)
                    AND (
                        EXISTS (
                            SELECT FROM public.mt5_magic_strategies AS m
                            WHERE m.account_id = a.id AND m.strategy_id = x.strategy_id
                        )
                        OR EXISTS (
                            SELECT FROM public.trading_orders AS o
                            WHERE o.strategy_id = x.strategy_id
                                AND o.closed_at IS NULL
                                AND o.account_id = a.id
                        )
                    )
            )
        ) AS r
        WHERE r.kind IN ('maximum_lots', 'maximum_positions', 'no_weekend')
            AND p_at >= r.valid_from
            AND p_at < r.valid_to
        ORDER BY r.strategy_id ASC NULLS FIRST, r.id ASC
    LOOP
        IF v_rule.strategy_id IS NOT NULL THEN
            -- Two accounts of a strategy that come together would each count their own positions
            -- only: the second waits until the first has committed, and the statement below sees
            -- both. By strategy, after the account, which each caller has locked: no deadlock, and
            -- other accounts and strategies do not wait. An advisory lock, because a row is locked
            -- by who changes it too: an open transaction of a user would hold up the accounts.
            IF v_rule.kind <> 'no_weekend' AND v_rule.strategy_id IS DISTINCT FROM v_locked THEN
                PERFORM pg_advisory_xact_lock(
                    hashtextextended('judge_positions ' || v_rule.strategy_id, 0)
                );
                v_locked := v_rule.strategy_id;
            END IF;
            SELECT min(p.account_id), count(*), sum(p.volume)
            INTO v_account_id, v_positions, v_lots
            FROM public.strategy_positions AS p
            WHERE p.strategy_id = v_rule.strategy_id;
            v_counted := NULL;
        ELSIF v_counted IS DISTINCT FROM v_rule.account_id THEN
            SELECT v_rule.account_id, count(*), sum(p.volume)
            INTO v_account_id, v_positions, v_lots
            FROM public.trading_positions AS p
            WHERE p.account_id = v_rule.account_id;
            v_counted := v_rule.account_id;
        END IF;
        CONTINUE WHEN v_positions = 0;
        v_value := CASE v_rule.kind WHEN 'maximum_lots' THEN v_lots ELSE v_positions END;
        v_event := CASE
            WHEN v_rule.kind = 'no_weekend'
                THEN CASE WHEN public.is_risk_weekend(v_rule, p_at) THEN 'breach' END
            WHEN v_value > v_rule.amount THEN 'breach'
            WHEN v_value >= v_rule.amount * v_rule.warning_share THEN 'warning'
        END;
        IF v_event IS NOT NULL THEN
            v_told := v_told + internal.tell_positions(
                v_rule, v_account_id, p_at, v_event, v_value
            );
        END IF;
    END LOOP;
    RETURN v_told;
END
$$;
COMMENT ON FUNCTION internal.judge_positions(bigint[], timestamptz) IS
'Measures the open positions of some accounts by the rules on lots, positions and weekends; answers
how many warnings and breaches are new.';
REVOKE ALL ON FUNCTION internal.judge_positions(bigint[], timestamptz) FROM public;
