-- 3610_tenant_hypertables.sql: a tenant's views of the hypertables.

CALL deploy.become_owner();

-- Not security_invoker: row security does not reach the chunks of a hypertable, but grants do, so a
-- tenant gets no right on a hypertable. These views run as their owner and filter; the
-- barrier keeps functions of a query from seeing rows before the filter, the check option keeps
-- rows of other users from being written.
CREATE OR REPLACE VIEW public.my_account_snapshots
WITH (security_barrier = TRUE) AS
SELECT
    s.session_id,
    s.balance,
    s.equity,
    s.margin,
    s.margin_free,
    s.margin_level,
    s.profit,
    s.timestamp
FROM public.account_snapshots AS s
WHERE
    s.session_id IN (
        SELECT m.session_id
        FROM public.mt5_sessions AS m
        WHERE m.user_id = (SELECT public.app_user_id())
    )
WITH CASCADED CHECK OPTION;

COMMENT ON VIEW public.my_account_snapshots IS
'account_snapshots of the user named by app.user_id, for reading and writing.';
COMMENT ON COLUMN public.my_account_snapshots.session_id IS 'Session that reported the state.';
COMMENT ON COLUMN public.my_account_snapshots.balance IS 'Balance, account currency.';
COMMENT ON COLUMN public.my_account_snapshots.equity IS
'Balance plus floating result, account currency.';
COMMENT ON COLUMN public.my_account_snapshots.margin IS 'Margin in use, account currency.';
COMMENT ON COLUMN public.my_account_snapshots.margin_free IS
'Equity less margin, account currency.';
COMMENT ON COLUMN public.my_account_snapshots.margin_level IS 'Equity over margin in percent.';
COMMENT ON COLUMN public.my_account_snapshots.profit IS
'Floating result of the open positions, account currency.';
COMMENT ON COLUMN public.my_account_snapshots.timestamp IS 'Time of the state, UTC.';

-- Not security_invoker: bars belong to no user, but tenants get no right on a hypertable.
CREATE OR REPLACE VIEW public.market_bars
WITH (security_barrier = TRUE) AS
SELECT
    m.symbol,
    m.timeframe,
    m.timestamp,
    m.open,
    m.high,
    m.low,
    m.close,
    m.volume,
    m.real_volume,
    m.spread
FROM public.market_data AS m;

COMMENT ON VIEW public.market_bars IS 'market_data for tenants, read only.';
COMMENT ON COLUMN public.market_bars.symbol IS 'Symbol of the series.';
COMMENT ON COLUMN public.market_bars.timeframe IS 'MT5 timeframe: M1 to MN1.';
COMMENT ON COLUMN public.market_bars.timestamp IS 'Opening of the bar, UTC.';
COMMENT ON COLUMN public.market_bars.open IS 'First price of the bar, quote currency.';
COMMENT ON COLUMN public.market_bars.high IS 'Highest price of the bar, quote currency.';
COMMENT ON COLUMN public.market_bars.low IS 'Lowest price of the bar, quote currency.';
COMMENT ON COLUMN public.market_bars.close IS 'Last price of the bar, quote currency.';
COMMENT ON COLUMN public.market_bars.volume IS 'Tick volume: number of price changes.';
COMMENT ON COLUMN public.market_bars.real_volume IS 'Volume traded at the exchange, or NULL.';
COMMENT ON COLUMN public.market_bars.spread IS 'Spread in points, or NULL.';
