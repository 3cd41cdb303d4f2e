-- 0330_trading_deals.sql: deals, where MT5's money comes from.

CALL deploy.become_owner();

-- Money history: deleting an account with deals is refused. Not a hypertable: the key is the ticket
-- within the account and holds no time, and trips read all deals of a position at once.
CREATE TABLE IF NOT EXISTS public.trading_deals (
    account_id bigint NOT NULL,
    ticket public.mt5_ticket NOT NULL,
    order_ticket public.mt5_number,
    time bigint NOT NULL,
    time_msc bigint NOT NULL,
    position_id public.mt5_number,
    magic bigint,
    executed_at public.event_time NOT NULL,
    stored_at public.event_time DEFAULT now() NOT NULL,
    gone_since public.event_time,
    type public.mt5_code NOT NULL,
    entry public.mt5_code,
    reason public.mt5_code,
    time_ambiguous boolean NOT NULL,
    volume public.deal_volume NOT NULL,
    price public.trading_price NOT NULL,
    commission public.mt5_amount NOT NULL,
    swap public.mt5_amount NOT NULL,
    profit public.mt5_amount NOT NULL,
    fee public.mt5_amount NOT NULL,
    symbol public.deal_symbol NOT NULL,
    comment public.short_text,
    external_id public.short_text,
    source text NOT NULL,
    raw public.json_document NOT NULL,
    CONSTRAINT trading_deals_pkey PRIMARY KEY (account_id, ticket),
    CONSTRAINT trading_deals_account_id_fkey FOREIGN KEY (account_id)
    REFERENCES public.mt5_accounts (id),
    CONSTRAINT trading_deals_source_known_check CHECK (source IN ('api', 'report'))
);

-- A new account is in no statistics of this column: the planner then takes its rows for one, and
-- any index that begins with the account for as good as the one that has the ticket, so that each
-- batch of a first load read all batches before it. Without statistics an account is half a percent
-- of the table.
ALTER TABLE public.trading_deals ALTER COLUMN account_id SET STATISTICS 0;

COMMENT ON TABLE public.trading_deals IS
'Deals of the accounts as MT5 gave them: fills of orders, and all other movements of money.';
COMMENT ON COLUMN public.trading_deals.account_id IS 'Trading account.';
COMMENT ON COLUMN public.trading_deals.ticket IS 'Deal ticket, unique within the account.';
COMMENT ON COLUMN public.trading_deals.order_ticket IS
'Order that made the deal (MT5''s field order); 0 for none.';
COMMENT ON COLUMN public.trading_deals.time IS 'Seconds since 1970 on the server''s clock.';
COMMENT ON COLUMN public.trading_deals.time_msc IS
'Milliseconds since 1970 on the server''s clock; from time where not given.';
COMMENT ON COLUMN public.trading_deals.position_id IS
'Position the deal belongs to; 0 for none, NULL when not given (reports).';
COMMENT ON COLUMN public.trading_deals.magic IS 'Number of the program that asked for it.';
COMMENT ON COLUMN public.trading_deals.executed_at IS
'time_msc in UTC by the rule of the server''s clock.';
COMMENT ON COLUMN public.trading_deals.stored_at IS 'Time when the row was first stored, UTC.';
COMMENT ON COLUMN public.trading_deals.gone_since IS
'First reading of the history that lacked it, UTC: brokers archive what is old. NULL while the
terminal returns it.';
COMMENT ON COLUMN public.trading_deals.type IS 'Code, see mt5_deal_types.';
COMMENT ON COLUMN public.trading_deals.entry IS 'Code, kind deal_entry of mt5_codes.';
COMMENT ON COLUMN public.trading_deals.reason IS 'Code, kind deal_reason of mt5_codes.';
COMMENT ON COLUMN public.trading_deals.time_ambiguous IS
'TRUE when the server''s clock shows this time twice: executed_at may be an hour late.';
COMMENT ON COLUMN public.trading_deals.volume IS 'Volume in lots; 0 for movements of money.';
COMMENT ON COLUMN public.trading_deals.price IS 'Price, quote currency; may be negative.';
COMMENT ON COLUMN public.trading_deals.commission IS
'Commission, account currency; a charge is negative.';
COMMENT ON COLUMN public.trading_deals.swap IS 'Swap, account currency; a charge is negative.';
COMMENT ON COLUMN public.trading_deals.profit IS
'Result or amount moved, account currency; a loss or withdrawal is negative.';
COMMENT ON COLUMN public.trading_deals.fee IS 'Fee, account currency; a charge is negative.';
COMMENT ON COLUMN public.trading_deals.symbol IS
'Symbol as the broker spells it; empty for movements of money.';
COMMENT ON COLUMN public.trading_deals.comment IS 'Comment; brokers overwrite it.';
COMMENT ON COLUMN public.trading_deals.external_id IS 'Number at the exchange.';
COMMENT ON COLUMN public.trading_deals.source IS
'api: from the terminal''s programming interface. report: from a trade history report.';
COMMENT ON COLUMN public.trading_deals.raw IS 'The element as it was given.';
