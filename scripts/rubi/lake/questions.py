"""The lake's questions: their texts, values and answers."""

import re
from datetime import datetime

import pyarrow as pa

from rubi import ROOT, server_clock
from rubi.cli import Failure

TEXTS = ROOT / "lake"
# The only words that PostgreSQL says differently; TimescaleDB brings the first two.
WORDS = {"min_by(": "first(", "max_by(": "last(", "AS double)": "AS double precision)"}
LENGTHS = {"M": 60, "H": 3600, "D": 86400, "W": 604800}
PRICE = pa.decimal128(20, 8)
# The columns of each question's answer, equal from every engine; ordered by the first two.
SCHEMAS = {
    "coverage": pa.schema(
        [("symbol", pa.string()), ("first_ts", pa.int64()), ("last_ts", pa.int64()),
         ("days", pa.int64()), ("bars", pa.int64())]
    ),
    "gaps": pa.schema(
        [("symbol", pa.string()), ("gap_from", pa.int64()), ("gap_to", pa.int64()),
         ("seconds", pa.int64()), ("over_weekend", pa.bool_())]
    ),
    "resample": pa.schema(
        [("symbol", pa.string()), ("opened", pa.int64()), ("open", PRICE), ("high", PRICE),
         ("low", PRICE), ("close", PRICE), ("volume", pa.int64()),
         ("real_volume", pa.decimal128(38, 8)), ("spread", pa.int32()), ("bars", pa.int64())]
    ),
    "returns": pa.schema(
        [("symbol", pa.string()), ("opened", pa.int64()), ("close", PRICE),
         ("simple_return", pa.float64())]
    ),
}  # fmt: skip


def seconds_of(timeframe: str) -> int:
    """Length of a timeframe from M1 to W1 in seconds. Raises Failure for others."""
    match = re.fullmatch(r"([MHDW])(\d+)", timeframe)
    if not match:
        raise Failure(f"{timeframe}: the lake's texts take timeframes from M1 to W1")
    return LENGTHS[match[1]] * int(match[2])


def parameters(
    symbols: list[str], timeframe: str, since: datetime, until: datetime, *, clock: str = "UTC",
    to: str = "D1", minimum: int = 0,
) -> dict[str, object]:  # fmt: skip
    """Values for the texts: seconds from 1970, lengths in seconds."""
    zone, ahead = server_clock.parse(clock)
    length, wanted = seconds_of(timeframe), seconds_of(to)
    if wanted % length or wanted < length:
        raise Failure(f"{to} bars can't be made of {timeframe} bars")
    return {
        "symbols": symbols, "timeframe": timeframe, "since": int(since.timestamp()),
        "until": int(until.timestamp()), "zone": zone, "ahead": ahead, "step": wanted,
        "length": length, "minimum": minimum,
    }  # fmt: skip


def statement(question: str, engine: str) -> str:
    """A question's text over the engine's relation of bars, with :name for values."""

    def read(name: str) -> str:
        lines = (TEXTS / f"{name}.sql").read_text(encoding="utf-8").splitlines()
        return "\n".join(line for line in lines if not line.startswith("--"))

    text = f"WITH bars AS (\n{read(f'bars_{engine}')}\n)\n{read(question)}"
    if engine == "postgresql":
        for word, other in WORDS.items():
            text = text.replace(word, other)
    return text


def fitted(text: str, form: str, values: dict[str, object]) -> tuple[str, dict[str, object]]:
    """The text with an engine's form of placeholders, and the values it asks for."""
    names = set(re.findall(r":([a-z]+)", text))
    return re.sub(r":([a-z]+)", form, text), {name: values[name] for name in names}


def ordered(table: pa.Table, question: str) -> pa.Table:
    """A result in the question's types and order."""
    schema = SCHEMAS[question]
    keys = [(name, "ascending") for name in schema.names[:2]]
    return table.select(schema.names).cast(schema).sort_by(keys)
