-- 6230_market_ticks.sql: rights on market ticks.

CALL deploy.become_owner();

GRANT SELECT, INSERT, UPDATE, DELETE ON public.market_ticks TO rubi_app;
GRANT SELECT ON public.market_ticks TO rubi_readonly, rubi_backup;

GRANT EXECUTE ON FUNCTION public.ingest_ticks(text, jsonb, text, text) TO rubi_app, rubi_ingest;
GRANT EXECUTE ON FUNCTION
public.merge_staged_ticks(text, text, text, text), public.stage_ticks()
TO rubi_app;
