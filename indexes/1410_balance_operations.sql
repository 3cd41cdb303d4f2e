-- 1410_balance_operations.sql: balance operations by account and by user.

CALL deploy.become_owner();

CREATE INDEX IF NOT EXISTS idx_balance_operations_account
ON public.balance_operations (account_id, occurred_at);
COMMENT ON INDEX public.idx_balance_operations_account IS
'Deposits and withdrawals of an account over time; the foreign key.';
CREATE INDEX IF NOT EXISTS idx_balance_operations_user ON public.balance_operations (user_id);
COMMENT ON INDEX public.idx_balance_operations_user IS
'Deposits and withdrawals of a user; the foreign key.';
