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
