-- 0040_domains.sql: what a single value must be, whichever column holds it.

CALL deploy.become_owner();

-- Rules about one value stand here, rules about several columns at their table. A table's CHECKs
-- are read, compiled and evaluated by every statement that writes a row, all of them; a domain's
-- rule is kept by the session and evaluated for the columns that the statement writes. A price
-- update of a position took 64 microseconds with CHECKs and 19 to 32 with these domains, connection
-- and commit left out (benchmarks/rules.py measures the whole).
-- Every text and JSON has a bound: a row of hundreds of megabytes can't be dumped, nor told of by a
-- trigger. Lengths are of bytes, which the server knows of a text without unpacking it; JSON is
-- measured as a dump writes it, because pg_column_size of a value out of another table is that of
-- its compressed form. Times have a bound, so that nothing counts the days of an eternity; 48
-- hours, because server clocks run ahead of UTC.
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
        CONSTRAINT margin_level_finite_check CHECK (VALUE > '-Infinity' AND VALUE < 'Infinity');
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
        CREATE DOMAIN public.symbol_name AS text
        CONSTRAINT symbol_trimmed_check CHECK (
            VALUE !~ '^$|^[ \u00a0]|[ \u00a0]$|[\u0001-\u001f\u007f-\u009f]'
        )
        CONSTRAINT symbol_length_check CHECK (octet_length(VALUE) <= 800);
    END IF;
    IF to_regtype('public.symbol_list') IS NULL THEN
        CREATE DOMAIN public.symbol_list AS jsonb
        CONSTRAINT symbol_list_form_check CHECK (
            jsonb_typeof(VALUE) = 'array'
            AND NOT VALUE @? 'strict $[*] ? (@.type() != "string")'
            AND NOT VALUE @? '$[*] ? (@ like_regex
                "^$|^[ \u00a0]|[ \u00a0]$|[\u0001-\u001f\u007f-\u009f]")'
        )
        CONSTRAINT symbol_list_size_check CHECK (octet_length(VALUE::text) <= 262144);
    END IF;
    IF to_regtype('public.timeframe') IS NULL THEN
        CREATE DOMAIN public.timeframe AS text
        CONSTRAINT timeframe_known_check CHECK (
            VALUE ~ '^(M([1-6]|10|12|15|20|30)|H([1-468]|12)|D1|W1|MN1)$'
        );
    END IF;
    IF to_regtype('public.timeframe_list') IS NULL THEN
        CREATE DOMAIN public.timeframe_list AS jsonb
        CONSTRAINT timeframe_list_form_check CHECK (
            jsonb_typeof(VALUE) = 'array'
            AND NOT VALUE @? 'strict $[*] ? (@.type() != "string")'
            AND VALUE <@ '["M1", "M2", "M3", "M4", "M5", "M6", "M10", "M12", "M15", "M20", "M30",
                "H1", "H2", "H3", "H4", "H6", "H8", "H12", "D1", "W1", "MN1"]'
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
        CONSTRAINT text_not_blank_check CHECK (VALUE ~ '[^ \u00a0\u0001-\u001f\u007f-\u009f]')
        CONSTRAINT text_length_check CHECK (octet_length(VALUE) <= 800);
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
COMMENT ON DOMAIN public.confidence IS 'Confidence of a strategy in its signal, 0 to 1.';
COMMENT ON DOMAIN public.risk_share IS
'Part of the balance that a trade may lose, above 0 and at most 1.';
COMMENT ON DOMAIN public.position_limit IS 'Most positions open at a time, above 0.';
COMMENT ON DOMAIN public.symbol_name IS
'Symbol as the broker spells it: printable, no blank at its ends.';
COMMENT ON DOMAIN public.symbol_list IS 'JSON array of symbols.';
COMMENT ON DOMAIN public.timeframe IS 'One of MT5''s 21 timeframes.';
COMMENT ON DOMAIN public.timeframe_list IS 'JSON array of MT5''s timeframes.';
COMMENT ON DOMAIN public.order_type IS 'One of MT5''s 9 order types.';
COMMENT ON DOMAIN public.position_type IS 'BUY (long) or SELL (short).';
COMMENT ON DOMAIN public.currency_code IS 'Currency as MT5 names it: 2 to 10 letters or digits.';
COMMENT ON DOMAIN public.filled_text IS 'Text that is not blank, at most 800 bytes.';
COMMENT ON DOMAIN public.key_text IS
'Text that names something: at most 800 bytes, so that it fits an index.';
COMMENT ON DOMAIN public.short_text IS 'Text of at most 4,000 bytes.';
COMMENT ON DOMAIN public.long_text IS 'Text of at most 64 kB.';
COMMENT ON DOMAIN public.json_document IS 'JSON of at most 256 kB.';
COMMENT ON DOMAIN public.event_time IS
'When something happened: from 1990 to two days ahead, UTC.';
COMMENT ON DOMAIN public.finite_time IS
'A moment of the past or of the future: from 1699 to the year 9999, UTC.';
COMMENT ON DOMAIN public.server_clock IS
'Clock of a server or of a source of bars: a time zone, then the whole hours it is ahead of it.
America/New_York+7, Europe/Athens, Etc/GMT-2, UTC.';
COMMENT ON DOMAIN public.request_id IS
'Identity of a request, chosen by the client: 1 to 200 characters.';
