"""Options of a move: clocks, names of columns, values of words."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rubi.cli import Failure
from rubi.moving.conversions import Column
from rubi.moving.sources import Source, Sqlite

if TYPE_CHECKING:
    from rubi.moving.mapping import Move


# parents first
TABLES = (
    "users", "trading_strategies", "mt5_sessions", "trading_signals", "trading_orders",
    "trading_positions", "account_snapshots", "market_data", "performance_metrics",
)  # fmt: skip


@dataclass
class Options:
    """The options of --map and of the command line."""

    zone: str = "UTC"
    tables: dict[str, str] = field(default_factory=dict)  # name in the source: ours
    columns: dict[str, dict[str, str]] = field(default_factory=dict)  # ours: {source: ours}
    values: dict[str, dict[str, str]] = field(default_factory=dict)  # table.column: {source: ours}
    zones: dict[str, str] = field(default_factory=dict)  # table.column: zone
    passwords: dict[str, str] = field(default_factory=dict)  # lower email: hash to store
    lock_passwords: bool = False

    @classmethod
    def read(cls, path: Path | None, **given: object) -> Options:
        """From a TOML file with the tables named as the fields. Raises Failure."""
        if path is None:
            return cls(**given)
        try:
            said = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise Failure(f"{path}: {error}") from error
        known = {"zone": str, "tables": dict, "columns": dict, "values": dict, "zones": dict}
        for name, value in said.items():
            if name not in known or not isinstance(value, known[name]):
                raise Failure(
                    f"{path}: {name} is not one of {', '.join(known)}, or of another form"
                )
        for name in ("values", "zones"):
            said[name] = by_column(said.get(name, {}))
        form = {"tables": str, "columns": dict, "values": dict, "zones": str}
        for name, kind in form.items():
            for key, value in said.get(name, {}).items():
                inner = value.values() if kind is dict and isinstance(value, dict) else ()
                if not isinstance(value, kind) or any(isinstance(v, list | dict) for v in inner):
                    raise Failure(f"{path}: {name}, {key}: of another form than in the manual")
        tables = [*said.get("tables", {}).values(), *said.get("columns", {})]
        tables += [key.partition(".")[0] for name in ("values", "zones") for key in said[name]]
        for table in tables:
            if table not in TABLES:
                raise Failure(f"{path}: {table} is no table of ours")
        return cls(**said | given)

    def check_columns(self, ours: dict[str, dict[str, Column]]) -> None:
        """Raise Failure for a named column that our table lacks, which would have no effect."""
        said = [(table, name) for table, names in self.columns.items() for name in names.values()]
        said += [tuple(key.partition(".")[::2]) for key in (*self.values, *self.zones)]
        for table, name in said:
            if name not in ours[table]:
                raise Failure(f"--map: {table} has no column {name} that can be written")
        for key in self.zones:
            table, _, name = key.partition(".")
            if ours[table][name].kind != "time":
                raise Failure(f"--map: {key} is no time")

    def check_source(self, source: Source, moves: Sequence[Move]) -> None:
        """Raise Failure when the source lacks a table or column to be renamed."""
        if isinstance(source, Sqlite):  # a CSV file is one of many, its table is known already
            there = {name.lower() for name in source.tables()}
            for name in self.tables:
                if name.lower() not in there:
                    raise Failure(f"--map: {source.name} has no table {name}")
        for move in moves:
            there = {name.lower() for name in source.columns(move.source_table)}
            for name in self.columns.get(move.table, {}):
                if name.lower() not in there:
                    raise Failure(f"--map: {move.source_table} of {source.name} has no {name}")


def by_column(said: dict[str, Any]) -> dict[str, Any]:
    """By table.column, also where TOML's tables are nested: [zones.trading_orders]."""
    found = {}
    for key, value in said.items():
        if key in TABLES and isinstance(value, dict):
            found |= {f"{key}.{name}": inner for name, inner in value.items()}
        else:
            found[key] = value
    return found
