"""Nodes of this machine that Patroni and etcd keep available, for ha_cluster.py and drills."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import urlopen

import psycopg

from rubi import ROOT
from rubi.cli import Failure
from rubi.servers import embedded, programs
from rubi.waiting import until

HOST = "127.0.0.1"
# A server that shares a small machine with two others and is thrown away.
SETTINGS = {
    "shared_buffers": "64MB",
    "effective_cache_size": "256MB",
    "maintenance_work_mem": "64MB",
    "min_wal_size": "80MB",
    "logging_collector": "off",
    "timescaledb.max_background_workers": "4",
    "wal_keep_size": "512MB",
}


@dataclass
class Node:
    name: str
    folder: Path
    port: int
    rest: int
    process: subprocess.Popen | None = None

    def postmaster(self) -> int | None:
        """Process of the server; None when stopped."""
        with suppress(OSError, ValueError, IndexError):
            return int((self.folder / "data/postmaster.pid").read_bytes().split()[0])
        return None

    def processes(self) -> list[int]:
        """Patroni, the server, and the server's children."""
        found = [self.process.pid] if self.process and self.process.poll() is None else []
        if (first := self.postmaster()) and Path(f"/proc/{first}").exists():
            children = Path(f"/proc/{first}/task/{first}/children").read_bytes().split()
            found += [first, *map(int, children)]
        return found

    def signal(self, number: int) -> None:
        """Send a signal to all of it, Patroni first."""
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, number)


@dataclass
class PatroniCluster:
    folder: Path
    nodes: list[Node]
    etcd: list[subprocess.Popen] = field(default_factory=list)

    def dsn(self, dbname: str = "postgres", user: str = "postgres", **more: object) -> str:
        """The node that takes writes now: libpq looks for it."""
        ports = ",".join(str(node.port) for node in self.nodes)
        hosts = ",".join([HOST] * len(self.nodes))
        chosen = {"target_session_attrs": "read-write", "connect_timeout": 2} | more
        return psycopg.conninfo.make_conninfo(
            host=hosts, port=ports, user=user, dbname=dbname, **chosen
        )

    def members(self) -> dict[str, dict]:
        """The state of all nodes by name, from the first Patroni that answers."""
        for node in self.nodes:
            with suppress(OSError, ValueError):
                with urlopen(f"http://{HOST}:{node.rest}/cluster", timeout=1) as answer:
                    members = json.load(answer)["members"]
                return {member["name"]: member for member in members}
        return {}

    def is_whole(self) -> bool:
        """Whether there are a leader, a synchronous standby, and no node that does not stream."""
        members = self.members().values()
        roles = sorted(member["role"] for member in members)
        states = {member["state"] for member in members}
        return roles == [
            "leader",
            *["replica"] * (len(self.nodes) - 2),
            "sync_standby",
        ] and states == {"running", "streaming"}

    def has_come_up(self) -> bool:
        """Whether the cluster is whole; raises Failure when a Patroni has ended meanwhile."""
        for node in self.nodes:
            if node.process.poll() is not None:
                log = (node.folder / "patroni.log").read_text(encoding="utf-8", errors="replace")
                said = log.strip().rpartition("\n")[2]
                raise Failure(f"Patroni of {node.name} has ended: {said}")
        return self.is_whole()

    def start(self, node: Node) -> None:
        """Start a node's Patroni, which starts the server."""
        with (node.folder / "patroni.log").open("ab") as log:
            node.process = subprocess.Popen(
                [*embedded.ending_with_us(), *patroni(), node.folder / "patroni.yml"],
                stdout=log, stderr=log, cwd="/", start_new_session=True,
                env={"LC_ALL": "C.UTF-8", "PATH": os.defpath, "PYTHONDONTWRITEBYTECODE": "1"},
            )  # fmt: skip


def patroni() -> list[object]:
    """Patroni of Debian, run by the Python that comes with it."""
    folder = programs.patroni_folder()
    return [next(iter(sorted(folder.glob("python3.*[0-9]")))), "-m", "patroni"]


def configuration(node: Node, etcd: list[int], programs: Path) -> dict:
    """patroni.yml for a node of this machine; etcd: the ports that it may ask."""
    import yaml

    config = yaml.safe_load((ROOT / "operations/patroni.yml").read_text(encoding="utf-8"))
    config["name"] = node.name
    config["restapi"] = dict.fromkeys(("listen", "connect_address"), f"{HOST}:{node.rest}")
    # these only: Patroni would ask etcd for its addresses and go around a drill's proxy
    config["etcd3"] = {"hosts": [f"{HOST}:{port}" for port in etcd], "use_proxies": True}
    config["postgresql"] |= {
        "listen": f"{HOST}:{node.port}",
        "connect_address": f"{HOST}:{node.port}",
        "data_dir": str(node.folder / "data"),
        "bin_dir": str(programs),
        "custom_conf": str(node.folder.parent / "postgresql.conf"),
        "pgpass": str(node.folder / "pgpass"),
        "parameters": SETTINGS | {"unix_socket_directories": str(node.folder)},
        # only this machine reaches the server
        "pg_hba": ["local all all trust", f"host all all {HOST}/32 trust",
                   f"host replication all {HOST}/32 trust"],
    }  # fmt: skip
    return config


def start_etcd(folder: Path, count: int, members: list[subprocess.Popen]) -> list[int]:
    """Add an etcd of some members, wait until they agree; answers their clients' ports."""
    program = programs.patroni_folder() / "etcd"
    ports = [(embedded.free_port(), embedded.free_port()) for _ in range(count)]
    peers = ",".join(f"e{n}=http://{HOST}:{peer}" for n, (_, peer) in enumerate(ports))
    for number, (client, peer) in enumerate(ports):
        own, other = f"http://{HOST}:{client}", f"http://{HOST}:{peer}"
        data = embedded.owned_folder(folder / f"etcd{number}")
        with (data / "log").open("wb") as log:
            members.append(subprocess.Popen(
                [*embedded.ending_with_us(), program, f"--name=e{number}",
                 f"--data-dir={data}/data",
                 f"--listen-client-urls={own}", f"--advertise-client-urls={own}",
                 f"--listen-peer-urls={other}", f"--initial-advertise-peer-urls={other}",
                 f"--initial-cluster={peers}", "--log-level=error"],
                stdout=log, stderr=log, cwd="/",
            ))  # fmt: skip
    for client, _ in ports:
        until("etcd", lambda client=client: is_decided(client), 60)
    return [client for client, _ in ports]


def is_decided(port: int) -> bool:
    """Whether an etcd knows the version its cluster speaks. Patroni ends when told otherwise."""
    with suppress(OSError, ValueError), urlopen(f"http://{HOST}:{port}/version", timeout=1) as told:
        return json.load(told)["etcdcluster"] != "not_decided"
    return False


@contextmanager
def running(
    nodes: int = 3,
    major: int = embedded.DEFAULT_MAJOR,
    way: Callable[[str, list[int]], list[int]] = lambda node, ports: ports,
) -> Iterator[PatroniCluster]:
    """Start etcd and the nodes, wait until a standby is synchronous; stop all afterwards.

    way: the ports by which a node reaches etcd's.
    """
    import yaml

    programs = embedded.binaries(major)
    folder = embedded.hand_over(Path(tempfile.mkdtemp(prefix="rubi-ha-", dir="/var/tmp")))
    shutil.copyfile(ROOT / "postgresql.conf", folder / "postgresql.conf")
    (folder / "postgresql.conf").chmod(0o644)
    cluster = PatroniCluster(folder, [])
    try:
        ports = start_etcd(folder, nodes, cluster.etcd)
        for number in range(nodes):
            own = embedded.owned_folder(folder / f"node{number + 1}")
            node = Node(own.name, own, embedded.free_port(), embedded.free_port())
            cluster.nodes.append(node)
            reached = way(node.name, ports[number:] + ports[:number])
            text = yaml.safe_dump(configuration(node, reached, programs))
            (own / "patroni.yml").write_text(text, encoding="utf-8")
            (own / "patroni.yml").chmod(0o644)
            cluster.start(node)
        until("three nodes with a synchronous standby", cluster.has_come_up, 120)
        yield cluster
    finally:
        for node in cluster.nodes:
            node.signal(signal.SIGCONT)
            node.signal(signal.SIGKILL)
        for process in [*(node.process for node in cluster.nodes), *cluster.etcd]:
            if process:
                process.kill()
                process.wait()
        shutil.rmtree(folder, ignore_errors=True)
