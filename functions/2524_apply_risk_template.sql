-- 2524_apply_risk_template.sql: rules of an account from a published set.

CALL deploy.become_owner();

-- Runs as its caller: rights on risk_rules decide.
CREATE OR REPLACE FUNCTION public.apply_risk_template(
    p_account_id bigint,
    p_template text,
    p_initial_capital numeric,
    p_valid_from timestamptz DEFAULT now()
)
RETURNS bigint
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_made bigint;
BEGIN
    IF NOT EXISTS (SELECT FROM public.risk_templates AS t WHERE t.template = p_template) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'RB072',
            MESSAGE = format('there is no set of rules %s', coalesce(p_template, 'NULL')),
            HINT = 'SELECT DISTINCT template FROM risk_templates lists them.';
    END IF;
    INSERT INTO public.risk_rules (
        user_id, account_id, name, kind, amount, unit, basis, initial_capital, lock_level, clock,
        touching_breaks, is_final, valid_from
    )
    SELECT
        a.user_id, a.id, t.template, t.kind, t.amount, t.unit, t.basis, p_initial_capital,
        p_initial_capital * t.lock_percent / 100, t.clock, t.touching_breaks, t.is_final,
        p_valid_from
    FROM public.risk_templates AS t
    INNER JOIN public.mt5_accounts AS a ON a.id = p_account_id
    WHERE t.template = p_template
    ORDER BY t.kind;
    GET DIAGNOSTICS v_made = ROW_COUNT;
    IF v_made = 0 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'RB051',
            MESSAGE = format('there is no account %s, or it belongs to another user', p_account_id),
            HINT = 'ingest_mt5_account(user, account) answers the account''s id.';
    END IF;
    RETURN v_made;
END
$$;
COMMENT ON FUNCTION public.apply_risk_template(bigint, text, numeric, timestamptz) IS
'Makes the rules of a set in risk_templates for an account that began with a capital (account
currency) at a moment; answers how many. Raises RB051 and RB072.';
REVOKE ALL ON FUNCTION
public.apply_risk_template(bigint, text, numeric, timestamptz) FROM public;
