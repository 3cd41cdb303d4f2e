"""A leader that is killed, paused or cut off from etcd: another takes over and nothing is lost."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

import deploy
import ha_cluster

sys.path.append(str(deploy.ROOT / "benchmarks"))
import failover

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster(request: pytest.FixtureRequest) -> Iterator[tuple[ha_cluster.Cluster, int]]:
    """Three nodes with our schema, and a user's id."""
    with ha_cluster.running(3, request.config.getoption("--pg")) as running:
        yield running, failover.deploy(running)


@pytest.mark.parametrize("fault", ["killed", "paused", "cut"])
def test_another_leader_takes_over_and_no_acknowledged_write_is_lost(
    cluster: tuple[ha_cluster.Cluster, int], fault: str
) -> None:
    nodes, user = cluster
    load = failover.Load(nodes)
    with load.running(user):
        ha_cluster.wait("the first write", lambda: load.acknowledged)
        found = failover.drill(nodes, load, fault, 0)
    assert (found["lost"], found["twice"]) == (0, 0)
    # all that was ever acknowledged, by the old leader and the new one
    stored = failover.stored(nodes)
    assert {request for _, _, request, _ in load.acknowledged} <= set(stored)
    assert len(stored) == len(set(stored))
