-- drilling.sql: the API's work, tried in a restored database.

-- SMOKE: the API's writes, in the base's own columns; rows of now, and of a chunk not touched yet
INSERT INTO users (email, username, hashed_password)
VALUES ('drill@example.com', 'restore drill', '$2b$12$' || repeat('x', 53));

INSERT INTO trading_strategies (user_id, name)
SELECT u.id, 'drill' FROM users AS u WHERE u.username = 'restore drill';

INSERT INTO mt5_sessions (user_id, account_number, broker, server)
SELECT u.id, '1', 'drill', 'drill' FROM users AS u WHERE u.username = 'restore drill';

INSERT INTO trading_signals (user_id, strategy_id, symbol, signal_type, volume, signal_time)
SELECT s.user_id, s.id, 'DRILL', 'BUY', 0.1, now()
FROM trading_strategies AS s WHERE s.name = 'drill';

INSERT INTO trading_orders (signal_id, user_id, symbol, order_type, volume, open_price)
SELECT s.id, s.user_id, 'DRILL', 'BUY', 0.1, 1 FROM trading_signals AS s WHERE s.symbol = 'DRILL';

UPDATE trading_orders SET closed_at = now(), close_price = 2, profit = 10
WHERE symbol = 'DRILL';

INSERT INTO trading_positions (
    session_id, ticket, symbol, type, volume, open_price, current_price, open_time
)
SELECT m.session_id, '1', 'DRILL', 'BUY', 0.1, 1, 1, now()
FROM mt5_sessions AS m WHERE m.broker = 'drill';

UPDATE trading_positions SET current_price = 2, profit = 5
WHERE symbol = 'DRILL';

INSERT INTO account_snapshots (session_id, balance, equity, timestamp)
SELECT m.session_id, 1000, 1005, now() - d.days * interval '1 day'
FROM mt5_sessions AS m
CROSS JOIN generate_series(0, 1) AS d (days)
WHERE m.broker = 'drill';

INSERT INTO market_data (symbol, timeframe, timestamp, open, high, low, close)
SELECT 'DRILL', 'M1', n.at, 1, 2, 1, 2
FROM (VALUES (date_trunc('minute', now())), ('1971-01-01 00:00:00+00')) AS n (at);

-- RESULT: rows that those statements left
SELECT
    s.total_orders, s.total_profit, t.total_trades,
    (SELECT count(*) FROM market_data AS m WHERE m.symbol = 'DRILL')
FROM user_trading_stats AS s
INNER JOIN trading_strategies AS t ON s.user_id = t.user_id
WHERE s.username = 'restore drill';
