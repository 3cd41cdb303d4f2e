-- 0360_mt5_reports.sql: trade history reports that were loaded, with the terminal's own results.

CALL deploy.become_owner();

-- The rows of a report are in trading_deals and mt5_orders; this table has the rest. The figures
-- stay as they are printed, so that the digits define equality. The name of the file is not kept:
-- this name has the account's number, which closing a user takes away.
CREATE TABLE IF NOT EXISTS public.mt5_reports (
    id bigint GENERATED ALWAYS AS IDENTITY,
    account_id bigint NOT NULL,
    first_msc bigint NOT NULL,
    last_msc bigint NOT NULL,
    made_msc bigint,
    loaded_at public.event_time DEFAULT now() NOT NULL,
    deals integer NOT NULL,
    opening_balance public.trading_amount,
    closing_balance public.trading_amount,
    figures public.json_document NOT NULL,
    CONSTRAINT mt5_reports_pkey PRIMARY KEY (id),
    CONSTRAINT mt5_reports_report_key
    UNIQUE NULLS NOT DISTINCT (account_id, first_msc, last_msc, deals, made_msc),
    CONSTRAINT mt5_reports_account_id_fkey FOREIGN KEY (account_id)
    REFERENCES public.mt5_accounts (id) ON DELETE CASCADE,
    CONSTRAINT mt5_reports_period_ordered_check CHECK (last_msc >= first_msc),
    CONSTRAINT mt5_reports_deals_positive_check CHECK (deals > 0),
    CONSTRAINT mt5_reports_figures_object_check CHECK (jsonb_typeof(figures) = 'object')
);
COMMENT ON TABLE public.mt5_reports IS
'Trade history reports of the terminal that were loaded: period, balances, and its own results.';
COMMENT ON COLUMN public.mt5_reports.id IS 'Surrogate key.';
COMMENT ON COLUMN public.mt5_reports.account_id IS 'Trading account.';
COMMENT ON COLUMN public.mt5_reports.first_msc IS
'First deal, milliseconds since 1970 on the server''s clock.';
COMMENT ON COLUMN public.mt5_reports.last_msc IS
'Last millisecond of the last deal''s second, since 1970 on the server''s clock.';
COMMENT ON COLUMN public.mt5_reports.made_msc IS
'Time of making, milliseconds since 1970 on the clock of the terminal''s computer, whose zone is not
known; NULL when the report has none.';
COMMENT ON COLUMN public.mt5_reports.loaded_at IS 'Time of loading, UTC.';
COMMENT ON COLUMN public.mt5_reports.deals IS 'Number of deals in the report.';
COMMENT ON COLUMN public.mt5_reports.opening_balance IS
'Balance before the first deal, account currency; NULL in a report without balances.';
COMMENT ON COLUMN public.mt5_reports.closing_balance IS
'Balance after the last deal, account currency; NULL in a report without balances.';
COMMENT ON COLUMN public.mt5_reports.figures IS
'The figures below the report''s lists as printed, by name: balance, net_profit and so on.';
