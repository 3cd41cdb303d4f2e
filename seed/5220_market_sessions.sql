-- 5220_market_sessions.sql: trading hours of the two calendars that most series follow.

CALL deploy.become_owner();

-- By the clock that most MT5 servers run, the foreign-exchange week is five whole days. Hours that
-- somebody has changed stay as they are: only an empty calendar is filled.
INSERT INTO public.market_calendar_clocks (calendar, clock)
VALUES ('forex', 'America/New_York+7'), ('always', 'UTC')
ON CONFLICT (calendar) DO NOTHING;

INSERT INTO public.market_sessions (calendar, weekday, opens, closes)
SELECT
    'forex' AS calendar,
    d.weekday,
    interval '0 hours' AS opens,
    interval '24 hours' AS closes
FROM generate_series(1, 5) AS d (weekday)
WHERE NOT EXISTS (
    SELECT FROM public.market_sessions AS s
    WHERE s.calendar = 'forex'
);

INSERT INTO public.market_sessions (calendar, weekday, opens, closes)
SELECT
    'always' AS calendar,
    d.weekday,
    interval '0 hours' AS opens,
    interval '24 hours' AS closes
FROM generate_series(1, 7) AS d (weekday)
WHERE NOT EXISTS (
    SELECT FROM public.market_sessions AS s
    WHERE s.calendar = 'always'
);

-- The two holidays of every market; others depend on the broker.
INSERT INTO public.market_holidays (calendar, day, name)
SELECT
    'forex' AS calendar,
    make_date(y.year, h.month, h.day) AS day,
    h.name
FROM generate_series(2000, 2040) AS y (year)
CROSS JOIN (VALUES (1, 1, 'New Year'), (12, 25, 'Christmas')) AS h (month, day, name)
ON CONFLICT (calendar, day) DO NOTHING;
