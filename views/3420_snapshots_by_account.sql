-- 3420_snapshots_by_account.sql: account snapshots with the account they belong to.

CALL deploy.become_owner();

-- What results read of the hypertable; only look-ups of single snapshots, in
-- find_account_snapshot(), go to the hypertable themselves.
-- Replaced in place, because the views over it would have to be dropped first.
-- Not security_invoker: row security does not reach the chunks of a hypertable, so a tenant has no
-- right on it. The view runs as its owner and shows a tenant its own user's rows, behind a barrier.
CREATE OR REPLACE VIEW public.snapshots_by_account
WITH (security_barrier = TRUE) AS
SELECT
    s.user_id,
    s.account_id,
    p.session_id,
    p.timestamp,
    p.balance,
    p.equity,
    p.margin,
    p.margin_free,
    p.margin_level,
    p.profit
FROM public.account_snapshots AS p
INNER JOIN public.mt5_sessions AS s ON p.session_id = s.session_id
WHERE current_user <> 'rubi_tenant' OR s.user_id = (SELECT public.app_user_id());

COMMENT ON VIEW public.snapshots_by_account IS
'Account snapshots with the trading account and the owner of their session.';
COMMENT ON COLUMN public.snapshots_by_account.user_id IS 'Owner.';
COMMENT ON COLUMN public.snapshots_by_account.account_id IS 'Trading account.';
COMMENT ON COLUMN public.snapshots_by_account.session_id IS 'Session that reported the state.';
COMMENT ON COLUMN public.snapshots_by_account.timestamp IS 'Time of the state, UTC.';
COMMENT ON COLUMN public.snapshots_by_account.balance IS 'Balance, account currency.';
COMMENT ON COLUMN public.snapshots_by_account.equity IS
'Balance plus floating result, account currency.';
COMMENT ON COLUMN public.snapshots_by_account.margin IS 'Margin in use, account currency.';
COMMENT ON COLUMN public.snapshots_by_account.margin_free IS
'Equity less margin, account currency.';
COMMENT ON COLUMN public.snapshots_by_account.margin_level IS
'Equity over margin in percent; 0 when no margin is in use.';
COMMENT ON COLUMN public.snapshots_by_account.profit IS 'Floating result, account currency.';
