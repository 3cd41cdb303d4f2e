-- 3360_mt5_report_figures.sql: the terminal's own results beside ours.

CALL deploy.become_owner();

-- Equal in all printed digits: a given 0.83 and our 0.829845 are. Where a figure does not exist (no
-- loss, no fall), the terminal prints 0 or its largest number, and ours is NULL.
CREATE OR REPLACE VIEW public.mt5_report_figures WITH (security_invoker = TRUE) AS
SELECT
    r.account_id,
    r.id AS report_id,
    m.figure,
    (r.figures ->> m.figure)::numeric AS given,
    m.value,
    CASE
        WHEN m.value IS NULL
            THEN
                (r.figures ->> m.figure)::numeric = 0
                OR (r.figures ->> m.figure)::numeric > 1e15
        ELSE
            abs((r.figures ->> m.figure)::numeric - m.value)
            <= 0.5 * power(10::numeric, -scale((r.figures ->> m.figure)::numeric))
    END AS is_equal
FROM public.mt5_reports AS r
CROSS JOIN
    public.measure_mt5_report(
        r.account_id, r.first_msc, r.last_msc, coalesce(r.opening_balance, 0)
    ) AS m
WHERE r.figures ? m.figure;

COMMENT ON VIEW public.mt5_report_figures IS
'Each result that the terminal printed into a report, beside the result of the stored deals.';
COMMENT ON COLUMN public.mt5_report_figures.account_id IS 'Trading account.';
COMMENT ON COLUMN public.mt5_report_figures.report_id IS 'Row in mt5_reports.';
COMMENT ON COLUMN public.mt5_report_figures.figure IS
'Name of the result, such as net_profit; docs/reference/performance.md has the definitions.';
COMMENT ON COLUMN public.mt5_report_figures.given IS
'As printed: account currency, percent or a number.';
COMMENT ON COLUMN public.mt5_report_figures.value IS 'Result of the stored deals, unrounded.';
COMMENT ON COLUMN public.mt5_report_figures.is_equal IS
'TRUE when both agree in all printed digits.';
