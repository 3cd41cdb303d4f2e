"""What was tried to be faster, each alone against ours, in one run: what it gave and what it cost.

Writes benchmarks/results/tried.md and tried.json.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Annotated

import psycopg
import typer

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "scripts")]

import pages
from loads import Figures, copy_database, in_turn, make_pair, pgbench, ratio, run_mix, vacuum
from rubi.cli import new_app, run, step
from rubi.servers import embedded
from server import Server, running

# Change: what it does to a copy of ours, and the load that shows it.
CHANGES = {
    "pages of positions filled (fillfactor 100)": (
        "ALTER TABLE trading_positions SET (fillfactor = 100);",
        "position_update",
    ),
    "index on trading_positions (updated_at), as in the base": (
        "CREATE INDEX ON trading_positions (updated_at DESC);",
        "position_update",
    ),
    "index on mt5_sessions (user_id, last_ping), as in the base": (
        "CREATE INDEX ON mt5_sessions (user_id, last_ping DESC) WHERE is_active;",
        "heartbeat",
    ),
    "CHECKs instead of domains on positions": (
        "ALTER TABLE trading_positions"
        " ADD CHECK (greatest(open_price, current_price, sl, tp) <> 'NaN'),"
        " ADD CHECK (greatest(profit, swap, commission) <> 'NaN'), ADD CHECK (sign(volume) = 1),"
        " ADD CHECK (type IN ('BUY', 'SELL')), ADD CHECK (ticket <> ''),"
        r" ADD CHECK (symbol !~ '^$|^[ \u00a0]|[ \u00a0]$|[\u0001-\u001f\u007f-\u009f]');",
        "position_update",
    ),
    "updated_at's trigger with a search_path": (
        "ALTER FUNCTION set_updated_at() SET search_path = pg_catalog, pg_temp;",
        "position_update",
    ),
    "no row security on positions": (
        "ALTER TABLE trading_positions DISABLE ROW LEVEL SECURITY;",
        "position_update",
    ),
    "notifying of each signal, heard or not": (
        "CREATE OR REPLACE FUNCTION notify_signals() RETURNS trigger LANGUAGE plpgsql AS $$"
        " BEGIN PERFORM pg_notify('rubi_signals', 'new'); RETURN NULL; END $$;",
        "signal_insert",
    ),
    "no GIN index on signals' indicators": (
        "DROP INDEX idx_signals_indicators_gin;",
        "signal_insert",
    ),
    "a CHECK that sessions end after they began": (
        "ALTER TABLE mt5_sessions ADD CHECK (disconnected_at >= connected_at);",
        "heartbeat",
    ),
    "WHEN (current_user = 'rubi_tenant') on snapshots' trigger": (
        "CREATE OR REPLACE TRIGGER account_snapshots_01_tenant_session"
        " BEFORE INSERT ON account_snapshots FOR EACH ROW WHEN (current_user = 'rubi_tenant')"
        " EXECUTE FUNCTION internal.check_session_of_snapshot();",
        "snapshot_insert",
    ),
    "an order's update noted by comparison as JSON": (
        "CREATE OR REPLACE TRIGGER trading_orders_70_audit_update AFTER UPDATE ON trading_orders"
        " FOR EACH ROW EXECUTE FUNCTION audit.note_change();",
        "order_cycle",
    ),
    "CHECKs of audit.changes instead of domains": (
        "ALTER TABLE audit.changes ADD CHECK (action IN ('INSERT', 'UPDATE', 'DELETE')),"
        " ADD CHECK (pg_column_size(old_values) <= 1048576"
        " AND pg_column_size(new_values) <= 1048576);",
        "order_cycle",
    ),
    "counters always by delta rows": (
        "ALTER DATABASE {database} SET rubi.counting = 'many';",
        "order_cycle",
    ),
    "plain types in place of domains in the audit trail": (
        "ALTER TABLE audit.changes ALTER changed_at TYPE timestamptz, ALTER login TYPE text,"
        " ALTER app_user_id TYPE text, ALTER table_name TYPE text, ALTER action TYPE text,"
        " ALTER old_values TYPE jsonb, ALTER new_values TYPE jsonb;",
        "order_cycle",
    ),
    "no index of rows that changed hands in the audit trail": (
        "DROP INDEX audit.idx_changes_owner;",
        "order_cycle",
    ),
    "orders of no account in the index by account": (
        "DROP INDEX idx_orders_account_opened;"
        " CREATE INDEX ON trading_orders (account_id, opened_at);",
        "order_cycle",
    ),
    "no indexes on orders' symbol, opened_at and closed_at": (
        "DROP INDEX idx_orders_symbol, idx_orders_opened_at, idx_orders_closed_at;",
        "order_cycle",
    ),
    "commit_delay = 1000, that more commits share a flush": (
        "ALTER DATABASE {database} SET commit_delay = 1000;",
        "mix",
    ),
    "plan_cache_mode = force_custom_plan": (
        "ALTER DATABASE {database} SET plan_cache_mode = force_custom_plan;",
        "mix",
    ),
    "synchronous_commit = off for everything": (
        "ALTER DATABASE {database} SET synchronous_commit = off;",
        "mix",
    ),
    "synchronous_commit = off for snapshots, which may be lost": (
        "ALTER DATABASE {database} SET synchronous_commit = off;",
        "snapshot_insert",
    ),
    "jit = on": ("ALTER DATABASE {database} SET jit = on;", "mix"),
}
Rows = list[tuple]


def load(server: Server, database: str, name: str, seconds: int) -> Figures:
    """One round of a load from 16 connections."""
    if name == "mix":
        return run_mix(server, database, 16, seconds)
    return pgbench(server, database, 16, "-T", str(seconds), "-f", str(HERE / f"{name}.sql"))


def compare(server: Server, rounds: int, seconds: int, load_name: str) -> list[dict]:
    """Rate and processor time of each change to those of ours; of one load, or of all."""
    found = []
    for number, (change, (statements, work)) in enumerate(CHANGES.items()):
        if load_name not in ("", work):
            continue
        name = f"tried_{number}"
        copy_database(server, name, "ours")
        with server.connect(name) as connection, connection.transaction():
            connection.execute(statements.format(database=name))
        if "fillfactor" in statements:
            with server.connect(name) as connection:
                connection.execute("VACUUM FULL trading_positions")
        vacuum(server, name)
        figures: dict[str, list[Figures]] = {"ours": [], name: []}
        with step(change):
            for database in in_turn(("ours", name), rounds):
                figures[database].append(load(server, database, work, seconds))
        cpu = [c.cpu / o.cpu for c, o in zip(figures[name], figures["ours"], strict=True) if o.cpu]
        found.append(
            {
                "change": change,
                "load": work.replace("_", " "),
                "rate": ratio(figures[name], figures["ours"]),
                "cpu": statistics.median(cpu or [0]),
                "date": datetime.now(UTC).date().isoformat(),
            }
        )
        with server.connect() as connection:
            connection.execute(f'DROP DATABASE "{name}"')
    return found


COLUMNS = "symbol, timeframe, timestamp, open, high, low, close, volume"


def by_copy(connection: psycopg.Connection, rows: Rows) -> None:
    """COPY."""
    with connection.cursor().copy(f"COPY market_data ({COLUMNS}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def by_unnest(connection: psycopg.Connection, rows: Rows) -> None:
    """One INSERT from arrays."""
    connection.execute(
        f"INSERT INTO market_data ({COLUMNS}) SELECT * FROM unnest(%s::text[], %s::text[],"  # noqa: S608
        " %s::timestamptz[], %s::numeric[], %s::numeric[], %s::numeric[], %s::numeric[],"
        " %s::bigint[])",
        [list(column) for column in zip(*rows, strict=True)],
    )


def by_values(connection: psycopg.Connection, rows: Rows) -> None:
    """INSERTs of 1,000 rows each."""
    for first in range(0, len(rows), 1000):
        part = rows[first : first + 1000]
        values = ", ".join(["(%s, %s, %s, %s, %s, %s, %s, %s)"] * len(part))
        connection.execute(
            f"INSERT INTO market_data ({COLUMNS}) VALUES {values}",  # noqa: S608
            [value for row in part for value in row],
        )


def by_rows(connection: psycopg.Connection, rows: Rows) -> None:
    """An INSERT a row, in a pipeline and one transaction."""
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO market_data ({COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",  # noqa: S608
            rows,
        )


WAYS: dict[str, Callable[[psycopg.Connection, Rows], None]] = {
    "COPY": by_copy,
    "INSERT from unnest()": by_unnest,
    "INSERT of 1,000 rows": by_values,
    "INSERT a row, in a pipeline": by_rows,
}


def insert_ways(server: Server, bars: int, rounds: int) -> list[dict]:
    """Bars a second into market_data, with all rules, by each way to insert them."""
    start = datetime(2026, 1, 5, tzinfo=UTC)
    rows = [
        ("EURUSD", "M1", start + timedelta(minutes=n), "1.1", "1.2", "1.0", "1.15", n)
        for n in range(bars)
    ]
    taken: dict[str, list[float]] = {way: [] for way in WAYS}
    with step(f"{bars:,} bars by each way"), server.connect("ours") as connection:
        for way in in_turn(tuple(WAYS), rounds):
            began = perf_counter()
            with connection.transaction():
                WAYS[way](connection, rows)
            taken[way].append(perf_counter() - began)
            connection.execute("TRUNCATE market_data")
    return [
        {
            "way": way,
            "bars": bars / statistics.median(times),
            "to_copy": statistics.median(c / t for c, t in zip(taken["COPY"], times, strict=True)),
        }
        for way, times in taken.items()
    ]


def report(result: dict) -> str:
    """The page."""
    return "\n".join(
        [
            "# What was tried",
            "",
            "Made by `benchmarks/tried.py`: each change alone in a copy of ours, against ours in "
            f"{result['rounds']} alternating rounds of {result['seconds']} s, 16 connections. "
            "Below 1.00 the change is slower, and above it takes more processor time.",
            "",
            pages.said(result["facts"]),
            "",
            "| change | load | rate to ours | server's CPU to ours | date |",
            "| --- | --- | ---: | ---: | --- |",
            *(
                f"| {row['change']} | {row['load']} | {row['rate']:.2f} | {row['cpu']:.2f} |"
                f" {row.get('date', result['facts']['date'])} |"
                for row in result["changes"]
            ),
            "",
            "| bars into market_data by | bars a second | to COPY |",
            "| --- | ---: | ---: |",
            *(
                f"| {row['way']} | {row['bars']:,.0f} | {row['to_copy']:.2f} |"
                for row in result["ways"]
            ),
            "",
        ]
    )


app = new_app(__doc__)


@app.command()
def measure_tried(
    quick: Annotated[bool, typer.Option(help="One round of one second: does it run?")] = False,
    rounds: Annotated[int, typer.Option(min=1, max=20)] = 4,
    seconds: Annotated[int, typer.Option(min=1, max=60, help="Length of a round.")] = 3,
    pg: Annotated[int, typer.Option(help="Major version.")] = embedded.DEFAULT_MAJOR,
    only: Annotated[str, typer.Option(help="A load: other changes keep what they said.")] = "",
    output: Annotated[Path, typer.Option(help="Folder for tried.md and .json.")] = pages.RESULTS,
) -> None:
    """Measure, show the tables, write them."""
    if only and only not in {work for _, work in CHANGES.values()}:
        raise typer.BadParameter(f"no change is measured by the load {only}")
    if quick:
        rounds = seconds = 1
    with running(pg, {}) as server:
        with step("base and ours made"):
            make_pair(server)
        result = json.loads((output / "tried.json").read_text()) if only else {}
        found = compare(server, rounds, seconds, only)
        if only:
            measured = {row["change"] for row in found}
            kept = [row for row in result["changes"] if row["change"] not in measured]
            result["changes"] = kept + found
        else:
            result = {"rounds": rounds, "seconds": seconds, "changes": found}
            with server.connect("ours") as connection:
                result["facts"] = pages.facts(connection)
            result["ways"] = insert_ways(server, 5_000 if quick else 50_000, min(rounds, 3))
    pages.write(output, "tried", report(result), result)


if __name__ == "__main__":
    run(app)
