-- 2110_strategy_counters.sql: total_trades, winning_trades and total_profit follow closed orders.

CALL deploy.become_owner();

-- An order counts when it is closed and traded (it has a close price); it wins when profit,
-- commission and swap together are above zero.
CREATE OR REPLACE FUNCTION internal.note_counter_change()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- the API has no rights in the schema internal
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_net numeric;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF OLD.closed_at IS NULL THEN
            IF NEW.closed_at IS NULL THEN
                RETURN NULL;
            END IF;
        ELSIF (
            OLD.strategy_id, FALSE, OLD.close_price IS NULL,
            OLD.profit, OLD.commission, OLD.swap
        ) IS NOT DISTINCT FROM (
            NEW.strategy_id, NEW.closed_at IS NULL, NEW.close_price IS NULL,
            NEW.profit, NEW.commission, NEW.swap
        ) THEN
            RETURN NULL;
        END IF;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        IF OLD.strategy_id IS NOT NULL AND OLD.closed_at IS NOT NULL
            AND OLD.close_price IS NOT NULL THEN
            v_net := OLD.profit + OLD.commission + OLD.swap;
            INSERT INTO internal.strategy_counter_deltas (strategy_id, trades, winning, profit)
            VALUES (OLD.strategy_id, -1, -(v_net > 0)::integer, -v_net);
        END IF;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        IF NEW.strategy_id IS NOT NULL AND NEW.closed_at IS NOT NULL
            AND NEW.close_price IS NOT NULL THEN
            v_net := NEW.profit + NEW.commission + NEW.swap;
            INSERT INTO internal.strategy_counter_deltas (strategy_id, trades, winning, profit)
            VALUES (NEW.strategy_id, 1, (v_net > 0)::integer, v_net);
        END IF;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION internal.note_counter_change() IS
'Trigger: notes the effect of an order''s change on its strategy''s counters, to be applied at
commit.';
REVOKE ALL ON FUNCTION internal.note_counter_change() FROM public;

-- Runs at commit, once a delta row. The first run applies all deltas of the transaction, locking
-- the strategies in the order of their ids, so that no two transactions can deadlock; later runs
-- find their row gone. A transaction's only delta, the usual case, needs no order.
CREATE OR REPLACE FUNCTION internal.apply_counter_changes()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- the API has no rights in the schema internal
SET search_path = pg_catalog, pg_temp
-- planned while the table of deltas is empty, a sequential scan would go over all dead rows later
SET enable_seqscan = off
AS $$
BEGIN
    DELETE FROM internal.strategy_counter_deltas AS d
    WHERE d.xact = NEW.xact AND d.id = NEW.id;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    IF NOT EXISTS (
        SELECT FROM internal.strategy_counter_deltas AS d
        WHERE d.xact = NEW.xact
    ) THEN
        UPDATE public.trading_strategies AS s
        SET
            total_trades = s.total_trades + NEW.trades,
            winning_trades = s.winning_trades + NEW.winning,
            total_profit = s.total_profit + NEW.profit
        WHERE s.id = NEW.strategy_id;
        RETURN NULL;
    END IF;
    WITH taken AS (
        DELETE FROM internal.strategy_counter_deltas AS d
        WHERE d.xact = NEW.xact
        RETURNING d.strategy_id, d.trades, d.winning, d.profit
    ),
    summed AS (
        SELECT
            t.strategy_id,
            sum(t.trades) AS trades,
            sum(t.winning) AS winning,
            sum(t.profit) AS profit
        FROM (
            SELECT t.strategy_id, t.trades, t.winning, t.profit
            FROM taken AS t
            UNION ALL
            SELECT NEW.strategy_id, NEW.trades, NEW.winning, NEW.profit
        ) AS t
        GROUP BY t.strategy_id
    ),
    locked AS (
        SELECT
            s.id,
            d.trades,
            d.winning,
            d.profit
        FROM public.trading_strategies AS s
        INNER JOIN summed AS d ON s.id = d.strategy_id
        ORDER BY s.id
        FOR NO KEY UPDATE OF s
    )
    UPDATE public.trading_strategies AS s
    SET
        total_trades = s.total_trades + l.trades,
        winning_trades = s.winning_trades + l.winning,
        total_profit = s.total_profit + l.profit
    FROM locked AS l
    WHERE s.id = l.id;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION internal.apply_counter_changes() IS
'Trigger at commit: adds the transaction''s changes to the counters, in the order of strategy ids.';
REVOKE ALL ON FUNCTION internal.apply_counter_changes() FROM public;

-- A strategy deleted and inserted again under its id, in one transaction, would get the deltas of
-- the deletion. No order can name a strategy before its row exists, so all deltas noted under its
-- id so far belong to the deleted strategy.
CREATE OR REPLACE FUNCTION internal.forget_counter_changes()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- the API has no rights in the schema internal
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off -- as internal.apply_counter_changes
AS $$
BEGIN
    DELETE FROM internal.strategy_counter_deltas AS d
    WHERE d.xact = pg_current_xact_id() AND d.strategy_id = NEW.id;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION internal.forget_counter_changes() IS
'Trigger: a new strategy begins with counters of 0, also under the id of a deleted one.';
REVOKE ALL ON FUNCTION internal.forget_counter_changes() FROM public;

CREATE OR REPLACE FUNCTION internal.refuse_change_of_counters()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF (OLD.total_trades, OLD.winning_trades, OLD.total_profit)
            IS NOT DISTINCT FROM (NEW.total_trades, NEW.winning_trades, NEW.total_profit) THEN
            RETURN NEW;
        END IF;
    ELSIF (NEW.total_trades, NEW.winning_trades, NEW.total_profit)
        IS NOT DISTINCT FROM (0, 0, 0) THEN
        RETURN NEW;
    END IF;
    IF has_table_privilege(TG_RELID, 'TRIGGER') THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION USING
        ERRCODE = 'RB022',
        MESSAGE = 'total_trades, winning_trades and total_profit are counted by the database',
        HINT = 'Leave them out: the counters follow the strategy''s closed orders.',
        SCHEMA = 'public',
        TABLE = 'trading_strategies',
        CONSTRAINT = 'trading_strategies_counters_are_counted';
END
$$;
COMMENT ON FUNCTION internal.refuse_change_of_counters() IS
'Trigger: raises RB022 when another role than the owner writes a strategy''s counters.';
REVOKE ALL ON FUNCTION internal.refuse_change_of_counters() FROM public;
