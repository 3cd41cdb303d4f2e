-- An order from its signal to its close: signal, order, signal executed, order closed.
\set strategy random(1001, 1200)
\set user 1001 + (:strategy - 1001) / 4
\set points random(-500, 500)
INSERT INTO trading_signals (
    user_id, strategy_id, symbol, signal_type, entry_price, stop_loss, take_profit, volume,
    signal_time
)
VALUES (:user, :strategy, 'EURUSD', 'BUY', 1.10000, 1.09000, 1.12000, 0.10, now())
RETURNING id AS signal \gset
INSERT INTO trading_orders (signal_id, user_id, mt5_order_id, symbol, order_type, volume, open_price)
VALUES (:signal, :user, (10000000 + :signal)::text, 'EURUSD', 'BUY', 0.10, 1.10000)
RETURNING id AS order \gset
UPDATE trading_signals SET status = 'EXECUTED', executed_at = now() WHERE id = :signal;
UPDATE trading_orders
SET close_price = 1.10000 + :points * 0.00001, profit = :points * 0.10, commission = -0.70,
    closed_at = now()
WHERE id = :order;
