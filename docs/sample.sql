-- sample.sql: a trader to try these pages' examples on: ann, her account, strategy, 60 trades,
-- snapshots and bars. For a database that is nobody's yet; as rubi_app.

INSERT INTO users (email, username, hashed_password)
VALUES ('ann@example.com', 'ann', '!');

INSERT INTO mt5_sessions (user_id, account_number, broker, server, balance, equity)
SELECT id, '7001', 'Broker Ltd', 'Broker-Live', 10600, 10590
FROM users WHERE username = 'ann';

INSERT INTO trading_strategies (user_id, name, symbols)
SELECT id, 'Breakout', '["EURUSD"]'
FROM users WHERE username = 'ann';

INSERT INTO trading_signals (user_id, strategy_id, symbol, signal_type, volume, signal_time)
SELECT user_id, id, 'EURUSD', 'BUY', 0.1, '2026-01-05 10:00+00'
FROM trading_strategies WHERE name = 'Breakout';

INSERT INTO trading_orders (
    user_id, account_id, strategy_id, mt5_order_id, symbol, order_type, volume,
    open_price, close_price, profit, commission, opened_at, closed_at
)
SELECT
    s.user_id, a.id, s.id, 9000 + n, 'EURUSD', 'BUY', 0.1, 1.1, 1.101,
    round((30 * sin(n) + 12)::numeric, 2), -0.7, t, t + interval '3 hours'
FROM trading_strategies AS s
INNER JOIN mt5_accounts AS a ON s.user_id = a.user_id
CROSS JOIN generate_series(1, 60) AS n
CROSS JOIN LATERAL (SELECT timestamptz '2026-01-05 08:00+00' + n * interval '9 hours' AS t) AS x
WHERE s.name = 'Breakout';

INSERT INTO account_snapshots (session_id, balance, equity, timestamp)
SELECT s.session_id, 10000 + 10 * n, 9990 + 10 * n, '2026-01-05 00:00+00'::timestamptz
    + n * interval '9 hours'
FROM mt5_sessions AS s
CROSS JOIN generate_series(1, 60) AS n;

INSERT INTO market_data (symbol, timeframe, timestamp, open, high, low, close, volume)
SELECT s.symbol, 'H1', t, s.price, s.price + 0.002, s.price - 0.001, s.price + 0.001, 800
FROM (VALUES ('EURUSD', 1.1), ('USDJPY', 150)) AS s (symbol, price)
CROSS JOIN generate_series('2026-01-04 22:00+00'::timestamptz, '2026-02-06 21:00+00', '1 hour') AS t
WHERE NOT (extract(ISODOW FROM t) = 6 OR (extract(ISODOW FROM t) = 5 AND extract(HOUR FROM t) > 21)
    OR (extract(ISODOW FROM t) = 7 AND extract(HOUR FROM t) < 22));
