-- 6520_risk_rules.sql: who may do what with rules and breaches.

CALL deploy.become_owner();

-- A rule is made and ended, never changed: what was measured under it stays what it was.
REVOKE UPDATE, DELETE ON public.risk_rules FROM rubi_app;
GRANT SELECT, INSERT ON public.risk_rules TO rubi_app;
-- the tenant first: REVOKE takes the API's columns too, and each run has to end in one order
GRANT UPDATE (name, warning_share, max_age, valid_to) ON public.risk_rules TO rubi_tenant;
GRANT UPDATE (name, warning_share, max_age, valid_to) ON public.risk_rules TO rubi_app;
GRANT SELECT ON public.risk_rules TO rubi_tenant, rubi_readonly, rubi_backup;
GRANT INSERT (
    user_id, account_id, strategy_id, name, kind, amount, unit, basis, initial_capital, lock_level,
    least_day_profit, clock, touching_breaks, is_final, warning_share, max_age, valid_from,
    valid_to
) ON public.risk_rules TO rubi_tenant;
GRANT USAGE, SELECT ON SEQUENCE
public.risk_breaches_id_seq, public.risk_rules_id_seq
TO rubi_app;
GRANT SELECT ON SEQUENCE
public.risk_breaches_id_seq, public.risk_rules_id_seq
TO rubi_backup;
CALL deploy.set_tenant_policies('public.risk_rules', 'user_id');

REVOKE INSERT, UPDATE, DELETE ON
public.risk_breaches, public.risk_states, public.risk_templates
FROM rubi_app;
GRANT SELECT ON
public.risk_breaches, public.risk_states, public.risk_templates
TO rubi_app, rubi_tenant, rubi_readonly, rubi_backup;
CALL deploy.set_tenant_policies('public.risk_breaches', 'user_id');
CALL deploy.set_tenant_policies('public.risk_states', 'user_id');

REVOKE INSERT, UPDATE, DELETE ON
public.risk_days, public.risk_of_stops, public.risk_positions, public.risk_state,
public.strategy_accounts, public.strategy_positions
FROM rubi_app;
GRANT SELECT ON
public.risk_days, public.risk_of_stops, public.risk_positions, public.risk_state,
public.strategy_accounts, public.strategy_positions
TO rubi_app, rubi_tenant, rubi_readonly, rubi_backup;
GRANT EXECUTE ON FUNCTION
public.find_risk_basis(public.risk_rules, numeric, numeric),
public.find_risk_level(public.risk_rules, numeric, numeric),
public.find_risk_limit(public.risk_rules, numeric),
public.is_risk_weekend(public.risk_rules, timestamptz),
public.list_strategy_reasons(bigint),
public.may_trade(bigint, bigint)
TO rubi_app, rubi_tenant, rubi_readonly, rubi_backup;
GRANT EXECUTE ON FUNCTION
public.apply_risk_template(bigint, text, numeric, timestamptz)
TO rubi_app, rubi_tenant;
GRANT EXECUTE ON FUNCTION public.evaluate_risk(bigint) TO rubi_app, rubi_ingest;
