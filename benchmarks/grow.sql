-- grow.sql: data.sql's rows times the setting bench.size, by more users of the same habits.
-- needs: benchmarks/data.sql or a smaller size of this
-- transaction: yes
SET session_replication_role = replica;

INSERT INTO users (id, email, username, hashed_password)
SELECT 1000 + n, 'user' || n || '@example.com', 'user' || n, '!'
FROM generate_series(51, 50 * current_setting('bench.size')::integer) AS n
ON CONFLICT DO NOTHING;

INSERT INTO trading_strategies (id, user_id, name)
SELECT 1000 + n, 1001 + (n - 1) / 4, 'strategy ' || n
FROM generate_series(201, 200 * current_setting('bench.size')::integer) AS n
ON CONFLICT DO NOTHING;

INSERT INTO mt5_accounts (id, user_id, server, account_number, broker)
SELECT 100000 + n, 1001 + (n - 1) / 4, 'Broker-Live', (70000 + n)::text, 'Broker'
FROM generate_series(201, 200 * current_setting('bench.size')::integer) AS n
ON CONFLICT DO NOTHING;

INSERT INTO mt5_sessions (id, user_id, account_id, session_id, account_number, broker, server)
SELECT
    100000 + n, 1001 + (n - 1) / 4, 100000 + n, lpad(n::text, 32, '0')::uuid, (70000 + n)::text,
    'Broker', 'Broker-Live'
FROM generate_series(201, 200 * current_setting('bench.size')::integer) AS n
ON CONFLICT DO NOTHING;

INSERT INTO trading_positions (
    id, session_id, account_id, ticket, symbol, type, volume, open_price, current_price, open_time
)
SELECT
    1000000 + n, lpad((1 + (n - 1) / 20)::text, 32, '0')::uuid, 100001 + (n - 1) / 20,
    (500000 + n)::text, 'EURUSD', 'BUY', 0.1, 1.1, 1.1, now() - interval '1 day'
FROM generate_series(4001, 4000 * current_setting('bench.size')::integer) AS n
ON CONFLICT DO NOTHING;

INSERT INTO trading_signals (
    id, user_id, symbol, signal_type, status, volume, signal_time, received_at, executed_at
)
SELECT
    n, 1001 + n / 400, 'EURUSD', 'BUY',
    (CASE WHEN n % 10 = 0 THEN 'PENDING' ELSE 'EXECUTED' END)::signal_status_enum, 0.1,
    now() - n * interval '1 second', now() - n * interval '1 second',
    CASE WHEN n % 10 <> 0 THEN now() END
FROM generate_series(20001, 20000 * current_setting('bench.size')::integer) AS n
ON CONFLICT DO NOTHING;

INSERT INTO trading_orders (
    id, user_id, mt5_order_id, symbol, order_type, volume, open_price, opened_at
)
SELECT
    n, 1001 + n / 400, (900000 + n)::text, 'EURUSD', 'BUY', 0.1, 1.1,
    now() - n * interval '1 second'
FROM generate_series(20001, 20000 * current_setting('bench.size')::integer) AS n
ON CONFLICT DO NOTHING;

INSERT INTO account_snapshots (session_id, balance, equity, timestamp)
SELECT lpad(s::text, 32, '0')::uuid, 10000, 10000, now() - n * interval '1 minute'
FROM
    generate_series(1, 200) AS s,
    generate_series(1, 10 * current_setting('bench.size')::integer) AS n
ON CONFLICT DO NOTHING;
SET session_replication_role = origin;
