-- ratios.sql: ratios with the number they rest on, and the interval they may lie in.

-- RATIOS: of the scope's trades and days
SELECT c.ratio, c.unit, c.value, c.n, c.counted, c.low, c.high, c.level, c.reason, c.method
FROM public.calculate_ratios(
    p_user_id => %(user_id)s, p_strategy_id => %(strategy_id)s, p_period_start => %(start)s,
    p_period_end => %(end)s, p_risk_free => %(risk_free)s, p_account_id => %(account_id)s
) AS c;
