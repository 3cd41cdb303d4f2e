"""A physical backup with pgBackRest, verified and recorded in monitoring.backup_runs.

Runs as root or the server's user on the server's machine; for self-hosted servers. Settings are in
pgbackrest.conf, credentials in PGBACKREST_* variables. Docs: docs/guides/self-hosted-backups.md.
"""

import json
import shutil
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from rubi.backups import places, runs
from rubi.cli import Failure, console, new_app, run, step
from rubi.connecting import Dsn
from rubi.servers import pgtools

app = new_app(__doc__)
app.info.no_args_is_help = False


class Kind(StrEnum):
    full = "full"
    diff = "diff"
    incr = "incr"


@app.command()
def physical(
    kind: Annotated[
        Kind, typer.Option("--type", help="everything, since the last full, the last")
    ] = Kind.diff,
    stanza: str = "rubi",
    config: Annotated[Path, typer.Option(help="pgbackrest.conf")] = Path("/etc/pgbackrest.conf"),
    program: Annotated[str, typer.Option(help="pgbackrest's path")] = "pgbackrest",
    status: Annotated[Path, typer.Option(help="file that says how the last run ended")] = (
        places.DEFAULT_FOLDER / "physical.status.json"
    ),
    dsn: Dsn = "",
) -> None:
    """Check that WAL arrives, back up, verify every file in the repository."""
    found = shutil.which(program)
    if not found:
        raise Failure(f"no {program} here: apt-get install pgbackrest")
    common = [
        f"--config={config}", f"--stanza={stanza}", "--log-level-console=off",
        "--log-level-stderr=error", "--no-log-timestamp",
    ]  # fmt: skip

    def call(command: str, *arguments: str) -> str:
        return pgtools.run(Path(found), *common, *arguments, command, as_server=True)

    with runs.recorded("physical", status, dsn) as done:
        with step("WAL archiving checked"):
            call("check")
        with step(f"backup ({kind})"):
            call("backup", f"--type={kind}")
        with step("repository verified"):
            said = call("verify", "--output=text", "--verbose")
            if "status: ok" not in said:
                wrong = [line.strip() for line in said.splitlines() if "invalid" in line]
                raise Failure(f"the repository is damaged: {'; '.join(wrong) or said.strip()}")
        newest = json.loads(call("info", "--output=json"))[0]["backup"][-1]
        if newest["error"]:
            raise Failure(f"backup {newest['label']} has damaged pages")
        done.location = f"{stanza}/{newest['label']}"
        done.bytes = newest["info"]["repository"]["delta"]
        done.message = f"{newest['type']}, database {newest['info']['size']:,} bytes"
    console.print(f"backup {done.location} is complete: {done.bytes:,} bytes")


if __name__ == "__main__":
    run(app)
