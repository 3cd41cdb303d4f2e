-- making.sql: what the demo shows of the database it made.

-- ROWS: how many rows each table has
SELECT
    c.relname AS table,
    (xpath(
        '/row/n/text()',
        query_to_xml(format('SELECT count(*) AS n FROM public.%I', c.relname), FALSE, TRUE, '')
    ))[1]::text::bigint AS rows
FROM pg_class AS c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
ORDER BY c.relname;

-- HYPERTABLES: into how many chunks rows lie
SELECT h.hypertable_name AS table, h.num_chunks AS chunks
FROM timescaledb_information.hypertables AS h
ORDER BY h.hypertable_name;

-- STATISTICS: the base's view of what users did
SELECT
    s.username AS user, s.total_strategies AS strategies, s.total_signals AS signals,
    s.executed_signals AS executed, s.total_orders AS orders, s.open_orders AS open,
    round(s.total_profit, 2) AS profit, round(s.average_profit, 2) AS average
FROM user_trading_stats AS s
ORDER BY s.username;

-- DEALS: the broker's latest deals, whatever moved money
SELECT
    to_char(d.executed_at, 'YYYY-MM-DD') AS executed, d.ticket, t.name AS type,
    e.name AS entry, d.symbol, trim_scale(d.volume) AS volume, trim_scale(d.price) AS price,
    round(d.commission + d.swap + d.fee, 2) AS costs, round(d.profit, 2) AS profit
FROM trading_deals AS d
INNER JOIN mt5_deal_types AS t ON d.type = t.code
LEFT JOIN mt5_codes AS e ON e.kind = 'deal_entry' AND d.entry = e.code
ORDER BY d.time_msc DESC, d.ticket DESC
LIMIT 6;

-- ORDERS: the latest orders of the terminal
SELECT
    to_char(o.done_at, 'YYYY-MM-DD') AS done, o.ticket, t.name AS type, s.name AS state,
    o.symbol, trim_scale(o.volume_initial) AS volume, o.position_id AS position
FROM mt5_orders AS o
LEFT JOIN mt5_codes AS t ON t.kind = 'order_type' AND o.type = t.code
LEFT JOIN mt5_codes AS s ON s.kind = 'order_state' AND o.state = s.code
ORDER BY o.time_done_msc DESC, o.ticket DESC
LIMIT 6;

-- TRIPS: the latest trades from opening to closing
SELECT
    to_char(t.opened_at, 'YYYY-MM-DD') AS opened, to_char(t.closed_at, 'YYYY-MM-DD') AS closed,
    t.symbol, t.side, trim_scale(t.volume_opened) AS volume,
    trim_scale(t.open_price) AS open_price, trim_scale(t.close_price) AS close_price,
    round(t.net_result, 2) AS net
FROM mt5_trips AS t
WHERE t.closed_at IS NOT NULL
ORDER BY t.closed_msc DESC
LIMIT 6;

-- TRACE: the way of the last signal that opened a trade
SELECT
    t.what AS step, to_char(t.at, 'HH24:MI:SS.MS') AS at,
    round(extract(EPOCH FROM t.since_before) * 1000) AS after_ms, t.ticket, t.detail
FROM (
    SELECT max(s.id) AS id FROM trading_signals AS s WHERE s.signal_type IN ('BUY', 'SELL')
) AS s
CROSS JOIN LATERAL signal_trace(s.id) AS t
ORDER BY t.step;

-- POSITIONS: what is open
SELECT
    p.ticket, p.symbol, p.type, trim_scale(p.volume) AS volume,
    trim_scale(p.open_price) AS open_price, trim_scale(p.current_price) AS current,
    round(p.profit, 2) AS profit
FROM open_positions_with_session AS p
ORDER BY p.symbol;

-- MONTHS: results of the last twelve months with trades
SELECT m.month, m.trades, m.won, m.profit, m.commission, m.net
FROM (
    SELECT
        to_char(o.closed_at, 'YYYY-MM') AS month, count(*) AS trades,
        count(*) FILTER (WHERE o.profit + o.commission + o.swap > 0) AS won,
        round(sum(o.profit), 2) AS profit, round(sum(o.commission), 2) AS commission,
        round(sum(o.profit + o.commission + o.swap), 2) AS net
    FROM trading_orders AS o
    WHERE o.closed_at IS NOT NULL
    GROUP BY to_char(o.closed_at, 'YYYY-MM')
    ORDER BY to_char(o.closed_at, 'YYYY-MM') DESC
    LIMIT 12
) AS m
ORDER BY m.month;

-- PROOFS: how many rows contradict each proof
SELECT p.name, p.violations
FROM monitoring.proofs AS p
ORDER BY p.name;
