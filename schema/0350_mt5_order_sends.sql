-- 0350_mt5_order_sends.sql: log of order_send: what was asked for and what came back.

CALL deploy.become_owner();

CREATE TABLE IF NOT EXISTS public.mt5_order_sends (
    id bigint GENERATED ALWAYS AS IDENTITY,
    account_id bigint NOT NULL,
    sent_at public.event_time NOT NULL,
    answered_at public.event_time,
    claim_id bigint,
    request_id bigint,
    deal bigint,
    order_ticket bigint,
    magic bigint,
    action public.mt5_code,
    type public.mt5_code,
    retcode public.mt5_code,
    requested_price public.trading_price,
    requested_volume public.trading_price,
    filled_price public.trading_price,
    filled_volume public.trading_price,
    symbol public.short_text, -- as it was sent, also when no symbol
    client_request_id text,
    request public.json_document NOT NULL,
    result public.json_document,
    CONSTRAINT mt5_order_sends_pkey PRIMARY KEY (id),
    CONSTRAINT mt5_order_sends_account_id_client_request_id_key
    UNIQUE (account_id, client_request_id),
    CONSTRAINT mt5_order_sends_account_id_fkey FOREIGN KEY (account_id)
    REFERENCES public.mt5_accounts (id) ON DELETE CASCADE,
    CONSTRAINT mt5_order_sends_claim_id_fkey FOREIGN KEY (claim_id)
    REFERENCES public.signal_claims (id) ON DELETE SET NULL,
    CONSTRAINT mt5_order_sends_answered_after_sent_check CHECK (answered_at >= sent_at),
    CONSTRAINT mt5_order_sends_client_request_id_form_check CHECK (
        client_request_id <> '' AND char_length(client_request_id) <= 200
    )
);
CREATE INDEX IF NOT EXISTS idx_mt5_order_sends_account_sent
ON public.mt5_order_sends (account_id, sent_at);
COMMENT ON INDEX public.idx_mt5_order_sends_account_sent IS
'Sends of an account over time, latest first.';
-- rows come in the order of time: ranges of blocks suffice, and an insert pays almost nothing
CREATE INDEX IF NOT EXISTS idx_mt5_order_sends_sent_at ON public.mt5_order_sends
USING brin (sent_at) WITH (autosummarize = on);
COMMENT ON INDEX public.idx_mt5_order_sends_sent_at IS
'Sends of all accounts between two times: what is old enough to be archived.';
CREATE INDEX IF NOT EXISTS idx_mt5_order_sends_claim
ON public.mt5_order_sends (claim_id) WHERE claim_id IS NOT NULL;
COMMENT ON INDEX public.idx_mt5_order_sends_claim IS 'Sends of a claim; the foreign key.';
CREATE INDEX IF NOT EXISTS idx_mt5_order_sends_claimed_order
ON public.mt5_order_sends (account_id, order_ticket) WHERE claim_id IS NOT NULL;
COMMENT ON INDEX public.idx_mt5_order_sends_claimed_order IS
'The claim that an order of an account came of.';

COMMENT ON TABLE public.mt5_order_sends IS
'Every order_send with its answer, for slippage, latency and rejections.';
COMMENT ON COLUMN public.mt5_order_sends.id IS 'Surrogate key.';
COMMENT ON COLUMN public.mt5_order_sends.account_id IS 'Trading account.';
COMMENT ON COLUMN public.mt5_order_sends.sent_at IS 'When the gateway called, UTC.';
COMMENT ON COLUMN public.mt5_order_sends.answered_at IS
'When the call came back, UTC; NULL when it never did.';
COMMENT ON COLUMN public.mt5_order_sends.claim_id IS
'Claim of the signal that was carried out; NULL for none.';
COMMENT ON COLUMN public.mt5_order_sends.request_id IS 'Number that the terminal gave the request.';
COMMENT ON COLUMN public.mt5_order_sends.deal IS 'Deal that was made; 0 or NULL for none.';
COMMENT ON COLUMN public.mt5_order_sends.order_ticket IS
'Order that was placed; 0 or NULL for none.';
COMMENT ON COLUMN public.mt5_order_sends.magic IS 'Magic number of the request.';
COMMENT ON COLUMN public.mt5_order_sends.action IS 'Code, kind trade_action of mt5_codes.';
COMMENT ON COLUMN public.mt5_order_sends.type IS 'Code, kind order_type of mt5_codes.';
COMMENT ON COLUMN public.mt5_order_sends.retcode IS
'Code, kind retcode of mt5_codes; NULL when the call failed.';
COMMENT ON COLUMN public.mt5_order_sends.requested_price IS
'Price asked for, quote currency; NULL at market.';
COMMENT ON COLUMN public.mt5_order_sends.requested_volume IS 'Volume asked for, lots.';
COMMENT ON COLUMN public.mt5_order_sends.filled_price IS
'Price of the deal, quote currency; NULL when nothing was filled.';
COMMENT ON COLUMN public.mt5_order_sends.filled_volume IS 'Volume of the deal, lots.';
COMMENT ON COLUMN public.mt5_order_sends.symbol IS 'Symbol as the broker spells it.';
COMMENT ON COLUMN public.mt5_order_sends.client_request_id IS
'Optional identity of the call, unique for the account: a repeat completes the row.';
COMMENT ON COLUMN public.mt5_order_sends.request IS 'The request as it was sent.';
COMMENT ON COLUMN public.mt5_order_sends.result IS 'The answer as MT5 gave it; NULL for none.';
