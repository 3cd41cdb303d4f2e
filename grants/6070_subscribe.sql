-- 6070_subscribe.sql: rights on subscriptions.

CALL deploy.become_owner();

-- Triggers of the role that writes signals and positions ask for subscribers.
GRANT EXECUTE ON FUNCTION public.has_subscribers(text) TO rubi_app, rubi_tenant, rubi_ingest;
GRANT EXECUTE ON FUNCTION public.subscribe(text) TO rubi_app, rubi_ingest, rubi_readonly;
