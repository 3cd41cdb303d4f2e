-- 6370_mt5_events.sql: who may read MT5 events.

CALL deploy.become_owner();

-- Events are written by triggers alone.
REVOKE INSERT, UPDATE, DELETE ON public.mt5_events, public.my_mt5_events FROM rubi_app;
GRANT SELECT ON public.mt5_events TO rubi_app, rubi_readonly, rubi_backup;
GRANT USAGE, SELECT ON SEQUENCE public.mt5_events_number_seq TO rubi_app;
GRANT SELECT ON SEQUENCE public.mt5_events_number_seq TO rubi_backup;
GRANT SELECT ON internal.mt5_event_eras TO rubi_backup;
GRANT SELECT ON public.my_mt5_events TO rubi_app, rubi_tenant, rubi_readonly;

GRANT EXECUTE ON FUNCTION
public.events_after(text, bigint), public.mt5_event_horizon(),
public.mt5_states_as_of(bigint, text, timestamptz),
public.orders_as_of(bigint, timestamptz), public.positions_as_of(bigint, timestamptz)
TO rubi_app, rubi_tenant, rubi_readonly;
