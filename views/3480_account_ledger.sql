-- 3480_account_ledger.sql: the balance after each deal, and what the broker no longer shows.

CALL deploy.become_owner();

-- The order is MT5's own, which its report shows, too. A deal that stands for archived ones moves
-- nothing: the sum has those. An amount that is explained counts from its moment on.
CREATE OR REPLACE VIEW public.account_ledger
WITH (security_invoker = TRUE) AS
SELECT
    m.account_id,
    m.ticket,
    m.time_msc,
    m.executed_at,
    m.type,
    m.entry,
    m.order_ticket,
    m.position_id,
    m.symbol,
    m.volume,
    m.price,
    m.amount,
    m.credit_amount,
    coalesce(s.opening_balance, 0)
    + sum(m.amount) OVER walk
    + coalesce(
        (
            SELECT sum(e.amount)
            FROM public.mt5_explanations AS e
            WHERE
                e.account_id = m.account_id
                AND e.is_explained
                AND coalesce(e.period_end <= m.executed_at, TRUE)
        ), 0
    ) AS balance,
    sum(m.credit_amount) OVER walk AS credit,
    m.gone_since
FROM (
    SELECT
        d.account_id,
        d.ticket,
        d.time_msc,
        d.executed_at,
        d.type,
        d.entry,
        d.order_ticket,
        d.position_id,
        d.symbol,
        d.volume,
        d.price,
        d.gone_since,
        CASE
            WHEN t.effect = 'credit' OR e.id IS NOT NULL THEN 0
            ELSE d.profit + d.commission + d.swap + d.fee
        END AS amount,
        CASE
            WHEN t.effect = 'credit' THEN d.profit + d.commission + d.swap + d.fee
            ELSE 0
        END AS credit_amount
    FROM public.trading_deals AS d
    LEFT JOIN public.mt5_deal_types AS t ON d.type = t.code
    LEFT JOIN public.mt5_explanations AS e
        ON d.account_id = e.account_id AND d.ticket = e.deal_ticket AND e.is_explained
) AS m
LEFT JOIN public.mt5_account_states AS s ON m.account_id = s.account_id
WINDOW walk AS (PARTITION BY m.account_id ORDER BY m.time_msc, m.ticket ROWS UNBOUNDED PRECEDING);

COMMENT ON VIEW public.account_ledger IS
'Each deal with the balance after it, as the terminal''s report has it; ask for one account, in the
order of time_msc and ticket.';
COMMENT ON COLUMN public.account_ledger.account_id IS 'Trading account.';
COMMENT ON COLUMN public.account_ledger.ticket IS 'Deal ticket, unique within the account.';
COMMENT ON COLUMN public.account_ledger.time_msc IS
'Milliseconds since 1970 on the server''s clock.';
COMMENT ON COLUMN public.account_ledger.executed_at IS 'The same in UTC.';
COMMENT ON COLUMN public.account_ledger.type IS 'Code, see mt5_deal_types.';
COMMENT ON COLUMN public.account_ledger.entry IS 'Code, kind deal_entry of mt5_codes.';
COMMENT ON COLUMN public.account_ledger.order_ticket IS
'Order that made the deal; 0 for none.';
COMMENT ON COLUMN public.account_ledger.position_id IS
'Position the deal belongs to; 0 for none, NULL when not given (reports).';
COMMENT ON COLUMN public.account_ledger.symbol IS
'Symbol as the broker spells it; empty for movements of money.';
COMMENT ON COLUMN public.account_ledger.volume IS 'Volume in lots; 0 for movements of money.';
COMMENT ON COLUMN public.account_ledger.price IS 'Price, quote currency.';
COMMENT ON COLUMN public.account_ledger.amount IS
'profit + commission + swap + fee as far as the balance moves by them, account currency: 0 for a
deal of credit, and for one that stands for archived deals.';
COMMENT ON COLUMN public.account_ledger.credit_amount IS
'Amount by which a deal of credit moves the credit, account currency.';
COMMENT ON COLUMN public.account_ledger.balance IS
'Balance after the deal, account currency: opening balance, amounts so far, and gaps explained
until then.';
COMMENT ON COLUMN public.account_ledger.credit IS 'Credit after the deal, account currency.';
COMMENT ON COLUMN public.account_ledger.gone_since IS
'Since when the terminal no longer returns the deal, UTC; NULL while it does.';

CREATE OR REPLACE VIEW public.broker_archived_deals
WITH (security_invoker = TRUE) AS
SELECT
    d.account_id,
    d.ticket,
    d.executed_at,
    d.gone_since,
    d.type,
    d.position_id,
    d.symbol,
    d.volume,
    d.profit + d.commission + d.swap + d.fee AS amount,
    count(*) OVER (PARTITION BY d.account_id) AS account_deals,
    sum(
        CASE
            WHEN t.effect IS DISTINCT FROM 'credit' THEN d.profit + d.commission + d.swap + d.fee
        END
    ) OVER (PARTITION BY d.account_id) AS account_amount
FROM public.trading_deals AS d
LEFT JOIN public.mt5_deal_types AS t ON d.type = t.code
WHERE d.gone_since IS NOT NULL;

COMMENT ON VIEW public.broker_archived_deals IS
'Deals that the terminal no longer returns and that are kept here: sums and trips still have them.';
COMMENT ON COLUMN public.broker_archived_deals.account_id IS 'Trading account.';
COMMENT ON COLUMN public.broker_archived_deals.ticket IS 'Deal ticket, unique within the account.';
COMMENT ON COLUMN public.broker_archived_deals.executed_at IS 'When it was executed, UTC.';
COMMENT ON COLUMN public.broker_archived_deals.gone_since IS
'First reading of the history that lacked it, UTC.';
COMMENT ON COLUMN public.broker_archived_deals.type IS 'Code, see mt5_deal_types.';
COMMENT ON COLUMN public.broker_archived_deals.position_id IS
'Position the deal belongs to; 0 for none.';
COMMENT ON COLUMN public.broker_archived_deals.symbol IS
'Symbol as the broker spells it; empty for movements of money.';
COMMENT ON COLUMN public.broker_archived_deals.volume IS 'Volume in lots.';
COMMENT ON COLUMN public.broker_archived_deals.amount IS
'profit + commission + swap + fee, account currency.';
COMMENT ON COLUMN public.broker_archived_deals.account_deals IS
'Number of the account''s deals that are gone.';
COMMENT ON COLUMN public.broker_archived_deals.account_amount IS
'Sum of them that moved the balance, account currency.';
