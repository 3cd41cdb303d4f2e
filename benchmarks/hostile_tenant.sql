-- hostile_tenant.sql: a user beside the 50 of the mix, or the mix would wait for itself.
-- needs: benchmarks/data.sql
-- transaction: yes

INSERT INTO users (id, email, username, hashed_password)
VALUES (2001, 'hostile@example.com', 'hostile', '!');

INSERT INTO mt5_sessions (user_id, session_id, account_number, broker, server)
VALUES (2001, '00000000-0000-0000-0000-000000002001', '1', 'Broker', 'Broker-Live');

INSERT INTO trading_positions (
    session_id, ticket, symbol, type, volume, open_price, current_price, open_time
)
SELECT '00000000-0000-0000-0000-000000002001', 'h' || n, 'EURUSD', 'BUY', 1, 1, 1, now()
FROM generate_series(1, 500) AS n;

INSERT INTO trading_orders (user_id, symbol, order_type, volume, open_price, opened_at)
SELECT 2001, 'EURUSD', 'BUY', 1, 1, now() - interval '1 day'
FROM generate_series(1, 2000);

INSERT INTO account_snapshots (session_id, balance, equity, timestamp)
SELECT '00000000-0000-0000-0000-000000002001', 1, 1, now() - n * interval '1 minute' AS at
FROM generate_series(1, 3000) AS n;
