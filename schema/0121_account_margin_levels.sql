-- 0121_account_margin_levels.sql: at which margin level a broker calls and closes.

CALL deploy.become_owner();

-- Named as in MT5's account_info(), from which ingest_mt5_account fills them; an account without a
-- gateway gets them from whoever knows them.
ALTER TABLE public.mt5_accounts
ADD COLUMN IF NOT EXISTS margin_so_mode smallint,
ADD COLUMN IF NOT EXISTS margin_so_call public.margin_level,
ADD COLUMN IF NOT EXISTS margin_so_so public.margin_level;

COMMENT ON COLUMN public.mt5_accounts.margin_so_mode IS
'ACCOUNT_STOPOUT_MODE of MT5: 0 levels in percent, 1 in money; NULL while unknown.';
COMMENT ON COLUMN public.mt5_accounts.margin_so_call IS
'Level of the margin call, percent or account currency by margin_so_mode; NULL while unknown.';
COMMENT ON COLUMN public.mt5_accounts.margin_so_so IS
'Level of the stop-out, percent or account currency by margin_so_mode; NULL while unknown.';
