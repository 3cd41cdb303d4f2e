-- 0350_trading_positions_mt5.sql: what MT5 says of a position beyond the base's columns.
-- needs: schema/0160_trading_positions.sql
-- transaction: yes

CALL deploy.become_owner();

-- All nullable: the API's own rows lack them. Adding nullable columns rewrites nothing.
ALTER TABLE public.trading_positions
ADD COLUMN IF NOT EXISTS identifier bigint,
ADD COLUMN IF NOT EXISTS time bigint,
ADD COLUMN IF NOT EXISTS time_msc bigint,
ADD COLUMN IF NOT EXISTS time_update bigint,
ADD COLUMN IF NOT EXISTS time_update_msc bigint,
ADD COLUMN IF NOT EXISTS magic bigint,
ADD COLUMN IF NOT EXISTS reason integer,
ADD COLUMN IF NOT EXISTS comment public.short_text,
ADD COLUMN IF NOT EXISTS external_id public.short_text,
ADD COLUMN IF NOT EXISTS raw public.json_document;

COMMENT ON COLUMN public.trading_positions.identifier IS
'What names the position for life, deals call it position_id; ticket may change. NULL in rows that
the API wrote.';
COMMENT ON COLUMN public.trading_positions.time IS
'When it was opened, seconds since 1970 on the server''s clock.';
COMMENT ON COLUMN public.trading_positions.time_msc IS
'When it was opened, milliseconds since 1970 on the server''s clock.';
COMMENT ON COLUMN public.trading_positions.time_update IS
'When it last changed, seconds since 1970 on the server''s clock.';
COMMENT ON COLUMN public.trading_positions.time_update_msc IS
'When it last changed, milliseconds since 1970 on the server''s clock.';
COMMENT ON COLUMN public.trading_positions.magic IS 'Number of the program that opened it.';
COMMENT ON COLUMN public.trading_positions.reason IS 'Code, kind position_reason of mt5_codes.';
COMMENT ON COLUMN public.trading_positions.comment IS 'Comment; brokers overwrite it.';
COMMENT ON COLUMN public.trading_positions.external_id IS 'Number at the exchange.';
COMMENT ON COLUMN public.trading_positions.raw IS 'The element as MT5 gave it.';
