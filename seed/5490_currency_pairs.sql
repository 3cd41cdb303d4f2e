-- 5490_currency_pairs.sql: the 28 pairs of the eight currencies traded most, by their plain names.

CALL deploy.become_owner();

-- The market names a pair by this order: the currency that comes first is the base.
WITH currencies AS (
    SELECT
        c.name,
        c.place
    FROM
        unnest('{EUR, GBP, AUD, NZD, USD, CAD, CHF, JPY}'::text[])
        WITH ORDINALITY AS c (name, place)
)

INSERT INTO public.currency_pairs (symbol, base_currency, quote_currency)
SELECT
    b.name || q.name AS symbol,
    b.name AS base_currency,
    q.name AS quote_currency
FROM currencies AS b
INNER JOIN currencies AS q ON b.place < q.place
ON CONFLICT (symbol) DO NOTHING;
