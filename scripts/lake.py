"""Asks the lake: coverage, gaps, higher timeframes and returns, with the engine that fits.

The lake is the archive that archive_bars.py writes. The database says which files belong to an
answer (lake_files); each is compared with its noted SHA-256 before a row of it counts. One text for
each question lies in lake/ and serves PostgreSQL (which reads the hypertable), DuckDB (the lake, on
this machine) and Spark (the lake, on many).
"""

from pathlib import Path
from typing import Annotated, Literal

import typer

from rubi.cli import console, errors, moment, new_app, replacing, run, step
from rubi.connecting import Dsn, session

app = new_app(__doc__)
Question = Literal["coverage", "gaps", "resample", "returns"]
Engine = Literal["postgresql", "duckdb", "spark"]


@app.command()
def query(
    question: Annotated[Question, typer.Argument()],
    engine: Annotated[Engine, typer.Option()] = "duckdb",
    target: Annotated[str, typer.Option(help="the lake: folder or URI, s3://bucket/bars")] = "",
    symbol: Annotated[list[str] | None, typer.Option(help="repeatable; without it all")] = None,
    timeframe: Annotated[str, typer.Option(help="of the bars that are read")] = "M1",
    to: Annotated[str, typer.Option(help="of the bars that are made, up to W1")] = "D1",
    since: Annotated[str, typer.Option("--from", help="day, UTC")] = "1970-01-05",
    until: Annotated[str, typer.Option("--until", help="day after the last, UTC")] = "2100-01-01",
    clock: Annotated[
        str, typer.Option(help="days begin by it: America/New_York+7, short NY+7")
    ] = "UTC",
    minimum: Annotated[int, typer.Option(help="gaps longer than this many seconds")] = 0,
    master: Annotated[str, typer.Option(help="spark://host:port")] = "",
    deadline: Annotated[int, typer.Option(help="seconds that Spark may take")] = 3600,
    output: Annotated[Path | None, typer.Option(help="Parquet file to write")] = None,
    dsn: Dsn = "",
) -> None:
    """Answer a question about bars; times are seconds from 1970, UTC or by the clock."""
    if engine != "postgresql" and not target:
        raise typer.BadParameter("--target says where the lake is")
    if engine == "spark" and not master:
        raise typer.BadParameter("--master says where Spark is")
    import pyarrow.parquet as pq

    from rubi.bars.archive import Store
    from rubi.lake.asking import ask_duckdb, ask_postgresql, files_of
    from rubi.lake.questions import parameters

    begin, end = moment(since, "--from"), moment(until, "--until")
    with session(dsn, "lake") as connection:
        symbols = symbol or [
            row[0]
            for row in connection.execute(
                "SELECT symbol FROM market_series_places WHERE timeframe = %s", [timeframe]
            )
        ]
        values = parameters(symbols, timeframe, begin, end, clock=clock, to=to, minimum=minimum)
        if engine == "postgresql":
            with step(f"{question} from the hypertable"):
                table = ask_postgresql(connection, question, values)
        else:
            files = files_of(connection, timeframe, begin, end, symbols)
            with step(f"{question} from {len(files)} files of the lake with {engine}"):
                if engine == "duckdb":
                    table = ask_duckdb(Store(target), files, question, values)
                else:
                    from rubi.lake import spark as lake_spark

                    with lake_spark.session(master) as spark:
                        table = lake_spark.ask(
                            spark, target, files, question, values, deadline=deadline
                        )
    if output:
        with replacing(output) as new:
            pq.write_table(table, new)
    else:
        for row in table.slice(0, 20).to_pylist():
            console.print("  ".join(str(value) for value in row.values()))
    errors.print(f"{table.num_rows:,} rows")


if __name__ == "__main__":
    run(app)
