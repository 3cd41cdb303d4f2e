-- 0470_performance_types.sql: types that the parts of measure_performance hand to each other.

CALL deploy.become_owner();

DO $$
BEGIN
    CREATE TYPE public.trading_day AS (
        day timestamptz,
        account_id bigint,
        trades bigint,
        won bigint,
        lost bigint,
        net numeric,
        gross_profit numeric,
        best numeric,
        worst numeric,
        held interval,
        volume numeric,
        commission numeric,
        swap numeric
    );
EXCEPTION WHEN duplicate_object THEN
    NULL; -- there since an earlier run
END
$$;
COMMENT ON TYPE public.trading_day IS
'Sums of the trades that an account closed on a UTC day, account currency; never stored.';

DO $$
BEGIN
    CREATE TYPE public.performance_sums AS (
        trades integer,
        won integer,
        lost integer,
        net numeric,
        gross_profit numeric,
        gross_loss numeric,
        best numeric,
        worst numeric,
        held interval,
        volume numeric,
        commission numeric,
        swap numeric,
        mixed boolean,
        currency text,
        opening numeric,
        observations integer,
        excess numeric,
        deviation numeric,
        constant boolean,
        downside numeric,
        lowest numeric,
        fall numeric,
        growth numeric
    );
EXCEPTION WHEN duplicate_object THEN
    NULL; -- there since an earlier run
END
$$;
COMMENT ON TYPE public.performance_sums IS
'Sums of a group''s trades (sum_trading_days), the money of its results (find_results_basis) and
figures of its days (measure_daily_returns); never stored.';

DO $$
BEGIN
    CREATE TYPE public.drawdown AS (
        money numeric,
        percent numeric,
        started_at timestamptz,
        trough_at timestamptz,
        recovered_at timestamptz
    );
EXCEPTION WHEN duplicate_object THEN
    NULL; -- there since an earlier run
END
$$;
COMMENT ON TYPE public.drawdown IS
'A fall of a curve: account currency and percent of the high, both positive, and UTC times from the
high over the lowest point to the recovery, NULL before the recovery; never stored.';

DO $$
BEGIN
    CREATE TYPE public.performance_curve AS (
        known boolean,
        not_positive boolean,
        absolute public.drawdown,
        maximal public.drawdown,
        relative public.drawdown,
        under_water interval,
        won integer,
        won_money numeric,
        lost integer,
        lost_money numeric
    );
EXCEPTION WHEN duplicate_object THEN
    NULL; -- there since an earlier run
END
$$;
COMMENT ON TYPE public.performance_curve IS
'Findings along a curve of balance or equity: whether it has points, was ever at or below
zero, MT5''s three drawdowns, time under water, longest winning and losing series; never stored.';
