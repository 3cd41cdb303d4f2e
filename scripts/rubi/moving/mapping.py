"""The nine tables of the base as targets: their columns, the names of rows, the owners of rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

import psycopg
from psycopg.rows import tuple_row

from rubi.cli import Failure
from rubi.moving.conversions import Bad, Column, convert, is_hash, jsonable
from rubi.moving.numbers_and_times import Clock, plain
from rubi.moving.options import TABLES, Options
from rubi.moving.sources import Csv, Rows, Source, Sqlite
from rubi.queries import queries

SQL = queries(__file__)
ADMINISTRATOR = "admin@rubi-studio.com"
KEYS = {
    "market_data": ("symbol", "timeframe", "timestamp"),
    "account_snapshots": ("session_id", "timestamp"),
}
# column by which other rows name a row, and the constraint that keeps it unique
NAMED_BY = {"mt5_sessions": ("session_id", "mt5_sessions_session_id_key")}
# column, table it names, constraint
PARENTS = {
    "trading_strategies": [("user_id", "users", "user_id_fkey")],
    "mt5_sessions": [("user_id", "users", "user_id_fkey")],
    "trading_signals": [
        ("user_id", "users", "user_id_fkey"),
        ("strategy_id", "trading_strategies", "strategy_id_user_id_fkey"),
    ],
    "trading_orders": [
        ("user_id", "users", "user_id_fkey"),
        ("signal_id", "trading_signals", "signal_id_user_id_fkey"),
        ("strategy_id", "trading_strategies", "strategy_id_user_id_fkey"),
    ],
    "trading_positions": [("session_id", "mt5_sessions", "session_id_fkey")],
    "account_snapshots": [("session_id", "mt5_sessions", "session_id_fkey")],
    "performance_metrics": [
        ("user_id", "users", "user_id_fkey"),
        ("strategy_id", "trading_strategies", "strategy_id_user_id_fkey"),
    ],
}
WORDS = {"signal_type", "status", "timeframe", "order_type", "type"}
# Columns that the database itself counts or makes; a source's values are kept with the leftovers.
DERIVED = {
    "trading_strategies": {"total_trades", "winning_trades", "total_profit"},
    "mt5_sessions": {"account_id"},
    "trading_orders": {"account_id"},
    "trading_positions": {"account_id"},
    "performance_metrics": {"account_id"},
}
# Filled by a trigger where the source leaves it empty, so that both sides may rightly differ.
UNPROVEN = {("trading_orders", "strategy_id")}
# Columns that take the time of moving where the source leaves them empty. Times that date money are
# not among them: such a row is rejected.
MADE = {"created_at", "updated_at", "received_at", "connected_at", "last_ping", "calculated_at"}


@dataclass
class Move:
    """The way of one table: the target of each column, and the columns left over."""

    table: str
    source_table: str
    names: list[str]  # columns to read, known ones first
    columns: list[Column]  # ours, for the first of names
    leftovers: list[str]
    missing: list[str]
    options: Options
    numbers_are_ids: bool = False
    given: list[int] | None = None  # ids of rows 1, 2, ... where the source has none of its own

    @cached_property
    def target(self) -> dict[str, str]:
        """Columns of ours that are written, with their kinds."""
        found = {"id": "integer"} if self.numbers_are_ids else {}
        found |= {column.name: column.kind for column in self.columns}
        return found | ({"executed_at": "time"} if self.fills_executed_at else {})

    @property
    def fills_executed_at(self) -> bool:
        """Whether the source knows executed signals, but not their times."""
        names = {column.name for column in self.columns}
        return self.table == "trading_signals" and "status" in names and "executed_at" not in names

    def place(self, name: str) -> int | None:
        """Position of a column among the target columns."""
        return list(self.target).index(name) if name in self.target else None

    @property
    def key(self) -> tuple[str, ...] | None:
        """The unique columns of our table that the source has."""
        key = KEYS.get(self.table, ("id",))
        return key if set(key) <= set(self.target) else None

    def convert(self, rows: Rows) -> tuple[list[list], dict[int, tuple[str, str]]]:
        """Target columns of a batch, and for each row that can't be stored its rule and why."""
        width = 1 + len(self.names)
        bad = {}
        if set(map(len, rows)) != {width}:
            for index, row in enumerate(rows):
                if len(row) != width:
                    bad[index] = (
                        f"{self.table}_line_has_its_fields", "the line has more or fewer fields"
                    )  # fmt: skip
            rows = [row[:width] for row in rows]
        raw = list(zip(*rows, strict=True))
        fields = [
            convert(column, values) for column, values in zip(self.columns, raw[1:], strict=False)
        ]
        for column, values in zip(self.columns, fields, strict=True):
            if Bad in set(map(type, values)):
                for index, value in enumerate(values):
                    if isinstance(value, Bad):
                        rule = f"{self.table}_{column.name}_{value.rule}"
                        bad.setdefault(index, (rule, f"{column.name} {value.detail}"))
        if self.numbers_are_ids:
            fields.insert(0, [None if id_ is None else str(id_) for id_ in self.ids(raw[0])])
        self.fill(fields)
        return fields, bad

    def ids(self, numbers: Sequence[int]) -> Sequence[int | None]:
        """Ids of rows: their numbers in the source, or the ids given for these numbers."""
        if self.given is None:
            return numbers
        return [self.given[n - 1] if n <= len(self.given) else None for n in numbers]

    def fill(self, fields: list[list]) -> None:
        """Changes that depend on the whole row."""
        if self.table == "users":
            self.fill_passwords(fields)
        elif self.table == "trading_signals" and (status := self.place("status")) is not None:
            if self.fills_executed_at:
                fields.append([None] * len(fields[status]))
            # our trigger would set the time of moving
            executed = fields[self.place("executed_at")]
            times = [
                fields[p] for n in ("received_at", "signal_time")
                if (p := self.place(n)) is not None
            ]  # fmt: skip
            for index, word in enumerate(fields[status]):
                if word == "EXECUTED" and executed[index] is None and times:
                    executed[index] = times[0][index]

    def fill_passwords(self, fields: list[list]) -> None:
        """Hashes that --map replaces, by address; unknown forms locked where asked."""
        email, password = self.place("email"), self.place("hashed_password")
        if email is None or password is None:
            return
        for index, address in enumerate(fields[email]):
            given = self.options.passwords.get(str(address).lower())
            if given is not None:
                fields[password][index] = given
            elif self.options.lock_passwords and not is_hash(fields[password][index]):
                fields[password][index] = "!"

    def shown(self, row: Sequence) -> dict[str, object]:
        """A row as the source has it, without a password's hash."""
        secret = {c.name for c in self.columns if c.name == "hashed_password"}
        names = [column.name for column in self.columns]
        return {
            source: jsonable(value)
            for place, (source, value) in enumerate(zip(self.names, row[1:], strict=False))
            if not (place < len(names) and names[place] in secret)
        }


def our_columns(
    connection: psycopg.Connection, table: str, options: Options, made: str
) -> dict[str, Column]:
    """Columns of ours that can be written, with the value for NULL where NULL is not allowed."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        rows = cursor.execute(SQL.COLUMNS, {"table": f"public.{table}"}).fetchall()
        result = {}
        for name, kind, form, typmod, required, default, labels in rows:
            known = {
                "int8": "integer", "int4": "integer", "int2": "integer", "bool": "boolean",
                "numeric": "decimal" if typmod > 0 else "number", "text": "text",
                "timestamptz": "time", "jsonb": "json", "uuid": "uuid",
            }.get(kind, "word" if form == "e" else "")  # fmt: skip
            if not known or name in DERIVED.get(table, ()):
                continue
            column = Column(table, name, "word" if name in WORDS else known, not required)
            column.labels = tuple(labels or ())
            column.bits = {"int2": 16, "int4": 32}.get(kind, 64)
            if known == "decimal":
                column.precision, column.scale = (typmod - 4) >> 16, (typmod - 4) & 0xFFFF
            if required and default and "(" not in default:
                value = cursor.execute(f"SELECT ({default})::text").fetchone()[0]
                column.empty = plain(Decimal(value)) if known in ("decimal", "number") else value
            elif required and default == "now()" and name in MADE:
                column.empty = made
            column.clock = Clock(options.zones.get(f"{table}.{name}", options.zone))
            column.words = {
                str(k): str(v) for k, v in options.values.get(f"{table}.{name}", {}).items()
            }
            result[name] = column
    return result


def plan(
    connection: psycopg.Connection,
    source: Source,
    options: Options,
    only: Sequence[str] = (),
    made: str = "",
) -> tuple[list[Move], list[str]]:
    """The ways of all tables, in order, and the source's tables without a target.

    Raises Failure.
    """
    ours = {table: our_columns(connection, table, options, made) for table in TABLES}
    options.check_columns(ours)
    moves, others = {}, []
    renamed = {name.lower(): ours for name, ours in options.tables.items()}
    for name in source.tables():
        table = renamed.get(name.lower(), name.lower())
        if table not in TABLES:
            others.append(name)
            continue
        if table in moves:
            raise Failure(f"two tables of the source are meant for {table}: name one with --map")
        moves[table] = way(source, name, table, ours[table], options)
        if moves[table].given is not None:
            moves[table].given = given_ids(connection, source, table)
    options.check_source(source, list(moves.values()))
    if not moves:
        raise Failure(f"{source.name}: no table of ours in this source ({len(others)} others)")
    unknown = set(only) - set(TABLES)
    if unknown or set(only) - set(moves):
        raise Failure(f"not in the source: {', '.join(sorted(unknown or set(only) - set(moves)))}")
    return [moves[t] for t in TABLES if t in moves and (not only or t in only)], others


def given_ids(connection: psycopg.Connection, source: Source, table: str) -> list[int]:
    """Ids that a table's rows without any were given, in the order of the rows."""
    rows = connection.execute(
        "SELECT id FROM migration.given_ids WHERE source = %s AND table_name = %s"
        " ORDER BY source_row", [source.name, table],
    )  # fmt: skip
    return [row[0] for row in rows]


def way(source: Source, name: str, table: str, ours: dict[str, Column], options: Options) -> Move:
    renamed = {a.lower(): b for a, b in options.columns.get(table, {}).items()}
    known, columns, leftovers = [], [], []
    for column in source.columns(name):
        target = renamed.get(column.lower(), column.lower())
        if target in ours and ours[target] not in columns:
            known.append(column)
            columns.append(ours[target])
        else:
            leftovers.append(column)
    found = {column.name for column in columns}
    lacking = [
        c.name for c in ours.values()
        if c.name not in found and not c.nullable and c.empty is None and c.name not in MADE
    ]  # fmt: skip
    numbered = isinstance(source, (Sqlite, Csv)) and "id" not in found and table not in KEYS
    return Move(
        table, name, known + leftovers, columns, leftovers,
        [n for n in lacking if n != "id"], options, numbered,
        [] if numbered and isinstance(source, Csv) else None,
    )  # fmt: skip
