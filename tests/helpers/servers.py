"""The server of the run: its versions and edition, told at the end, and tests not for it.

A test that needs more than the oldest server we promise says so with its reason:
    @pytest.mark.needs(timescaledb="2.18", why="hypertables hand no rows to triggers before")
    @pytest.mark.needs(edition="timescale", why="columnstore")
Elsewhere it is left out, and the end of the run says how many were, and why. On CI's servers no
version may leave a test out, but an edition may, and so may a fault of TimescaleDB that is mended
there, so that nobody can bring it about (before="2.29.1").
"""

from __future__ import annotations

import os
import re
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from rubi.servers import embedded

# the oldest of what CI runs on: no version that a test needs may be newer
CI = {"postgresql": (17,), "timescaledb": (2, 19)}
LICENSED = pytest.mark.needs(edition="timescale", why="the Timescale licence")
# the Apache edition can't switch it on; where the catalog keeps it depends on the version
COLUMNSTORE = (
    "DO $$ BEGIN UPDATE _timescaledb_catalog.hypertable SET compression_state = 1"
    " WHERE table_name = 'market_data';"
    " BEGIN UPDATE _timescaledb_catalog.hypertable SET status = status | 4"
    " WHERE table_name = 'market_data';"
    " EXCEPTION WHEN undefined_column THEN NULL; END; END $$"
)
TOLD = pytest.StashKey[dict]()
ABOUT = """
SELECT
    current_setting('server_version'), extversion,
    current_setting('timescaledb.license', TRUE)
FROM pg_extension WHERE extname = 'timescaledb'
"""


def numbers(version: str) -> tuple[int, ...]:
    """A version to compare: (15, 20) of 15.20 (Debian 15.20-0)."""
    return tuple(map(int, re.match(r"\d+(\.\d+)*", version)[0].split(".")))


@dataclass(frozen=True)
class Facts:
    """Versions as the server says them, and its edition, apache or timescale."""

    postgresql: str
    timescaledb: str
    edition: str

    def __str__(self) -> str:
        return (
            f"PostgreSQL {self.postgresql}, TimescaleDB {self.timescaledb},"
            f" {self.edition.capitalize()} edition"
        )

    def lacks(
        self, postgresql: str = "", timescaledb: str = "", edition: str = "", before: str = ""
    ) -> bool:
        """Whether the server is older than a test needs, of the other edition, or has a TimescaleDB
        that is past what the test is about, or whose columnstore we don't use."""
        version = numbers(self.timescaledb)
        return bool(
            (postgresql and numbers(self.postgresql) < numbers(postgresql))
            or (timescaledb and version < numbers(timescaledb))
            or (edition and self.edition != edition)
            or (edition == "timescale" and (2, 19) <= version < (2, 20, 1))
            or (before and version >= numbers(before))
        )


def ask(connection: psycopg.Connection) -> Facts:
    """The facts of a running server; asked in a transaction that leaves no extension behind."""
    with connection.transaction(force_rollback=True):
        connection.execute("SET LOCAL client_min_messages = error")
        connection.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
        return Facts(*connection.execute(ABOUT).fetchone())


def drop_chunk(connection: psycopg.Connection) -> str:
    """The function that drops a chunk: its schema had another name before 2.12."""
    asked = "SELECT oid::regproc::text FROM pg_proc WHERE proname = 'drop_chunk' ORDER BY 1"
    return connection.execute(asked).fetchone()[0]


def expected(config: pytest.Config) -> Facts:
    """The run's server, before its start: a worker has to know what to leave out.

    The Apache edition comes without the library of the other.
    """
    if url := os.environ.get("RUBI_SERVER_URL"):
        with psycopg.connect(url, autocommit=True) as connection:
            return ask(connection)
    binaries = embedded.binaries(config.getoption("--pg"))
    said = subprocess.check_output([binaries / "postgres", "-V"], text=True)
    share, library = subprocess.check_output(
        [binaries / "pg_config", "--sharedir", "--pkglibdir"], text=True
    ).split()
    control = Path(share, "extension/timescaledb.control").read_text()
    version = re.search(r"^default_version = '([^']+)'", control, re.MULTILINE)[1]
    whole = Path(library, f"timescaledb-tsl-{version}.so").exists()
    edition = config.getoption("--edition") or ("timescale" if whole else "apache")
    return Facts(re.search(r"\d.*", said)[0], version, edition)


def pytest_addoption(parser: pytest.Parser) -> None:
    """--pg, --edition: which embedded server; one that the environment names is as it is."""
    parser.addoption("--pg", type=int, help="major version of the server")
    parser.addoption("--edition", choices=("apache", "timescale"), help="of a server with both")


def pytest_configure(config: pytest.Config) -> None:
    """Settle the major version: what RUBI_SERVER_URL or RUBI_PG_BIN names, --pg, or the usual."""
    config.stash[TOLD] = {"server": "", "left out": Counter()}
    config.addinivalue_line(
        "markers", "needs(postgresql, timescaledb, edition, before, why): see servers.py"
    )
    asked, chosen = config.getoption("--pg"), os.environ.get("RUBI_PG_BIN")
    found, said = None, ""
    try:
        if url := os.environ.get("RUBI_SERVER_URL"):
            said = "RUBI_SERVER_URL"
            with psycopg.connect(url) as connection:
                found = connection.info.server_version // 10000
            if not chosen and found not in embedded.SUITES and not embedded.installed(found):
                raise pytest.UsageError(
                    f"{said} is PostgreSQL {found}: name its programs with RUBI_PG_BIN, too"
                )
        elif chosen:
            said, found = "RUBI_PG_BIN", embedded.major_of(embedded.binaries())
        elif asked not in (None, *embedded.SUITES) and not embedded.installed(asked):
            raise pytest.UsageError(
                f"no PostgreSQL {asked} with TimescaleDB here: name its programs with RUBI_PG_BIN"
            )
    except (psycopg.Error, embedded.Failure) as error:
        raise pytest.UsageError(f"{said}: {str(error).splitlines()[0]}") from error
    if asked and found and asked != found:
        raise pytest.UsageError(f"--pg {asked}, but {said} is PostgreSQL {found}")
    config.option.pg = found or asked or embedded.DEFAULT_MAJOR


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what this server has not got."""
    facts, kept, out = None, [], []
    for item in items:
        why = ""
        for mark in item.iter_markers("needs"):
            needed = {name: value for name, value in mark.kwargs.items() if name != "why"}
            for name in needed.keys() & CI.keys():
                if CI[name] < numbers(needed[name])[: len(CI[name])]:
                    raise pytest.UsageError(f"{item.nodeid} needs what CI has not got: {needed}")
            facts = facts or expected(config)
            if facts.lacks(**needed):
                why = mark.kwargs["why"]
        if why:
            config.stash[TOLD]["left out"][why] += 1
        (out if why else kept).append(item)
    if out:
        items[:] = kept
        config.hook.pytest_deselected(items=out)
    if hasattr(config, "workeroutput"):
        config.workeroutput["left out"] = dict(config.stash[TOLD]["left out"])


def tell(config: pytest.Config, facts: Facts) -> None:
    """Have the end of the run say which server it was on."""
    config.stash[TOLD]["server"] = str(facts)
    if hasattr(config, "workeroutput"):
        config.workeroutput["server"] = str(facts)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object) -> None:
    """The findings of a process of pytest-xdist; each collects all tests."""
    output = getattr(node, "workeroutput", {})
    told = node.config.stash[TOLD]
    told["server"] = output.get("server") or told["server"]
    told["left out"] |= Counter(output.get("left out", {}))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """The server's real versions, what was left out for them, and why a test was skipped."""
    told = config.stash[TOLD]
    if told["server"]:
        terminalreporter.write_line(f"server: {told['server']}")
    for why, count in sorted(told["left out"].items()):
        terminalreporter.write_line(f"not on this server: {count} tests ({why})")
    reports = terminalreporter.stats.get("skipped", [])
    skipped = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in reports)
    for why, count in sorted(skipped.items()):
        terminalreporter.write_line(f"skipped: {count} tests ({why})")
