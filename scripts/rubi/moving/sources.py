"""Sources of rows: a SQLite file, CSV files, or the tables of the base system.

A source names its tables and columns, counts rows, and hands them out in the order of a number that
stays the same when it is read again. No source is ever written to.
"""

import csv
import re
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from rubi.cli import Failure, one_line

ROWS = 10_000  # in a batch
BYTES = 4_000_000  # text in a batch, about
START = -(2**63)  # before all rows; and the least number that SQLite can give one
ROWIDS = ("_rowid_", "rowid", "oid")  # all mean the same
csv.field_size_limit(2**30)  # texts that PostgreSQL can hold
Rows = list[tuple]  # number of the row, then its values


class Source:
    """What the mover needs: a name; tables(), columns(table) and count(table); slices or batches of
    rows whose number is above one, in order."""

    name: str
    paths: tuple[Path, ...] = ()  # the files it is read from

    def batches(self, table: str, columns: list[str], after: int) -> Iterator[Rows]:
        yield from by_size(self.slices(table, columns, after))


def by_size(slices: Iterator[Rows]) -> Iterator[Rows]:
    """Batches of at most ROWS rows, and fewer when their texts are long."""
    batch: Rows = []
    size = 0
    for rows in slices:
        batch += rows
        # of every fiftieth row: adding up all of them costs as much as reading them
        size += 50 * sum(
            len(value) for row in rows[::50] for value in row if isinstance(value, str)
        )
        if len(batch) >= ROWS or size >= BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


class Sqlite(Source):
    """A file, opened read-only. A single read transaction sees the file as it was at the beginning.

    Only one thread uses the connection, as Python's sqlite3 enforces: two threads
    that run statements over one connection get each other's rows (Python 3.13), and a second
    connection would see later writes.
    """

    def __init__(self, path: Path, wait: float) -> None:
        self.path = path
        self.paths = (path,)
        self.wait = wait
        self.name = f"sqlite:{path.name}"
        self.counts: dict[str, int] = {}
        if not path.is_file():
            raise Failure(f"{path}: no such file")
        if path.stat().st_size == 0:
            raise Failure(f"{path}: the file is empty")
        self.thread = ThreadPoolExecutor(1)
        with self.failures():
            self.connection = self.ask(self.open)

    def open(self) -> sqlite3.Connection:
        """The connection, its read transaction begun."""
        connection = sqlite3.connect(
            f"file:{quote(str(self.path.resolve()))}?mode=ro",
            uri=True, timeout=self.wait, isolation_level=None,
        )  # fmt: skip
        connection.execute("PRAGMA query_only = on")
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        return connection

    def ask(self, work: Callable, *arguments: object) -> object:
        """The answer of work, done by the thread that the connection belongs to."""
        return self.thread.submit(work, *arguments).result()

    def rows(self, query: str, *values: object) -> Rows:
        return self.ask(lambda: self.connection.execute(query, values).fetchall())

    def close(self) -> None:
        """End the read transaction, for which writers of a file without WAL wait."""
        self.connection.interrupt()  # a statement without a waiter
        self.ask(self.connection.close)
        self.thread.shutdown()

    @contextmanager
    def failures(self) -> Iterator[None]:
        """SQLite's errors in words, with the cure."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            said = {
                sqlite3.SQLITE_NOTADB: "is no SQLite database, or an encrypted one",
                sqlite3.SQLITE_BUSY: f"another program kept it locked for {self.wait:g} s",
                sqlite3.SQLITE_CORRUPT: "is damaged or cut off: have sqlite3 recover it first",
                sqlite3.SQLITE_READONLY: "an application left a transaction unfinished: open the "
                "file with it once",
                sqlite3.SQLITE_CANTOPEN: "can't be opened: its folder must be writable while an "
                "application uses it",
            }.get(code, one_line(error))
            raise Failure(f"{self.path}: {said}") from error

    def tables(self) -> list[str]:
        with self.failures():
            rows = self.rows(
                "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')"
                " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
            )
            return [name for (name,) in rows]

    def columns(self, table: str) -> list[str]:
        """Names of columns, in order, generated ones too; not those hidden by a virtual table."""
        with self.failures():
            rows = self.rows(f"PRAGMA table_xinfo({quoted(table)})")
        return [row[1] for row in rows if row[6] != 1]

    def count(self, table: str) -> int:
        """Rows of a table, counted once: the read transaction sees no others."""
        if table not in self.counts:
            with self.failures():
                counted = self.rows(f"SELECT count(*) FROM {quoted(table)}")  # noqa: S608
            self.counts[table] = counted[0][0]
        return self.counts[table]

    def free_name(self, table: str, *names: str) -> str | None:
        """The first of these names that no column has."""
        columns = {name.lower() for name in self.columns(table)}
        return next((name for name in names if name not in columns), None)

    def has_rowid(self, table: str) -> bool:
        """Whether SQLite numbers the rows itself: not in a view, nor WITHOUT ROWID."""
        name = self.free_name(table, *ROWIDS)
        view = "SELECT 1 FROM sqlite_schema WHERE type = 'view' AND name = ?"
        if name is None or self.rows(view, table):
            return False  # a view's would be NULL
        try:
            self.rows(f"SELECT {name} FROM {quoted(table)} LIMIT 0")  # noqa: S608
        except sqlite3.OperationalError:
            return False
        return True

    def numbered(self, table: str, after: int) -> tuple[str, str]:
        """The name of a table's row number, and the table in its order from a row on.

        A column may have the name that SQLite gives the number: then another name is taken.
        """
        sign = ">=" if after == START else ">"
        if self.has_rowid(table):
            name = self.free_name(table, *ROWIDS)
            return name, f"{quoted(table)} WHERE {name} {sign} ? ORDER BY {name}"
        name = self.free_name(table, *ROWIDS, "row_n", "row_n_")
        if name is None:
            raise Failure(f"{self.path}: {table}: no name is left to number its rows by")
        keys = [
            quoted(row[1])
            for row in sorted(
                self.rows(f"PRAGMA table_info({quoted(table)})"), key=lambda row: row[5]
            )
            if row[5]
        ]
        order = ", ".join(keys) or "1"
        return name, (
            f"(SELECT row_number() OVER (ORDER BY {order}) AS {name}, *"  # noqa: S608
            f" FROM {quoted(table)}) WHERE {name} {sign} ? ORDER BY {name}"
        )

    def slices(self, table: str, columns: list[str], after: int) -> Iterator[Rows]:
        """A thousand rows at a time; text that is no UTF-8 keeps its bytes as surrogates."""
        with self.failures():
            names = ", ".join(map(quoted, columns))
            while True:
                number, rows_from = self.numbered(table, after)
                query = f"SELECT {number}, {names} FROM {rows_from}"  # noqa: S608
                cursor = self.ask(self.connection.execute, query, [after])
                try:
                    while rows := self.ask(cursor.fetchmany, 1000):
                        yield rows
                        after = rows[-1][0]
                    return
                except sqlite3.OperationalError as error:
                    if "decode" not in str(error):
                        raise
                finally:
                    self.ask(cursor.close)
                rows = self.ask(self.undecoded, f"{query} LIMIT 1000", after)
                yield rows
                after = rows[-1][0]

    def undecoded(self, query: str, after: int) -> Rows:
        """Rows with texts that are no UTF-8."""
        self.connection.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
        try:
            return self.connection.execute(query, [after]).fetchall()
        finally:
            self.connection.text_factory = str


class Csv(Source):
    """CSV files with a header, one for each table. The number of a row is that of its record."""

    def __init__(self, files: dict[str, Path], name: str) -> None:
        self.files = files
        self.paths = tuple(files.values())
        self.name = f"csv:{name}"
        self.headers = {}
        for table, path in files.items():
            with self.open(path) as reader:
                header = next(reader, None)
            if not header:
                raise Failure(f"{path}: the file is empty")
            self.headers[table] = [name.strip() for name in header]
            if len(set(self.headers[table])) < len(header) or not all(self.headers[table]):
                raise Failure(f"{path}: a column of the header has no name, or two have the same")

    @contextmanager
    def open(self, path: Path) -> Iterator[Iterator[list[str]]]:
        """A reader of the file's records; UTF-8 or UTF-16, comma, semicolon, tab or bar."""
        try:
            with path.open("rb") as file:
                start = file.read(4)
            encoding = "utf-16" if start[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
            with path.open(encoding=encoding, errors="surrogateescape", newline="") as file:
                line = file.readline()
                delimiter = max(",;\t|", key=line.count)
                file.seek(0)
                yield csv.reader(file, delimiter=delimiter, strict=True)
        except (OSError, csv.Error, UnicodeError) as error:
            raise Failure(f"{path}: can't be read as CSV ({one_line(error)})") from error

    def tables(self) -> list[str]:
        return list(self.files)

    def columns(self, table: str) -> list[str]:
        return self.headers[table]

    def count(self, table: str) -> int:
        """Records after the header."""
        with self.open(self.files[table]) as reader:
            return sum(1 for record in reader if record) - 1

    def slices(self, table: str, columns: list[str], after: int) -> Iterator[Rows]:
        """A thousand records at a time; empty lines do not count. A record with too few or too many
        fields comes one field too long, which the mover refuses."""
        places = [self.headers[table].index(name) for name in columns]
        width = len(self.headers[table])
        with self.open(self.files[table]) as reader:
            next(reader)
            rows, number = [], 0
            for record in reader:
                if not record:
                    continue
                number += 1
                if number <= after:
                    continue
                if len(record) == width:
                    rows.append((number, *(record[place] for place in places)))
                else:
                    rows.append((number, *record[: len(places)], *[None] * (len(places) + 1)))
                if len(rows) == 1000:
                    yield rows
                    rows = []
            if rows:
                yield rows


class Base(Source):
    """Tables of the base system, moved aside into a schema. A row is numbered by its id."""

    def __init__(self, connection: psycopg.Connection, schema: str) -> None:
        self.connection = connection
        self.schema = schema
        self.name = f"base:{schema}"

    def tables(self) -> list[str]:
        rows = self.connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = %s ORDER BY 1", [self.schema]
        )
        return [row[0] for row in rows]

    def columns(self, table: str) -> list[str]:
        rows = self.connection.execute(
            "SELECT a.attname FROM pg_attribute AS a WHERE a.attrelid = %s::regclass"
            " AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
            [f"{self.schema}.{table}"],
        )
        return [row[0] for row in rows]

    def count(self, table: str) -> int:
        query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(self.schema, table))
        return self.connection.execute(query).fetchone()[0]

    def batches(self, table: str, columns: list[str], after: int) -> Iterator[Rows]:
        """Rows whose id is above after, every value as text."""
        query = sql.SQL(
            "SELECT t.id, {} FROM {} AS t WHERE t.id > %s ORDER BY t.id LIMIT %s"
        ).format(
            sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(c)) for c in columns),
            sql.Identifier(self.schema, table),
        )
        with self.connection.cursor(row_factory=psycopg.rows.tuple_row) as cursor:
            while rows := cursor.execute(query, [after, ROWS]).fetchall():
                yield rows
                after = rows[-1][0]


def safe_name(text: str) -> str:
    """A name for files: letters, digits, dots and dashes."""
    return re.sub(r"[^\w.-]+", "_", text)
