"""A standalone Spark of this machine: a master and workers on 127.0.0.1, until interrupted.

For development and tests. Needs the extra spark and Java 17 or newer, which is fetched from Debian
where the machine has none.
"""

from typing import Annotated

import typer

from rubi.cli import Failure, console, new_app, run
from rubi.servers.spark import running

app = new_app(__doc__)


@app.command()
def start(
    workers: Annotated[int, typer.Option(help="each with one core")] = 2,
    memory: Annotated[str, typer.Option(help="of each worker")] = "1g",
) -> None:
    """Start the cluster, print its URL, and stop when interrupted."""
    with running(workers, memory) as cluster:
        console.print(cluster.url)
        console.file.flush()
        cluster.master.wait()
    raise Failure("the master has ended")


if __name__ == "__main__":
    run(app)
