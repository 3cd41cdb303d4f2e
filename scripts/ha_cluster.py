"""Three PostgreSQL nodes of this machine that Patroni and etcd keep available, until interrupted.

For development, drills and tests: patroni.yml with addresses of 127.0.0.1. Each node reaches etcd
through a wire of its own, which can be cut. Patroni and etcd come from Debian, unpacked as the
server is.
"""

import signal

from rubi.cli import console, new_app, run
from rubi.servers import embedded
from rubi.servers.patroni import running

app = new_app(__doc__)


@app.command()
def start(nodes: int = 3, pg: int = embedded.DEFAULT_MAJOR) -> None:
    """Start the cluster, print the address of the node that takes writes, stop when interrupted."""
    with running(nodes, pg) as cluster:
        console.print(cluster.dsn())
        console.file.flush()
        signal.pause()


if __name__ == "__main__":
    run(app)
