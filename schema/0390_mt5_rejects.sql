-- 0390_mt5_rejects.sql: elements that could not be stored, and the reasons.

CALL deploy.become_owner();

CREATE TABLE IF NOT EXISTS public.mt5_rejects (
    id bigint GENERATED ALWAYS AS IDENTITY,
    account_id bigint NOT NULL,
    rejected_at public.event_time DEFAULT now() NOT NULL,
    source text NOT NULL,
    reason public.short_text NOT NULL,
    element public.json_document NOT NULL,
    CONSTRAINT mt5_rejects_pkey PRIMARY KEY (id),
    CONSTRAINT mt5_rejects_account_id_fkey FOREIGN KEY (account_id)
    REFERENCES public.mt5_accounts (id) ON DELETE CASCADE,
    CONSTRAINT mt5_rejects_source_known_check CHECK (
        source IN ('deals', 'orders', 'positions', 'symbols')
    )
);
-- An element sent again is the reject that exists. Hashes, because elements have any length; two,
-- because 64 bits alone may be equal by chance.
CREATE UNIQUE INDEX IF NOT EXISTS mt5_rejects_element_key
ON public.mt5_rejects (
    account_id, source, hashtextextended(element::text, 0), hashtextextended(element::text, 1)
);
COMMENT ON INDEX public.mt5_rejects_element_key IS
'An element sent again is the reject that exists.';

COMMENT ON TABLE public.mt5_rejects IS
'Elements that an ingest function could not store, each once, with the reason.';
COMMENT ON COLUMN public.mt5_rejects.id IS 'Surrogate key.';
COMMENT ON COLUMN public.mt5_rejects.account_id IS 'Trading account that the element was sent for.';
COMMENT ON COLUMN public.mt5_rejects.rejected_at IS 'Time of the first rejection, UTC.';
COMMENT ON COLUMN public.mt5_rejects.source IS 'deals, orders, positions or symbols.';
COMMENT ON COLUMN public.mt5_rejects.reason IS 'The field and its fault.';
COMMENT ON COLUMN public.mt5_rejects.element IS 'The element as it was sent.';
