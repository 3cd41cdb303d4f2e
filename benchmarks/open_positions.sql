-- Open positions of a session.
\set session random(1, 200)
SELECT id, ticket, symbol, type, volume, open_price, current_price, sl, tp, profit, swap, open_time
FROM trading_positions
WHERE session_id = lpad(:session::text, 32, '0')::uuid;
