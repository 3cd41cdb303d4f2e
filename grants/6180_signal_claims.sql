-- 6180_signal_claims.sql: who may do what with claims and intents of signals.

CALL deploy.become_owner();

-- Claims are written by the functions alone; an intent stays as it was given.
REVOKE INSERT, UPDATE, DELETE ON public.signal_claims, public.claims_in_doubt FROM rubi_app;
REVOKE UPDATE, DELETE ON public.signal_intents FROM rubi_app;
GRANT SELECT ON public.signal_claims, public.claims_in_doubt
TO rubi_app, rubi_tenant, rubi_readonly, rubi_backup;
GRANT SELECT, INSERT ON public.signal_intents TO rubi_app;
GRANT SELECT ON public.signal_intents TO rubi_tenant, rubi_readonly, rubi_backup;
GRANT INSERT (signal_id, account_id) ON public.signal_intents TO rubi_tenant;
GRANT USAGE, SELECT ON SEQUENCE public.signal_claims_id_seq TO rubi_app;
GRANT SELECT ON SEQUENCE public.signal_claims_id_seq TO rubi_backup;
GRANT SELECT ON internal.signal_queue, internal.signal_marks TO rubi_backup;
GRANT SELECT ON SEQUENCE internal.signal_queue_id_seq, internal.signal_marks_id_seq TO rubi_backup;
GRANT SELECT ON monitoring.signal_claims TO rubi_monitor, rubi_backup;

CALL deploy.set_tenant_policies(
    'public.signal_claims', 'account_id', 'public.check_account_is_open(account_id)'
);
CALL deploy.set_tenant_policies('public.signal_intents', 'user_id');

GRANT EXECUTE ON FUNCTION
public.claim_signals(bigint, text, integer, interval),
public.mark_signal_sent(bigint, jsonb, timestamptz),
public.settle_signal(bigint, text, text),
public.release_signal(bigint, text)
TO rubi_app, rubi_ingest;
GRANT EXECUTE ON FUNCTION public.signal_trace(bigint) TO rubi_app, rubi_tenant, rubi_readonly;
