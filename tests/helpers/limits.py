"""Limits of a role: a table that tells whether they hold for who writes it."""

from __future__ import annotations

import psycopg
import pytest


def refuse_under(db: psycopg.Connection, table: str) -> None:
    """Give rubi_app a limit that no statement reaches, under which nobody may write the table."""
    db.execute(f"ALTER ROLE rubi_app IN DATABASE {db.info.dbname} SET statement_timeout = '1h'")
    db.execute(
        "CREATE FUNCTION public.refuse_limits() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF current_setting('statement_timeout') <> '0' THEN RAISE 'under a limit'; END IF;"
        " RETURN NULL; END $$"
    )
    db.execute(
        f"CREATE TRIGGER refuse_limits BEFORE INSERT ON {table}"
        " EXECUTE FUNCTION public.refuse_limits()"
    )
    with (
        psycopg.connect(db.info.dsn, user="rubi_app") as limited,
        pytest.raises(psycopg.errors.RaiseException, match="under a limit"),
    ):
        limited.execute(f"INSERT INTO {table} SELECT * FROM {table} WHERE FALSE")
