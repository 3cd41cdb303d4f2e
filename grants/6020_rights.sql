-- 6020_rights.sql: who may do what in this database.
-- needs: grants/6010_roles.sql and all tables, views and functions
-- transaction: yes

RESET ROLE;

-- Connecting is granted by the database's owner, on a managed service through its API.
DO $$
DECLARE
    v_role text;
BEGIN
    IF has_database_privilege(current_database(), 'CONNECT WITH GRANT OPTION') THEN
        FOREACH v_role IN ARRAY ARRAY[
            'rubi_app', 'rubi_ingest', 'rubi_readonly', 'rubi_monitor', 'rubi_backup'
        ] LOOP
            EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), v_role);
        END LOOP;
    END IF;
    IF has_database_privilege(current_database(), 'TEMPORARY WITH GRANT OPTION') THEN
        EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM public', current_database());
    END IF;
    IF has_schema_privilege('public', 'USAGE WITH GRANT OPTION') THEN
        FOREACH v_role IN ARRAY ARRAY[
            'rubi_app', 'rubi_tenant', 'rubi_ingest', 'rubi_readonly', 'rubi_monitor', 'rubi_backup'
        ] LOOP
            EXECUTE format('GRANT USAGE ON SCHEMA public TO %I', v_role);
        END LOOP;
        REVOKE USAGE ON SCHEMA public FROM public;
    END IF;
END
$$;

CALL deploy.become_owner();

-- The API reads and writes everything. Each object is named: ALL TABLES would also reach views of
-- extensions that belong to somebody else.
GRANT SELECT, INSERT, UPDATE, DELETE ON
public.account_snapshots, public.market_data, public.mt5_accounts, public.mt5_sessions,
public.performance_metrics, public.trading_orders, public.trading_positions,
public.trading_signals, public.trading_strategies, public.users,
public.open_positions_with_session, public.user_trading_stats
TO rubi_app;
GRANT USAGE, SELECT ON SEQUENCE
public.account_snapshots_id_seq, public.market_data_id_seq, public.mt5_accounts_id_seq,
public.mt5_sessions_id_seq, public.performance_metrics_id_seq, public.trading_orders_id_seq,
public.trading_positions_id_seq, public.trading_signals_id_seq,
public.trading_strategies_id_seq, public.users_id_seq
TO rubi_app;
-- The same for tables and sequences made later.
ALTER DEFAULT PRIVILEGES IN SCHEMA public
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO rubi_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO rubi_app;

-- Functions are nobody's until granted. Without IN SCHEMA: with it, this would do nothing.
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM public;

-- Analysts read everything but password hashes.
GRANT SELECT ON
public.account_snapshots, public.market_data, public.mt5_accounts, public.mt5_sessions,
public.performance_metrics, public.trading_orders, public.trading_positions,
public.trading_signals, public.trading_strategies,
public.open_positions_with_session, public.user_trading_stats
TO rubi_readonly;
GRANT SELECT (
    id, email, username, is_active, is_superuser, created_at, updated_at, closed_at
) ON public.users TO rubi_readonly;

-- DBAs' views.
GRANT USAGE ON SCHEMA monitoring TO rubi_monitor;
GRANT SELECT ON ALL TABLES IN SCHEMA monitoring TO rubi_monitor;
GRANT EXECUTE ON FUNCTION
monitoring.timescaledb_edition(),
monitoring.has_columnstore(text)
TO rubi_monitor;

-- Dumps read everything.
GRANT USAGE ON SCHEMA monitoring, internal, deploy TO rubi_backup;
GRANT SELECT ON
public.account_snapshots, public.market_data, public.mt5_accounts, public.mt5_sessions,
public.performance_metrics, public.trading_orders, public.trading_positions,
public.trading_signals, public.trading_strategies, public.users,
public.open_positions_with_session, public.user_trading_stats
TO rubi_backup;
GRANT SELECT ON SEQUENCE
public.account_snapshots_id_seq, public.market_data_id_seq, public.mt5_accounts_id_seq,
public.mt5_sessions_id_seq, public.performance_metrics_id_seq, public.trading_orders_id_seq,
public.trading_positions_id_seq, public.trading_signals_id_seq,
public.trading_strategies_id_seq, public.users_id_seq
TO rubi_backup;
GRANT SELECT ON ALL TABLES IN SCHEMA monitoring, internal, deploy TO rubi_backup;
GRANT SELECT ON ALL SEQUENCES IN SCHEMA monitoring, internal, deploy TO rubi_backup;
