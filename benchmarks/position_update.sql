-- A tick: price and floating result of one position.
\set ticket random(500001, 504000)
\set points random(-500, 500)
UPDATE trading_positions
SET current_price = 1.10000 + :points * 0.00001, profit = :points * 0.10
WHERE ticket = :ticket;
