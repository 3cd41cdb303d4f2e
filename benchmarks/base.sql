-- base.sql: the base system as SPEC part 1 describes it, to measure against. Never install it.
-- needs: an empty database with timescaledb and uuid-ossp; the role rubi_app
-- transaction: yes
-- Two things differ, or it could not be installed: the hypertables' keys hold their time column,
-- and the administrator is locked.

CREATE TYPE signal_type_enum AS ENUM ('BUY', 'SELL', 'CLOSE_BUY', 'CLOSE_SELL');
CREATE TYPE signal_status_enum AS ENUM ('PENDING', 'EXECUTED', 'REJECTED', 'EXPIRED');

CREATE TABLE users (
    id serial PRIMARY KEY,
    email varchar(255) UNIQUE NOT NULL,
    username varchar(100) UNIQUE NOT NULL,
    hashed_password varchar(255) NOT NULL,
    is_active boolean DEFAULT TRUE,
    is_superuser boolean DEFAULT FALSE,
    created_at timestamp DEFAULT now(),
    updated_at timestamp DEFAULT now()
);
CREATE TABLE trading_strategies (
    id serial PRIMARY KEY,
    user_id integer NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name varchar(255) NOT NULL,
    description text,
    symbols jsonb DEFAULT '[]',
    timeframes jsonb DEFAULT '["H1"]',
    max_positions integer DEFAULT 5,
    risk_per_trade decimal(5, 4) DEFAULT 0.0200,
    total_trades integer DEFAULT 0,
    winning_trades integer DEFAULT 0,
    total_profit decimal(15, 2) DEFAULT 0,
    is_active boolean DEFAULT TRUE,
    created_at timestamp DEFAULT now(),
    updated_at timestamp DEFAULT now()
);
CREATE TABLE mt5_sessions (
    id serial PRIMARY KEY,
    user_id integer NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    session_id uuid UNIQUE NOT NULL DEFAULT uuid_generate_v4(),
    account_number varchar(50) NOT NULL,
    broker varchar(100) NOT NULL,
    server varchar(100),
    balance decimal(15, 2) DEFAULT 0,
    equity decimal(15, 2) DEFAULT 0,
    margin decimal(15, 2) DEFAULT 0,
    margin_free decimal(15, 2) DEFAULT 0,
    currency varchar(10) DEFAULT 'USD',
    is_active boolean DEFAULT TRUE,
    connected_at timestamp DEFAULT now(),
    last_ping timestamp DEFAULT now(),
    disconnected_at timestamp,
    created_at timestamp DEFAULT now(),
    updated_at timestamp DEFAULT now()
);
CREATE TABLE trading_signals (
    id serial PRIMARY KEY,
    user_id integer NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    strategy_id integer REFERENCES trading_strategies (id) ON DELETE SET NULL,
    symbol varchar(20) NOT NULL,
    signal_type signal_type_enum NOT NULL,
    status signal_status_enum DEFAULT 'PENDING',
    entry_price decimal(15, 5),
    stop_loss decimal(15, 5),
    take_profit decimal(15, 5),
    volume decimal(10, 2) NOT NULL,
    timeframe varchar(10) DEFAULT 'H1',
    confidence decimal(3, 2) DEFAULT 0.50,
    indicators jsonb DEFAULT '{}',
    signal_time timestamp NOT NULL,
    received_at timestamp DEFAULT now(),
    executed_at timestamp,
    status_message text
);
CREATE TABLE trading_orders (
    id serial PRIMARY KEY,
    signal_id integer UNIQUE REFERENCES trading_signals (id) ON DELETE SET NULL,
    user_id integer NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    mt5_order_id varchar(50) UNIQUE,
    mt5_position_id varchar(50),
    symbol varchar(20) NOT NULL,
    order_type varchar(10) NOT NULL,
    volume decimal(10, 2) NOT NULL,
    open_price decimal(15, 5),
    close_price decimal(15, 5),
    stop_loss decimal(15, 5),
    take_profit decimal(15, 5),
    profit decimal(15, 2) DEFAULT 0,
    commission decimal(15, 2) DEFAULT 0,
    swap decimal(15, 2) DEFAULT 0,
    opened_at timestamp DEFAULT now(),
    closed_at timestamp
);
CREATE TABLE trading_positions (
    id serial PRIMARY KEY,
    session_id uuid NOT NULL REFERENCES mt5_sessions (session_id) ON DELETE CASCADE,
    ticket varchar(50) UNIQUE NOT NULL,
    symbol varchar(20) NOT NULL,
    type varchar(10) NOT NULL,
    volume decimal(10, 2) NOT NULL,
    open_price decimal(15, 5) NOT NULL,
    current_price decimal(15, 5) NOT NULL,
    sl decimal(15, 5),
    tp decimal(15, 5),
    profit decimal(15, 2) DEFAULT 0,
    swap decimal(15, 2) DEFAULT 0,
    commission decimal(15, 2) DEFAULT 0,
    open_time timestamp NOT NULL,
    updated_at timestamp DEFAULT now()
);
CREATE TABLE account_snapshots (
    id serial,
    session_id uuid NOT NULL REFERENCES mt5_sessions (session_id) ON DELETE CASCADE,
    balance decimal(15, 2) NOT NULL,
    equity decimal(15, 2) NOT NULL,
    margin decimal(15, 2) DEFAULT 0,
    margin_free decimal(15, 2) DEFAULT 0,
    margin_level decimal(10, 2) DEFAULT 0,
    profit decimal(15, 2) DEFAULT 0,
    timestamp timestamp DEFAULT now(),
    PRIMARY KEY (id, timestamp)
);
CREATE TABLE market_data (
    id serial,
    symbol varchar(20) NOT NULL,
    timeframe varchar(10) NOT NULL,
    timestamp timestamp NOT NULL,
    open decimal(15, 5) NOT NULL,
    high decimal(15, 5) NOT NULL,
    low decimal(15, 5) NOT NULL,
    close decimal(15, 5) NOT NULL,
    volume bigint DEFAULT 0,
    PRIMARY KEY (id, timestamp),
    UNIQUE (symbol, timeframe, timestamp)
);
CREATE TABLE performance_metrics (
    id serial PRIMARY KEY,
    user_id integer NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    strategy_id integer REFERENCES trading_strategies (id) ON DELETE SET NULL,
    period_start timestamp NOT NULL,
    period_end timestamp NOT NULL,
    total_trades integer DEFAULT 0,
    winning_trades integer DEFAULT 0,
    losing_trades integer DEFAULT 0,
    win_rate decimal(5, 2) DEFAULT 0,
    total_profit decimal(15, 2) DEFAULT 0,
    average_profit decimal(15, 2) DEFAULT 0,
    max_profit decimal(15, 2) DEFAULT 0,
    max_loss decimal(15, 2) DEFAULT 0,
    max_drawdown decimal(15, 2) DEFAULT 0,
    sharpe_ratio decimal(10, 4),
    profit_factor decimal(10, 4),
    calculated_at timestamp DEFAULT now()
);

SELECT create_hypertable('account_snapshots', 'timestamp', create_default_indexes => FALSE);
SELECT create_hypertable('market_data', 'timestamp', create_default_indexes => FALSE);

CREATE INDEX ON users (email);
CREATE INDEX ON users (username);
CREATE INDEX ON trading_strategies (user_id);
CREATE INDEX ON trading_strategies (is_active);
CREATE INDEX ON mt5_sessions (user_id);
CREATE INDEX ON mt5_sessions (session_id);
CREATE INDEX ON mt5_sessions (is_active);
CREATE INDEX ON mt5_sessions (account_number);
CREATE INDEX ON trading_signals (user_id);
CREATE INDEX ON trading_signals (strategy_id);
CREATE INDEX ON trading_signals (symbol);
CREATE INDEX ON trading_signals (status);
CREATE INDEX ON trading_signals (signal_time DESC);
CREATE INDEX ON trading_signals (received_at DESC);
CREATE INDEX ON trading_orders (user_id);
CREATE INDEX ON trading_orders (signal_id);
CREATE INDEX ON trading_orders (mt5_order_id);
CREATE INDEX ON trading_orders (symbol);
CREATE INDEX ON trading_orders (opened_at DESC);
CREATE INDEX ON trading_orders (closed_at DESC);
CREATE INDEX ON trading_positions (session_id);
CREATE INDEX ON trading_positions (ticket);
CREATE INDEX ON trading_positions (symbol);
CREATE INDEX ON trading_positions (updated_at DESC);
CREATE INDEX ON account_snapshots (session_id);
CREATE INDEX ON account_snapshots (timestamp DESC);
CREATE INDEX ON market_data (symbol);
CREATE INDEX ON market_data (timeframe);
CREATE INDEX ON market_data (timestamp DESC);
CREATE INDEX ON performance_metrics (user_id);
CREATE INDEX ON performance_metrics (strategy_id);
CREATE INDEX ON performance_metrics (period_start DESC);
CREATE INDEX idx_signals_user_status_time
ON trading_signals (user_id, status, signal_time DESC);
CREATE INDEX idx_orders_user_symbol_opened ON trading_orders (user_id, symbol, opened_at DESC);
CREATE INDEX idx_positions_session_symbol ON trading_positions (session_id, symbol);
CREATE INDEX idx_active_sessions ON mt5_sessions (user_id, last_ping DESC) WHERE is_active;
CREATE INDEX idx_pending_signals ON trading_signals (user_id, received_at DESC)
WHERE status = 'PENDING';
CREATE INDEX idx_open_orders ON trading_orders (user_id, opened_at DESC)
WHERE closed_at IS NULL;
CREATE INDEX idx_signals_indicators_gin ON trading_signals USING gin (indicators);
CREATE INDEX idx_strategies_symbols_gin ON trading_strategies USING gin (symbols);

CREATE FUNCTION update_updated_at_column()
RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    NEW.updated_at = now();
    RETURN NEW;
END
$$;
CREATE TRIGGER users_updated_at
BEFORE UPDATE ON users
FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();
CREATE TRIGGER trading_strategies_updated_at
BEFORE UPDATE ON trading_strategies
FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();
CREATE TRIGGER mt5_sessions_updated_at
BEFORE UPDATE ON mt5_sessions
FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();
CREATE TRIGGER trading_positions_updated_at
BEFORE UPDATE ON trading_positions
FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

-- Joins three children at once and multiplies their rows: that is the base.
CREATE VIEW user_trading_stats AS
SELECT
    u.id AS user_id,
    u.username,
    count(DISTINCT st.id) AS total_strategies,
    count(DISTINCT si.id) AS total_signals,
    count(DISTINCT si.id) FILTER (WHERE si.status = 'EXECUTED') AS executed_signals,
    count(DISTINCT o.id) AS total_orders,
    count(DISTINCT o.id) FILTER (WHERE o.closed_at IS NULL) AS open_orders,
    coalesce(sum(o.profit), 0) AS total_profit,
    coalesce(avg(o.profit), 0) AS average_profit
FROM users AS u
LEFT JOIN trading_strategies AS st ON u.id = st.user_id
LEFT JOIN trading_signals AS si ON u.id = si.user_id
LEFT JOIN trading_orders AS o ON u.id = o.user_id
GROUP BY u.id, u.username;

CREATE VIEW open_positions_with_session AS
SELECT
    p.*,
    s.account_number,
    s.broker,
    s.user_id
FROM trading_positions AS p
INNER JOIN mt5_sessions AS s ON p.session_id = s.session_id
WHERE s.is_active;

INSERT INTO users (email, username, hashed_password, is_superuser)
VALUES ('admin@rubi-studio.com', 'admin', '!', TRUE);

COMMENT ON TABLE users IS 'People who log in to the platform.';
COMMENT ON TABLE trading_strategies IS 'Trading strategies of the users.';
COMMENT ON TABLE mt5_sessions IS 'Connections of MT5 terminals.';
COMMENT ON TABLE trading_signals IS 'Signals of strategies.';
COMMENT ON TABLE trading_orders IS 'Orders from opening to closing.';
COMMENT ON TABLE trading_positions IS 'Positions open now.';
COMMENT ON TABLE account_snapshots IS 'State of accounts over time.';
COMMENT ON TABLE market_data IS 'Price bars for backtesting.';
COMMENT ON TABLE performance_metrics IS 'Results over periods.';

GRANT USAGE ON SCHEMA public TO rubi_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO rubi_app;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO rubi_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA public
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO rubi_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO rubi_app;
