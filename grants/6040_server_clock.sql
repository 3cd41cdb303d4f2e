-- 6040_server_clock.sql: rights to ask what clocks show.

CALL deploy.become_owner();

GRANT EXECUTE ON FUNCTION
public.clock_shift(public.server_clock),
public.clock_day_start(timestamp, public.server_clock),
public.clock_to_utc(timestamp, public.server_clock),
public.clock_zone(public.server_clock),
public.is_clock_ambiguous(timestamp, public.server_clock),
public.utc_to_clock(timestamptz, public.server_clock)
TO rubi_app, rubi_tenant, rubi_readonly, rubi_monitor, rubi_backup;
