"""The suite knows which server it is on, says so, and leaves out only what that has not got."""

from __future__ import annotations

from types import SimpleNamespace

import psycopg
import pytest

import servers
from conftest import Address

OLD = servers.Facts("15.20 (Debian 15.20-0+deb12u1)", "2.11.2", "apache")


@pytest.mark.parametrize(
    ("needed", "lacking"),
    [
        ({"postgresql": "15"}, False),
        ({"postgresql": "15.20"}, False),
        ({"postgresql": "15.21"}, True),
        ({"postgresql": "16"}, True),
        ({"timescaledb": "2.11"}, False),
        ({"timescaledb": "2.9"}, False),
        ({"timescaledb": "2.18"}, True),
        ({"edition": "apache"}, False),
        ({"edition": "timescale"}, True),
        ({"before": "2.29.1"}, False),
        ({"before": "2.11.2"}, True),
        ({"postgresql": "15", "timescaledb": "2.18"}, True),
    ],
)
def test_older_or_other_server_lacks_what_is_needed(needed: dict[str, str], lacking: bool) -> None:
    assert OLD.lacks(**needed) is lacking


def test_server_is_what_was_expected_before_it_ran(
    server: Address, pytestconfig: pytest.Config
) -> None:
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        asked = servers.ask(connection)
        left = connection.execute("SELECT FROM pg_extension WHERE extname = 'timescaledb'").rowcount
    assert asked == servers.expected(pytestconfig)
    assert pytestconfig.stash[servers.TOLD]["server"] == str(asked)
    assert left == 0


def test_end_of_the_run_names_the_server_of_its_processes() -> None:
    """pytest-xdist's controller has no server itself."""
    told = {"server": "", "left out": servers.Counter()}
    config = SimpleNamespace(stash={servers.TOLD: told})
    for server in (str(OLD), ""):  # a process whose tests needed none
        output = {"server": server, "left out": {"columnstore": 2}}
        servers.pytest_testnodedown(SimpleNamespace(config=config, workeroutput=output))
    lines: list[str] = []
    report = SimpleNamespace(longrepr=("test_year.py", 1, "Skipped: no PostgreSQL 18"))
    terminal = SimpleNamespace(write_line=lines.append, stats={"skipped": [report, report]})
    servers.pytest_terminal_summary(terminal, config)
    assert lines == [
        f"server: {OLD}",
        "not on this server: 2 tests (columnstore)",
        "skipped: 2 tests (no PostgreSQL 18)",
    ]


@pytest.mark.needs(timescaledb="2.12", why="a test of leaving tests out")
def test_version_that_is_lacking_leaves_a_test_out(
    server: Address, pytestconfig: pytest.Config
) -> None:
    assert not servers.expected(pytestconfig).lacks(timescaledb="2.12")


@pytest.mark.parametrize(
    "edition",
    [
        pytest.param(name, marks=pytest.mark.needs(edition=name, why=f"only the {name} edition"))
        for name in ("apache", "timescale")
    ],
)
def test_edition_that_is_lacking_leaves_a_test_out(
    pytestconfig: pytest.Config, edition: str
) -> None:
    assert servers.expected(pytestconfig).edition == edition
