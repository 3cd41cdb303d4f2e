-- 0180_signal_claims.sql: which worker carries out which signal, and what became of that.

CALL deploy.become_owner();

-- A claim is a row of its own and no mark on the signal: what was tried stays, and a signal that is
-- copied to several accounts has several. Two updates at most follow: the one that says it was sent
-- changes no column of an index; fillfactor leaves room for both.
CREATE TABLE IF NOT EXISTS public.signal_claims (
    id bigint GENERATED ALWAYS AS IDENTITY,
    signal_id bigint NOT NULL,
    account_id bigint NOT NULL,
    lane bigint NOT NULL,
    claimed_at public.event_time NOT NULL,
    lease_until public.event_time NOT NULL,
    sent_at public.event_time,
    ended_at public.event_time,
    attempt integer NOT NULL,
    outcome text,
    worker public.filled_text NOT NULL,
    message public.long_text,
    CONSTRAINT signal_claims_pkey PRIMARY KEY (id),
    -- Two workers that see the same signal waiting: one inserts, the other goes on.
    CONSTRAINT signal_claims_signal_id_lane_attempt_key UNIQUE (signal_id, lane, attempt),
    CONSTRAINT signal_claims_signal_id_fkey FOREIGN KEY (signal_id)
    REFERENCES public.trading_signals (id) ON DELETE CASCADE,
    CONSTRAINT signal_claims_account_id_fkey FOREIGN KEY (account_id)
    REFERENCES public.mt5_accounts (id) ON DELETE CASCADE,
    CONSTRAINT signal_claims_lease_after_claim_check CHECK (lease_until > claimed_at),
    CONSTRAINT signal_claims_outcome_known_check CHECK (
        outcome IN ('EXECUTED', 'REJECTED', 'RELEASED', 'LAPSED')
    ),
    CONSTRAINT signal_claims_outcome_with_end_check CHECK (
        (outcome IS NULL) = (ended_at IS NULL)
    ),
    -- the broker may have what was sent: such a claim is never given back
    CONSTRAINT signal_claims_sent_is_kept_check CHECK (
        sent_at IS NULL OR coalesce(outcome, '') NOT IN ('RELEASED', 'LAPSED')
    ),
    CONSTRAINT signal_claims_executed_was_sent_check CHECK (
        sent_at IS NOT NULL OR coalesce(outcome, '') <> 'EXECUTED'
    )
) WITH (fillfactor = 60);
CREATE INDEX IF NOT EXISTS idx_signal_claims_account
ON public.signal_claims (account_id, claimed_at);
COMMENT ON INDEX public.idx_signal_claims_account IS
'Claims of an account over time, latest first; the foreign key.';
CREATE INDEX IF NOT EXISTS idx_signal_claims_open
ON public.signal_claims (lease_until) WHERE outcome IS NULL;
COMMENT ON INDEX public.idx_signal_claims_open IS
'Claims without an outcome, by the end of their lease.';

COMMENT ON TABLE public.signal_claims IS
'Claims: signals that a worker took to carry out, with the lease, the sending and the outcome.
Written by claim_signals, mark_signal_sent, settle_signal and release_signal.';
COMMENT ON COLUMN public.signal_claims.id IS 'Surrogate key; workers name the claim by it.';
COMMENT ON COLUMN public.signal_claims.signal_id IS 'Signal that was taken.';
COMMENT ON COLUMN public.signal_claims.account_id IS 'Trading account it was taken for.';
COMMENT ON COLUMN public.signal_claims.lane IS
'The account where the signal names its accounts; minus the user where any account may take it.';
COMMENT ON COLUMN public.signal_claims.claimed_at IS 'When it was taken, UTC.';
COMMENT ON COLUMN public.signal_claims.lease_until IS
'Until when the worker may mark it as sent, UTC; an unsent claim can be taken by others after.';
COMMENT ON COLUMN public.signal_claims.sent_at IS
'When the worker said that it calls order_send now, UTC; NULL when it has not.';
COMMENT ON COLUMN public.signal_claims.ended_at IS 'When the outcome was told, UTC.';
COMMENT ON COLUMN public.signal_claims.attempt IS
'1, and one more each time that the signal is taken again.';
COMMENT ON COLUMN public.signal_claims.outcome IS
'EXECUTED, REJECTED, RELEASED (given back unsent), LAPSED (its lease ended unsent and another took
the signal or it expired); NULL while none is known.';
COMMENT ON COLUMN public.signal_claims.worker IS 'Name that the worker gave.';
COMMENT ON COLUMN public.signal_claims.message IS 'The worker''s words on the outcome.';
