-- 2540_seeded_draws.sql: draws that are the same on every server, and what is made of them.

CALL deploy.become_owner();

-- random() after setseed() differs between versions, and setseed() changes what others draw in the
-- session. This hash is the one that rows are told to hash partitions by: PostgreSQL can't change
-- it without losing rows. 32 bits by the number of values: no value is likelier than another by
-- more than values / 2^32.
-- Becomes a part of the expression that calls it, so it has no search_path of its own.
CREATE OR REPLACE FUNCTION public.draw_number(p_stream bigint, p_draw integer, p_values integer)
RETURNS integer
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    SELECT (((hashint4extended(p_draw, p_stream) & 4294967295) * p_values >> 32) + 1)::integer
$$;
COMMENT ON FUNCTION public.draw_number(bigint, integer, integer) IS
'The number from 1 to p_values that the p_draw-th draw of a stream finds, always the same.';
REVOKE ALL ON FUNCTION public.draw_number(bigint, integer, integer) FROM public;

-- A subquery for each replicate reads one list of draws again and again: 3,000 trades and 2,000
-- replicates, six million draws, take 1.2 s of one processor. jit would only add to that.
CREATE OR REPLACE FUNCTION public.bootstrap_trades(
    p_nets double precision[],
    p_replicates integer,
    p_seed bigint
)
RETURNS TABLE (replicate integer, win_rate double precision, average_profit double precision)
LANGUAGE sql
IMMUTABLE
STRICT
PARALLEL SAFE
ROWS 2000
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
    SELECT
        s.replicate,
        d.win_rate,
        d.average_profit
    FROM (
        SELECT
            r.replicate,
            hashint8extended(r.replicate, hashint8extended(1, p_seed)) AS stream
        FROM generate_series(
            1, least(p_replicates, 10000, 10000000 / greatest(cardinality(p_nets), 1))
        ) AS r (replicate)
    ) AS s
    CROSS JOIN LATERAL (
        SELECT
            100.0::double precision * count(*) FILTER (WHERE x.net > 0)
            / nullif(count(*), 0) AS win_rate,
            avg(x.net) AS average_profit
        FROM (
            SELECT p_nets[public.draw_number(s.stream, k.draw, cardinality(p_nets))] AS net
            FROM generate_series(1, cardinality(p_nets)) AS k (draw)
            OFFSET 0 -- drawn once, not once for each of the two
        ) AS x
    ) AS d
$$;
COMMENT ON FUNCTION public.bootstrap_trades(double precision[], integer, bigint) IS
'For each replicate as many trades as there are, drawn with replacement: win rate (percent 0-100)
and mean net result, account currency. At most 10,000 replicates and ten million draws.';
REVOKE ALL ON FUNCTION public.bootstrap_trades(double precision[], integer, bigint) FROM public;

CREATE OR REPLACE FUNCTION public.bootstrap_returns(
    p_returns double precision[],
    p_replicates integer,
    p_seed bigint
)
RETURNS TABLE (replicate integer, mean double precision, deviation double precision)
LANGUAGE sql
IMMUTABLE
STRICT
PARALLEL SAFE
ROWS 2000
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
    SELECT
        s.replicate,
        d.mean,
        d.deviation
    FROM (
        SELECT
            r.replicate,
            hashint8extended(r.replicate, hashint8extended(2, p_seed)) AS stream
        FROM generate_series(
            1, least(p_replicates, 10000, 10000000 / greatest(cardinality(p_returns), 1))
        ) AS r (replicate)
    ) AS s
    CROSS JOIN LATERAL (
        SELECT
            avg(x.value) AS mean,
            stddev_samp(x.value) AS deviation
        FROM (
            SELECT p_returns[public.draw_number(s.stream, k.draw, cardinality(p_returns))] AS value
            FROM generate_series(1, cardinality(p_returns)) AS k (draw)
            OFFSET 0
        ) AS x
    ) AS d
$$;
COMMENT ON FUNCTION public.bootstrap_returns(double precision[], integer, bigint) IS
'For each replicate as many returns as there are, drawn with replacement: mean and sample standard
deviation. At most 10,000 replicates and ten million draws.';
REVOKE ALL ON FUNCTION public.bootstrap_returns(double precision[], integer, bigint) FROM public;

-- A loop: windows over windows took more than twice as long (3,000 trades, 1,000 runs: 1.4 s
-- against 0.6), a sort for each shuffle nearly four times.
CREATE OR REPLACE FUNCTION public.simulate_drawdowns(
    p_nets double precision[],
    p_runs integer,
    p_seed bigint,
    p_reshuffled boolean
)
RETURNS SETOF double precision
LANGUAGE plpgsql
IMMUTABLE
STRICT
PARALLEL SAFE
ROWS 1000
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_nets double precision[] := p_nets;
    v_count CONSTANT integer := cardinality(p_nets);
    v_seed CONSTANT bigint := hashint8extended(CASE WHEN p_reshuffled THEN 4 ELSE 3 END, p_seed);
    v_stream bigint;
    v_drawn integer;
    v_net double precision;
    v_below double precision; -- how far the curve is below its high
    v_deepest double precision;
BEGIN
    FOR v_run IN 1..least(p_runs, 10000, 5000000 / greatest(v_count, 1)) LOOP
        v_stream := hashint8extended(v_run, v_seed);
        v_below := 0;
        v_deepest := 0;
        FOR v_left IN REVERSE v_count..1 LOOP
            IF p_reshuffled THEN
                -- one of those left; the last of these takes its place
                v_drawn := public.draw_number(v_stream, v_left, v_left);
                v_net := v_nets[v_drawn];
                v_nets[v_drawn] := v_nets[v_left];
                v_nets[v_left] := v_net;
            ELSE
                v_net := v_nets[public.draw_number(v_stream, v_left, v_count)];
            END IF;
            v_below := greatest(0, v_below - v_net);
            IF v_below > v_deepest THEN
                v_deepest := v_below;
            END IF;
        END LOOP;
        RETURN NEXT v_deepest;
    END LOOP;
END
$$;
COMMENT ON FUNCTION
public.simulate_drawdowns(double precision[], integer, bigint, boolean) IS
'Deepest fall of the sum of the trades below its high (0 or more, account currency), for each run:
the trades in another order (p_reshuffled), or as many drawn from them with replacement. At most
10,000 runs and five million draws.';
REVOKE ALL ON FUNCTION
public.simulate_drawdowns(double precision[], integer, bigint, boolean) FROM public;
