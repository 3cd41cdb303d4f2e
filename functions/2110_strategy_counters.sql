-- 2110_strategy_counters.sql: total_trades, winning_trades and total_profit follow closed orders.

CALL deploy.become_owner();

-- An order counts when it is closed and traded (it has a close price); it wins when profit,
-- commission and swap together are above zero.
--
-- Counters change at commit: raised immediately, they deadlocked as soon as two transactions closed
-- orders of the same strategies in different order. Nearly every transaction changes the counters
-- for one order, and then the order's deferred trigger itself does. Where there are more, each
-- order notes its part in a table, and all are applied together, in the order of strategy ids. A
-- setting of the transaction says which: one or many, set by internal.check_order(), and many where
-- an order is deleted. Any role may write the setting: sums are right in either way, and a role
-- that writes the setting only risks deadlocks of its own.
-- again: orders were counted for a strategy that is deleted, and another strategy may get the same
-- id before the end of the transaction. Nothing is added then, its orders are counted.
CREATE OR REPLACE FUNCTION internal.expect_counter_changes()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM set_config(
        'rubi.counting',
        CASE current_setting('rubi.counting', TRUE) WHEN 'again' THEN 'again' ELSE TG_ARGV[0] END,
        TRUE
    );
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION internal.expect_counter_changes() IS
'Trigger: says for the end of the transaction that many orders change counters, or that a strategy
was deleted (again).';
REVOKE ALL ON FUNCTION internal.expect_counter_changes() FROM public;

CREATE OR REPLACE FUNCTION internal.change_counters()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- the API has no rights in the schema internal
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_how text;
    v_left bigint;
    v_joined bigint;
BEGIN
    -- Two expressions for an order that closes alone: PL/pgSQL prepares each once a transaction.
    IF OLD.closed_at IS NULL AND (
        NEW.closed_at IS NULL OR NEW.close_price IS NULL OR NEW.strategy_id IS NULL
    ) THEN
        RETURN NULL;
    ELSIF OLD.closed_at IS NULL AND current_setting('rubi.counting', TRUE) = 'one' THEN
        UPDATE public.trading_strategies AS s
        SET
            total_trades = s.total_trades + 1,
            winning_trades = s.winning_trades
            + (NEW.profit + NEW.commission + NEW.swap > 0)::integer,
            total_profit = s.total_profit + NEW.profit + NEW.commission + NEW.swap
        WHERE s.id = NEW.strategy_id;
        RETURN NULL;
    END IF;

    v_how := coalesce(current_setting('rubi.counting', TRUE), '');
    v_left := CASE
        WHEN OLD.closed_at IS NOT NULL AND OLD.close_price IS NOT NULL THEN OLD.strategy_id
    END;
    v_joined := CASE
        WHEN NEW.closed_at IS NOT NULL AND NEW.close_price IS NOT NULL THEN NEW.strategy_id
    END;
    IF v_left = v_joined
        AND OLD.profit + OLD.commission + OLD.swap = NEW.profit + NEW.commission + NEW.swap THEN
        RETURN NULL;
    END IF;
    INSERT INTO internal.strategy_counter_deltas (strategy_id, trades, winning, profit)
    SELECT d.strategy_id, d.trades, d.trades * (d.net > 0)::integer, d.trades * d.net
    FROM (
        VALUES
        (
            v_left, CASE WHEN v_how <> 'again' THEN -1 END,
            OLD.profit + OLD.commission + OLD.swap
        ),
        (
            v_joined, CASE WHEN v_how <> 'again' THEN 1 END,
            NEW.profit + NEW.commission + NEW.swap
        )
    ) AS d (strategy_id, trades, net)
    WHERE d.strategy_id IS NOT NULL;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION internal.change_counters() IS
'Trigger at commit: adds an order''s change to its strategy''s counters, or notes the change where
the transaction has several.';
REVOKE ALL ON FUNCTION internal.change_counters() FROM public;

-- Runs at commit, once a delta row. The first run applies all deltas of the transaction, locking
-- the strategies in the order of their ids, so that no two transactions can deadlock; later runs
-- find theirs gone.
CREATE OR REPLACE FUNCTION internal.apply_counter_changes()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- the API has no rights in the schema internal
SET search_path = pg_catalog, pg_temp
-- planned while the table of deltas is empty, a sequential scan would go over all dead rows later
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
    v_again bigint[];
BEGIN
    -- by the key: each of many deltas would go over all that the first run has deleted
    IF NOT EXISTS (
        SELECT FROM internal.strategy_counter_deltas AS d
        WHERE d.xact = NEW.xact AND d.id = NEW.id
    ) THEN
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
            sum(t.profit) AS profit,
            bool_or(t.trades IS NULL) AS is_again
        FROM taken AS t
        GROUP BY t.strategy_id
    ),
    locked AS (
        SELECT
            s.id,
            d.trades,
            d.winning,
            d.profit,
            d.is_again
        FROM public.trading_strategies AS s
        INNER JOIN summed AS d ON s.id = d.strategy_id
        ORDER BY s.id
        FOR NO KEY UPDATE OF s
    ),
    changed AS (
        UPDATE public.trading_strategies AS s
        SET
            total_trades = s.total_trades + l.trades,
            winning_trades = s.winning_trades + l.winning,
            total_profit = s.total_profit + l.profit
        FROM locked AS l
        WHERE s.id = l.id AND NOT l.is_again
    )
    SELECT array_agg(l.id) FILTER (WHERE l.is_again) INTO v_again FROM locked AS l;
    IF v_again IS NOT NULL THEN
        UPDATE public.trading_strategies AS s
        SET (total_trades, winning_trades, total_profit) = (
            SELECT count(*), count(*) FILTER (WHERE o.net > 0), coalesce(sum(o.net), 0)
            FROM (
                SELECT o.profit + o.commission + o.swap AS net
                FROM public.trading_orders AS o
                WHERE o.strategy_id = s.id
                    AND o.closed_at IS NOT NULL
                    AND o.close_price IS NOT NULL
            ) AS o
        )
        WHERE s.id = ANY (v_again);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION internal.apply_counter_changes() IS
'Trigger at commit: adds the transaction''s changes to the counters, in the order of strategy ids.';
REVOKE ALL ON FUNCTION internal.apply_counter_changes() FROM public;

CREATE OR REPLACE FUNCTION internal.refuse_change_of_counters()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
AS $$
BEGIN
    IF current_user = 'rubi_owner' THEN
        RETURN NEW; -- every closed order: to look up the right would cost more
    ELSIF TG_OP = 'UPDATE' THEN
        IF (OLD.total_trades, OLD.winning_trades, OLD.total_profit)
            IS NOT DISTINCT FROM (NEW.total_trades, NEW.winning_trades, NEW.total_profit) THEN
            RETURN NEW;
        END IF;
    ELSIF (NEW.total_trades, NEW.winning_trades, NEW.total_profit)
        IS NOT DISTINCT FROM (0, 0, 0) THEN
        RETURN NEW;
    END IF;
    IF pg_catalog.has_table_privilege(TG_RELID, 'TRIGGER') THEN
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
