-- 3531_trip_excursions.sql: how far trips went for and against, in money and in R.

CALL deploy.become_owner();

CREATE OR REPLACE VIEW public.trip_excursions
WITH (security_invoker = TRUE) AS
SELECT
    r.user_id,
    r.account_id,
    r.position_id,
    r.leg,
    r.trading_order_id,
    r.strategy_id,
    r.symbol,
    r.closed_at,
    r.currency,
    r.r,
    r.r_of_prices,
    round(t.adverse_excursion * r.price_value * r.volume_opened, 8) AS mae,
    round(t.favourable_excursion * r.price_value * r.volume_opened, 8) AS mfe,
    t.adverse_excursion / r.stop_distance AS mae_r,
    t.favourable_excursion / r.stop_distance AS mfe_r,
    r.price_move / nullif(t.favourable_excursion, 0) AS exit_efficiency
FROM public.trip_risks AS r
INNER JOIN public.mt5_trip_results AS t
    ON r.account_id = t.account_id AND r.position_id = t.position_id AND r.leg = t.leg;
COMMENT ON VIEW public.trip_excursions IS
'Trips with their largest excursions (after John Sweeney, by M1 bars) in money and in R. NULL
without bars, without the worth of a price (money) or without a stop (R).';
COMMENT ON COLUMN public.trip_excursions.user_id IS 'Owner.';
COMMENT ON COLUMN public.trip_excursions.account_id IS 'Trading account.';
COMMENT ON COLUMN public.trip_excursions.position_id IS 'Position, for life.';
COMMENT ON COLUMN public.trip_excursions.leg IS 'Leg of the position.';
COMMENT ON COLUMN public.trip_excursions.trading_order_id IS 'Row in trading_orders.';
COMMENT ON COLUMN public.trip_excursions.strategy_id IS 'Strategy; NULL for none.';
COMMENT ON COLUMN public.trip_excursions.symbol IS 'Symbol as the broker spells it.';
COMMENT ON COLUMN public.trip_excursions.closed_at IS 'Time of closing, UTC; NULL while open.';
COMMENT ON COLUMN public.trip_excursions.currency IS 'Currency of the money columns.';
COMMENT ON COLUMN public.trip_excursions.r IS 'R of the net result, see trip_risks.';
COMMENT ON COLUMN public.trip_excursions.r_of_prices IS 'R of the prices, see trip_risks.';
COMMENT ON COLUMN public.trip_excursions.mae IS
'Maximum adverse excursion: adverse_excursion x price_value x volume_opened, account currency, not
below 0.';
COMMENT ON COLUMN public.trip_excursions.mfe IS
'Maximum favourable excursion of the whole volume, account currency, not below 0.';
COMMENT ON COLUMN public.trip_excursions.mae_r IS 'adverse_excursion / stop_distance.';
COMMENT ON COLUMN public.trip_excursions.mfe_r IS 'favourable_excursion / stop_distance.';
COMMENT ON COLUMN public.trip_excursions.exit_efficiency IS
'price_move / favourable_excursion: share of the largest gain that was realised, 1 at best, below 0
for a loss; NULL when the price never went in favour.';
