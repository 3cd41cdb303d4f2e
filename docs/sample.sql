-- sample.sql: a trader to try the examples of these pages on; for a database that is empty.
-- The pages' examples run against it in a test. psql -f docs/sample.sql, as rubi_app.

INSERT INTO users (id, email, username, hashed_password)
OVERRIDING SYSTEM VALUE
VALUES (1000, 'ann@example.com', 'ann', '!')
ON CONFLICT DO NOTHING;
