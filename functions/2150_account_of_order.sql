-- 2150_account_of_order.sql: an order of the API and its deals are one row in either order of
-- arrival.

CALL deploy.become_owner();

CREATE OR REPLACE FUNCTION internal.claim_order_numbers(p_user_id bigint, p_numbers text[])
RETURNS void
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
-- planned while the table is empty, a sequential scan would go over all dead rows later
SET enable_seqscan = off
SET jit = off
AS $$
BEGIN
    -- in the order of the numbers: two that claim many wait for each other in a row
    INSERT INTO internal.order_claims (user_id, mt5_order_id)
    SELECT p_user_id, n.number
    FROM unnest(p_numbers) AS n (number)
    GROUP BY n.number
    ORDER BY n.number;
    DELETE FROM internal.order_claims AS c
    WHERE c.user_id = p_user_id AND c.mt5_order_id = ANY (p_numbers);
END
$$;
COMMENT ON FUNCTION internal.claim_order_numbers(bigint, text[]) IS
'Waits until no other transaction is about to store orders of a user with these numbers, and makes
others wait until this one has ended.';
REVOKE ALL ON FUNCTION internal.claim_order_numbers(bigint, text[]) FROM public;

-- The API's old inserts name no account. When the order's deals were quicker, its row is there with
-- one, and only with the same account do the unique key and ON CONFLICT see that it is the same.
-- An order whose number is set later finds that row as well; then it is the API's own order that
-- stays, with its id and its signal, for the API knows it by them, and the row made from deals
-- hands over what the deals say and goes. The insert of a number that is there is left to the
-- unique key: a row thrown away before ON CONFLICT has looked would be lost where nothing goes in.
CREATE OR REPLACE FUNCTION public.set_order_account()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- claims the number and hands over a trip, which are the owner's to write
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off -- as internal.claim_order_numbers
SET jit = off
AS $$
DECLARE
    v_claim tid;
    v_accounts bigint[];
    v_made public.trading_orders;
BEGIN
    IF NEW.mt5_order_id IS NULL THEN
        RETURN NEW;
    ELSIF OLD.mt5_order_id IS DISTINCT FROM NEW.mt5_order_id THEN
        -- as internal.claim_order_numbers, which takes six times as long for one number; an insert
        -- has no old number
        INSERT INTO internal.order_claims AS c (user_id, mt5_order_id)
        VALUES (NEW.user_id, NEW.mt5_order_id)
        RETURNING c.ctid INTO v_claim;
        DELETE FROM internal.order_claims AS c WHERE c.ctid = v_claim;
    ELSIF OLD.account_id IS NOT DISTINCT FROM NEW.account_id THEN
        RETURN NEW;
    END IF;

    IF NEW.account_id IS NULL THEN
        v_accounts := ARRAY(
            SELECT o.account_id
            FROM public.trading_orders AS o
            WHERE o.mt5_order_id = NEW.mt5_order_id
                AND o.account_id IS NOT NULL
                AND o.user_id = NEW.user_id
                AND o.symbol = NEW.symbol
                AND o.id <> NEW.id
            ORDER BY o.account_id
        );
        IF cardinality(v_accounts) > 1 THEN
            RAISE EXCEPTION USING
                ERRCODE = 'RB023',
                MESSAGE = format(
                    'order %s is in several accounts of user %s: %s',
                    NEW.mt5_order_id, NEW.user_id, array_to_string(v_accounts, ', ')
                ),
                HINT = 'Name the account in account_id.',
                SCHEMA = 'public',
                TABLE = 'trading_orders',
                CONSTRAINT = 'trading_orders_account_is_certain';
        END IF;
        NEW.account_id := v_accounts[1];
    END IF;
    IF TG_OP = 'INSERT' OR NEW.account_id IS NULL THEN
        RETURN NEW;
    END IF;

    -- The trip before its order, as internal.refresh_ledger() locks them. A row that the API has
    -- made its own is not given away; the second lock has what it is about to say be seen.
    PERFORM FROM public.mt5_trips AS t
    INNER JOIN public.trading_orders AS o ON t.trading_order_id = o.id
    WHERE o.mt5_order_id = NEW.mt5_order_id
        AND o.account_id = NEW.account_id
        AND o.id <> NEW.id
    FOR UPDATE OF t;
    PERFORM FROM public.trading_orders AS o
    WHERE o.mt5_order_id = NEW.mt5_order_id
        AND o.account_id = NEW.account_id
        AND o.id <> NEW.id
    FOR UPDATE;
    UPDATE public.mt5_trips AS t
    SET trading_order_id = NEW.id
    FROM public.trading_orders AS o
    WHERE o.mt5_order_id = NEW.mt5_order_id
        AND o.account_id = NEW.account_id
        AND o.user_id = NEW.user_id
        AND o.id <> NEW.id
        AND o.made_by = 'deals'
        AND t.trading_order_id = o.id
        AND NOT EXISTS (
            SELECT FROM public.mt5_trips AS x
            WHERE x.trading_order_id = NEW.id
        )
    RETURNING o.* INTO v_made;
    IF NOT FOUND THEN
        RETURN NEW;
    END IF;
    DELETE FROM public.trading_orders AS o WHERE o.id = v_made.id RETURNING o.* INTO v_made;
    NEW.mt5_position_id := v_made.mt5_position_id;
    NEW.symbol := v_made.symbol;
    NEW.volume := v_made.volume;
    NEW.open_price := v_made.open_price;
    NEW.close_price := v_made.close_price;
    NEW.stop_loss := coalesce(NEW.stop_loss, v_made.stop_loss);
    NEW.take_profit := coalesce(NEW.take_profit, v_made.take_profit);
    NEW.profit := v_made.profit;
    NEW.commission := v_made.commission;
    NEW.swap := v_made.swap;
    NEW.opened_at := v_made.opened_at;
    NEW.closed_at := v_made.closed_at;
    NEW.time_ambiguous := v_made.time_ambiguous;
    NEW.strategy_id := coalesce(NEW.strategy_id, v_made.strategy_id);
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION public.set_order_account() IS
'Trigger: an order without an account takes that of the user''s order with its number and symbol;
one whose number or account is set takes the place of the row that was made from its deals. Raises
RB023 when several accounts of the user have such an order.';
REVOKE ALL ON FUNCTION public.set_order_account() FROM public;
