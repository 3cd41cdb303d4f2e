"""Prints the folder of a TimescaleDB server's programs: the machine's, or unpacked from Debian.

The system stays as it is; the folder lies below RUBI_HOME.
"""

from rubi.cli import new_app, run
from rubi.servers.embedded import DEFAULT_MAJOR, binaries

app = new_app(__doc__)


@app.command()
def get(pg: int = DEFAULT_MAJOR) -> None:
    """Print the folder of the server's programs, getting them first where needed."""
    print(binaries(pg))


if __name__ == "__main__":
    run(app)
