-- 0041_domains.sql: rules of single values, for all columns.

CALL deploy.become_owner();

-- Rules about one value stand here, rules about several columns at their table. A table's CHECKs
-- are read, compiled and evaluated by every statement that writes a row, all of them; a domain's
-- rule is kept by the session and evaluated for the columns that the statement writes. A price
-- update of a position took 64 microseconds with CHECKs and 19 to 32 with these domains, connection
-- and commit left out (benchmarks/rules.py measures the whole).
-- Every text and JSON has a bound: a row of hundreds of megabytes can't be dumped, nor announced by
-- a trigger. Lengths are of bytes, which the server knows of a text without unpacking it; JSON is
-- measured as a dump writes it, because pg_column_size of a value out of another table is that of
-- its compressed form. Times have a bound, so that no query counts the days of an eternity; 48
-- hours, because server clocks run ahead of UTC.
-- Symbols and timeframes are compared by their bytes: a national locale's rules would cost every
-- search in the keys of bars and ticks several times as much, and no reader sorts by them.
-- NaN is above every number, and the sign of NaN is NaN. NULL passes: NOT NULL says otherwise.
DO $$
BEGIN
    IF to_regtype('public.trading_price') IS NULL THEN
        CREATE DOMAIN public.trading_price AS numeric(20, 8)
        CONSTRAINT price_not_nan_check CHECK (VALUE <> 'NaN');
    END IF;
    IF to_regtype('public.trading_volume') IS NULL THEN
        CREATE DOMAIN public.trading_volume AS numeric(20, 8)
        CONSTRAINT volume_positive_check CHECK (sign(VALUE) = 1);
    END IF;
    IF to_regtype('public.trading_amount') IS NULL THEN
        CREATE DOMAIN public.trading_amount AS numeric(30, 8)
        CONSTRAINT amount_not_nan_check CHECK (VALUE <> 'NaN');
    END IF;
    IF to_regtype('public.margin_amount') IS NULL THEN
        CREATE DOMAIN public.margin_amount AS numeric(24, 8)
        CONSTRAINT margin_not_negative_check CHECK (sign(VALUE) IN (0, 1));
    END IF;
    IF to_regtype('public.margin_level') IS NULL THEN
        CREATE DOMAIN public.margin_level AS numeric
        CONSTRAINT margin_level_finite_check CHECK (VALUE > -1e30 AND VALUE < 1e30);
    END IF;
    IF to_regtype('public.figure') IS NULL THEN
        CREATE DOMAIN public.figure AS numeric
        CONSTRAINT figure_finite_check CHECK (VALUE > '-Infinity' AND VALUE < 'Infinity');
    END IF;
    IF to_regtype('public.mt5_amount') IS NULL THEN
        CREATE DOMAIN public.mt5_amount AS numeric(24, 8)
        CONSTRAINT mt5_amount_not_nan_check CHECK (VALUE <> 'NaN');
    END IF;
    IF to_regtype('public.deal_volume') IS NULL THEN
        CREATE DOMAIN public.deal_volume AS numeric(17, 8)
        CONSTRAINT deal_volume_not_negative_check CHECK (sign(VALUE) IN (0, 1));
    END IF;
    IF to_regtype('public.order_volume') IS NULL THEN
        CREATE DOMAIN public.order_volume AS numeric(20, 8)
        CONSTRAINT order_volume_not_negative_check CHECK (sign(VALUE) IN (0, 1));
    END IF;
    IF to_regtype('public.mt5_ticket') IS NULL THEN
        CREATE DOMAIN public.mt5_ticket AS bigint
        CONSTRAINT ticket_positive_check CHECK (VALUE > 0);
    END IF;
    IF to_regtype('public.mt5_number') IS NULL THEN
        CREATE DOMAIN public.mt5_number AS bigint
        CONSTRAINT number_not_negative_check CHECK (VALUE >= 0);
    END IF;
    IF to_regtype('public.mt5_code') IS NULL THEN
        -- no rule: a code of a coming build of MT5 must be storable
        CREATE DOMAIN public.mt5_code AS integer;
    END IF;
    IF to_regtype('public.confidence') IS NULL THEN
        CREATE DOMAIN public.confidence AS numeric(3, 2)
        CONSTRAINT confidence_range_check CHECK (VALUE BETWEEN 0 AND 1);
    END IF;
    IF to_regtype('public.risk_share') IS NULL THEN
        CREATE DOMAIN public.risk_share AS numeric(9, 8)
        CONSTRAINT risk_share_range_check CHECK (VALUE > 0 AND VALUE <= 1);
    END IF;
    IF to_regtype('public.position_limit') IS NULL THEN
        CREATE DOMAIN public.position_limit AS integer
        CONSTRAINT position_limit_positive_check CHECK (VALUE > 0);
    END IF;
    IF to_regtype('public.symbol_name') IS NULL THEN
        CREATE DOMAIN public.symbol_name AS text COLLATE "C"
        CONSTRAINT symbol_trimmed_check CHECK (public.is_trimmed(VALUE))
        CONSTRAINT symbol_length_check CHECK (octet_length(VALUE) <= 800);
    END IF;
    IF to_regtype('public.deal_symbol') IS NULL THEN
        CREATE DOMAIN public.deal_symbol AS text COLLATE "C"
        CONSTRAINT deal_symbol_trimmed_check CHECK (VALUE = '' OR public.is_trimmed(VALUE))
        CONSTRAINT deal_symbol_length_check CHECK (octet_length(VALUE) <= 800);
    END IF;
    IF to_regtype('public.symbol_list') IS NULL THEN
        CREATE DOMAIN public.symbol_list AS jsonb
        CONSTRAINT symbol_list_form_check CHECK (
            jsonb_typeof(VALUE) = 'array'
            AND NOT VALUE @? 'strict $[*] ? (@.type() != "string")'
            AND NOT public.has_untrimmed(VALUE)
        )
        CONSTRAINT symbol_list_size_check CHECK (octet_length(VALUE::text) <= 262144);
    END IF;
    IF to_regtype('public.timeframe') IS NULL THEN
        CREATE DOMAIN public.timeframe AS text COLLATE "C"
        CONSTRAINT timeframe_known_check CHECK (public.is_timeframe(VALUE));
    END IF;
    IF to_regtype('public.timeframe_list') IS NULL THEN
        CREATE DOMAIN public.timeframe_list AS jsonb
        CONSTRAINT timeframe_list_form_check CHECK (
            jsonb_typeof(VALUE) = 'array'
            AND NOT VALUE @? 'strict $[*] ? (@.type() != "string")'
            AND public.are_timeframes(VALUE)
        )
        CONSTRAINT timeframe_list_size_check CHECK (octet_length(VALUE::text) <= 262144);
    END IF;
    IF to_regtype('public.order_type') IS NULL THEN
        CREATE DOMAIN public.order_type AS text
        CONSTRAINT order_type_known_check CHECK (
            VALUE ~ '^((BUY|SELL)(_STOP)?(_LIMIT)?|CLOSE_BY)$'
        );
    END IF;
    IF to_regtype('public.position_type') IS NULL THEN
        CREATE DOMAIN public.position_type AS text
        CONSTRAINT position_type_known_check CHECK (VALUE IN ('BUY', 'SELL'));
    END IF;
    IF to_regtype('public.currency_code') IS NULL THEN
        CREATE DOMAIN public.currency_code AS text
        CONSTRAINT currency_form_check CHECK (VALUE ~ '^[A-Za-z0-9]{2,10}$');
    END IF;
    IF to_regtype('public.filled_text') IS NULL THEN
        CREATE DOMAIN public.filled_text AS text
        CONSTRAINT text_not_blank_check CHECK (public.is_filled(VALUE))
        CONSTRAINT text_length_check CHECK (octet_length(VALUE) <= 800);
    END IF;
    IF to_regtype('public.strategy_name') IS NULL THEN
        CREATE DOMAIN public.strategy_name AS text
        CONSTRAINT name_not_blank_check CHECK (
            public.is_filled(VALUE) AND char_length(VALUE) <= 255
        );
    END IF;
    IF to_regtype('public.server_name') IS NULL THEN
        CREATE DOMAIN public.server_name AS text
        CONSTRAINT server_name_not_blank_check CHECK (public.is_filled(VALUE))
        CONSTRAINT server_name_length_check CHECK (octet_length(VALUE) <= 800);
    END IF;
    IF to_regtype('public.key_text') IS NULL THEN
        CREATE DOMAIN public.key_text AS text
        CONSTRAINT key_length_check CHECK (octet_length(VALUE) <= 800);
    END IF;
    IF to_regtype('public.short_text') IS NULL THEN
        CREATE DOMAIN public.short_text AS text
        CONSTRAINT short_text_length_check CHECK (octet_length(VALUE) <= 4000);
    END IF;
    IF to_regtype('public.long_text') IS NULL THEN
        CREATE DOMAIN public.long_text AS text
        CONSTRAINT long_text_length_check CHECK (octet_length(VALUE) <= 65536);
    END IF;
    IF to_regtype('public.json_document') IS NULL THEN
        CREATE DOMAIN public.json_document AS jsonb
        CONSTRAINT json_size_check CHECK (octet_length(VALUE::text) <= 262144);
    END IF;
    IF to_regtype('public.row_values') IS NULL THEN
        -- all columns of a row together, each of which has a bound
        CREATE DOMAIN public.row_values AS jsonb
        CONSTRAINT row_values_size_check CHECK (pg_column_size(VALUE) <= 1048576);
    END IF;
    IF to_regtype('public.event_values') IS NULL THEN
        CREATE DOMAIN public.event_values AS jsonb
        CONSTRAINT event_values_size_check CHECK (pg_column_size(VALUE) <= 65536);
    END IF;
    IF to_regtype('public.event_kind') IS NULL THEN
        CREATE DOMAIN public.event_kind AS text
        CONSTRAINT event_kind_known_check CHECK (
            VALUE IN ('account', 'deal', 'order', 'position')
        );
    END IF;
    IF to_regtype('public.event_what') IS NULL THEN
        CREATE DOMAIN public.event_what AS text
        CONSTRAINT event_what_known_check CHECK (
            VALUE IN (
                'new', 'changed', 'done', 'closed', 'cancelled', 'gone', 'returned', 'deleted'
            )
        );
    END IF;
    IF to_regtype('public.row_action') IS NULL THEN
        CREATE DOMAIN public.row_action AS text
        CONSTRAINT row_action_known_check CHECK (VALUE IN ('INSERT', 'UPDATE', 'DELETE'));
    END IF;
    IF to_regtype('public.order_maker') IS NULL THEN
        CREATE DOMAIN public.order_maker AS text
        CONSTRAINT order_maker_known_check CHECK (VALUE IN ('api', 'deals'));
    END IF;
    IF to_regtype('public.event_time') IS NULL THEN
        CREATE DOMAIN public.event_time AS timestamptz
        CONSTRAINT event_time_range_check CHECK (
            VALUE BETWEEN '1990-01-01 00:00:00+00' AND now() + interval '48 hours'
        );
    END IF;
    IF to_regtype('public.finite_time') IS NULL THEN
        CREATE DOMAIN public.finite_time AS timestamptz
        CONSTRAINT finite_time_range_check CHECK (
            VALUE BETWEEN '1699-01-01 00:00:00+00' AND '10000-01-01 00:00:00+00'
        );
    END IF;
    IF to_regtype('public.server_clock') IS NULL THEN
        -- A zone has a slash, or is UTC or GMT: EET, CET and such are fixed offsets to PostgreSQL
        -- and zones with summer time to all others. An unknown zone raises 22023.
        CREATE DOMAIN public.server_clock AS text
        CONSTRAINT server_clock_form_check CHECK (
            octet_length(VALUE) <= 100
            AND VALUE ~ '^[A-Z][A-Za-z_]+(/[A-Z][A-Za-z_-]*[A-Za-z]){0,2}([+-]([1-9]|1[0-4]))?$'
            AND VALUE ~ '^(UTC|GMT|Etc/UTC|Etc/GMT)([+-]|$)|^(?!Etc).+/'
        )
        CONSTRAINT server_clock_zone_known_check CHECK (
            isfinite(
                timestamp '2000-01-01' AT TIME ZONE CASE
                    WHEN VALUE LIKE 'Etc/GMT%' THEN VALUE ELSE rtrim(VALUE, '+-0123456789')
                END
            )
        );
    END IF;
    IF to_regtype('public.request_id') IS NULL THEN
        CREATE DOMAIN public.request_id AS text
        CONSTRAINT request_id_form_check CHECK (char_length(VALUE) BETWEEN 1 AND 200);
    END IF;
END
$$;

COMMENT ON DOMAIN public.trading_price IS 'Price in the quote currency; may be negative.';
COMMENT ON DOMAIN public.trading_volume IS 'Volume in lots, above 0.';
COMMENT ON DOMAIN public.trading_amount IS 'Money in the account currency; may be negative.';
COMMENT ON DOMAIN public.margin_amount IS 'Margin in use, account currency, at least 0.';
COMMENT ON DOMAIN public.margin_level IS 'Equity over margin in percent.';
COMMENT ON DOMAIN public.figure IS 'A number that is neither NaN nor infinite.';
COMMENT ON DOMAIN public.mt5_amount IS
'Money or another amount as MT5 tells it; a million times less than a sum of them may be.';
COMMENT ON DOMAIN public.deal_volume IS
'Volume of one deal in lots, 0 without one; a thousand times less than a sum of them may be.';
COMMENT ON DOMAIN public.order_volume IS 'Volume in lots, at least 0.';
COMMENT ON DOMAIN public.mt5_ticket IS 'Number that MT5 gives to a deal, order or position.';
COMMENT ON DOMAIN public.mt5_number IS 'Ticket of another thing; 0 where there is none.';
COMMENT ON DOMAIN public.mt5_code IS
'Code of MT5, named in mt5_codes and mt5_deal_types where its name is known.';
COMMENT ON DOMAIN public.confidence IS 'Confidence of a strategy in its signal, 0 to 1.';
COMMENT ON DOMAIN public.risk_share IS
'Part of the balance that a trade may lose, above 0 and at most 1.';
COMMENT ON DOMAIN public.position_limit IS 'Most positions open at a time, above 0.';
COMMENT ON DOMAIN public.symbol_name IS
'Symbol as the broker spells it: printable, no blank at its ends.';
COMMENT ON DOMAIN public.deal_symbol IS
'Symbol of a deal as the broker spells it; empty in deals that only move money.';
COMMENT ON DOMAIN public.symbol_list IS 'JSON array of symbols.';
COMMENT ON DOMAIN public.timeframe IS 'One of MT5''s 21 timeframes.';
COMMENT ON DOMAIN public.timeframe_list IS 'JSON array of MT5''s timeframes.';
COMMENT ON DOMAIN public.order_type IS 'One of MT5''s 9 order types.';
COMMENT ON DOMAIN public.position_type IS 'BUY (long) or SELL (short).';
COMMENT ON DOMAIN public.currency_code IS 'Currency as MT5 names it: 2 to 10 letters or digits.';
COMMENT ON DOMAIN public.filled_text IS 'Text that is not blank, at most 800 bytes.';
COMMENT ON DOMAIN public.strategy_name IS 'Name of a strategy, at most 255 characters.';
COMMENT ON DOMAIN public.server_name IS 'Name of a trade server, or of another source of bars.';
COMMENT ON DOMAIN public.key_text IS
'Text that names something: at most 800 bytes, so that it fits an index.';
COMMENT ON DOMAIN public.short_text IS 'Text of at most 4,000 bytes.';
COMMENT ON DOMAIN public.long_text IS 'Text of at most 64 kB.';
COMMENT ON DOMAIN public.json_document IS 'JSON of at most 256 kB.';
COMMENT ON DOMAIN public.row_values IS 'Columns of a row by their names, at most 1 MB.';
COMMENT ON DOMAIN public.event_values IS 'What an event tells, at most 64 kB.';
COMMENT ON DOMAIN public.event_kind IS 'account, deal, order or position.';
COMMENT ON DOMAIN public.event_what IS 'What happened: new, changed, done, closed and others.';
COMMENT ON DOMAIN public.row_action IS 'INSERT, UPDATE or DELETE.';
COMMENT ON DOMAIN public.order_maker IS 'Who made an order: api or deals.';
COMMENT ON DOMAIN public.event_time IS
'Time of an event: from 1990 to two days ahead, UTC.';
COMMENT ON DOMAIN public.finite_time IS
'A moment of the past or of the future: from 1699 to the year 9999, UTC.';
COMMENT ON DOMAIN public.server_clock IS
'Clock of a server or of a source of bars: a time zone, then the whole hours it is ahead of it.
America/New_York+7, Europe/Athens, Etc/GMT-2, UTC.';
COMMENT ON DOMAIN public.request_id IS
'Identity of a request, chosen by the client: 1 to 200 characters.';
