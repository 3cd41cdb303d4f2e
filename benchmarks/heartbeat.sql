-- A terminal says that it is alive, with its account's state.
\set session random(1, 200)
\set points random(-5000, 5000)
UPDATE mt5_sessions
SET last_ping = now(), equity = 10000 + :points * 0.10, margin_free = 9750 + :points * 0.10
WHERE session_id = lpad(:session::text, 32, '0')::uuid;
