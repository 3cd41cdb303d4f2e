"""Killing the runner and the server at random moments: the next apply completes the deployment."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep

import psycopg
import pytest

import deploying
from conftest import Address, Server, make_administrator
from rubi.servers import embedded


@pytest.fixture(scope="module")
def clean(server: Address, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float, dict]:
    """Files, one of them outside a transaction; how long they take; the catalog they leave."""
    folder = deploying.copy_files(tmp_path_factory.mktemp("files"))
    (folder / deploying.INDEX).write_text(deploying.INDEX_TEXT)
    with deploying.database(server) as name:
        began = monotonic()
        deploying.run_program(server, name, "apply", "--files", str(folder))
        return folder, monotonic() - began, deploying.left(server, name)


@pytest.mark.parametrize("times", [1, pytest.param(100, marks=pytest.mark.slow)])
def test_killed_runner_is_followed_by_one_that_completes(
    server: Address, clean: tuple, times: int
) -> None:
    folder, seconds, expected = clean
    dice = random.Random(4)  # a campaign that can be repeated
    reached = set()
    for _ in range(times):
        with deploying.database(server) as name:
            process = deploying.start(server, name, "apply", "--files", str(folder))
            sleep(dice.uniform(0.2, 1) * seconds)
            process.kill()
            process.communicate()
            reached.add(deploying.count(server, name))
            deploying.run(server, name, "apply", "--files", str(folder))
            assert deploying.left(server, name) == expected
    if times > 50:
        assert len(reached) > 5  # killed at many places


@pytest.fixture
def own_server(request: pytest.FixtureRequest) -> Iterator[tuple[Server, Address]]:
    """A server that a test may kill."""
    folder = tempfile.mkdtemp(prefix="rubi-issue4-")
    Path(folder).chmod(0o755)
    binaries = embedded.binaries(request.config.getoption("--pg"))
    with Server(
        base_dir=folder,
        initdb=str(binaries / "initdb"),
        postgres=str(binaries / "postgres"),
        initdb_args="-U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync",
    ) as running:
        address = Address("127.0.0.1", running.settings["port"], "postgres", None, binaries)
        make_administrator(address)
        yield running, address
    shutil.rmtree(folder)


def kill_and_restart(server: Server, address: Address) -> None:
    """SIGKILL to the postmaster, whose children end when they notice; then recovery."""
    server.child_process.kill()
    server.child_process.wait()
    server.child_process = None
    for _ in range(100):
        try:
            server.start()
            break
        except RuntimeError:  # its last children still hold the shared memory
            server.child_process = None
            sleep(0.1)
    with psycopg.connect(address.dsn(), connect_timeout=10) as connection:
        connection.execute("SELECT 1")


@pytest.mark.parametrize("times", [1, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_server_is_followed_by_an_apply_that_completes(
    own_server: tuple[Server, Address], clean: tuple, times: int
) -> None:
    running, address = own_server
    folder, seconds, (expected, _) = clean
    dice = random.Random(4)
    for _ in range(times):
        with deploying.database(address) as name:
            process = deploying.start(address, name, "apply", "--files", str(folder))
            sleep(dice.uniform(0.3, 1) * seconds)
            kill_and_restart(running, address)
            _, err = process.communicate(timeout=60)
            assert process.returncode in (0, 1)
            assert len(err.splitlines()) <= 1, err
            deploying.run(address, name, "apply", "--files", str(folder))
            assert deploying.left(address, name)[0] == expected
