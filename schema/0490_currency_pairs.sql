-- 0490_currency_pairs.sql: series of bars that are exchange rates.

CALL deploy.become_owner();

-- A symbol's name does not prove the meaning of its price: `EURUSD.m` and `BTCUSD` are rates only
-- by a row of this table. A broker's own word (mt5_symbols) does not count: one terminal could then
-- change all users' sums.
CREATE TABLE IF NOT EXISTS public.currency_pairs (
    symbol public.symbol_name NOT NULL,
    base_currency public.currency_code NOT NULL,
    quote_currency public.currency_code NOT NULL,
    CONSTRAINT currency_pairs_pkey PRIMARY KEY (symbol),
    CONSTRAINT currency_pairs_two_currencies_check CHECK (base_currency <> quote_currency)
);
COMMENT ON TABLE public.currency_pairs IS
'Series of market_data whose prices are exchange rates; money is converted by these alone.';
COMMENT ON COLUMN public.currency_pairs.symbol IS 'Symbol, as in market_data.';
COMMENT ON COLUMN public.currency_pairs.base_currency IS 'Currency of which one unit is priced.';
COMMENT ON COLUMN public.currency_pairs.quote_currency IS 'Currency of the price.';
