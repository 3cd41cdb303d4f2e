-- An open order is closed. Each client has a range of its own, :share ids long, and goes through it.
\set id 1 + :client_id * :share + :done
\set done :done + 1
\set points random(-500, 500)
UPDATE trading_orders
SET close_price = 1.10000 + :points * 0.00001, profit = :points * 0.10, commission = -0.70,
    swap = 0, closed_at = now()
WHERE id = :id;
