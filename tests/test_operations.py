"""operations/: the real exporter is scraped, promtool reads the rules, pgBadger our log."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import yaml

import tools
from conftest import ROOT, Address
from health_causes import CAUSES
from rubi.servers import embedded

FOLDER = ROOT / "operations"


@pytest.fixture
def scraped(server: Address, shared_database: str) -> Iterator[dict[str, str]]:
    """Name of each metric and one line of it, as the exporter gives them for rubi_monitor."""
    with psycopg.connect(server.dsn(shared_database), autocommit=True) as connection:
        connection.execute("SELECT monitoring.take_readings()")
    port = embedded.free_port()
    process = subprocess.Popen(
        [*tools.command("postgres_exporter"), f"--web.listen-address=127.0.0.1:{port}",
         f"--extend.query-path={FOLDER / 'queries.yaml'}", "--disable-settings-metrics",
         "--log.level=error"],
        env=os.environ | {
            "DATA_SOURCE_NAME": f"postgresql://rubi_monitor@{server.host}:{server.port}"
            f"/{shared_database}?sslmode=disable"
        },
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        end = time.monotonic() + 60
        text = ""
        while "rubi_health_status" not in text:
            assert process.poll() is None and time.monotonic() < end, text
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
                    text = answer.read().decode()
            except urllib.error.URLError:
                time.sleep(0.1)
        yield {line.split("{")[0].split(" ")[0]: line for line in text.splitlines()}, text
    finally:
        process.terminate()
        process.communicate(timeout=60)


def test_exporter_gives_the_metrics_that_alerts_and_dashboard_ask_for(
    scraped: tuple[dict[str, str], str],
) -> None:
    metrics, text = scraped
    assert metrics["pg_up"] == "pg_up 1"
    statuses = re.findall(r'^rubi_health_status\{check="(\w+)".*\} (\d)$', text, re.MULTILINE)
    assert {check for check, _ in statuses} == set(CAUSES)
    assert {status for _, status in statuses} <= {"0", "1", "2", "3"}
    dashboard = json.loads((FOLDER / "grafana.json").read_text())
    asked = json.dumps(dashboard) + (FOLDER / "alerts.yaml").read_text()
    for name in set(re.findall(r"\brubi_(?:health|table|proof|ingest|connections)_\w+", asked)):
        if not name.startswith(("rubi_ingest", "rubi_connections_(")):  # no live source here
            assert name in metrics or name.endswith("_"), name


def test_every_query_works_as_rubi_monitor(server: Address, shared_database: str) -> None:
    queries = yaml.safe_load((FOLDER / "queries.yaml").read_text())
    with psycopg.connect(server.dsn(shared_database, "rubi_monitor")) as connection:
        for name, query in queries.items():
            columns = connection.execute(query["query"]).description
            named = [key for metric in query["metrics"] for key in metric]
            assert [column.name for column in columns] == named, name


@pytest.mark.parametrize(
    "arguments", [["check", "rules", "alerts.yaml"], ["test", "rules", "alerts_test.yaml"]]
)
def test_promtool_accepts_the_rules_and_their_tests(arguments: list) -> None:
    done = subprocess.run(
        [*tools.command("promtool"), *arguments],
        cwd=FOLDER, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_dashboard_has_panels_that_do_not_overlap() -> None:
    dashboard = json.loads((FOLDER / "grafana.json").read_text())
    taken = set()
    for panel in dashboard["panels"]:
        grid = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(grid["x"], grid["x"] + grid["w"])
            for y in range(grid["y"], grid["y"] + grid["h"])
        }
        assert not cells & taken, panel["title"]
        assert grid["x"] + grid["w"] <= 24
        taken |= cells
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


def test_pgbadger_reads_our_log_line_prefix(tmp_path: Path) -> None:
    conf = (ROOT / "postgresql.conf").read_text()
    prefix = re.search(r"^log_line_prefix = '(.*)'$", conf, re.MULTILINE)[1]
    line = prefix.replace("%t", "2026-11-22 10:00:0{n} UTC").replace("%p", "4711")
    line = line.replace("%l", "{n}").replace("%u", "rubi_app").replace("%d", "rubi_trading")
    line = line.replace("%a", "api").replace("%h", "10.0.0.7")
    log = tmp_path / "postgresql.log"
    log.write_text(
        "".join(
            line.format(n=n) + f"LOG:  duration: {n}234.567 ms  statement: SELECT {n} FROM users\n"
            for n in range(1, 6)
        )
        + line.format(n=6)
        + 'ERROR:  new row for relation "users" violates check constraint "c"\n'
    )
    report = tmp_path / "report.txt"  # its JSON needs a module that Perl does not bring
    done = subprocess.run(
        [*tools.command("pgbadger"), "-q", "-f", "stderr", "-p", prefix,
         "-o", str(report), str(log)],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    text = report.read_text()
    assert "rubi_trading" in text
    assert "rubi_app" in text
    assert re.search(r"^ERROR\s+1\s", text, re.MULTILINE)
    assert re.search(r"^LOG\s+5\s", text, re.MULTILINE)
