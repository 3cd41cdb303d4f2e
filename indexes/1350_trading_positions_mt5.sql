-- 1350_trading_positions_mt5.sql: one row for each position identifier of an account.
-- needs: schema/0350_trading_positions_mt5.sql
-- transaction: yes

CALL deploy.become_owner();

CREATE UNIQUE INDEX IF NOT EXISTS trading_positions_account_id_identifier_key
ON public.trading_positions (account_id, identifier);
COMMENT ON INDEX public.trading_positions_account_id_identifier_key IS
'A position of MT5 is stored once in an account, whatever its ticket became.';
