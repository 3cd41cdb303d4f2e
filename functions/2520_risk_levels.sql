-- 2520_risk_levels.sql: where the limit of a rule lies, and what being beyond it is called.

CALL deploy.become_owner();

-- Bodies bound at creation in place of a search_path: the planner takes them into the query.
CREATE OR REPLACE FUNCTION public.find_risk_limit(p_rule public.risk_rules, p_opening numeric)
RETURNS numeric
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE (p_rule).unit
        WHEN 'percent_of_initial' THEN (p_rule).initial_capital * (p_rule).amount / 100
        WHEN 'percent_of_basis' THEN p_opening * (p_rule).amount / 100
        ELSE (p_rule).amount
    END;
END;
COMMENT ON FUNCTION public.find_risk_limit(public.risk_rules, numeric) IS
'The amount of a rule in account currency, lots or positions; p_opening is what its day opened
with.';
REVOKE ALL ON FUNCTION public.find_risk_limit(public.risk_rules, numeric) FROM public;

CREATE OR REPLACE FUNCTION public.find_risk_level(
    p_rule public.risk_rules,
    p_opening numeric,
    p_highest numeric
)
RETURNS numeric
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE (p_rule).kind
        WHEN 'daily_loss' THEN p_opening - public.find_risk_limit(p_rule, p_opening)
        WHEN 'maximum_loss'
            THEN (p_rule).initial_capital - public.find_risk_limit(p_rule, p_opening)
        WHEN 'profit_target'
            THEN (p_rule).initial_capital + public.find_risk_limit(p_rule, p_opening)
        WHEN 'trailing_day'
            THEN least(p_highest - public.find_risk_limit(p_rule, p_opening), (p_rule).lock_level)
        WHEN 'trailing'
            THEN least(p_highest - public.find_risk_limit(p_rule, p_opening), (p_rule).lock_level)
    END;
END;
COMMENT ON FUNCTION public.find_risk_level(public.risk_rules, numeric, numeric) IS
'Equity below which a rule is broken, or balance at which a target is reached, account currency.
p_opening is what its day opened with, p_highest the highest value that counts.';
REVOKE ALL ON FUNCTION public.find_risk_level(public.risk_rules, numeric, numeric) FROM public;

CREATE OR REPLACE FUNCTION public.find_risk_basis(
    p_rule public.risk_rules,
    p_balance numeric,
    p_equity numeric
)
RETURNS numeric
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE (p_rule).basis
        WHEN 'balance' THEN p_balance
        WHEN 'equity' THEN p_equity
        ELSE greatest(p_balance, p_equity)
    END;
END;
COMMENT ON FUNCTION public.find_risk_basis(public.risk_rules, numeric, numeric) IS
'Of balance and equity what the rule counts from.';
REVOKE ALL ON FUNCTION public.find_risk_basis(public.risk_rules, numeric, numeric) FROM public;

CREATE OR REPLACE FUNCTION internal.name_risk_event(
    p_rule public.risk_rules,
    p_at timestamptz,
    p_opening numeric,
    p_room numeric
)
RETURNS text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE
        WHEN p_at >= (p_rule).valid_to THEN NULL
        WHEN (p_rule).kind = 'profit_target' THEN CASE WHEN p_room <= 0 THEN 'reached' END
        WHEN p_room < 0 OR ((p_rule).touching_breaks AND p_room = 0) THEN 'breach'
        WHEN p_room <= (1 - (p_rule).warning_share) * public.find_risk_limit(p_rule, p_opening)
            THEN 'warning'
    END;
END;
COMMENT ON FUNCTION
internal.name_risk_event(public.risk_rules, timestamptz, numeric, numeric) IS
'warning, breach or reached by the room that is left; NULL for none, or when the rule has ended.';
REVOKE ALL ON FUNCTION
internal.name_risk_event(public.risk_rules, timestamptz, numeric, numeric) FROM public;
