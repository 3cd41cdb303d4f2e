-- 0300_mt5_codes.sql: names of MT5's codes, and the fields of its structures.

CALL deploy.become_owner();

-- No table references these: a new build of MT5 brings new codes, and they must be storable
-- before anyone names them. One table for all code sets, told apart by kind; deal types have a
-- table of their own because a type's effect on money stands there.
CREATE TABLE IF NOT EXISTS public.mt5_codes (
    kind public.short_text NOT NULL,
    code public.mt5_code NOT NULL,
    name public.short_text NOT NULL,
    CONSTRAINT mt5_codes_pkey PRIMARY KEY (kind, code),
    CONSTRAINT mt5_codes_kind_name_key UNIQUE (kind, name)
);
COMMENT ON TABLE public.mt5_codes IS 'Names of MT5''s codes except deal types.';
COMMENT ON COLUMN public.mt5_codes.kind IS
'Set of codes: deal_entry, deal_reason, order_type, order_state, order_filling, order_time,
order_reason, position_type, position_reason, margin_mode, trade_mode, trade_action or retcode.';
COMMENT ON COLUMN public.mt5_codes.code IS 'Number that MT5 gives.';
COMMENT ON COLUMN public.mt5_codes.name IS 'Name in MQL5 without its prefix, such as OUT_BY.';

CREATE TABLE IF NOT EXISTS public.mt5_deal_types (
    code public.mt5_code NOT NULL,
    name public.short_text NOT NULL,
    effect public.short_text NOT NULL,
    CONSTRAINT mt5_deal_types_pkey PRIMARY KEY (code),
    CONSTRAINT mt5_deal_types_name_key UNIQUE (name),
    CONSTRAINT mt5_deal_types_effect_known_check CHECK (
        effect IN ('trade', 'cancelled', 'balance', 'credit')
    )
);
COMMENT ON TABLE public.mt5_deal_types IS
'Names of MT5''s deal types and their effect on money. A type not listed counts as balance.';
COMMENT ON COLUMN public.mt5_deal_types.code IS 'Number that MT5 gives.';
COMMENT ON COLUMN public.mt5_deal_types.name IS 'Name in MQL5 without its prefix, such as BUY.';
COMMENT ON COLUMN public.mt5_deal_types.effect IS
'trade: opens or closes a position. cancelled: a trade that was taken back. balance: money only.
credit: moves the credit, not the balance.';

-- Kinds of field: ticket, id, signed, code, count and digits are whole numbers; amount, money and
-- margin are rounded to 8 decimals first, a ratio is not; seconds and milliseconds lie between 2000
-- and a day from now, those "or none" may be 0; any seconds is up to a day before the year 10000,
-- so that by any server's clock the moment fits its column. A test holds each kind equal to its
-- type.
CREATE TABLE IF NOT EXISTS internal.mt5_fields (
    source public.short_text NOT NULL,
    name public.short_text NOT NULL,
    kind public.short_text NOT NULL,
    is_required boolean NOT NULL,
    type public.short_text GENERATED ALWAYS AS (
        CASE kind
            WHEN 'ticket' THEN 'public.mt5_ticket'
            WHEN 'id' THEN 'public.mt5_number'
            WHEN 'code' THEN 'public.mt5_code'
            WHEN 'count' THEN 'integer'
            WHEN 'digits' THEN 'integer'
            WHEN 'amount' THEN 'public.trading_price'
            WHEN 'money' THEN 'public.mt5_amount'
            WHEN 'margin' THEN 'public.margin_amount'
            WHEN 'ratio' THEN 'public.margin_level'
            WHEN 'text' THEN 'public.short_text'
            WHEN 'name' THEN 'public.key_text'
            WHEN 'currency' THEN 'public.key_text'
            WHEN 'symbol' THEN 'public.deal_symbol'
            WHEN 'flag' THEN 'boolean'
            ELSE 'bigint' -- signed and times
        END
    ) STORED,
    json_type public.short_text GENERATED ALWAYS AS (
        CASE
            WHEN kind IN ('text', 'name', 'currency', 'symbol') THEN 'string'
            WHEN kind = 'flag' THEN 'boolean'
            ELSE 'number'
        END
    ) STORED,
    above numeric GENERATED ALWAYS AS (
        CASE
            WHEN kind = 'ticket' THEN 0
            WHEN kind = 'signed' THEN -9223372036854775809
            WHEN kind = 'code' THEN -2147483649
            WHEN kind = 'amount' THEN -1e12
            WHEN kind = 'money' THEN -1e16
            WHEN kind = 'margin' THEN -1e-8
            WHEN kind = 'ratio' THEN -1e30
            WHEN kind LIKE 'seconds%' THEN 946684799 -- the year 2000 begins; MT5 is younger
            WHEN kind LIKE 'milliseconds%' THEN 946684799999
            ELSE -1
        END
    ) STORED,
    below numeric GENERATED ALWAYS AS (
        CASE
            WHEN kind IN ('ticket', 'id', 'signed') THEN 9223372036854775808
            WHEN kind IN ('code', 'count') THEN 2147483648
            WHEN kind = 'digits' THEN 9
            WHEN kind = 'amount' THEN 1e12
            WHEN kind IN ('money', 'margin') THEN 1e16
            WHEN kind = 'ratio' THEN 1e30
            WHEN kind = 'text' THEN 4001
            WHEN kind IN ('name', 'currency', 'symbol') THEN 801
            WHEN kind = 'any seconds' THEN 253402214401
        END
    ) STORED,
    CONSTRAINT mt5_fields_pkey PRIMARY KEY (source, name),
    CONSTRAINT mt5_fields_kind_known_check CHECK (
        kind IN (
            'ticket', 'id', 'signed', 'code', 'count', 'digits', 'amount', 'money', 'margin',
            'ratio', 'flag', 'text', 'name', 'currency', 'symbol', 'seconds', 'milliseconds',
            'seconds or none', 'milliseconds or none', 'any seconds'
        )
    )
);
COMMENT ON TABLE internal.mt5_fields IS
'Fields of the MetaTrader5 package''s tuples and their accepted values. Fields that are not listed
are welcome.';
COMMENT ON COLUMN internal.mt5_fields.source IS
'account, deals, orders, positions or symbols: the ingest function that takes it.';
COMMENT ON COLUMN internal.mt5_fields.name IS 'Name in the package''s _asdict().';
COMMENT ON COLUMN internal.mt5_fields.kind IS 'Accepted values.';
COMMENT ON COLUMN internal.mt5_fields.type IS
'Type that the columns for this kind have; some columns are narrower.';
COMMENT ON COLUMN internal.mt5_fields.json_type IS 'string, boolean or number.';
COMMENT ON COLUMN internal.mt5_fields.above IS 'Bound of a number, which is greater.';
COMMENT ON COLUMN internal.mt5_fields.below IS
'Bound of a number, or of a text''s bytes, which are less; NULL for times that end a day from now.';
COMMENT ON COLUMN internal.mt5_fields.is_required IS 'Whether an element without it is rejected.';
