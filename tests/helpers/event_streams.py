"""A terminal on which anything happens, and whether events tell what the tables had."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

import mt5
import rows

POSITION = (
    "identifier, ticket, symbol, type, volume, open_price, sl, tp, time_msc, magic, reason,"
    " comment, external_id"
)
ORDER = (
    "ticket, symbol, type, state, volume_initial, volume_current, price_open, price_stoplimit, sl,"
    " tp, time_setup_msc, time_expiration, type_time, type_filling, magic, position_id,"
    " position_by_id, reason, comment, external_id"
)
PLACED, CANCELED, PARTIAL, FILLED, REJECTED, EXPIRED = 1, 2, 3, 4, 5, 6
TAKEN = datetime(2026, 1, 5, 12, tzinfo=UTC)


def events(connection: psycopg.Connection, account: int, kind: str) -> list[tuple]:
    """What, id, values before and after, in their order."""
    return connection.execute(
        "SELECT what, id, old_values, new_values FROM mt5_events"
        " WHERE account_id = %s AND kind = %s ORDER BY number",
        [account, kind],
    ).fetchall()


def new_account(db: psycopg.Connection, **fields: Any) -> int:
    user = rows.user(db)
    return mt5.open_account(db, user, **{"server": f"S{user}", "taken_at": "2026-01-01"} | fields)


class Terminal:
    """An account on which anything happens that the database may be told, at random."""

    def __init__(self, db: psycopg.Connection, seed: int) -> None:
        self.db, self.random = db, random.Random(seed)
        self.account = new_account(db)
        self.session = db.execute(
            "SELECT session_id FROM mt5_sessions WHERE account_id = %s", [self.account]
        ).fetchone()[0]
        self.positions: dict[int, dict] = {}
        self.orders: dict[int, dict] = {}
        self.past: list[dict] = []
        self.pictures: list[tuple[datetime, list[dict]]] = []
        self.taken_at = TAKEN
        self.ticket = 1000

    def number(self) -> int:
        self.ticket += 1
        return self.ticket

    def price(self) -> float:
        return round(1 + self.random.random(), 5)

    def any_position(self) -> dict | None:
        return self.random.choice([*self.positions.values()] or [None])

    def move(self) -> None:
        """One thing that happens to positions."""
        position, name = self.any_position(), self.random.choice(
            ["open", "open", "stop", "part", "ticket", "close", "close by", "add", "price", "turn"]
        )  # fmt: skip
        if name == "open" or position is None:
            number = self.number()
            self.positions[number] = mt5.position(
                ticket=number, volume=self.random.randint(1, 90) / 100, price_open=self.price(),
                type=self.random.choice([0, 1]), sl=self.random.choice([0.0, self.price()]),
                comment=self.random.choice(["", "it's \"so\" \\ [null]"]),
            )  # fmt: skip
        elif name == "close by" and len(self.positions) > 1:
            for number in self.random.sample(sorted(self.positions), 2):
                del self.positions[number]
        elif name in ("close", "close by"):
            del self.positions[position["identifier"]]
        elif name == "price":
            for one in self.positions.values():
                one |= {"price_current": self.price(), "profit": self.price(), "swap": -0.1}
        else:
            position |= {
                "stop": {"sl": self.random.choice([0.0, self.price()]), "tp": self.price()},
                "part": {"volume": round(position["volume"] / 2, 8)},
                "ticket": {"ticket": self.number()},
                "add": {"volume": position["volume"] + 0.1, "price_open": self.price()},
                "turn": {"type": 1 - position["type"], "ticket": self.number()},
            }[name]

    def send_picture(self) -> None:
        """The picture: as it is, with a bad element, older than the last, or after other hands."""
        how = self.random.choice(["", "", "bad", "older", "api", "moved", "deleted", "many"])
        if how == "api" and (known := self.any_position()):
            # the row of a position that the API wrote first, or the API's idea of its stop
            self.db.execute(
                "DELETE FROM trading_positions WHERE account_id = %s AND identifier = %s",
                [self.account, known["identifier"]],
            )
            rows.position(self.db, self.session, ticket=str(known["ticket"]))
        elif how == "moved":
            self.db.execute(
                "UPDATE trading_positions SET sl = 7 WHERE account_id = %s", [self.account]
            )
        elif how == "deleted":
            self.db.execute("DELETE FROM trading_positions WHERE account_id = %s", [self.account])
        elif how == "older" and self.pictures:
            at, picture = self.random.choice(self.pictures)
            self.send(picture, at - timedelta(seconds=1))
        self.taken_at += timedelta(seconds=self.random.randint(1, 90))
        picture = [dict(one) for one in self.positions.values()]
        if how == "bad" and picture:
            self.random.choice(picture)["volume"] = self.random.choice([-1, "x"])
        if how == "many":
            picture *= 2
        self.pictures.append((self.taken_at, picture))
        self.send(picture, self.taken_at)

    def send(self, picture: list[dict], at: datetime) -> None:
        mt5.ingest(self.db, "positions", self.account, picture, at)

    def send_orders(self) -> None:
        """Orders are placed, changed and done; old versions arrive late, known ones again."""
        waiting = [one for one in self.orders.values() if one["state"] in (PLACED, PARTIAL)]
        how = self.random.choice(["place", "place", "done", "filled", "part", "modify", "late"])
        if how == "place" or not waiting:
            number = self.number()
            self.orders[number] = mt5.order(
                ticket=number, state=PLACED, time_done=0, time_done_msc=0, position_id=0, type=2,
                volume_current=1.0, price_open=self.price(),
            )  # fmt: skip
        else:
            self.random.choice(waiting).update({
                "done": {"state": self.random.choice([CANCELED, REJECTED, EXPIRED])},
                "filled": {"state": FILLED, "volume_current": 0.0, "position_id": 7},
                "part": {"state": PARTIAL, "volume_current": 0.5},
                "modify": {"price_open": self.price(), "sl": self.price()},
                "late": {"price_current": self.price()},
            }[how])  # fmt: skip
        sent = [dict(one) for one in self.orders.values()]
        self.past += sent
        if how == "late":
            sent = self.random.sample(self.past, min(len(self.past), 5))
        mt5.ingest(self.db, "orders", self.account, sent)

    def stored(self) -> tuple[datetime, list[tuple], list[tuple]]:
        """The database's clock, positions, and orders that wait."""
        return (
            self.db.execute("SELECT clock_timestamp()").fetchone()[0],
            self.db.execute(
                f"SELECT {POSITION} FROM trading_positions WHERE account_id = %s"
                " AND identifier IS NOT NULL ORDER BY identifier", [self.account],
            ).fetchall(),
            self.db.execute(
                f"SELECT {ORDER} FROM mt5_orders WHERE account_id = %s"
                " AND state NOT IN (2, 4, 5, 6) ORDER BY ticket", [self.account],
            ).fetchall(),
        )  # fmt: skip

    def told(self, function: str, columns: str, at: datetime | None) -> list[tuple]:
        """What events tell: positions_as_of or orders_as_of."""
        return self.db.execute(
            f"SELECT {columns} FROM {function}(%s, coalesce(%s, now() + interval '1 hour'))",
            [self.account, at],
        ).fetchall()


def live(db: psycopg.Connection, seed: int, steps: int) -> None:
    """Run a stream; events tell what the tables have after each step, and afterwards of each."""
    terminal = Terminal(db, seed)
    seen = []
    for _ in range(steps):
        for _ in range(terminal.random.randint(0, 3)):
            terminal.move()
        terminal.send_picture()
        terminal.send_orders()
        clock, positions, orders = terminal.stored()
        assert terminal.told("positions_as_of", POSITION, None) == positions, seed
        assert terminal.told("orders_as_of", ORDER, None) == orders, seed
        seen.append((clock, terminal.taken_at, positions, orders))
    for clock, _, _, orders in seen:
        assert terminal.told("orders_as_of", ORDER, clock) == orders, seed
    assert terminal.told("positions_as_of", POSITION, TAKEN) == []
    assert all(old != new for _, _, old, new in events(db, terminal.account, "position"))
