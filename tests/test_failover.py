"""A leader that is killed, paused or cut off from etcd: another takes over and nothing is lost."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from rubi import ROOT
from rubi.cli import Failure
from rubi.servers import embedded, patroni
from rubi.waiting import until

sys.path.append(str(ROOT / "benchmarks"))
import failover

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster(request: pytest.FixtureRequest) -> Iterator[tuple[patroni.PatroniCluster, int]]:
    """Three nodes with our schema, and a user's id."""
    with patroni.running(3, request.config.getoption("--pg"), failover.wired) as running:
        yield running, failover.deploy(running)
    for wire in failover.WIRES.values():
        wire.close()


@pytest.fixture
def etcd() -> Iterator[list[int]]:
    """Ports of an etcd of three, as Patroni gets them."""
    members: list[subprocess.Popen] = []
    folder = embedded.hand_over(Path(tempfile.mkdtemp(prefix="rubi-etcd-", dir="/var/tmp")))
    try:
        yield patroni.start_etcd(folder, 3, members)
    finally:
        for member in members:
            member.kill()
            member.wait()
        shutil.rmtree(folder)


def test_patroni_meets_an_etcd_that_has_agreed(etcd: list[int]) -> None:
    # a Patroni that is told not_decided ends, and nobody starts it again
    assert all(patroni.is_decided(port) for port in etcd)


def test_a_patroni_that_ends_at_once_is_named(tmp_path: Path) -> None:
    (tmp_path / "patroni.log").write_text("Traceback:\nValueError: no etcd\n")
    with subprocess.Popen(["false"]) as process:
        process.wait()
    node = patroni.Node("node1", tmp_path, 1, 2, process)
    with pytest.raises(Failure, match=r"^Patroni of node1 has ended: ValueError: no etcd$"):
        patroni.PatroniCluster(tmp_path, [node]).has_come_up()


@pytest.mark.parametrize("fault", ["killed", "paused", "cut"])
def test_another_leader_takes_over_and_no_acknowledged_write_is_lost(
    cluster: tuple[patroni.PatroniCluster, int], fault: str
) -> None:
    nodes, user = cluster
    load = failover.Load(nodes)
    with load.running(user):
        until("the first write", lambda: load.acknowledged, 90)
        found = failover.drill(nodes, load, fault, 0)
    assert (found["lost"], found["twice"]) == (0, 0)
    # all that was ever acknowledged, by the old leader and the new one
    stored = failover.stored(nodes)
    assert {request for _, _, request, _ in load.acknowledged} <= set(stored)
    assert len(stored) == len(set(stored))
