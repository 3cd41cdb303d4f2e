"""Rules of the catalog: every object, a comment on each, each access path served."""

from __future__ import annotations

import re
from collections.abc import Callable

import psycopg
import pytest

from rubi import SCHEMAS
from rubi.deploying import sqlfiles

# name of the table, columns of the base (SPEC part 1)
BASE = {
    "users": "id email username hashed_password is_active is_superuser created_at updated_at",
    "trading_strategies": "id user_id name description symbols timeframes max_positions"
    " risk_per_trade total_trades winning_trades total_profit is_active created_at updated_at",
    "mt5_sessions": "id user_id session_id account_number broker server balance equity margin"
    " margin_free currency is_active connected_at last_ping disconnected_at created_at updated_at",
    "trading_signals": "id user_id strategy_id symbol signal_type status entry_price stop_loss"
    " take_profit volume timeframe confidence indicators signal_time received_at executed_at"
    " status_message",
    "trading_orders": "id signal_id user_id mt5_order_id mt5_position_id symbol order_type volume"
    " open_price close_price stop_loss take_profit profit commission swap opened_at closed_at",
    "trading_positions": "id session_id ticket symbol type volume open_price current_price sl tp"
    " profit swap commission open_time updated_at",
    "account_snapshots": "id session_id balance equity margin margin_free margin_level profit"
    " timestamp",
    "market_data": "id symbol timeframe timestamp open high low close volume",
    "performance_metrics": "id user_id strategy_id period_start period_end total_trades"
    " winning_trades losing_trades win_rate total_profit average_profit max_profit max_loss"
    " max_drawdown sharpe_ratio profit_factor calculated_at",
}
# the base's indexes as access paths; a leading set of columns serves each
PATHS = {
    "users": ["email", "username"],
    "trading_strategies": ["user_id"],
    "mt5_sessions": ["user_id", "session_id", "account_number"],
    "trading_signals": ["user_id", "strategy_id", "symbol", "signal_time", "received_at",
                        "user_id status signal_time"],
    "trading_orders": ["user_id", "signal_id", "mt5_order_id", "symbol", "opened_at", "closed_at",
                       "user_id symbol opened_at"],
    "trading_positions": ["session_id", "ticket", "session_id symbol"],
    "account_snapshots": ["session_id", "timestamp"],
    "market_data": ["symbol", "symbol timeframe timestamp"],
    "performance_metrics": ["user_id", "strategy_id", "period_start"],
}  # fmt: skip
OURS = str(SCHEMAS)  # as SQL lists them


def test_schemas_of_ours_are_those_that_hold_what_no_extension_made(
    catalog: psycopg.Connection,
) -> None:
    found = catalog.execute(
        "SELECT DISTINCT n.nspname::text FROM pg_namespace AS n"
        " WHERE n.nspname !~ '^pg_|^information_schema$|timescaledb' AND NOT EXISTS ("
        "SELECT FROM pg_depend AS d WHERE d.objid = n.oid AND d.deptype = 'e')"
    ).fetchall()
    assert {name for (name,) in found} == set(SCHEMAS)


@pytest.mark.parametrize("path", [f for f in sqlfiles.read_files() if "'migration'" in f.text])
def test_file_that_lists_our_schemas_lists_all(path: sqlfiles.File) -> None:
    lists = re.findall(r"\(\s*('public',[^()]*'migration'[^()]*)\)", path.text)
    assert [set(re.findall(r"\w+", found)) for found in lists] == [set(SCHEMAS)] * len(lists)


@pytest.mark.parametrize("table", BASE)
def test_base_table_has_its_columns(catalog: psycopg.Connection, table: str) -> None:
    found = catalog.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_name = %s", [table]
    ).fetchall()
    assert {name for (name,) in found} >= set(BASE[table].split())


def test_enums_of_the_base_are_there(catalog: psycopg.Connection) -> None:
    found = catalog.execute(
        "SELECT enum_range(NULL::signal_type_enum)::text[], enum_range(NULL::signal_status_enum)"
        "::text[]"
    ).fetchone()
    assert found == (
        ["BUY", "SELL", "CLOSE_BUY", "CLOSE_SELL"],
        ["PENDING", "EXECUTED", "REJECTED", "EXPIRED"],
    )


@pytest.mark.parametrize("table", PATHS)
def test_each_access_path_of_the_base_is_served(catalog: psycopg.Connection, table: str) -> None:
    found = catalog.execute(
        "SELECT (SELECT string_agg(a.attname, ' ' ORDER BY k.ord)"
        " FROM unnest(i.indkey::int[]) WITH ORDINALITY AS k (attnum, ord)"
        " JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum)"
        " FROM pg_index AS i WHERE i.indrelid = %s::regclass AND i.indpred IS NULL",
        [table],
    ).fetchall()
    indexes = [columns or "" for (columns,) in found]
    for path in PATHS[table]:
        assert any(f"{columns} ".startswith(f"{path} ") for columns in indexes), path


def test_partial_and_gin_indexes_of_the_base_are_there(catalog: psycopg.Connection) -> None:
    query = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
    found = dict(catalog.execute(query).fetchall())
    assert "WHERE is_active" in found["idx_active_sessions"]
    assert "last_ping" not in found["idx_active_sessions"]
    assert "PENDING" in found["idx_pending_signals"]
    assert "status <> 'EXECUTED'" in found["idx_signals_status"]
    assert "closed_at IS NULL" in found["idx_open_orders"]
    assert "USING gin (indicators)" in found["idx_signals_indicators_gin"]
    assert "USING gin (symbols)" in found["idx_strategies_symbols_gin"]


def test_no_index_repeats_another(catalog: psycopg.Connection) -> None:
    """No plain index is the leading part of another on the same table with the same predicate."""
    found = catalog.execute(
        "SELECT i.indrelid, i.indkey::text, i.indisunique, c.relname,"
        " coalesce(pg_get_expr(i.indpred, i.indrelid), ''),"
        " coalesce(pg_get_expr(i.indexprs, i.indrelid), '')"
        " FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid"
        f" WHERE c.relnamespace::regnamespace::text IN {OURS}"
    ).fetchall()
    repeated = [
        (one[3], other[3])
        for one in found
        for other in found
        if one[3] != other[3]
        and not one[2]
        and (one[0], *one[4:]) == (other[0], *other[4:])
        and f"{other[1]} ".startswith(f"{one[1]} ")
    ]
    assert repeated == []


def test_every_object_has_a_comment(catalog: psycopg.Connection) -> None:
    missing = catalog.execute(
        f"""
        SELECT c.oid::regclass::text AS name
        FROM pg_class AS c
        WHERE c.relnamespace::regnamespace::text IN {OURS} AND NOT c.relispartition
            AND c.relkind IN ('r', 'p', 'v', 'm')
            AND obj_description(c.oid, 'pg_class') IS NULL
            AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = c.oid AND d.deptype = 'e')
        UNION ALL
        SELECT format('%%s.%%s', c.oid::regclass, a.attname)
        FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
        WHERE c.relnamespace::regnamespace::text IN {OURS} AND NOT c.relispartition
            AND c.relkind IN ('r', 'p', 'v', 'm')
            AND a.attnum > 0 AND NOT a.attisdropped
            AND col_description(c.oid, a.attnum) IS NULL
            AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = c.oid AND d.deptype = 'e')
        UNION ALL
        SELECT p.oid::regprocedure::text
        FROM pg_proc AS p
        WHERE p.pronamespace::regnamespace::text IN {OURS}
            AND obj_description(p.oid, 'pg_proc') IS NULL
            AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = p.oid AND d.deptype = 'e')
        """,
        [],
    ).fetchall()
    assert [name for (name,) in missing] == []


def test_no_time_is_without_a_zone_and_no_number_a_float(catalog: psycopg.Connection) -> None:
    found = catalog.execute(
        "SELECT table_name, column_name, data_type FROM information_schema.columns"
        f" WHERE table_schema IN {OURS} AND data_type IN ('timestamp without time zone', 'real',"
        " 'double precision') AND table_name NOT LIKE 'pg_stat_statements%'"
        " AND table_name <> 'slow_statements'"
        # a rule of a broker's clock begins by that clock, and a report says when it was made by
        # the clock of a computer whose zone nobody knows
        " AND (table_name, column_name) NOT IN"
        " (('mt5_server_clocks', 'valid_from'), ('mt5_reports', 'made_at'))"
    ).fetchall()
    assert found == []


def test_every_constraint_has_a_chosen_name(catalog: psycopg.Connection) -> None:
    """Named with PostgreSQL's suffix for its kind, and never numbered by it."""
    found = catalog.execute(
        "SELECT conname, contype, conrelid::regclass::text FROM pg_constraint"
        f" WHERE connamespace::regnamespace::text IN {OURS} AND contype IN ('c', 'f', 'p', 'u')"
    ).fetchall()
    suffix = {"c": "_check", "f": "_fkey", "p": "_pkey", "u": "_key"}
    wrong = [name for name, kind, _ in found if not name.endswith(suffix[kind])]
    assert wrong == []
    assert [name for name, *_ in found if re.search(r"_(check|fkey|key)\d+$", name)] == []


def test_rules_are_spelled_alike_after_a_restore(db: psycopg.Connection) -> None:
    """A restored CHECK is made from its text: `a BETWEEN 1 AND 2 AND b` comes back with other
    parentheses, and the restored database would differ from its manifest."""
    rules = db.execute(
        "SELECT c.conname, CASE WHEN c.conrelid = 0 THEN 'DOMAIN ' || c.contypid::regtype"
        " ELSE 'TABLE ' || c.conrelid::regclass END, pg_get_constraintdef(c.oid)"
        " FROM pg_constraint AS c JOIN pg_namespace AS n ON c.connamespace = n.oid"
        f" WHERE c.contype = 'c' AND n.nspname IN {OURS}"
    ).fetchall()
    changed = []
    for name, owner, text in rules:
        with db.transaction(force_rollback=True):
            db.execute(f"ALTER {owner} ADD CONSTRAINT made_again {text} NOT VALID")
            again = db.execute(
                "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'made_again'"
                " AND conislocal"
            ).fetchone()[0]
        if again.removesuffix(" NOT VALID") != text.removesuffix(" NOT VALID"):
            changed.append(name)
    assert changed == []


def test_functions_are_nobodys_by_default(catalog: psycopg.Connection) -> None:
    found = catalog.execute(
        "SELECT p.oid::regprocedure::text FROM pg_proc AS p, aclexplode(coalesce(p.proacl,"
        " acldefault('f', p.proowner))) AS a"
        f" WHERE p.pronamespace::regnamespace::text IN {OURS} AND a.grantee = 0"
        " AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = p.oid AND d.deptype = 'e')"
    ).fetchall()
    assert found == []


def test_definer_functions_pin_their_path_and_say_why(catalog: psycopg.Connection) -> None:
    found = catalog.execute(
        "SELECT p.proname, p.proconfig FROM pg_proc AS p WHERE p.prosecdef"
        f" AND p.pronamespace::regnamespace::text IN {OURS}"
    ).fetchall()
    assert found
    text = "\n".join(file.text for file in sqlfiles.read_files())
    for name, settings in found:
        assert any(setting.startswith("search_path=pg_catalog") for setting in settings), name
    assert len(re.findall(r"SECURITY DEFINER -- \w", text)) == len(found)


def test_every_object_belongs_to_the_owner(catalog: psycopg.Connection) -> None:
    found = catalog.execute(
        "SELECT c.oid::regclass::text, c.relowner::regrole::text FROM pg_class AS c"
        f" WHERE c.relnamespace::regnamespace::text IN {OURS}"
        " AND c.relowner <> 'rubi_owner'::regrole"
        " AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = c.oid AND d.deptype = 'e')"
    ).fetchall()
    assert found == []


def test_views_run_as_their_invoker_or_say_why_not(catalog: psycopg.Connection) -> None:
    found = catalog.execute(
        "SELECT c.relname, coalesce('security_invoker=true' = ANY (c.reloptions), FALSE)"
        " FROM pg_class AS c WHERE c.relkind = 'v'"
        f" AND c.relnamespace::regnamespace::text IN {OURS}"
        " AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = c.oid AND d.deptype = 'e')"
    ).fetchall()
    text = "\n".join(file.text for file in sqlfiles.read_files())
    as_owner = [name for name, invoker in found if not invoker]
    assert 0 < len(as_owner) < len(found)
    said = r"-- Not security_invoker: (?:(?!\nCREATE )[\s\S])*\nCREATE [^\n]*VIEW \w+\.{}\b"
    assert [name for name in as_owner if not re.search(said.format(name), text)] == []


# what holds (valid), what is stored (range), what results are of (period, as in the base)
ENDS = {"valid_from", "valid_to", "range_start", "range_end", "period_start", "period_end"}
NO_INTERVAL = {
    "mt5_account_states.history_from", "mt5_orders.gone_since", "trading_deals.gone_since",
    "gateway_series.since", "signal_claims.lease_until", "trading_signals.valid_until",
}  # fmt: skip


def test_ends_of_an_interval_have_one_pair_of_names(catalog: psycopg.Connection) -> None:
    found = catalog.execute(
        "SELECT format('%s.%s', a.attrelid::regclass, a.attname), a.attname::text,"
        " col_description(a.attrelid, a.attnum)"
        " FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid"
        " JOIN pg_type AS t ON t.oid = a.atttypid"
        " WHERE c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped"
        " AND coalesce(nullif(t.typbasetype, 0), t.oid) IN"
        " ('timestamptz'::regtype, 'timestamp'::regtype, 'date'::regtype)"
        " AND c.relnamespace::regnamespace::text IN ('public', 'internal', 'monitoring', 'audit')"
        " AND a.attname ~ '(^|_)(since|until|from|to|start|begin|end)$'"
    ).fetchall()
    assert len(found) > 10
    odd = {column for column, name, _ in found if name not in ENDS} - NO_INTERVAL
    assert odd == set()
    vague = {column for column, name, said in found if name in ENDS and "included" not in said}
    assert vague == set()


def test_function_that_prices_scans_out_is_not_compiled(catalog: psycopg.Connection) -> None:
    """Until PostgreSQL 17 such a scan costs 10^10, and jit compiles what costs 10^5: a second a
    call, on every server with the usual settings; those of tests and benchmarks are without."""
    found = catalog.execute(
        "SELECT p.oid::regprocedure::text, 'jit=off' = ANY (p.proconfig) FROM pg_proc AS p"
        " WHERE 'enable_seqscan=off' = ANY (p.proconfig)"
    ).fetchall()
    assert len(found) > 5
    assert [name for name, is_off in found if not is_off] == []


@pytest.mark.parametrize("role", ["rubi_app", "rubi_ingest", "rubi_readonly", "rubi_monitor"])
def test_no_statement_of_a_role_is_compiled(
    connect_as: Callable[..., psycopg.Connection], role: str
) -> None:
    found = connect_as(role).execute("SELECT setting, source FROM pg_settings WHERE name = 'jit'")
    assert found.fetchone() == ("off", "user")
