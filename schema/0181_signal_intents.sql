-- 0181_signal_intents.sql: the accounts that a signal is meant for, where it names them.

CALL deploy.become_owner();

-- The composite foreign keys say that signal and account are of one user.
CREATE TABLE IF NOT EXISTS public.signal_intents (
    signal_id bigint NOT NULL,
    account_id bigint NOT NULL,
    user_id bigint NOT NULL,
    created_at public.event_time DEFAULT now() NOT NULL,
    CONSTRAINT signal_intents_pkey PRIMARY KEY (signal_id, account_id),
    CONSTRAINT signal_intents_signal_id_user_id_fkey FOREIGN KEY (signal_id, user_id)
    REFERENCES public.trading_signals (id, user_id) ON DELETE CASCADE,
    CONSTRAINT signal_intents_account_id_user_id_fkey FOREIGN KEY (account_id, user_id)
    -- without the intent any other account of the user could claim the signal
    REFERENCES public.mt5_accounts (id, user_id)
);
CREATE INDEX IF NOT EXISTS idx_signal_intents_account
ON public.signal_intents (account_id, user_id);
COMMENT ON INDEX public.idx_signal_intents_account IS 'Intents of an account; the foreign key.';

COMMENT ON TABLE public.signal_intents IS
'Accounts that a signal is meant for, each to be carried out once; a signal without a row here may
be taken by any one account of its user.';
COMMENT ON COLUMN public.signal_intents.signal_id IS 'Signal.';
COMMENT ON COLUMN public.signal_intents.account_id IS 'Trading account of the same user.';
COMMENT ON COLUMN public.signal_intents.user_id IS 'Owner of both; filled by a trigger.';
COMMENT ON COLUMN public.signal_intents.created_at IS 'When the account was named, UTC.';
