-- 2541_normal_distribution.sql: the normal distribution, and what is known of a Sharpe ratio by it.

CALL deploy.become_owner();

-- erf() came with PostgreSQL 16. The series of odd powers has only positive terms, so nothing
-- cancels: the error stays below 1e-15. Beyond 8.3 the tail is smaller than that.
CREATE OR REPLACE FUNCTION public.normal_probability(p_x double precision)
RETURNS double precision
LANGUAGE plpgsql
IMMUTABLE
STRICT
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_term double precision := p_x;
    v_sum double precision := 0;
    v_odd integer := 1;
BEGIN
    IF p_x = 'NaN' THEN
        RETURN p_x;
    ELSIF abs(p_x) > 8.3 THEN
        RETURN CASE WHEN p_x > 0 THEN 1 ELSE 0 END;
    ELSIF abs(p_x) < 1e-17 THEN
        RETURN 0.5; -- its square may be too small for the type, which is an error
    END IF;
    WHILE v_sum + v_term <> v_sum LOOP
        v_sum := v_sum + v_term;
        v_odd := v_odd + 2;
        v_term := v_term * p_x * p_x / v_odd;
    END LOOP;
    RETURN 0.5 + v_sum * exp(-p_x * p_x / 2) / sqrt(2 * pi());
END
$$;
COMMENT ON FUNCTION public.normal_probability(double precision) IS
'Probability that a standard normal value is at most p_x, with an error below 1e-14.';
REVOKE ALL ON FUNCTION public.normal_probability(double precision) FROM public;

CREATE OR REPLACE FUNCTION public.normal_quantile(p_probability double precision)
RETURNS double precision
LANGUAGE plpgsql
IMMUTABLE
STRICT
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_upper CONSTANT double precision := greatest(p_probability, 1 - p_probability);
    v_x double precision := 0;
    v_step double precision;
BEGIN
    IF NOT v_upper < 1 THEN
        RETURN NULL;
    END IF;
    -- Newton's steps from the middle outwards: the curve bends away from its tangents there, so
    -- none goes too far.
    FOR v_round IN 1..60 LOOP
        v_step := (v_upper - public.normal_probability(v_x))
            * sqrt(2 * pi()) * exp(v_x * v_x / 2);
        v_x := v_x + v_step;
        EXIT WHEN abs(v_step) < 1e-15;
    END LOOP;
    RETURN CASE WHEN p_probability < 0.5 THEN -v_x ELSE v_x END;
END
$$;
COMMENT ON FUNCTION public.normal_quantile(double precision) IS
'The value that a standard normal one is at most with this probability; NULL unless it is between 0
and 1.';
REVOKE ALL ON FUNCTION public.normal_quantile(double precision) FROM public;

-- Bailey and Lopez de Prado, The Sharpe Ratio Efficient Frontier, Journal of Risk 15 (2), 2012.
CREATE OR REPLACE FUNCTION public.sharpe_variance(
    p_sharpe double precision,
    p_skewness double precision,
    p_kurtosis double precision
)
RETURNS double precision
LANGUAGE sql
IMMUTABLE
STRICT
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    -- two values alone can make it 0, and rounding a root of less than that
    SELECT greatest(0, 1 - p_skewness * p_sharpe + (p_kurtosis - 1) / 4 * p_sharpe * p_sharpe)
$$;
COMMENT ON FUNCTION
public.sharpe_variance(double precision, double precision, double precision) IS
'Variance of an estimated Sharpe ratio, not annualised, times the number of returns less one.
p_kurtosis is 3 for normal returns.';
REVOKE ALL ON FUNCTION
public.sharpe_variance(double precision, double precision, double precision) FROM public;

CREATE OR REPLACE FUNCTION public.probabilistic_sharpe(
    p_sharpe double precision,
    p_benchmark double precision,
    p_count integer,
    p_skewness double precision,
    p_kurtosis double precision
)
RETURNS double precision
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT public.normal_probability(
        (p_sharpe - p_benchmark) * sqrt(greatest(p_count - 1, 0))
        / sqrt(nullif(public.sharpe_variance(p_sharpe, p_skewness, p_kurtosis), 0))
    )
$$;
COMMENT ON FUNCTION public.probabilistic_sharpe(
    double precision, double precision, integer, double precision, double precision
) IS
'Probability (0-1) that the true Sharpe ratio is above the benchmark, of p_count returns with this
Sharpe ratio, skewness and kurtosis (3 for normal). Neither ratio is annualised.';
REVOKE ALL ON FUNCTION public.probabilistic_sharpe(
    double precision, double precision, integer, double precision, double precision
) FROM public;

CREATE OR REPLACE FUNCTION public.minimum_track_record(
    p_sharpe double precision,
    p_benchmark double precision,
    p_level double precision,
    p_skewness double precision,
    p_kurtosis double precision
)
RETURNS double precision
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT
        CASE
            WHEN p_sharpe > p_benchmark
            THEN 1 + public.sharpe_variance(p_sharpe, p_skewness, p_kurtosis)
                * power(public.normal_quantile(p_level) / (p_sharpe - p_benchmark), 2)
        END
$$;
COMMENT ON FUNCTION public.minimum_track_record(
    double precision, double precision, double precision, double precision, double precision
) IS
'Number of returns like these after which a Sharpe ratio is above the benchmark with probability
p_level (0.5-1); NULL unless it is above. Neither ratio is annualised; p_kurtosis is 3 for normal.';
REVOKE ALL ON FUNCTION public.minimum_track_record(
    double precision, double precision, double precision, double precision, double precision
) FROM public;
