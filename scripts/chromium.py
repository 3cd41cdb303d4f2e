"""Chromium without a window, for the report as a picture or PDF, and for its tests.

RUBI_CHROMIUM names the program; otherwise the machine's own is taken, otherwise Debian's, unpacked
below RUBI_HOME as the server is (160 MB to download, once).
"""

from rubi.cli import new_app, run
from rubi.servers.chromium import program

app = new_app(__doc__)


@app.command()
def get() -> None:
    """Print the program, getting it first where needed."""
    print(program())


if __name__ == "__main__":
    run(app)
