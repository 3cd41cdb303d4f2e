-- 0320_mt5_account_states.sql: latest state of each trading account, with all fields of MT5.

CALL deploy.become_owner();

-- One row an account, replaced with each call; the history is in account_snapshots. Only the key is
-- indexed, so that a refresh is HOT.
CREATE TABLE IF NOT EXISTS public.mt5_account_states (
    account_id bigint NOT NULL,
    login public.mt5_ticket,
    trade_mode public.mt5_code,
    leverage bigint,
    limit_orders bigint,
    margin_so_mode public.mt5_code,
    trade_allowed boolean,
    trade_expert boolean,
    margin_mode public.mt5_code,
    currency_digits integer DEFAULT 2 NOT NULL,
    fifo_close boolean,
    balance public.mt5_amount,
    credit public.mt5_amount,
    profit public.mt5_amount,
    equity public.mt5_amount,
    margin public.mt5_amount,
    margin_free public.mt5_amount,
    margin_level public.margin_level,
    margin_so_call public.margin_level,
    margin_so_so public.margin_level,
    margin_initial public.mt5_amount,
    margin_maintenance public.mt5_amount,
    assets public.mt5_amount,
    liabilities public.mt5_amount,
    commission_blocked public.mt5_amount,
    name public.short_text,
    server public.short_text,
    currency public.short_text,
    company public.short_text,
    raw public.json_document,
    taken_at public.event_time,
    positions_taken_at public.event_time,
    opening_balance public.trading_amount DEFAULT 0 NOT NULL,
    history_from public.finite_time,
    CONSTRAINT mt5_account_states_pkey PRIMARY KEY (account_id),
    CONSTRAINT mt5_account_states_account_id_fkey FOREIGN KEY (account_id)
    REFERENCES public.mt5_accounts (id) ON DELETE CASCADE,
    CONSTRAINT mt5_account_states_currency_digits_range_check CHECK (
        currency_digits BETWEEN 0 AND 8
    )
) WITH (fillfactor = 50);
COMMENT ON TABLE public.mt5_account_states IS
'Latest state of each trading account: the 28 fields of account_info, and the starting values of
proofs.';
COMMENT ON COLUMN public.mt5_account_states.account_id IS 'Trading account.';
COMMENT ON COLUMN public.mt5_account_states.login IS 'Account number.';
COMMENT ON COLUMN public.mt5_account_states.trade_mode IS '0 demo, 1 contest, 2 real.';
COMMENT ON COLUMN public.mt5_account_states.leverage IS 'Leverage, 100 for 1:100.';
COMMENT ON COLUMN public.mt5_account_states.limit_orders IS 'Most pending orders; 0 for no limit.';
COMMENT ON COLUMN public.mt5_account_states.margin_so_mode IS
'Unit of the stop out levels: 0 percent, 1 money.';
COMMENT ON COLUMN public.mt5_account_states.trade_allowed IS 'Whether the account may trade.';
COMMENT ON COLUMN public.mt5_account_states.trade_expert IS 'Whether programs may trade.';
COMMENT ON COLUMN public.mt5_account_states.margin_mode IS '0 netting, 1 exchange, 2 hedging.';
COMMENT ON COLUMN public.mt5_account_states.currency_digits IS
'Decimals of the account currency, 2 for most, up to 8.';
COMMENT ON COLUMN public.mt5_account_states.fifo_close IS
'Whether positions close in the order of opening only.';
COMMENT ON COLUMN public.mt5_account_states.balance IS 'Balance, account currency.';
COMMENT ON COLUMN public.mt5_account_states.credit IS 'Credit, account currency.';
COMMENT ON COLUMN public.mt5_account_states.profit IS 'Floating result, account currency.';
COMMENT ON COLUMN public.mt5_account_states.equity IS 'Equity, account currency.';
COMMENT ON COLUMN public.mt5_account_states.margin IS 'Margin in use, account currency.';
COMMENT ON COLUMN public.mt5_account_states.margin_free IS 'Free margin, account currency.';
COMMENT ON COLUMN public.mt5_account_states.margin_level IS 'Equity over margin, percent.';
COMMENT ON COLUMN public.mt5_account_states.margin_so_call IS 'Level of the margin call.';
COMMENT ON COLUMN public.mt5_account_states.margin_so_so IS 'Level of the stop out.';
COMMENT ON COLUMN public.mt5_account_states.margin_initial IS
'Margin reserved for pending orders, account currency.';
COMMENT ON COLUMN public.mt5_account_states.margin_maintenance IS
'Margin to keep positions, account currency.';
COMMENT ON COLUMN public.mt5_account_states.assets IS 'Assets, account currency.';
COMMENT ON COLUMN public.mt5_account_states.liabilities IS 'Liabilities, account currency.';
COMMENT ON COLUMN public.mt5_account_states.commission_blocked IS
'Commission held back, account currency.';
COMMENT ON COLUMN public.mt5_account_states.name IS 'Name of the client, personal data.';
COMMENT ON COLUMN public.mt5_account_states.server IS 'Trade server.';
COMMENT ON COLUMN public.mt5_account_states.currency IS 'Deposit currency.';
COMMENT ON COLUMN public.mt5_account_states.company IS 'Broker.';
COMMENT ON COLUMN public.mt5_account_states.raw IS 'The object as MT5 gave it.';
COMMENT ON COLUMN public.mt5_account_states.taken_at IS 'Time of this state, UTC.';
COMMENT ON COLUMN public.mt5_account_states.positions_taken_at IS
'Time of the latest picture of the open positions, UTC.';
COMMENT ON COLUMN public.mt5_account_states.opening_balance IS
'Balance before the first deal stored, account currency; for accounts whose history is cut.';
COMMENT ON COLUMN public.mt5_account_states.history_from IS
'Time where the history was cut, UTC: positions opened before can''t be proved. NULL for a whole
history.';
