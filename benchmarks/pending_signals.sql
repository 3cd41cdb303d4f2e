-- What waits for a user's terminal.
\set user random(1001, 1050)
SELECT id, strategy_id, symbol, signal_type, entry_price, stop_loss, take_profit, volume, signal_time
FROM trading_signals
WHERE user_id = :user AND status = 'PENDING'
ORDER BY received_at DESC
LIMIT 20;
