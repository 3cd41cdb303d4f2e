"""Spark, a master and two workers of this machine, answers as the others or says why not."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

import bars
import lake
import lake_rows
import object_store
from rubi.bars.archive import Store
from rubi.cli import Failure
from rubi.lake import asking
from rubi.servers import embedded
from rubi.waiting import until

pytest.importorskip("pyspark", reason='slow tests need pip install -e ".[spark]"')
from rubi.lake import spark as lake_spark
from rubi.servers import spark as spark_cluster

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object_store.Store]:
    """An object store whose credentials the workers inherit."""
    with (
        object_store.running(tmp_path_factory.mktemp("weed")) as running,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in running.environment.items():
            patch.setenv(name, value)
        yield running


@pytest.fixture(scope="module")
def cluster(store: object_store.Store) -> Iterator[spark_cluster.SparkCluster]:
    """A master and two workers."""
    with spark_cluster.running() as running:
        yield running


@pytest.fixture(scope="module")
def spark(cluster: spark_cluster.SparkCluster) -> Iterator[object]:
    """One session for all tests: each costs ten seconds."""
    with lake_spark.session(cluster.url) as session:
        yield session


@pytest.fixture
def filled(db: psycopg.Connection, tmp_path: Path) -> psycopg.Connection:
    """The hypertable and a lake in tmp_path with the same bars."""
    lake_rows.fill(db, tmp_path)
    return db


def ask(spark: object, connection: psycopg.Connection, target: object, question: str,
        *chosen: str, **more: float):  # fmt: skip
    return lake_spark.ask(
        spark, str(target), lake_rows.files(connection), question, lake_rows.values(*chosen), **more
    )


def test_spark_answers_from_the_lake_as_the_others(
    spark: object, filled: psycopg.Connection, tmp_path: Path
) -> None:
    for question, to, clock in lake_rows.QUESTIONS:
        found = ask(spark, filled, tmp_path, question, to, clock)
        values = lake_rows.values(to, clock)
        assert found.num_rows > 0
        assert found.equals(asking.ask_postgresql(filled, question, values)), (question, to)
        assert found.equals(
            asking.ask_duckdb(Store(str(tmp_path)), lake_rows.files(filled), question, values)
        )


def test_spark_names_a_lost_or_damaged_file(
    spark: object, filled: psycopg.Connection, tmp_path: Path
) -> None:
    lake_rows.damage(lake_rows.path(tmp_path))
    with pytest.raises(Failure, match=r"^symbol=EURUSD.*2024-03.*damaged or missing \(is not"):
        ask(spark, filled, tmp_path, "coverage", "D1")
    lake_rows.path(tmp_path).unlink()
    with pytest.raises(Failure, match=r"^symbol=EURUSD.*2024-03.*damaged or missing"):
        ask(spark, filled, tmp_path, "coverage", "D1")


def test_spark_reads_an_object_store_or_names_its_error(
    spark: object, db: psycopg.Connection, store: object_store.Store
) -> None:
    lake_rows.fill(db, store.uri("bars"))
    with object_store.door(store.port) as door:
        target = store.uri("bars", door.server_port)
        expected = asking.ask_postgresql(db, "resample", lake_rows.values("H1"))
        assert ask(spark, db, target, "resample", "H1").equals(expected)
        door.good_answers = 3
        with pytest.raises(Failure, match=r"bars\.parquet: damaged or missing .*503"):
            ask(spark, db, target, "resample", "H1")


def test_a_master_that_is_not_there_is_named() -> None:
    port = embedded.free_port()
    with (
        pytest.raises(Failure, match="no Spark master at"),
        lake_spark.session(f"spark://127.0.0.1:{port}"),
    ):
        pass


def test_the_command_line_asks_spark_and_leaves_nothing_running(
    filled: psycopg.Connection, tmp_path: Path, cluster: spark_cluster.SparkCluster, spark: object
) -> None:
    done = bars.script(
        filled, lake, "coverage", "--engine", "spark", "--target", tmp_path, "--timeframe", "M5",
        "--master", "spark://127.0.0.1:1",
    )  # fmt: skip
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert bars.script(
        filled, lake, "coverage", "--engine", "spark", "--target", tmp_path
    ).returncode == 2  # fmt: skip


def test_a_worker_killed_in_the_middle_changes_no_row_and_none_left_is_named(
    spark: object, filled: psycopg.Connection, tmp_path: Path, cluster: spark_cluster.SparkCluster
) -> None:
    """The last test of this file: it uses the workers up."""
    expected = asking.ask_postgresql(filled, "resample", lake_rows.values("H1"))
    killed = threading.Event()
    tracker = spark.sparkContext.statusTracker()

    def is_at_work() -> bool:
        stages = map(tracker.getStageInfo, tracker.getActiveStageIds())
        return any(stage and stage.numActiveTasks for stage in stages)

    def kill_one() -> None:
        until("a task runs", is_at_work, 120, pause=0.01)
        os.killpg(cluster.workers[0].pid, signal.SIGKILL)
        killed.set()

    thread = threading.Thread(target=kill_one)
    thread.start()
    found = ask(spark, filled, tmp_path, "resample", "H1", deadline=300)
    thread.join()
    assert killed.is_set()
    assert found.equals(expected)
    os.killpg(cluster.workers[1].pid, signal.SIGKILL)
    with pytest.raises(Failure, match="did not answer within 15 s"):
        ask(spark, filled, tmp_path, "resample", "H1", deadline=15)
