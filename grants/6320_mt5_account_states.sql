-- 6320_mt5_account_states.sql: rights on MT5 account states.

CALL deploy.become_owner();

GRANT SELECT, INSERT, UPDATE, DELETE ON public.mt5_account_states TO rubi_app;
GRANT SELECT ON public.mt5_account_states TO rubi_backup;

-- Only the API reads the account holder's name and the raw object that repeats it.
GRANT SELECT (
    account_id, login, trade_mode, leverage, limit_orders, margin_so_mode, trade_allowed,
    trade_expert, margin_mode, currency_digits, fifo_close, balance, credit, profit, equity, margin,
    margin_free, margin_level, margin_so_call, margin_so_so, margin_initial, margin_maintenance,
    assets, liabilities, commission_blocked, server, currency, company, taken_at,
    positions_taken_at, opening_balance, history_from
) ON public.mt5_account_states TO rubi_readonly;
-- may_trade() asks as its caller
GRANT SELECT (account_id, trade_allowed) ON public.mt5_account_states TO rubi_tenant;

CALL deploy.set_tenant_policies(
    'public.mt5_account_states', 'account_id', 'public.check_account_is_open(account_id)'
);

GRANT EXECUTE ON FUNCTION
public.ingest_mt5_account(bigint, jsonb, timestamptz),
public.ingest_mt5_accounts(bigint[], jsonb[], timestamptz[]),
public.ingest_mt5_positions(bigint, jsonb, timestamptz)
TO rubi_app, rubi_ingest;
