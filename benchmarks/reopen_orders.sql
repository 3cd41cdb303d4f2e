-- reopen_orders.sql: all orders open again, without a trace; as superuser, before closing is timed.
-- needs: benchmarks/data.sql
-- transaction: yes
SET session_replication_role = replica;
UPDATE trading_orders
SET close_price = NULL, profit = 0, commission = 0, swap = 0, closed_at = NULL
WHERE closed_at IS NOT NULL;
SET session_replication_role = origin;
