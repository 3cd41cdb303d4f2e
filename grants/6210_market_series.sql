-- 6210_market_series.sql: rights on series of bars.

CALL deploy.become_owner();

REVOKE INSERT, UPDATE, DELETE ON public.market_data_coverage FROM rubi_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON
public.market_rollups, public.market_series, public.resampled_bars
TO rubi_app;
GRANT SELECT ON internal.bar_changes TO rubi_backup;
GRANT SELECT ON public.market_data_coverage TO rubi_app, rubi_readonly, rubi_backup;
GRANT SELECT ON
public.market_rollups, public.market_series, public.resampled_bars
TO rubi_readonly, rubi_backup;

GRANT EXECUTE ON FUNCTION
public.count_bars(text, text), public.fold_bar_changes(),
public.open_market_series(text, text, text, text)
TO rubi_app;
GRANT EXECUTE ON FUNCTION
public.last_bars(text, text[]),
public.resample_bars(text, text, text, timestamptz, timestamptz, text)
TO rubi_app, rubi_readonly;
GRANT EXECUTE ON PROCEDURE
internal.make_resampled_bars(text, text, text, timestamptz, timestamptz),
public.refresh_resampled_bars()
TO rubi_app;
