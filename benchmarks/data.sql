-- data.sql: the same rows in the base and in ours: 50 users with 200 strategies and 200 sessions,
-- 4,000 open positions, 20,000 signals, 20,000 open orders, a snapshot of each session.
-- needs: benchmarks/base.sql or the deployed schema, freshly installed
-- transaction: yes
-- Ids are given, so that the scripts can compute them.

INSERT INTO users (id, email, username, hashed_password)
SELECT 1000 + n, 'user' || n || '@example.com', 'user' || n, '!'
FROM generate_series(1, 50) AS n;

INSERT INTO trading_strategies (id, user_id, name, symbols)
SELECT 1000 + n, 1001 + (n - 1) / 4, 'strategy ' || n, '["EURUSD", "GBPUSD"]'
FROM generate_series(1, 200) AS n;

INSERT INTO mt5_sessions (user_id, session_id, account_number, broker, server, balance, equity)
SELECT
    1001 + (n - 1) / 4, lpad(n::text, 32, '0')::uuid, (70000 + n)::text, 'Broker', 'Broker-Live',
    10000, 10000
FROM generate_series(1, 200) AS n;

INSERT INTO trading_positions (
    session_id, ticket, symbol, type, volume, open_price, current_price, sl, tp, open_time
)
SELECT
    lpad((1 + (n - 1) / 20)::text, 32, '0')::uuid,
    (500000 + n)::text,
    (ARRAY['EURUSD', 'GBPUSD', 'USDJPY', 'AUDUSD', 'USDCHF'])[1 + n % 5],
    (ARRAY['BUY', 'SELL'])[1 + n % 2],
    0.10, 1.10000, 1.10010, 1.09000, 1.12000,
    now() - interval '1 day'
FROM generate_series(1, 4000) AS n;

-- A tenth is pending. Strategies and users fit together: signal n is of strategy 1 + n % 200.
INSERT INTO trading_signals (
    id, user_id, strategy_id, symbol, signal_type, status, entry_price, stop_loss, take_profit,
    volume, confidence, indicators, signal_time, received_at, executed_at
)
SELECT
    n,
    1001 + (n % 200) / 4,
    1001 + n % 200,
    (ARRAY['EURUSD', 'GBPUSD', 'USDJPY', 'AUDUSD', 'USDCHF'])[1 + n % 5],
    'BUY',
    (CASE WHEN n % 10 = 0 THEN 'PENDING' ELSE 'EXECUTED' END)::signal_status_enum,
    1.10000, 1.09000, 1.12000, 0.10, 0.75,
    jsonb_build_object('rsi', n % 100, 'atr', 0.0012),
    now() - n * interval '1 minute',
    now() - n * interval '1 minute',
    CASE WHEN n % 10 <> 0 THEN now() - n * interval '1 minute' END
FROM generate_series(1, 20000) AS n;
SELECT setval(pg_get_serial_sequence('trading_signals', 'id'), 20000);

INSERT INTO trading_orders (
    id, signal_id, user_id, mt5_order_id, symbol, order_type, volume, open_price, stop_loss,
    take_profit, opened_at
)
SELECT
    n, n, 1001 + (n % 200) / 4, (900000 + n)::text,
    (ARRAY['EURUSD', 'GBPUSD', 'USDJPY', 'AUDUSD', 'USDCHF'])[1 + n % 5],
    'BUY', 0.10, 1.10000, 1.09000, 1.12000,
    now() - n * interval '1 minute'
FROM generate_series(1, 20000) AS n;
SELECT setval(pg_get_serial_sequence('trading_orders', 'id'), 20000);

INSERT INTO account_snapshots (session_id, balance, equity)
SELECT lpad(n::text, 32, '0')::uuid, 10000, 10000
FROM generate_series(1, 200) AS n;
