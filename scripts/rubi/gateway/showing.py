"""What the gateway says of itself: a table on a terminal, an object as JSON."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.live import Live
from rich.markup import escape
from rich.table import Table

from rubi.cli import console, print_table

if TYPE_CHECKING:
    from rubi.gateway.loop import Gateway, Lane

COLUMNS = ("terminal", "account", "state", "positions", "read to", "sent", "waiting", "said")
STYLES = {"reads": "green", "fills": "cyan", "held": "bold red", "away": "yellow", "over": "red"}


def state_of(lane: Lane) -> str:
    """reads; fills while the history is read; held by an error; away is the database; over."""
    if lane.is_over:
        return "over"
    if lane.error:
        return "held"
    if lane.worker.delivery.away or lane.worker.delivery.waiting:
        return "away"
    return "fills" if lane.worker.backfill else "reads"


def facts(lane: Lane) -> dict[str, Any]:
    worker = lane.worker
    server, login = worker.reader.identity or ("", "")
    last = worker.reader.last
    read = {
        f"{stream.stream} {stream.symbol}".strip(): stream.read_to
        for stream in list(worker.streams.values())
    }
    return {
        "terminal": worker.terminal.name,
        "user": worker.user,
        "server": server,
        "login": login,
        "account_id": worker.account_id,
        "state": state_of(lane),
        "error": lane.error,
        "clock": worker.clock.rule,
        "clock_misfit": worker.misfit,
        "note": worker.note,
        "positions": len(last.positions) if last else None,
        "seen_at": last.taken_at if last else None,
        "read_to_msc": read,
        "counts": dict(sorted(worker.delivery.counts.items())),
        "waiting": worker.delivery.waiting,
        "faults": worker.delivery.faults[-20:],
    }


def moment(msc: int | None) -> str:
    """A time on the server's clock."""
    return f"{datetime.fromtimestamp(msc / 1000, UTC):%Y-%m-%d %H:%M}" if msc else "-"


def table(gateway: Gateway) -> Table:
    shown = Table(box=None, pad_edge=False)
    for name in COLUMNS:
        shown.add_column(name, no_wrap=name != "said")
    for lane in gateway.lanes:
        found = facts(lane)
        sent = sum(n for name, n in found["counts"].items() if name.endswith(("ted", "ged")))
        said = found["error"] or found["clock_misfit"] or (found["faults"] or [""])[-1]
        shown.add_row(
            escape(found["terminal"]),
            escape(f"{found['login']} {found['server']}".strip() or "-"),
            f"[{STYLES[found['state']]}]{found['state']}[/]",
            "-" if found["positions"] is None else f"{found['positions']:,}",
            moment(found["read_to_msc"].get("deals")),
            f"{sent:,}",
            f"{found['waiting']:,}",
            escape(said),
        )
    return shown


def show(gateway: Gateway, as_json: bool) -> None:
    if as_json:
        print(json.dumps([facts(lane) for lane in gateway.lanes]), flush=True)
    else:
        print_table(table(gateway), "said")


def watch(gateway: Gateway, as_json: bool) -> None:
    """Run the gateway: a table that is kept up to date on a terminal, as JSON a line a second, else
    nothing but what is said of faults."""
    stop = threading.Event()

    def show_line() -> None:
        try:
            show(gateway, True)
        except BrokenPipeError:
            raise  # nobody reads any more
        except OSError:
            pass  # a full disk of logs ends no reading

    if as_json:
        gateway.run(stop, show_line)
    elif not console.is_terminal:
        gateway.run(stop)
    else:
        with Live(console=console, auto_refresh=False) as live:
            gateway.run(stop, lambda: live.update(table(gateway), refresh=True))
