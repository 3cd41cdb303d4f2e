"""Values of other stores as PostgreSQL writes them: one text for each value, or the rule it breaks.

The text goes to COPY. Whole columns are converted in one step where all values are of one plain
form; others go value by value.
"""

import json
import math
import re
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal, localcontext
from functools import partial

from rubi.moving.numbers_and_times import Clock, number, plain, read_time

DAY = r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
PLAIN_TIMES = re.compile(
    rf"(?:{DAY}[ T](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{{6}})?\n)+"
)
PLAIN_UUIDS = re.compile(r"(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\n)+")
TRUE = {"1", "t", "true", "y", "yes", "on", "1.0"}
FALSE = {"0", "f", "false", "n", "no", "off", "0.0"}
HASHES = re.compile(
    r"\$2[abxy]?\$[0-9]{2}\$[./A-Za-z0-9]{53}|\$(bcrypt-sha256|argon2(id|i|d)|scrypt)\$\S{20,}"
    r"|scrypt:[0-9]+:[0-9]+:[0-9]+\$[^\s$]+\$[0-9a-f]{64,}|!\S*"
)


@dataclass(frozen=True)
class Bad:
    """A value that can't be stored: the end of the rule's name, and the reason in words."""

    rule: str
    detail: str


@dataclass
class Column:
    """A column of ours and how values get into it."""

    table: str
    name: str
    kind: str  # integer, decimal, number, text, word, boolean, time, json, uuid
    nullable: bool
    empty: str | None = None  # value stored for NULL
    bits: int = 64
    precision: int = 0
    scale: int = 0
    clock: Clock = None  # type: ignore[assignment]
    words: dict[str, str] = field(default_factory=dict)
    labels: tuple[str, ...] = ()  # of an enum
    forms: Counter = field(default_factory=Counter)


def to_number(column: Column, value: object) -> str | Bad:
    found = number(value)
    if found is None:
        return Bad("is_number", "is no number")
    column.forms["text"] += isinstance(value, str)
    if column.kind == "number" or not found.is_finite():
        if column.kind == "integer" or (found.is_infinite() and column.kind == "decimal"):
            return Bad("fits", "is not finite")
        return plain(found)
    if found and found.adjusted() >= (20 if column.kind == "integer" else column.precision):
        return Bad("fits", "is too large")  # too large even to be rounded
    with localcontext() as context:
        context.prec = 400
        if column.kind == "integer":
            if found != found.to_integral_value():
                return Bad("is_integer", "is no whole number")
            limit = 2 ** (column.bits - 1)
            return plain(found) if -limit <= found < limit else Bad("fits", "is too large")
        found = found.quantize(Decimal(1).scaleb(-column.scale), ROUND_HALF_UP)
        if abs(found) >= Decimal(10) ** (column.precision - column.scale):
            return Bad("fits", "is too large")
    return plain(found)


def to_text(column: Column, value: object) -> str | Bad | None:
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError:
            return Bad("is_text", "is no UTF-8 text")
    if isinstance(value, float):
        value = plain(Decimal(repr(value)))  # a ticket number kept as REAL
    text = str(value)
    if "\0" in text or (not text.isprintable() and any("\ud800" <= c <= "\udfff" for c in text)):
        return Bad("is_text", "holds a NUL or is no UTF-8")
    if column.kind == "word":
        text = text.strip()
        word = re.sub(r"[ -]+", "_", text.upper())
        word = column.words.get(text, column.words.get(word, word)) or column.empty
        if column.labels and word and word not in column.labels:
            return Bad("is_known", "is none of " + ", ".join(column.labels))
        return word
    if text == "" and column.nullable:
        return None
    return column.words.get(text, text)


def to_boolean(column: Column, value: object) -> str | Bad:
    text = str(value).strip().lower()
    if text in TRUE or text in FALSE:
        column.forms[text] += 1
        return "true" if text in TRUE else "false"
    return Bad("is_boolean", "is neither true nor false")


def to_uuid(column: Column, value: object) -> str | Bad:
    try:
        if isinstance(value, bytes) and len(value) == 16:
            return str(uuid.UUID(bytes=value))
        return str(uuid.UUID(value.decode() if isinstance(value, bytes) else str(value).strip()))
    except (ValueError, UnicodeDecodeError):
        return Bad("is_uuid", "is no UUID")


def to_time(column: Column, value: object) -> str | Bad:
    try:
        form, moment = read_time(value, column.clock)
    except (ValueError, OverflowError):
        return Bad("is_time", "is no time that exists")
    if moment is None:
        return Bad("is_time", "is no time of a known form")
    column.forms[form] += 1
    return moment.isoformat(" ")


def to_json(column: Column, value: object) -> str | Bad:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    try:
        text = str(value)
        check_json(json.loads(text, parse_float=Decimal, parse_int=Decimal, parse_constant=refuse))
        return text
    except (ValueError, RecursionError):
        return Bad("is_json", "is no JSON")


def refuse(word: str) -> None:
    raise ValueError(word)


def check_json(value: object) -> None:
    """Raise ValueError for what JSON has and jsonb can't keep."""
    if isinstance(value, dict | list):
        for part in (*value, *value.values()) if isinstance(value, dict) else value:
            check_json(part)
    elif isinstance(value, Decimal) and abs(value.adjusted()) > 10_000:
        raise ValueError("number")
    elif isinstance(value, str) and "\0" in value.encode().decode():  # or half of a surrogate pair
        raise ValueError("NUL")


CAREFUL: dict[str, Callable] = {
    "integer": to_number, "decimal": to_number, "number": to_number, "text": to_text,
    "word": to_text, "boolean": to_boolean, "time": to_time, "json": to_json, "uuid": to_uuid,
}  # fmt: skip


def careful(column: Column, value: object) -> str | Bad | None:
    """A single value. NULL, and blank text where blank is no value, become column.empty."""
    blank = isinstance(value, str | bytes) and not value.strip()
    if value is None or (blank and column.kind != "text"):
        result = column.empty
    else:
        result = CAREFUL[column.kind](column, value)
    if result is None and not column.nullable:
        return Bad("not_null", "is missing")
    return result


def convert(column: Column, values: Sequence) -> list[str | Bad | None]:
    """A whole column of a batch."""
    kinds = set(map(type, values))
    result = None
    if column.words:
        pass
    elif kinds == {float} and column.kind == "decimal":
        result = plain_decimals(list(map(repr, values)), column)
    elif kinds == {int} and column.kind in ("integer", "decimal", "number"):
        limit = 2 ** (column.bits - 1) if column.kind == "integer" else 10**11
        if -limit <= min(values) and max(values) < limit:
            result = list(map(str, values))
    elif kinds == {str} and column.kind == "decimal":
        result = plain_decimals(values, column)
    elif kinds == {str} and column.kind == "time":
        result = plain_times(values, column)
    elif kinds == {str} and column.kind == "uuid":
        result = list(values) if PLAIN_UUIDS.fullmatch(as_lines(values)) else None
    elif kinds == {str} and column.kind == "text":
        result = list(values) if plain_text(values) else None
    if result is not None:
        return result
    if column.kind in ("word", "boolean", "json", "text"):
        different = set(values)
        if len(different) < len(values) // 2:  # each once
            known = {value: careful(column, value) for value in different}
            return list(map(known.__getitem__, values))
    return list(map(partial(careful, column), values))


def plain_text(values: Sequence[str]) -> bool:
    """Whether no value is empty, holds NUL or half a surrogate pair."""
    if not all(values):
        return False
    text = "".join(values)
    return "\0" not in text and (text.isascii() or not re.search("[\ud800-\udfff]", text))


def as_lines(values: Sequence[str]) -> str:
    """Values, each ended by a line end; a text that fits no form where one has a line end."""
    text = "\n".join(values) + "\n"
    return text if text.count("\n") == len(values) else ""


def decimals_form(column: Column) -> str:
    """Plain decimals that fit a column, each ended by a line end. Without a column none fits."""
    before = column.precision - column.scale
    if before < 1 or column.scale < 1:
        return r"(?!)"
    return rf"(?:-?(?:0|[1-9][0-9]{{0,{before - 1}}})(?:\.[0-9]{{1,{column.scale}}})?\n)+"


def plain_decimals(texts: Sequence[str], column: Column) -> list[str] | None:
    """Decimals when all are plain and fit, else None."""
    return list(texts) if re.fullmatch(decimals_form(column), as_lines(texts)) else None


def plain_times(values: Sequence[str], column: Column) -> list[str] | None:
    """Times of the plain ISO form in UTC, else None."""
    text = as_lines(values)
    if not column.clock.utc or not PLAIN_TIMES.fullmatch(text) or min(values) < "0001":
        return None
    try:
        for value in values:
            if value[8:10] > "28":
                datetime.fromisoformat(value)
    except ValueError:
        return None
    fractions = "." in text and sum(len(v) == 26 and v[19:] != ".000000" for v in values)
    column.forms["ISO with fraction, UTC assumed"] += fractions
    column.forms["ISO, UTC assumed"] += len(values) - fractions
    return text.replace("\n", "+00\n")[:-1].split("\n")


def is_hash(text: str | None) -> bool:
    """Whether users.hashed_password takes it."""
    return bool(text and HASHES.fullmatch(text))


def jsonable(value: object) -> object:
    """A source's value for a jsonb column: as text where JSON has no such type."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    if isinstance(value, str):
        return value.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()
    return value
