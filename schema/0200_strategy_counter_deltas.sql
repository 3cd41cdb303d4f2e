-- 0200_strategy_counter_deltas.sql: changes of strategy counters on their way to commit.
-- needs: schema/0030_schemas.sql
-- transaction: yes

CALL deploy.become_owner();

-- Counters raised at once by a trigger on orders deadlock when two transactions close orders of the
-- same strategies in different order (496 of 1,200 transactions in a trial). So each change is kept
-- here and applied at commit in the order of strategy ids. A row lives within one transaction only;
-- nothing is lost when a crash empties the table, hence UNLOGGED.
CREATE UNLOGGED TABLE IF NOT EXISTS internal.strategy_counter_deltas (
    xact xid8 DEFAULT pg_current_xact_id() NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    strategy_id bigint NOT NULL,
    trades integer NOT NULL,
    winning integer NOT NULL,
    profit numeric NOT NULL,
    CONSTRAINT strategy_counter_deltas_pkey PRIMARY KEY (xact, id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

COMMENT ON TABLE internal.strategy_counter_deltas IS
'Changes of strategy counters within running transactions; empty to everybody else.';
COMMENT ON COLUMN internal.strategy_counter_deltas.xact IS 'Transaction that made the change.';
COMMENT ON COLUMN internal.strategy_counter_deltas.id IS 'Order within the transaction.';
COMMENT ON COLUMN internal.strategy_counter_deltas.strategy_id IS 'Strategy whose counters change.';
COMMENT ON COLUMN internal.strategy_counter_deltas.trades IS 'Change of total_trades.';
COMMENT ON COLUMN internal.strategy_counter_deltas.winning IS 'Change of winning_trades.';
COMMENT ON COLUMN internal.strategy_counter_deltas.profit IS
'Change of total_profit, account currency.';
