"""Tools that read what sqlfluff can't: function bodies and search paths."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

import bodies
from rubi.deploying import sqlfiles

UNPARSED = (
    "functions/2474_follow_performance_curves.sql",
    "functions/2476_measure_performance.sql",
    "functions/2040_server_clock.sql",
    "functions/2310_mt5_server_time.sql",
    "functions/2213_last_bars.sql",
    "functions/2441_name_market_session.sql",
    "functions/2520_risk_levels.sql",
)
# names functions of TimescaleDB, which lie in public; nobody but the owner may create there
IN_PUBLIC = ("functions/2730_enable_timescale_policies.sql",)


FILES = sqlfiles.read_files()
BODY = re.compile(r"AS (\$\w*\$)\n(.*?)\n\1", re.DOTALL)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.path)
def test_body_has_at_most_100_lines(file: sqlfiles.File) -> None:
    lengths = [body.count("\n") + 1 for _, body in BODY.findall(file.text)]
    assert [length for length in lengths if length > 100] == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.path)
def test_line_has_at_most_100_columns(file: sqlfiles.File) -> None:
    """In bodies, too, which sqlfluff takes for a string."""
    lines = enumerate(file.text.splitlines(), 1)
    assert [number for number, line in lines if len(line) > 100] == []


def test_plpgsql_check_finds_nothing(db: psycopg.Connection) -> None:
    db.execute("SET client_min_messages = error")
    db.execute("CREATE EXTENSION plpgsql_check")
    functions = bodies.checked_functions(db)
    assert len(functions) > 10
    found = []
    for name, relation, rows in functions:
        if "staged" in name:  # reads temporary tables that another function makes
            db.execute(f"SELECT {'stage_ticks' if 'tick' in name else 'stage_bars'}()")
        complaints = db.execute(
            "SELECT lineno, level, message FROM plpgsql_check_function_tb(%s, %s,"
            " other_warnings => FALSE,"
            " oldtable => CASE WHEN %s > 0 THEN 'old_rows'::name END,"
            " newtable => CASE WHEN %s > 0 THEN %s::name END,"
            " extra_warnings => FALSE, performance_warnings => FALSE)",
            [name, relation, relation, relation, rows],
        ).fetchall()
        # what the function itself makes is not there yet: a temporary table, and with the
        # Timescale licence a continuous aggregate
        made = ('"pg_temp.', '"public.market_data_h1"')
        # one for tables with and without a user, which asks for the table's name first
        made += ("has no field",) if name == "internal.refuse_closed_user()" else ()
        found += [(name, *said) for said in complaints if not any(m in said[2] for m in made)]
    assert found == [], found


# Run on every tick, signal or order, where a path of their own takes half of their time: what
# they call is named with its schema, and operators of pg_catalog come first in any path that a
# client may set.
HOT = (
    "check_order", "check_parents_of_order", "check_signal", "leave_chunk_row_out",
    "notify_signals", "refuse_change_of_counters", "refuse_closed_user", "set_updated_at",
)  # fmt: skip
# become a part of the query or expression that calls them, which has a path
INLINED = (
    "exact_ratio", "percent_of", "utc_day", "find_closed_trades", "sum_trading_days",
    "find_results_basis", "find_daily_balances", "find_daily_returns", "measure_daily_returns",
    "find_bookings", "find_equity_events", "performance_events", "recover_drawdown",
    "find_performance_reasons",
    "list_trade_figures", "list_return_figures", "list_drawdown_figures", "draw_number",
    "waiting_entries",
    "told_of_position", "told_of_order", "told_of_deal", "told_of_account", "is_order_done",
    "picture_taken_at",
)  # fmt: skip
BARE = re.compile(
    r"(CREATE OR REPLACE FUNCTION (?:public|internal)\."
    rf"({'|'.join([*HOT, *INLINED])})\((?:.|\n)+?)(?=AS \$\$)"
)
PATH = r"\1SET search_path = pg_catalog, pg_temp\n"


def test_functions_pin_their_path_but_for_the_hot_ones(catalog: psycopg.Connection) -> None:
    found = catalog.execute(
        "SELECT p.proname FROM pg_proc AS p INNER JOIN pg_language AS l ON p.prolang = l.oid"
        " WHERE l.lanname = 'plpgsql' AND p.prokind = 'f'"
        " AND p.pronamespace IN ('public'::regnamespace, 'internal'::regnamespace,"
        " 'audit'::regnamespace, 'monitoring'::regnamespace)"
        " AND NOT EXISTS (SELECT FROM unnest(p.proconfig) AS c WHERE c LIKE 'search_path=%')"
        " AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = p.oid AND d.deptype = 'e')"
        " ORDER BY 1"
    ).fetchall()
    assert [name for (name,) in found] == list(HOT)


def test_types_in_hot_functions_are_words_of_the_grammar_or_have_a_schema(
    catalog: psycopg.Connection,
) -> None:
    """Without a path any other is looked for in pg_temp first."""
    bodies = catalog.execute(
        "SELECT p.prosrc FROM pg_proc AS p WHERE p.proname = ANY (%s)", [list(HOT)]
    )
    named = re.compile(r"^    [vc]_\w+ (?:CONSTANT )?([\w.]+)|::([\w.]+)", re.MULTILINE)
    found = {one or other for (body,) in bodies for one, other in named.findall(body)}
    assert {name for name in found if "." not in name} <= {
        "bigint",
        "boolean",
        "integer",
        "numeric",
    }


def test_pgspot_finds_nothing(tmp_path: Path) -> None:
    """All files in order, with the path pinned that functions pin too.

    Left out: objects that somebody else might have made before (PS002, PS010, PS012, PS014, PS015),
    since nobody but the owner may create in our schemas; procedures that commit, which may have no
    SET clause and set their path in the body, where pgspot does not look; and files whose variable
    of a row type, body BEGIN ATOMIC or column "timestamp" its parser does not know.
    """
    everything = tmp_path / "all.sql"
    everything.write_text(
        "SET search_path = pg_catalog, pg_temp;\n"
        + "\n".join(
            f"{BARE.sub(PATH, file.text)}\n"
            for file in sqlfiles.read_files()
            if not re.search(r"^\s+COMMIT;$", file.text, flags=re.MULTILINE)
            and file.path not in UNPARSED + IN_PUBLIC
        )
    )
    ignored = [f"--ignore=PS{code}" for code in ("002", "010", "012", "014", "015")]
    done = subprocess.run(
        [Path(sys.executable).with_name("pgspot"), *ignored, everything],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
