"""Settings for a machine's size, by the rules that make postgresql.conf of 4 cores and 8 GB."""

import json
from typing import Annotated

import psycopg
import typer

from rubi.cli import console, new_app, run
from rubi.connecting import Dsn, Json
from rubi.servers.settings import comparable, derive, megabytes

DIFFERENT = 3
Memory = Annotated[str, typer.Option(help="Memory of the machine, such as 16GB")]
Cores = Annotated[int, typer.Option(min=1, max=512, help="Processor cores")]
Connections = Annotated[int, typer.Option(min=20, max=5000, help="max_connections")]

app = new_app(__doc__)


@app.command("derive")
def print_settings(memory: Memory, cores: Cores, connections: Connections = 200) -> None:
    """Print lines for postgresql.conf; the others of that file stay as they are."""
    for name, value in derive(megabytes(memory), cores, connections).items():
        print(f"{name} = {value}")


@app.command()
def check(
    memory: Memory,
    cores: Cores,
    connections: Connections = 200,
    dsn: Dsn = "",
    as_json: Json = False,
) -> None:
    """Compare a running server with what is derived. 3 when something differs."""
    wanted = derive(megabytes(memory), cores, connections)
    with psycopg.connect(dsn, connect_timeout=10) as connection:
        found = {
            name: (setting, unit, shown)
            for name, setting, unit, shown in connection.execute(
                "SELECT s.name, s.setting, s.unit, current_setting(s.name) FROM pg_settings AS s"
                " WHERE s.name = ANY (%s)",
                [list(wanted)],
            )
        }
    report = []
    for name, value in wanted.items():
        setting, unit, has = found.get(name, ("not known", None, None))
        same = comparable(setting, unit) == comparable(value)
        report.append({"name": name, "has": has, "derived": value, "same": same})
        if not as_json:
            style = "green" if same else "yellow"
            console.print(f"{name} has {has}, derived {value}", style=style)
    if as_json:
        print(json.dumps(report))
    raise typer.Exit(0 if all(one["same"] for one in report) else DIFFERENT)


if __name__ == "__main__":
    run(app)
