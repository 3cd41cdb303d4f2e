"""A database whose checks of monitoring.health are watched, and the list of their causes.

A cause is a generator that does something, then yields the status that the check must show.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import psycopg
from pytest_postgresql.executors import NoopExecutor

from conftest import Address, copy_rights

Cause = Callable[["Watched"], Iterator[str]]
CAUSES: dict[str, Cause] = {}


class Watched:
    """A database with a superuser's connection and rubi_monitor's, which asks for the health."""

    def __init__(self, server: Address, name: str, folder: str) -> None:
        self.server, self.name, self.folder = server, name, folder
        self.admin = self.connect()
        self.monitor = self.connect("rubi_monitor")
        self.opened: list[psycopg.Connection] = []

    def connect(self, role: str | None = None) -> psycopg.Connection:
        return psycopg.connect(self.server.dsn(self.name, role), autocommit=True)

    def another(self) -> psycopg.Connection:
        """One more superuser's connection."""
        self.opened.append(self.connect())
        return self.opened[-1]

    def close_others(self) -> None:
        for connection in self.opened:
            connection.close()
        self.opened.clear()

    def end_others(self) -> None:
        """End what a test left behind; its statistics have arrived then."""
        self.admin.execute(
            "SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> ALL (%s)",
            [[self.admin.info.backend_pid, self.monitor.info.backend_pid]],
        )
        self.close_others()

    def run(self, *statements: str) -> None:
        for statement in statements:
            self.admin.execute(statement)
        self.admin.execute("SELECT pg_stat_force_next_flush()")

    def health(self, name: str) -> tuple:
        """Status, value and detail of a check."""
        return self.monitor.execute(
            "SELECT status, value, detail FROM monitoring.health WHERE name = %s", [name]
        ).fetchone()

    def value(self, name: str) -> float:
        return float(self.health(name)[1])

    def set(self, name: str, warning: float, critical: float) -> None:
        self.admin.execute(
            "UPDATE monitoring.thresholds SET warning = %s, critical = %s WHERE name = %s",
            [warning, critical, name],
        )


def watch(server: Address, template: NoopExecutor, suffix: str, folder: str) -> Iterator[Watched]:
    """A clone of the deployed database whose health is good, for a fixture."""
    name = f"{template.dbname}_{suffix}"
    with closing(psycopg.connect(server.dsn(), autocommit=True)) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template.template_dbname}")
        copy_rights(connection, template.template_dbname, name)
        it = Watched(server, name, folder)
        it.run("SELECT monitoring.take_readings()", "SELECT monitoring.take_sample()")
        yield it
        it.close_others()
        it.admin.close()
        it.monitor.close()
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def drives(name: str) -> Callable[[Cause], Cause]:
    """Says which check a cause is for."""

    def register(cause: Cause) -> Cause:
        CAUSES[name] = cause
        return cause

    return register
