-- State of an account; each client is a terminal of its own, so that no two write at one moment.
\set session 1 + :client_id % 200
\set points random(-5000, 5000)
INSERT INTO account_snapshots (
    session_id, balance, equity, margin, margin_free, margin_level, profit
)
VALUES (
    lpad(:session::text, 32, '0')::uuid, 10000, 10000 + :points * 0.10, 250,
    9750 + :points * 0.10, 4000, :points * 0.10
);
