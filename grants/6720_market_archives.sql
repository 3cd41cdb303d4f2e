-- 6720_market_archives.sql: rights on market archives.

CALL deploy.become_owner();

GRANT SELECT, INSERT, UPDATE, DELETE ON public.market_archives, public.market_retention TO rubi_app;
GRANT SELECT ON internal.expired_bars TO rubi_app, rubi_backup;
GRANT SELECT ON public.market_archives, public.market_retention TO rubi_readonly, rubi_backup;

GRANT EXECUTE ON FUNCTION
public.expired_bar_months(), public.hash_bars(text, text, timestamptz, timestamptz),
public.sum_bars(text, text, date)
TO rubi_app;
