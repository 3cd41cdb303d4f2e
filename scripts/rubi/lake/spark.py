"""The lake read by Spark: each task reads whole files, compares them, and hands on their bars.

Workers need Python with pyarrow and, for an object store, the AWS_* variables: no credential passes
through Spark. The bytes that are hashed are the bytes that are read, so a damaged file can't reach
a result, and any place that Arrow knows works without Hadoop's own clients.
"""

from __future__ import annotations

import os
import re
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pyarrow as pa

from rubi.cli import Failure, one_line
from rubi.lake.asking import File
from rubi.lake.questions import fitted, ordered, statement
from rubi.servers import programs

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SETTINGS = {
    "spark.app.name": "rubi lake",
    "spark.ui.enabled": "false",
    "spark.log.level": "ERROR",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "8",
    "spark.executor.memory": "1g",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    # a question waits for a lost worker until the question's deadline
    "spark.deploy.maxExecutorRetries": "-1",
}
COLUMNS = (
    "symbol string, timestamp timestamp, open decimal(20,8), high decimal(20,8),"
    " low decimal(20,8), close decimal(20,8), volume bigint, real_volume decimal(28,8), spread int"
)


@contextmanager
def silenced() -> Iterator[None]:
    """Java's output goes to a file of its own, for its whole life."""
    kept = os.dup(2)
    with tempfile.TemporaryFile() as log:
        os.dup2(log.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


@contextmanager
def session(master: str, settings: dict[str, str] | None = None) -> Iterator[SparkSession]:
    """A session on a master, spark://host:port. Raises Failure where there is none."""
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    parts = urlsplit(master)
    if parts.scheme == "spark":
        try:
            socket.create_connection((parts.hostname, parts.port), 5).close()
        except (OSError, TypeError, ValueError) as error:
            raise Failure(f"no Spark master at {master}: {one_line(error)}") from error
        if parts.hostname == "127.0.0.1":
            os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    os.environ["JAVA_HOME"] = str(programs.java_home())
    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    builder = SparkSession.builder.master(master)
    for name, value in (SETTINGS | (settings or {})).items():
        builder = builder.config(name, value)
    try:
        with silenced():
            spark = builder.getOrCreate()
    except (PySparkException, RuntimeError, OSError) as error:
        raise Failure(f"Spark did not start: {one_line(error)}") from error
    try:
        yield spark
    finally:
        with suppress(Exception):  # its Java may be gone
            spark.stop()


def reader(target: str) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """A task's work on its share of the files; only pyarrow is needed on the worker."""

    def read(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import hashlib

        import pyarrow
        import pyarrow.fs as pafs
        import pyarrow.parquet as pq

        if "://" in target:
            files, root = pafs.FileSystem.from_uri(target)
        else:
            files, root = pafs.LocalFileSystem(), target
        for batch in batches:
            for row in batch.to_pylist():
                try:
                    with files.open_input_stream(f"{root}/{row['location']}") as stream:
                        data = stream.read()
                    if hashlib.sha256(data).hexdigest() != row["sha256"]:
                        raise ValueError("is not the file that was archived")
                    table = pq.read_table(pyarrow.BufferReader(data))
                except (pyarrow.ArrowException, OSError, ValueError) as error:
                    reason = str(error).splitlines()[0]
                    raise RuntimeError(
                        f"<<{row['location']}: damaged or missing ({reason})>>"
                    ) from None
                symbols = pyarrow.array([row["symbol"]]).take(
                    pyarrow.array([0] * table.num_rows, pyarrow.int32())
                )
                table = table.add_column(0, "symbol", symbols)
                yield from table.to_batches(max_chunksize=65536)

    return read


def ask(
    spark: SparkSession, target: str, files: list[File], question: str,
    values: dict[str, object], *, deadline: float = 3600,
) -> pa.Table:  # fmt: skip
    """The answer from the lake. Raises Failure that names a bad file or a passed deadline."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    context = spark.sparkContext
    rows = [(file.symbol, file.location, file.sha256) for file in files]
    listed = spark.createDataFrame(rows, "symbol string, location string, sha256 string")
    # small shares: a lost worker loses little, and no worker waits for another at the end
    shares = min(len(files), 8 * max(context.defaultParallelism, 2))
    bars = listed.repartition(shares).mapInArrow(reader(target), COLUMNS)
    bars.createOrReplaceTempView("lake")
    text, chosen = fitted(statement(question, "spark"), r":\1", values)
    passed = threading.Event()

    def stop() -> None:
        passed.set()
        context.cancelAllJobs()

    timer = threading.Timer(deadline, stop)
    timer.start()
    try:
        return ordered(spark.sql(text, chosen).toArrow(), question)
    except (PySparkException, Py4JError, OSError) as error:
        if passed.is_set():
            raise Failure(
                f"Spark did not answer within {deadline:g} s: are its workers alive?"
            ) from error
        if named := re.search(r"<<(.+?)>>", str(error), flags=re.DOTALL):
            raise Failure(named[1]) from error
        raise Failure(f"Spark could not answer: {one_line(error)}") from error
    finally:
        timer.cancel()
