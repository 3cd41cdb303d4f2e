"""Leaders that are killed, paused and cut off from etcd while the API writes: seconds to recovery.

Three nodes under Patroni, our schema deployed by the runner through the address of whatever node
takes writes. Clients insert signals and note each acknowledged one; a statement without an answer
within its deadline is sent again with the same request id over a new connection. After each fault
every acknowledged signal must be there, once.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Literal

import psycopg
import typer

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "scripts")]

from rubi.cli import Failure, console, new_app, run
from rubi.servers import embedded
from rubi.servers.patroni import HOST, Node, PatroniCluster, running
from rubi.waiting import until

# it says each time that it gives up on a paused server
logging.getLogger("psycopg").setLevel(logging.ERROR)
app = new_app(__doc__)
Fault = Literal["killed", "paused", "cut"]
DATABASE = "rubi_trading"
DEADLINE = 3.0
INSERT = (
    "INSERT INTO trading_signals (user_id, symbol, signal_type, volume, signal_time,"
    " client_request_id) VALUES (%s, 'EURUSD', 'BUY', 0.1, now(), %s)"
    " ON CONFLICT (user_id, client_request_id) DO NOTHING"
)


class Wire:
    """A TCP connection to one of several places behind it, that can be cut without a word."""

    def __init__(self, ports: list[int]) -> None:
        self.behind = ports
        self.is_cut = False
        self.door = socket.create_server((HOST, 0))
        self.port = self.door.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        """Take connections until the door is closed."""
        with suppress(OSError):
            while True:
                near, _ = self.door.accept()
                for port in self.behind:
                    with suppress(OSError):
                        far = socket.create_connection((HOST, port), 5)
                        far.settimeout(None)
                        for ends in ((near, far), (far, near)):
                            threading.Thread(target=self.carry, args=ends, daemon=True).start()
                        break
                else:
                    near.close()

    def carry(self, source: socket.socket, target: socket.socket) -> None:
        """Hand on all bytes; drop them while the wire is cut, as a network does."""
        with suppress(OSError):
            while data := source.recv(65536):
                if not self.is_cut:
                    target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Take no more connections."""
        self.door.close()


WIRES: dict[str, Wire] = {}  # of each node, to etcd


def wired(node: str, ports: list[int]) -> list[int]:
    """A wire of its own for a node; answers the port of its near end."""
    WIRES[node] = Wire(ports)
    return [WIRES[node].port]


class Load:
    """Clients of the API in a thread of their own."""

    def __init__(self, cluster: PatroniCluster, clients: int = 8) -> None:
        self.dsn = cluster.dsn(DATABASE, "rubi_app")
        self.clients = clients
        self.acknowledged: list[tuple[float, int, str, int]] = []
        """When, which client, request id, port of the server that said so."""
        self.connects = 0
        self.ended = False

    async def client(self, number: int) -> None:
        """One request after the other; each again until it is acknowledged."""
        connection = None
        while not self.ended:
            request = str(uuid.uuid4())
            while not self.ended:
                try:
                    if connection is None:
                        connection = await psycopg.AsyncConnection.connect(
                            self.dsn, autocommit=True
                        )
                        self.connects += 1
                    # libpq waits for ever for a server that is paused: the client must not
                    async with asyncio.timeout(DEADLINE):
                        await connection.execute(INSERT, [self.user, request])
                except (psycopg.OperationalError, psycopg.errors.ReadOnlySqlTransaction,
                        TimeoutError):  # fmt: skip
                    if connection is not None:
                        connection.pgconn.finish()
                    connection = None
                    await asyncio.sleep(0.1)
                    continue
                port = connection.info.port
                self.acknowledged.append((time.monotonic(), number, request, port))
                break
            await asyncio.sleep(0.01)
        if connection is not None:
            await connection.close()

    @contextmanager
    def running(self, user: int) -> Iterator[None]:
        """The load runs while the block does."""
        self.user, self.ended = user, False

        async def everybody() -> None:
            async with asyncio.TaskGroup() as group:
                for number in range(self.clients):
                    group.create_task(self.client(number))

        thread = threading.Thread(target=lambda: asyncio.run(everybody()))
        thread.start()
        try:
            yield
        finally:
            self.ended = True
            thread.join(60)


def deploy(cluster: PatroniCluster) -> int:
    """Our schema by the runner, through the address of the leader; answers a user's id."""
    with psycopg.connect(cluster.dsn(), autocommit=True) as connection:
        connection.execute("CREATE ROLE rubi_admin LOGIN CREATEDB CREATEROLE")
        connection.execute("GRANT pg_monitor TO rubi_admin WITH ADMIN OPTION")
        connection.execute(f"CREATE DATABASE {DATABASE} OWNER rubi_admin")
    with psycopg.connect(cluster.dsn(DATABASE), autocommit=True) as connection:
        connection.execute("CREATE EXTENSION timescaledb")
        connection.execute("CREATE EXTENSION pg_stat_statements")
    done = subprocess.run(
        [sys.executable, ROOT / "scripts/deploy.py", "apply", "--dsn",
         cluster.dsn(DATABASE, "rubi_admin")],
        capture_output=True, text=True, env=os.environ | {"COLUMNS": "100"},
    )  # fmt: skip
    if done.returncode:
        raise Failure(f"deploy.py: {done.stderr.strip()}")
    with psycopg.connect(cluster.dsn(DATABASE), autocommit=True) as connection:
        return connection.execute(
            "INSERT INTO users (email, username, hashed_password)"
            " VALUES ('a@example.com', 'a', '!') RETURNING id"
        ).fetchone()[0]


def strike(node: Node, fault: Fault) -> None:
    """Do it to a node."""
    if fault == "cut":
        WIRES[node.name].is_cut = True
    else:
        node.signal(signal.SIGKILL if fault == "killed" else signal.SIGSTOP)


def heal(cluster: PatroniCluster, node: Node, fault: Fault) -> None:
    """Undo it; the node has to come back as a replica by itself."""
    if fault == "cut":
        WIRES[node.name].is_cut = False
    elif fault == "paused":
        node.signal(signal.SIGCONT)
    else:
        if node.process:
            node.process.wait()
        cluster.start(node)


def stored(cluster: PatroniCluster) -> list[str]:
    """Request ids on the node that takes writes."""
    with psycopg.connect(cluster.dsn(DATABASE), autocommit=True) as connection:
        rows = connection.execute("SELECT client_request_id FROM trading_signals")
        return [row[0] for row in rows]


def drill(cluster: PatroniCluster, load: Load, fault: Fault, began: int) -> dict[str, float]:
    """One fault: seconds until writes are acknowledged again by another node, and what was lost.

    Raises Failure when that takes longer than 90 seconds or a client does not come back.
    """
    members = cluster.members()
    old = next((n for n in cluster.nodes if members.get(n.name, {}).get("role") == "leader"), None)
    if old is None:
        raise Failure("there is no leader")
    time.sleep(1)
    at = time.monotonic()
    strike(old, fault)

    def elsewhere() -> list[tuple[float, int, str, int]]:
        return [a for a in load.acknowledged[began:] if a[0] > at and a[3] != old.port]

    try:
        until("a new leader", elsewhere, 90)
        until(
            "all clients reconnected",
            lambda: {a[1] for a in elsewhere()} == set(range(load.clients)), 60,
        )  # fmt: skip
    finally:
        heal(cluster, old, fault)
    first = elsewhere()[0][0]
    last = max([a[0] for a in load.acknowledged if a[0] <= first and a[3] == old.port], default=at)
    everybody = {a[1]: a[0] for a in reversed(elsewhere())}
    until("the old leader follows", cluster.is_whole, 90)
    here = stored(cluster)
    known = [a[2] for a in load.acknowledged]
    # what is acknowledged while we count may be missing from the count only
    kept = [request for moment, _, request, _ in load.acknowledged if moment < first]
    lost = len(set(kept) - set(here))
    return {
        "recovery": first - at, "outage": first - last, "all clients": max(everybody.values()) - at,
        "acknowledged": len(known), "lost": lost, "twice": len(here) - len(set(here)),
    }  # fmt: skip


@app.command()
def measure(
    runs: Annotated[int, typer.Option(help="of each fault")] = 3,
    faults: Annotated[str, typer.Option(help="which, in turn")] = "killed,paused,cut",
    clients: Annotated[int, typer.Option()] = 8,
    pg: Annotated[int, typer.Option()] = embedded.DEFAULT_MAJOR,
) -> None:
    """Strike the leader again and again; exit code 1 when an acknowledged write is lost."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # by way of what stops the nodes
    seconds: dict[str, list[dict[str, float]]] = {}
    with running(3, pg, wired) as cluster:
        user = deploy(cluster)
        for _ in range(runs):
            for fault in faults.split(","):
                load = Load(cluster, clients)
                with load.running(user):
                    until("the first write", lambda load=load: load.acknowledged, 90)
                    found = drill(cluster, load, fault, 0)
                with suppress(Failure):
                    until("everything quiet", cluster.is_whole, 30)
                # and once more when nobody writes any more
                found["lost"] += len({a[2] for a in load.acknowledged} - set(stored(cluster)))
                seconds.setdefault(fault, []).append(found)
                console.print(
                    f"{fault}: "
                    + ", ".join(f"{name} {value:.1f}" for name, value in found.items()),
                    soft_wrap=True,
                )
                console.file.flush()
    for fault, found in seconds.items():
        for name in ("recovery", "outage", "all clients"):
            times = sorted(run[name] for run in found)
            console.print(
                f"| {fault} | {name} | {len(times)} | {times[0]:.1f} | "
                f"{statistics.median(times):.1f} | {times[-1]:.1f} |", markup=False,
            )  # fmt: skip
    lost = sum(run["lost"] + run["twice"] for found in seconds.values() for run in found)
    if lost:
        raise Failure(f"{lost:.0f} acknowledged writes are lost or there twice")


if __name__ == "__main__":
    run(app)
