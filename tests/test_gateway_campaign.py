"""Whatever goes wrong between terminal and table: nothing is lost, nothing doubled, nothing gone.

The books of the stand-in terminals are what the tables are compared with.
"""

from __future__ import annotations

import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

import rows
from conftest import Address, Server, make_administrator, prepare_database
from ephemeral import deploy_all
from faults import FAULTS, told
from full_brokers import Books
from gateway_field import Field
from mt5 import violations
from rubi.servers import embedded
from rubi.waiting import until

SEED = 25
STORED = {
    "deals": "SELECT ticket, type, entry, position_id, round(volume * 100), round(profit * 100),"
    " round((commission + swap) * 100) FROM trading_deals WHERE account_id = %s",
    "orders": "SELECT ticket, state FROM mt5_orders WHERE account_id = %s"
    " AND state NOT IN (0, 1, 3, 7, 8, 9)",
    "positions": "SELECT identifier, ticket, CASE type::text WHEN 'BUY' THEN 0 ELSE 1 END,"
    " round(volume * 100), round(coalesce(sl, 0) * 100000)"
    " FROM trading_positions WHERE account_id = %s",
}


@pytest.fixture
def field(request: pytest.FixtureRequest) -> Iterator[Field]:
    """A server of its own, which faults kill, and all that stands before it."""
    folder = Path(tempfile.mkdtemp(prefix="rubi-campaign-"))
    folder.chmod(0o755)
    binaries = embedded.binaries(request.config.getoption("--pg"))
    # a folder of ours: a start that fails would remove its own
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    base = Path(tempfile.mkdtemp(prefix="rubi-campaign-", dir=memory))
    base.chmod(0o755)
    with Server(
        base_dir=str(base),
        initdb=str(binaries / "initdb"), postgres=str(binaries / "postgres"),
        initdb_args="-U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync",
        postgres_args="-h 127.0.0.1 -F",
    ) as running:  # fmt: skip
        address = Address("127.0.0.1", running.settings["port"], "postgres", None, binaries)
        make_administrator(address)
        with psycopg.connect(address.dsn(), autocommit=True) as connection:
            connection.execute("CREATE DATABASE campaign")
        prepare_database(address.dsn("campaign"))
        deploy_all(address.dsn("campaign", "rubi_admin"))
        with psycopg.connect(address.dsn("campaign"), autocommit=True) as connection:
            user = rows.user(connection)
        made = Field(running, address, "campaign", str(user), folder)
        made.start()
        yield made
        made.end()
    for made_here in (folder, base):
        shutil.rmtree(made_here)


def stored(connection: psycopg.Connection, login: int) -> dict[str, dict[int, Any]]:
    """What the database holds of an account, as faults.told() says it."""
    found = connection.execute(
        "SELECT id FROM mt5_accounts WHERE account_number = %s", [str(login)]
    ).fetchone()
    answer: dict[str, dict[int, Any]] = {}
    for kind, query in STORED.items():
        held = connection.execute(query, found).fetchall() if found else []
        assert len({row[0] for row in held}) == len(held), f"{kind} doubled"
        answer[kind] = {
            row[0]: row[1] if len(row) == 2 else tuple(
                value if isinstance(value, str) else int(value) for value in row[1:]
            )
            for row in held
        }  # fmt: skip
    return answer


def difference(field: Field) -> str:
    """What of the books the database has not, or has otherwise; empty when all is there."""
    try:
        with field.connect() as connection:
            for trader in field.traders.values():
                with trader.lock:
                    expected = told(trader.books)
                found = stored(connection, trader.active)
                for kind, rows_of in expected.items():
                    missing = rows_of.items() - found[kind].items()
                    more = found[kind].items() - rows_of.items()
                    if missing or more:
                        return f"{trader.active} {kind}: missing {missing}, instead {more}"[:600]
            return "" if not (failed := violations(connection)) else f"proofs {failed}"
    except psycopg.OperationalError as error:
        return str(error)


class Watch:
    """A row of an open position stays the row that it was: another one means it had vanished."""

    def __init__(self) -> None:
        self.rows: dict[int, int] = {}

    def look(self, field: Field) -> None:
        open_now = {n for trader in field.traders.values() for n in trader.books.positions}
        with field.connect() as connection:
            found = dict(connection.execute("SELECT identifier, id FROM trading_positions"))
        for identifier in (open_now & self.rows.keys()) - field.reopened:
            assert found.get(identifier) == self.rows[identifier], f"{identifier} had vanished"
        self.rows = {n: found[n] for n in open_now if n in found}


def settle(field: Field, what: str) -> None:
    """Wait until the database is what the books are. The gateway must still run."""
    told_last = [""]

    def is_equal() -> bool:
        assert field.process.poll() is None, f"after {what} the gateway ended:\n{field.said()}"
        told_last[0] = difference(field)
        return not told_last[0]

    try:
        until(f"the tables of {what}", is_equal, 300, 0.2)
    except Exception as error:
        raise AssertionError(f"{error}\n{told_last[0]}\n{field.said()}") from error


def lots_of(books: Books) -> int:
    return len(books.deals) + len(books.archived)


@pytest.mark.parametrize("times", [len(FAULTS), pytest.param(1000, marks=pytest.mark.slow)])
def test_no_fault_loses_doubles_or_ends_what_the_terminal_has(
    field: Field, times: int, capsys: pytest.CaptureFixture[str]
) -> None:
    chance, watch, met = random.Random(SEED), Watch(), Counter()
    began = time.monotonic()
    settle(field, "the start")
    faults = chance.sample([*FAULTS], len(FAULTS))  # each kind once, then as often as it happens
    faults += chance.choices([*FAULTS], [*FAULTS.values()], k=times - len(faults))
    for number, fault in enumerate(faults):
        what = f"fault {number + 1} of seed {SEED}: {fault.__name__}"
        field.trade(chance)
        heal = fault(field, chance)
        field.trade(chance)
        time.sleep(chance.uniform(0, 0.3))
        heal()
        settle(field, what)
        watch.look(field)
        met[fault.__name__] += 1
        if (number + 1) % 50 == 0:
            with capsys.disabled():
                print(f"{number + 1} faults in {time.monotonic() - began:.0f} s", flush=True)
    deals = sum(lots_of(trader.books) for trader in field.traders.values())
    with capsys.disabled():
        print(
            f"\n{times} faults of seed {SEED} in {time.monotonic() - began:.0f} s, {deals} deals:"
            f" 0 lost, 0 doubled, 0 positions vanished, proofs 0; {dict(met)}"
        )
