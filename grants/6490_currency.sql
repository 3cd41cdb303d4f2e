-- 6490_currency.sql: who may do what with currency pairs and what they convert.

CALL deploy.become_owner();

GRANT SELECT, INSERT, UPDATE, DELETE ON public.currency_pairs TO rubi_app;
GRANT SELECT ON public.currency_pairs TO rubi_tenant, rubi_readonly, rubi_backup;
REVOKE INSERT, UPDATE, DELETE ON
public.converted_balances, public.converted_results, public.converted_trades
FROM rubi_app;
GRANT SELECT ON
public.converted_balances, public.converted_results, public.converted_trades
TO rubi_app, rubi_tenant, rubi_readonly, rubi_backup;
GRANT EXECUTE ON FUNCTION
public.find_exchange_rate(text, text, timestamptz, interval)
TO rubi_app, rubi_tenant, rubi_readonly, rubi_backup;
