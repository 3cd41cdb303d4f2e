"""JSON of the MetaTrader5 package's calls in the forms that people have.

Lists of `_asdict()`, tuples in the package's order, pandas' to_json() in all orientations, JSON
Lines, and objects that wrap any of these. Other JSON is refused with a description of its form.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rubi.cli import Failure
from rubi.terminal import records

# a field that only this call returns
MARKS = {
    "account": "login",
    "symbols": "trade_contract_size",
    "orders": "volume_initial",
    "deals": "entry",
    "positions": "identifier",
}
ORDER = ("account", "symbols", "orders", "deals", "positions")
# names of the calls, and people's names for the lists
NAMES = {
    "account_info": "account", "account": "account", "symbols_get": "symbols",
    "symbol_info": "symbols", "symbols": "symbols", "history_orders_get": "orders",
    "orders_get": "orders", "orders": "orders", "history_orders": "orders",
    "history_deals_get": "deals", "deals": "deals", "history_deals": "deals",
    "positions_get": "positions", "positions": "positions",
}  # fmt: skip
# the package's tuples; their lengths tell them apart
FIELDS = {
    "deals": records.TradeDeal._fields, "positions": records.TradePosition._fields,
    "orders": records.TradeOrder._fields, "account": records.AccountInfo._fields,
}  # fmt: skip
BY_LENGTH = {len(names): kind for kind, names in FIELDS.items()}
# Other answers of the package, by fields that only they have.
OTHERS = (
    ({"open", "high", "low", "close"}, "bars (copy_rates): load them with load_bars.py as CSV"),
    ({"bid", "ask", "last", "time_msc"}, "ticks (copy_ticks): load them with load_bars.py as CSV"),
    ({"retcode", "request_id"}, "an answer of order_send: log_mt5_order_send takes it"),
    ({"action", "volume"}, "a request of order_send: log_mt5_order_send takes it"),
    ({"build", "data_path"}, "terminal_info, which says nothing of an account"),
)
TIMES = ("time", "time_update", "time_setup", "time_done", "time_expiration")
# an object around an object around a list is common, deeper ones are no dumps
DEEPEST = 4

Found = list[tuple[str | None, list[Any]]]


def clean(value: Any) -> Any:
    """Replace signs that jsonb can't hold: NUL characters and lone surrogates."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [clean(item) for item in value]
    if isinstance(value, dict):
        return {clean(name): clean(item) for name, item in value.items()}
    return value


def read_document(path: Path) -> Any:
    """A file's JSON; JSON Lines become a list. NaN becomes a text, which is then rejected."""
    try:
        content = path.read_bytes()
        coding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        text = content.decode(coding)
    except UnicodeDecodeError as error:
        raise Failure(f"{path} is no UTF-8 text: {error}") from error
    try:
        whole = json.loads(text, parse_constant=str)
    except json.JSONDecodeError as of_whole:
        whole = []
        for line_number, line in enumerate(text.splitlines(), 1):
            try:
                if line.strip():
                    whole.append(json.loads(line, parse_constant=str))
            except json.JSONDecodeError as error:
                if not whole:  # no JSON Lines, so the first line says nothing
                    raise Failure(f"{path}: no JSON, or cut: {of_whole}") from error
                raise Failure(f"{path}:{line_number}: no JSON: {error}") from error
    except RecursionError as error:
        raise Failure(f"{path}: nested too deeply") from error
    return clean(whole) if "\\u" in text or "\0" in text else whole


def kind_of(element: Any) -> str | None:
    """The call that returned an element."""
    if isinstance(element, dict):
        for kind, mark in MARKS.items():
            if mark in element and not isinstance(element[mark], dict | list):
                return kind
    return None


def is_plain(value: Any) -> bool:
    return not isinstance(value, dict | list)


def rows_of(columns: dict[str, Any]) -> list[Any] | None:
    """Rows of an object of columns: {field: {row: value}} or {field: [value]}; None otherwise."""
    values = list(columns.values())
    if len(values) < 2 or not all(isinstance(value, type(values[0])) for value in values):
        return None
    if isinstance(values[0], list):
        whole = [dict(zip(columns, row, strict=False)) for row in zip(*values, strict=False)]
        fits = len({len(value) for value in values}) == 1 and all(map(is_plain, values[0]))
    elif isinstance(values[0], dict):
        names = list(values[0])
        fits = all(list(value) == names and all(map(is_plain, value.values())) for value in values)
        whole = [{field: value[name] for field, value in columns.items()} for name in names]
    else:
        return None
    if not fits:
        return None
    if all(name.isdigit() for name in columns):
        return [list(row.values()) for row in whole]  # a frame of tuples, whose columns are 0, 1, …
    return whole


def unfold(value: Any, name: str, depth: int = 0) -> Found:
    """The lists within a document, each with its kind where named; empty for other forms."""
    hint = NAMES.get(name.lower())
    if isinstance(value, list):
        return unfold_list(value, hint)
    if not isinstance(value, dict) or depth > DEEPEST:
        return []
    if kind_of(value):
        return [(kind_of(value), [value])]
    if isinstance(value.get("columns"), list) and isinstance(value.get("data"), list):
        names = value["columns"]  # orient="split"
        rows = [
            dict(zip(names, row, strict=False)) if isinstance(row, list) else row
            for row in value["data"]
        ]
        if all(isinstance(name, int) for name in names):
            rows = value["data"]
        return unfold_list(rows, hint)
    columns = rows_of(value)
    if columns and (is_list(columns[0]) or kind_of(columns[0])):
        return unfold_list(columns, hint)  # orient="columns"
    if value and all(kind_of(item) for item in value.values()) and name not in NAMES:
        kinds = {kind_of(item) for item in value.values()}
        if len(kinds) == 1 and not set(value) <= set(NAMES):
            return [(kinds.pop(), list(value.values()))]  # orient="index"
    found: Found = []
    for key, item in value.items():
        if not is_plain(item) and key != "schema":
            found += unfold(item, key, depth + 1)
    return found


def is_list(row: Any) -> bool:
    return isinstance(row, list) and len(row) in BY_LENGTH


def unfold_list(rows: list[Any], hint: str | None) -> Found:
    """A list of elements, of tuples, or one tuple; by kind where elements of several are mixed."""
    if not rows:
        return [(hint, [])]
    if len(rows) == len(FIELDS["account"]) and all(map(is_plain, rows)):
        return [("account", [dict(zip(FIELDS["account"], rows, strict=True))])]
    if all(map(is_list, rows)) and len({len(row) for row in rows}) == 1:
        kind = BY_LENGTH[len(rows[0])]
        return [(kind, [dict(zip(FIELDS[kind], row, strict=True)) for row in rows])]
    kinds = [kind_of(row) for row in rows]
    default = next((kind for kind in kinds if kind), hint)
    if default is None:
        return []
    grouped: dict[str, list[Any]] = {}
    for row, kind in zip(rows, kinds, strict=True):
        grouped.setdefault(kind or default, []).append(row)
    return list(grouped.items())


def seconds(value: Any, msc: Any) -> Any:
    """A time as the package gives it: seconds since 1970 on the server's clock.

    Numbers beyond year 5000 are milliseconds, or finer, as pandas writes them. A text was made of
    the number by a program; milliseconds beside it are still the number. A zone in the text is the
    one that the number was shown in, so the moment is the number again.
    """
    if isinstance(value, str):
        if isinstance(msc, int) and msc > 0:
            return msc // 1000
        text = value.strip().replace("Z", "+00:00")
        if text[4:5] == ".":  # as the terminal shows it: 2026.01.31 10:00
            text = text.replace(".", "-", 2)
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return value
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    if isinstance(value, int) and not isinstance(value, bool):
        while value >= 10**11:
            value //= 1000
    return value


def tidy(row: Any) -> Any:
    """An element with its times as numbers, without fields that are null."""
    if not isinstance(row, dict):
        return row
    row = {name: value for name, value in row.items() if value is not None}
    for name in TIMES:
        if name in row:
            row[name] = seconds(row[name], row.get(f"{name}_msc"))
        if isinstance(row.get(f"{name}_msc"), str):
            # a text of it may lack milliseconds: the seconds are right
            found = seconds(row.pop(f"{name}_msc"), None)
            row.setdefault(name, found)
    return row


def looks_like(value: Any) -> str:
    """A description of a document, for the message that refuses it."""
    first = value[0] if isinstance(value, list) and value else value
    if value is None:
        return "null, the package's answer on an error: ask the terminal again"
    if isinstance(first, dict):
        for fields, what in OTHERS:
            if fields <= set(first):
                return what
        return f"an object with {', '.join(list(first)[:6])[:120]}" if first else "an empty object"
    if isinstance(first, list) and first:
        return (
            f"a list of lists of {len(first)} values; tuples of the package have"
            f" {', '.join(f'{number} ({kind})' for number, kind in sorted(BY_LENGTH.items()))}"
        )
    return (
        "an empty list or an empty file" if value == [] else f"{type(first).__name__}s, no elements"
    )


def read_json(path: Path, kind: str | None) -> list[tuple[str, list[Any]]]:
    """The elements of a file, by kind. Raises Failure for any other than the package's answers."""
    document = read_document(path)
    found = unfold(document, path.stem)
    if kind and (not found or all(name is None for name, _ in found)):
        rows = document if isinstance(document, list) else [document]
        found = [(kind, rows)]
    if not found or any(name is None and not kind for name, _ in found):
        raise Failure(
            f"{path}: unknown contents, looks like {looks_like(document)}; name an answer of"
            f" the package with --kind ({', '.join(ORDER)})"
        )
    return [(kind or name or "", [tidy(row) for row in rows]) for name, rows in found]
