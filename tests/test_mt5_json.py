"""scripts/load_mt5.py: JSON of the package's calls in the forms that people have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas
import pytest

import mt5
from rubi.cli import Failure
from rubi.mt5.dumps import FIELDS, kind_of, read_json

DEALS = [
    mt5.money(10000.0, "2026-01-05 09:00:00.250", ticket=1),
    mt5.deal("2026-01-05 10:00:00.500", ticket=2, order=9, position_id=9),
    mt5.deal("2026-01-05 11:00:00.750", ticket=3, type=1, entry=1, profit=5.25, comment="é, ü"),
]
ORIENTATIONS = ("columns", "index", "split", "records", "values", "table")


def write(path: Path, document: Any) -> Path:
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def in_order(kind: str, row: dict[str, Any]) -> list[Any]:
    """An element as the package's tuple."""
    return [row[name] for name in FIELDS[kind]]


@pytest.mark.parametrize("orient", ORIENTATIONS)
def test_a_frame_of_elements_is_read_in_every_orientation(tmp_path: Path, orient: str) -> None:
    frame = pandas.DataFrame(DEALS, columns=FIELDS["deals"])
    path = write(tmp_path / "f.json", frame.to_json(orient=orient))
    ((kind, found),) = read_json(path, None)
    assert kind == "deals"
    assert [{name: row[name] for name in FIELDS["deals"]} for row in found] == DEALS


@pytest.mark.parametrize("orient", ["columns", "index", "split", "records"])
@pytest.mark.parametrize("iso", [True, False])
def test_a_frame_with_times_as_times_gives_the_packages_numbers(
    tmp_path: Path, orient: str, iso: bool
) -> None:
    """The way of tutorials: df['time'] = pandas.to_datetime(df['time'], unit='s')."""
    frame = pandas.DataFrame(DEALS)
    # without iso, pandas 2 writes milliseconds
    frame["time"] = pandas.to_datetime(frame["time"], unit="s") if iso else frame["time"] * 1000
    text = frame.to_json(orient=orient, date_format="iso" if iso else None)
    ((_, found),) = read_json(write(tmp_path / "f.json", text), None)
    assert [row["time"] for row in found] == [row["time"] for row in DEALS]


def test_a_frame_of_bare_tuples_and_one_of_lists_are_read(tmp_path: Path) -> None:
    tuples = pandas.DataFrame([in_order("deals", row) for row in DEALS]).to_json()
    lists = {name: [row[name] for row in DEALS] for name in FIELDS["deals"]}
    for document in (tuples, lists):
        assert read_json(write(tmp_path / "f.json", document), None) == [("deals", DEALS)]


@pytest.mark.parametrize(
    ("kind", "element"),
    [("deals", DEALS[1]), ("orders", mt5.order()), ("positions", mt5.position()),
     ("account", mt5.account())],
)  # fmt: skip
def test_tuples_are_told_by_their_length(
    tmp_path: Path, kind: str, element: dict[str, Any]
) -> None:
    assert read_json(write(tmp_path / "f.json", [in_order(kind, element)] * 2), None) == [
        (kind, [element] * 2)
    ]


def test_one_tuple_of_account_info_is_an_account(tmp_path: Path) -> None:
    path = write(tmp_path / "f.json", in_order("account", mt5.account()))
    assert read_json(path, None) == [("account", [mt5.account()])]


@pytest.mark.parametrize(
    "wrap",
    [
        lambda rows: {"deals": rows}, lambda rows: {"status": "ok", "count": 3, "data": rows},
        lambda rows: {"result": {"history_deals_get": rows}}, lambda rows: rows,
        lambda rows: {"success": True, "data": {"items": rows, "total": len(rows)}},
        lambda rows: {"deals": [in_order("deals", row) for row in rows], "error": None},
    ],
)  # fmt: skip
def test_objects_that_wrap_a_list_are_opened(tmp_path: Path, wrap: Any) -> None:
    assert read_json(write(tmp_path / "f.json", wrap(DEALS)), None) == [("deals", DEALS)]


def test_a_whole_dump_has_each_kind(tmp_path: Path) -> None:
    dump = {"account_info": mt5.account(), "symbols": [mt5.symbol()], "deals": DEALS,
            "orders": [], "positions": [mt5.position()], "made": "2026-01-05"}  # fmt: skip
    found = read_json(write(tmp_path / "f.json", dump), None)
    assert {kind: len(rows) for kind, rows in found} == {
        "account": 1, "symbols": 1, "deals": 3, "orders": 0, "positions": 1,
    }  # fmt: skip


@pytest.mark.parametrize("rows", [DEALS, [in_order("deals", row) for row in DEALS]])
def test_lines_of_elements_and_of_tuples_are_read(tmp_path: Path, rows: list) -> None:
    text = "\n".join(json.dumps(row) for row in rows)
    assert read_json(write(tmp_path / "f.jsonl", text), None) == [("deals", DEALS)]


@pytest.mark.parametrize(
    "text",
    ["2026-01-05T10:00:00+00:00", "2026-01-05T10:00:00Z", "2026-01-05T12:00:00+02:00",
     "2026-01-05 10:00:00", "2026.01.05 10:00:00", "2026-01-05T10:00:00.000"],
)  # fmt: skip
def test_times_as_text_become_the_packages_number(tmp_path: Path, text: str) -> None:
    """A zone is the one that the number was shown in, so the moment gives the number back."""
    row = {name: value for name, value in DEALS[1].items() if name != "time_msc"}
    ((_, found),) = read_json(write(tmp_path / "f.json", [row | {"time": text}]), None)
    assert found[0]["time"] == DEALS[1]["time"]


def test_milliseconds_beside_a_text_are_the_time(tmp_path: Path) -> None:
    """Somebody wrote the text by the clock of their computer; the number is MT5's still."""
    row = DEALS[1] | {"time": "2026-01-05T19:00:00"}
    ((_, found),) = read_json(write(tmp_path / "f.json", [row]), None)
    assert found == [DEALS[1]]


def test_a_text_that_is_no_time_stays_and_is_rejected_later(tmp_path: Path) -> None:
    row = {"ticket": 1, "entry": 0, "time": "noon", "comment": None}
    assert read_json(write(tmp_path / "f.json", [row]), None) == [
        ("deals", [{"ticket": 1, "entry": 0, "time": "noon"}])
    ]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([{"time": 1, "open": 1, "high": 1, "low": 1, "close": 1}], "looks like bars"),
        ([{"time": 1, "bid": 1, "ask": 1, "last": 1, "time_msc": 1}], "looks like ticks"),
        ({"retcode": 10009, "request_id": 1, "deal": 2}, "answer of order_send"),
        ([[1, 2, 3]], "list of lists of 3 values"), ({"a": 1, "b": [1, 2]}, "object with a, b"),
        ([], "an empty list"), (None, "ask the terminal again"), (5, "ints, no elements"),
        ({"deals": {"message": "none"}}, "object with deals"), ({}, "an empty object"),
    ],
)  # fmt: skip
def test_what_is_no_answer_of_the_package_is_refused_by_its_form(
    tmp_path: Path, document: Any, said: str
) -> None:
    with pytest.raises(Failure, match=said):
        read_json(write(tmp_path / "f.json", document), None)


@pytest.mark.parametrize(
    ("kind", "row"),
    [
        ("deals", DEALS[0]), ("orders", mt5.order()), ("symbols", mt5.symbol()),
        ("positions", mt5.position()), ("account", mt5.account()), (None, {"ticket": 1}),
    ],
)  # fmt: skip
def test_kinds_are_told_by_fields_that_one_call_alone_has(kind: str | None, row: dict) -> None:
    assert kind_of(row) == kind


def test_a_document_that_was_cut_is_refused_by_the_place_where_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "deals.json"
    path.write_text(json.dumps(DEALS, indent=1)[:-20])
    end = path.read_text().count("\n") + 1
    with pytest.raises(Failure, match=rf"no JSON, or cut: .* line {end} "):
        read_json(path, None)
