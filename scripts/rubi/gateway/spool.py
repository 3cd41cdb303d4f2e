"""The spool: parcels that the database could not take, in order, in a SQLite file.

Every row has a checksum, and numbers have no hole: the oldest are taken away, nothing else. A file
that is damaged is kept aside under another name, and said; nothing in it is taken for sound.
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from rubi.gateway.parcels import Parcel, now

TABLES = """
    CREATE TABLE IF NOT EXISTS parcel (
        id INTEGER PRIMARY KEY AUTOINCREMENT, kept_at TEXT NOT NULL, body TEXT NOT NULL,
        checksum TEXT NOT NULL
    );
    CREATE TABLE IF NOT EXISTS refused (
        id INTEGER PRIMARY KEY, kept_at TEXT NOT NULL, body TEXT NOT NULL, reason TEXT NOT NULL,
        content TEXT NOT NULL UNIQUE
    );
    CREATE TABLE IF NOT EXISTS known (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


class SpoolError(Exception):
    """The file can't keep a parcel, or can't be read: what to do is in the message."""


class Damaged(SpoolError):
    """The file does not hold what was put there."""


def checksum(kept_at: str, body: str) -> str:
    return hashlib.sha256(f"{kept_at}\n{body}".encode()).hexdigest()


def content(parcel: Parcel) -> str:
    """What a parcel holds, whenever and by whichever window it was read."""
    rows = [[kind, given["rows"]] for kind, given in parcel.calls if given["rows"] is not None]
    return hashlib.sha256(json.dumps([parcel.server, parcel.login, rows]).encode()).hexdigest()


class Spool:
    """The spool of one terminal. Used by one thread: SQLite's connections are not shared."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.connection: sqlite3.Connection | None = None
        self.checked = False

    @contextmanager
    def file(self) -> Iterator[sqlite3.Connection]:
        """The open file. Raises SpoolError where SQLite can't go on, Damaged where it is broken."""
        try:
            if self.connection is None:
                self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                self.connection = sqlite3.connect(self.path, isolation_level=None)
                self.connection.execute("PRAGMA journal_mode = WAL")
                self.connection.execute("PRAGMA synchronous = FULL")
                found = self.connection.execute("PRAGMA quick_check(1)").fetchone()[0]
                if found != "ok":
                    raise Damaged(f"{self.path} is damaged: {' '.join(found.split())}")
                self.connection.executescript(TABLES)
            yield self.connection
        except sqlite3.OperationalError as error:
            if "malformed" in str(error):
                raise Damaged(f"{self.path} is damaged: {error}") from error
            raise SpoolError(f"can't write the spool {self.path}: {error}; make room") from error
        except sqlite3.DatabaseError as error:
            raise Damaged(f"{self.path} is damaged: {error}") from error
        except OSError as error:
            raise SpoolError(f"can't write the spool {self.path}: {error.strerror}") from error

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None
        self.checked = False

    def set_aside(self) -> Path:
        """Keep a damaged file under another name, so that a new one can begin."""
        self.close()
        aside = self.path.with_name(f"{self.path.stem}.damaged-{now():%Y%m%dT%H%M%S%f}.sqlite")
        for ending in ("", "-wal", "-shm"):
            part = self.path.with_name(self.path.name + ending)
            if part.exists():
                part.rename(aside.with_name(aside.name + ending))
        return aside

    def put(self, parcel: Parcel) -> None:
        """Keep a parcel behind all others; on disk when this returns."""
        body, kept_at = parcel.encode(), now().isoformat()
        with self.file() as file:
            file.execute(
                "INSERT INTO parcel (kept_at, body, checksum) VALUES (?, ?, ?)",
                [kept_at, body, checksum(kept_at, body)],
            )

    def __len__(self) -> int:
        with self.file() as file:
            return file.execute("SELECT count(*) FROM parcel").fetchone()[0]

    def oldest(self) -> datetime | None:
        """Since when the spool waits; None where nothing does."""
        with self.file() as file:
            found = file.execute("SELECT min(kept_at) FROM parcel").fetchone()[0]
        return datetime.fromisoformat(found) if found else None

    def is_older_than(self, days: float) -> bool:
        oldest = self.oldest()
        return oldest is not None and now() - oldest > timedelta(days=days)

    def check(self) -> None:
        """Raise Damaged where a parcel is missing: each one kept is there, or was taken away."""
        with self.file() as file:
            kept, taken, there = file.execute(
                "SELECT coalesce((SELECT s.seq FROM sqlite_sequence AS s WHERE s.name = 'parcel'),"
                " 0), coalesce((SELECT k.value FROM known AS k WHERE k.name = 'taken'), 0),"
                " (SELECT count(*) FROM parcel)"
            ).fetchone()
        if kept - int(taken) != there:
            raise Damaged(
                f"{self.path} is damaged: {kept - int(taken) - there} of its parcels are missing"
            )
        self.checked = True

    def first(self) -> tuple[int, Parcel] | None:
        """The oldest parcel and its number. Raises Damaged."""
        if not self.checked:
            self.check()
        with self.file() as file:
            row = file.execute(
                "SELECT p.id, p.kept_at, p.body, p.checksum FROM parcel AS p ORDER BY p.id LIMIT 1"
            ).fetchone()
        if row is None:
            return None
        number, kept_at, body, given = row
        if checksum(kept_at, body) != given:
            raise Damaged(f"{self.path} is damaged: parcel {number} is not what was kept")
        return number, Parcel.decode(body)

    def drop(self, number: int, reason: str = "") -> None:
        """Take away a parcel that the database has; one that it will never take goes to refused."""
        with self.file() as file, file:
            file.execute("BEGIN IMMEDIATE")
            if reason:
                row = file.execute("SELECT p.body FROM parcel AS p WHERE p.id = ?", [number])
                for (body,) in row.fetchall():
                    self.note_refusal(file, Parcel.decode(body), reason)
            if not file.execute("DELETE FROM parcel WHERE id = ?", [number]).rowcount:
                return
            file.execute(
                "INSERT INTO known (name, value) VALUES ('taken', 1)"
                " ON CONFLICT (name) DO UPDATE SET value = value + 1"
            )

    def refuse(self, parcel: Parcel, reason: str) -> None:
        """Keep a parcel that the database will never take, apart from those that wait."""
        with self.file() as file:
            self.note_refusal(file, parcel, reason)

    @staticmethod
    def note_refusal(file: sqlite3.Connection, parcel: Parcel, reason: str) -> None:
        """Keep a parcel; one that is read again and refused again is kept once."""
        file.execute(
            "INSERT OR IGNORE INTO refused (kept_at, body, reason, content) VALUES (?, ?, ?, ?)",
            [now().isoformat(), parcel.encode(), reason, content(parcel)],
        )

    def refusals(self) -> int:
        with self.file() as file:
            return file.execute("SELECT count(*) FROM refused").fetchone()[0]

    def know(self, name: str, value: Any) -> None:
        """Remember what a start without the database needs."""
        with self.file() as file:
            file.execute(
                "INSERT INTO known (name, value) VALUES (?, ?)"
                " ON CONFLICT (name) DO UPDATE SET value = excluded.value"
                " WHERE value <> excluded.value",
                [name, json.dumps(value)],
            )

    def known(self, name: str) -> Any:
        with self.file() as file:
            row = file.execute("SELECT value FROM known WHERE name = ?", [name]).fetchone()
        return json.loads(row[0]) if row else None
