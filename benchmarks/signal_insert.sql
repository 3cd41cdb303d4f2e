-- A new signal of one of a user's strategies.
\set strategy random(1001, 1200)
\set user 1001 + (:strategy - 1001) / 4
\set rsi random(0, 99)
\set symbol random(1, 5)
INSERT INTO trading_signals (
    user_id, strategy_id, symbol, signal_type, entry_price, stop_loss, take_profit, volume,
    timeframe, confidence, indicators, signal_time
)
VALUES (
    :user, :strategy, (ARRAY['EURUSD', 'GBPUSD', 'USDJPY', 'AUDUSD', 'USDCHF'])[:symbol], 'BUY',
    1.10000, 1.09000, 1.12000, 0.10, 'H1', 0.75, jsonb_build_object('rsi', :rsi::integer), now()
);
