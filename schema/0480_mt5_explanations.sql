-- 0480_mt5_explanations.sql: why a balance is not the sum of the deals.

CALL deploy.become_owner();

-- Gaps themselves are computed (mt5_reconciliations); a row here is the word of a person, or of the
-- rule of archived deals, about one. A deal that stands for others gives its own amount, so that
-- the two can't differ.
CREATE TABLE IF NOT EXISTS public.mt5_explanations (
    id bigint GENERATED ALWAYS AS IDENTITY,
    account_id bigint NOT NULL,
    deal_ticket public.mt5_ticket,
    period_start public.event_time,
    period_end public.event_time,
    created_at public.event_time DEFAULT now() NOT NULL,
    is_explained boolean DEFAULT TRUE NOT NULL,
    amount public.trading_amount,
    reason public.short_text NOT NULL,
    evidence public.short_text NOT NULL,
    made_by text DEFAULT 'person' NOT NULL,
    CONSTRAINT mt5_explanations_pkey PRIMARY KEY (id),
    CONSTRAINT mt5_explanations_account_id_deal_ticket_key UNIQUE (account_id, deal_ticket),
    CONSTRAINT mt5_explanations_account_id_fkey FOREIGN KEY (account_id)
    REFERENCES public.mt5_accounts (id) ON DELETE CASCADE,
    CONSTRAINT mt5_explanations_account_id_deal_ticket_fkey FOREIGN KEY (account_id, deal_ticket)
    REFERENCES public.trading_deals (account_id, ticket) ON DELETE CASCADE,
    CONSTRAINT mt5_explanations_deal_or_amount_check CHECK (
        num_nonnulls(deal_ticket, amount) = 1
    ),
    CONSTRAINT mt5_explanations_amount_not_zero_check CHECK (amount <> 0),
    CONSTRAINT mt5_explanations_period_ordered_check CHECK (period_end >= period_start),
    CONSTRAINT mt5_explanations_reason_not_blank_check CHECK (btrim(reason) <> ''),
    CONSTRAINT mt5_explanations_evidence_not_blank_check CHECK (btrim(evidence) <> ''),
    CONSTRAINT mt5_explanations_made_by_known_check CHECK (made_by IN ('person', 'rule'))
);

COMMENT ON TABLE public.mt5_explanations IS
'Why the balance MT5 gives is not the sum of the deals stored: one row a gap, by a person or a rule.
mt5_reconciliations lists them beside the gaps that nobody has explained.';
COMMENT ON COLUMN public.mt5_explanations.id IS 'Surrogate key.';
COMMENT ON COLUMN public.mt5_explanations.account_id IS 'Trading account.';
COMMENT ON COLUMN public.mt5_explanations.deal_ticket IS
'Deal that stands for deals stored before it, such as the one balance deal a broker leaves when it
archives: it moves no balance. NULL where an amount is given.';
COMMENT ON COLUMN public.mt5_explanations.period_start IS
'Last moment, included, at which the balance was still right, UTC; NULL when unknown.';
COMMENT ON COLUMN public.mt5_explanations.period_end IS
'First moment, included, at which it was not, UTC; NULL for before the first deal.';
COMMENT ON COLUMN public.mt5_explanations.created_at IS 'When the row was made, UTC.';
COMMENT ON COLUMN public.mt5_explanations.is_explained IS
'FALSE while it is only looked into: proofs subtract what is explained.';
COMMENT ON COLUMN public.mt5_explanations.amount IS
'Balance beyond the sum of the deals, account currency; negative for less.';
COMMENT ON COLUMN public.mt5_explanations.reason IS
'The kind in a word or two, such as archived or correction.';
COMMENT ON COLUMN public.mt5_explanations.evidence IS
'A statement, a message of the broker, or other deals that show the reason.';
COMMENT ON COLUMN public.mt5_explanations.made_by IS 'person, or rule.';
