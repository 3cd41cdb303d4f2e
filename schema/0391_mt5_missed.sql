-- 0391_mt5_missed.sql: deals and orders that a reading of the history lacked.

CALL deploy.become_owner();

-- Beside the rows, not in them: a terminal that has just logged in may lack the whole history for
-- minutes, and marking it would write all of it twice.
CREATE TABLE IF NOT EXISTS internal.mt5_missed (
    account_id bigint NOT NULL,
    kind text NOT NULL,
    ticket public.mt5_ticket NOT NULL,
    missed_at public.event_time DEFAULT now() NOT NULL,
    CONSTRAINT mt5_missed_pkey PRIMARY KEY (account_id, kind, ticket),
    CONSTRAINT mt5_missed_account_id_fkey FOREIGN KEY (account_id)
    REFERENCES public.mt5_accounts (id) ON DELETE CASCADE,
    CONSTRAINT mt5_missed_kind_known_check CHECK (kind IN ('deals', 'orders'))
);

COMMENT ON TABLE internal.mt5_missed IS
'Stored deals and orders that the terminal did not return, until a second reading lacks them, too.';
COMMENT ON COLUMN internal.mt5_missed.account_id IS 'Trading account.';
COMMENT ON COLUMN internal.mt5_missed.kind IS 'deals or orders.';
COMMENT ON COLUMN internal.mt5_missed.ticket IS 'Ticket of the deal or order.';
COMMENT ON COLUMN internal.mt5_missed.missed_at IS 'First reading that lacked the element, UTC.';
