"""Each rule of a value stands once: domains, CHECKs, ingest and Python agree."""

from __future__ import annotations

import json
import re
from itertools import product

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import errors
from psycopg.types.json import Jsonb

import mt5
import rows
from conftest import ROOT
from rubi.bars.clocks import LONG_FRAMES
from rubi.bars.files import TIMEFRAMES

OURS = ["public", "monitoring", "internal", "deploy", "audit", "migration"]
NUMBERS = """
SELECT c.oid::regclass::text, a.attname,
    array_agg(a.attname) OVER (PARTITION BY c.oid)
FROM pg_attribute AS a
INNER JOIN pg_class AS c ON c.oid = a.attrelid
INNER JOIN pg_type AS t ON t.oid = a.atttypid
WHERE c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
    AND c.relnamespace::regnamespace::text = ANY (%s)
    AND coalesce(nullif(t.typbasetype, 0), t.oid)
        = ANY (ARRAY['numeric', 'real', 'double precision']::regtype[])
ORDER BY 1, 2
"""


def refuses(connection: psycopg.Connection, table: str, row: dict[str, str]) -> bool:
    """Whether the types or the CHECKs of a table refuse a row; what is not given is NULL."""
    checks = connection.execute(
        "SELECT pg_get_expr(conbin, conrelid) FROM pg_constraint"
        " WHERE conrelid = %s::regclass AND contype = 'c'",
        [table],
    ).fetchall()
    both = " AND ".join(f"coalesce(({check}), TRUE)" for (check,) in checks) or "TRUE"
    try:
        with connection.transaction():
            return not connection.execute(
                f"SELECT {both} FROM jsonb_populate_record(NULL::{table}, %s)", [Jsonb(row)]
            ).fetchone()[0]
    except errors.CheckViolation:
        return True


def row_of(columns: list[str]) -> dict[str, str]:
    """A row whose numbers are sound, of an account and a series that may be."""
    return dict.fromkeys(columns, "1") | {"symbol": "EURUSD", "timeframe": "M1", "account_id": "1"}


def test_no_column_takes_what_is_no_number(catalog: psycopg.Connection) -> None:
    found = catalog.execute(NUMBERS, [OURS]).fetchall()
    assert len(found) > 130
    takes = [
        (table, column)
        for table, column, columns in found
        if not refuses(catalog, table, row_of(columns) | {column: "NaN"})
    ]
    assert takes == []
    tables = {table: columns for table, _, columns in found}
    assert not any(refuses(catalog, t, row_of(c)) for t, c in tables.items())


def test_no_rule_asks_the_locale(catalog: psycopg.Connection) -> None:
    """[[:space:]], \\s, \\w and \\d mean other characters under another locale or provider."""
    texts = catalog.execute(
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'c'"
        " AND connamespace::regnamespace::text = ANY (%(ours)s)"
        " UNION ALL SELECT p.oid::regprocedure::text, pg_get_functiondef(p.oid) FROM pg_proc AS p"
        " WHERE p.pronamespace::regnamespace::text = ANY (%(ours)s) AND NOT EXISTS"
        " (SELECT FROM pg_depend AS d WHERE d.objid = p.oid AND d.deptype = 'e')"
        " AND p.prokind <> 'a'"
        " UNION ALL SELECT oid::regclass::text, pg_get_viewdef(oid) FROM pg_class"
        " WHERE relkind = 'v' AND relnamespace::regnamespace::text = ANY (%(ours)s)",
        {"ours": OURS},
    ).fetchall()
    assert len(texts) > 300
    assert [name for name, text in texts if re.search(r"\[:\w+:\]|\\[swdSWD]", text)] == []


@pytest.mark.parametrize(
    ("names", "rule", "but"),
    [
        # a log of all requests, right or wrong
        (["symbol", "canonical_symbol"], r"is_trimmed\(|::symbol_name", {"mt5_order_sends.symbol"}),
        (["timeframe", "from_timeframe"], r"is_timeframe\(|::timeframe", set()),
    ],
)
def test_each_column_of_a_name_has_its_rule(
    catalog: psycopg.Connection, names: list[str], rule: str, but: set[str]
) -> None:
    found = catalog.execute(
        "SELECT format('%%s.%%s', a.attrelid::regclass, a.attname), EXISTS ("
        " SELECT FROM pg_constraint AS k WHERE pg_get_constraintdef(k.oid) ~ %s"
        " AND (k.contypid = a.atttypid OR k.conrelid = a.attrelid AND a.attnum = ANY (k.conkey)))"
        " FROM pg_attribute AS a INNER JOIN pg_class AS c ON c.oid = a.attrelid"
        " WHERE c.relkind = 'r' AND a.attname = ANY (%s)"
        " AND c.relnamespace::regnamespace::text = ANY (%s)",
        [rule, names, OURS],
    ).fetchall()
    assert len(found) > 5
    assert {name for name, has_rule in found if not has_rule} == but


def test_the_pattern_of_symbols_stands_once() -> None:
    texts = [path.read_text() for path in ROOT.glob("[sfvtg]*/*.sql")]
    assert sum(text.count(r"[ \u00a0]$") for text in texts) == 1
    assert sum(text.count("'M12'") for text in texts) == 1


# Timeframes


def test_python_knows_the_timeframes_of_the_database(catalog: psycopg.Connection) -> None:
    found = catalog.execute("SELECT name, length FROM timeframes()").fetchall()
    assert tuple(name for name, _ in found) == TIMEFRAMES
    lengths = [length for _, length in found]
    assert lengths == sorted(lengths)
    assert LONG_FRAMES[0] == "H2"


@pytest.mark.parametrize("name", [*TIMEFRAMES, "M7", "H5", "m1", "MN2", "TICK", "", "M1 "])
@pytest.mark.parametrize("domain", ["timeframe", "timeframe_list"])
def test_domain_and_list_take_the_same_timeframes(
    catalog: psycopg.Connection, domain: str, name: str
) -> None:
    value = name if domain == "timeframe" else Jsonb([name])
    if name in TIMEFRAMES:
        catalog.execute(f"SELECT %s::{domain}", [value])
    else:
        with pytest.raises(errors.CheckViolation), catalog.transaction():
            catalog.execute(f"SELECT %s::{domain}", [value])


@pytest.mark.parametrize("name", [*TIMEFRAMES, "M7", "H5", "m1", "MN2", "TICK", "", "M1 "])
def test_known_timeframes_have_a_length(catalog: psycopg.Connection, name: str) -> None:
    long, length = catalog.execute(
        "SELECT is_long_timeframe(%s), timeframe_length(%s)", [name, name]
    ).fetchone()
    assert long is (name in ("D1", "W1", "MN1"))
    assert (length is not None) is (name in TIMEFRAMES)


def minutes(name: str) -> int:
    return int(name[1:]) * {"M": 1, "H": 60}[name[0]]


def test_bars_are_made_of_whole_bars(catalog: psycopg.Connection) -> None:
    """A bar of minutes or hours of a divisor, a day of all shorter, a month of no weeks."""
    order = ["D1", "W1", "MN1"]
    for part, whole in product([*TIMEFRAMES, "M7"], repeat=2):
        said = catalog.execute("SELECT timeframe_divides(%s, %s)", [part, whole]).fetchone()[0]
        if "M7" in (part, whole):
            expected = False
        elif whole in order and part in order:
            expected = part == "D1" != whole
        elif whole in order or part in order:
            expected = whole in order
        else:
            expected = minutes(part) < minutes(whole) and minutes(whole) % minutes(part) == 0
        assert said is expected, (part, whole)


# Ingest accepts the values that the tables take

WHOLE = ["-1", "0", "1", "1.5", str(2**63 - 1), str(2**63), str(-(2**63)), str(-(2**63) - 1)]
CODES = [*WHOLE, str(2**31 - 1), str(2**31), str(-(2**31)), str(-(2**31) - 1)]
PRICES = ["0", "-1", "1e-9", "999999999999.99999999", "999999999999.999999995", "1e12", "-1e12"]
MONEY = [*PRICES, "9999999999999999.99999999", "9999999999999999.999999996", "1e16", "-1e16"]
RATIOS = [*MONEY, "1e29", "1e30", "-1e30", "999999999999999999999999999999.999999999", "1e40"]
TEXTS = ["", " ", "x" * 4000, "x" * 4001, "é" * 2000, "é" * 2001, "a\tb"]
SYMBOLS = [
    *("EURUSD", "Öl", "x" * 800, "x" * 801, "é" * 400, "é" * 401, " a", "a ", "a\u00a0", "\u00a0a"),
    *("a b", "a\tb", "a\u0085b", "a\u2028b", "\u200b", "\u3000", "a\n", "\u0001"),
]
VALUES = {
    "ticket": WHOLE, "id": WHOLE, "signed": WHOLE, "code": CODES, "amount": PRICES,
    "money": MONEY, "margin": MONEY, "ratio": RATIOS,
    "text": [json.dumps(text) for text in TEXTS], "name": [json.dumps(text) for text in SYMBOLS],
    "symbol": [json.dumps(text) for text in SYMBOLS],
}  # fmt: skip
FIELDS = {
    "ticket": ("deals", "ticket"), "id": ("deals", "order"), "signed": ("deals", "magic"),
    "code": ("deals", "reason"), "amount": ("deals", "price"), "money": ("deals", "profit"),
    "margin": ("account", "margin"), "ratio": ("account", "margin_level"),
    "text": ("deals", "comment"), "name": ("account", "company"),
    "symbol": ("deals", "symbol"),
}  # fmt: skip
MAKERS = {
    "account": mt5.account, "deals": mt5.deal, "orders": mt5.order, "positions": mt5.position,
    "symbols": mt5.symbol,
}  # fmt: skip


def judge(catalog: psycopg.Connection, source: str, field: str, value: str) -> tuple[bool, bool]:
    """Whether an element with the value is sound: by the fast look, by the careful one."""
    return catalog.execute(
        "SELECT internal.are_mt5_rows_sound(%(source)s, e.rows), NOT EXISTS"
        " (SELECT FROM internal.find_mt5_faults(%(source)s, e.rows))"
        " FROM (SELECT jsonb_build_array(%(made)s::jsonb || %(more)s::jsonb)) AS e (rows)",
        {"source": source, "made": Jsonb(MAKERS[source]()), "more": f'{{"{field}": {value}}}'},
    ).fetchone()


@pytest.mark.parametrize(
    ("kind", "value"), [(kind, value) for kind, values in VALUES.items() for value in values]
)
def test_kind_of_field_and_its_domain_take_the_same(
    catalog: psycopg.Connection, kind: str, value: str
) -> None:
    name = catalog.execute(
        "SELECT min(type) FROM internal.mt5_fields WHERE kind = %s", [kind]
    ).fetchone()[0]
    try:
        with catalog.transaction():
            catalog.execute(
                f"SELECT * FROM jsonb_to_record(%s::jsonb) AS r (v {name})", [f'{{"v": {value}}}']
            )
        is_taken = True
    except (errors.CheckViolation, errors.DataError):
        is_taken = False
    assert judge(catalog, *FIELDS[kind], value) == (is_taken, is_taken)


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("leverage", ["0", "2147483647"], ["-1", "1.5", "2147483648"]),
        ("currency_digits", ["0", "8"], ["-1", "9", "1.5"]),
        ("currency", ['""', '" "', '"US"', '" USD "', '"ABCDE12345"'],
         ['"U"', '"ABCDE123456"', '"U$D"', '"U D"', "null"]),
    ],
)  # fmt: skip
def test_kinds_of_an_account_are_narrower_than_their_types(
    catalog: psycopg.Connection, field: str, good: list[str], bad: list[str]
) -> None:
    assert {judge(catalog, "account", field, value) for value in good} == {(True, True)}
    assert {judge(catalog, "account", field, value) for value in bad} == {(False, False)}


# fields whose column has another name; times are bounded by ingest, columns hold them as they came
TABLES = {
    "deals": ("trading_deals", {"order": "order_ticket"}),
    "orders": ("mt5_orders", {}),
    "symbols": ("mt5_symbols", {"name": "symbol"}),
}


@pytest.mark.parametrize("source", TABLES)
def test_each_field_has_the_type_of_its_column(catalog: psycopg.Connection, source: str) -> None:
    """A field that only one of the two bounds is a batch that fails or a row that is lost."""
    table, names = TABLES[source]
    found = catalog.execute(
        "SELECT name, type::regtype::text FROM internal.mt5_fields WHERE source = %s",
        [source],
    ).fetchall()
    columns = dict(catalog.execute(
        "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute"
        " WHERE attrelid = %s::regclass AND attnum > 0", [table],
    ).fetchall())  # fmt: skip
    differ = {
        name: (wanted, columns[names.get(name, name)])
        for name, wanted in found
        if columns[names.get(name, name)] != wanted
    }
    assert differ == NARROWER[source]


# what is said of these beyond their kind is a rule of its own in internal.reject_mt5_rows
NARROWER = {
    "deals": {"volume": ("trading_price", "deal_volume")},
    "orders": {
        "symbol": ("deal_symbol", "symbol_name"),
        "volume_initial": ("trading_price", "order_volume"),
        "volume_current": ("trading_price", "order_volume"),
    },
    "symbols": {
        "name": ("deal_symbol", "symbol_name"),
        # counts, as wide as a code
        "digits": ("mt5_code", "integer"),
        "trade_stops_level": ("mt5_code", "integer"),
        "trade_freeze_level": ("mt5_code", "integer"),
    },
}


@st.composite
def changed(draw: st.DrawFn, fields: dict[str, str]) -> dict[str, str]:
    """A few fields of an element with values at the ends of what their kind takes."""
    some = draw(st.lists(st.sampled_from(sorted(fields)), max_size=3, unique=True))
    return {name: draw(st.sampled_from(VALUES[fields[name]])) for name in some}


@pytest.mark.parametrize("source", TABLES)
def test_ingest_takes_what_the_table_takes_and_nothing_else(
    db: psycopg.Connection, source: str
) -> None:
    table, names = TABLES[source]
    account = mt5.open_account(db, rows.user(db))
    fields = dict(
        db.execute(
            "SELECT name, kind FROM internal.mt5_fields WHERE source = %s AND kind = ANY (%s)",
            [source, sorted(VALUES)],
        ).fetchall()
    )
    taken_at = ", now()" if source == "symbols" else ""

    @settings(max_examples=150)
    @given(changed(fields))
    def try_one(more: dict[str, str]) -> None:
        element = "{" + ", ".join(f'"{name}": {value}' for name, value in more.items()) + "}"
        own = "{" + ", ".join(f'"{names.get(n, n)}": {v}' for n, v in more.items()) + "}"
        try:
            with db.transaction():
                db.execute(f"SELECT jsonb_populate_record(NULL::{table}, %s::jsonb)", [own])
            is_taken = True
        except (errors.CheckViolation, errors.DataError):
            is_taken = False
        with db.transaction(force_rollback=True):
            counts = db.execute(
                f"SELECT inserted, rejected FROM ingest_mt5_{source}(%s,"
                f" jsonb_build_array(%s::jsonb || %s::jsonb){taken_at})",
                [account, Jsonb(MAKERS[source]()), element],
            ).fetchone()
        assert counts == (int(is_taken), int(not is_taken)), more

    try_one()


def test_an_expiration_fits_by_any_clock(db: psycopg.Connection) -> None:
    """The last second of 9999 by a clock behind UTC was a moment that its column refuses."""
    account = mt5.open_account(db, rows.user(db))
    latest = [mt5.order(ticket=n, time_expiration=253402300799 - n * 86400) for n in (0, 1)]
    assert mt5.ingest(db, "orders", account, latest) == (1, 0, 0, 1)


def test_a_sum_that_rounds_up_is_a_reject(db: psycopg.Connection) -> None:
    """Below 10^12 as it came and 10^12 with the column's 8 decimals: the whole batch failed."""
    account = mt5.open_account(db, rows.user(db))
    counts = db.execute(
        "SELECT inserted, rejected FROM ingest_mt5_deals(%s, jsonb_build_array(%s::jsonb,"
        " %s::jsonb || '{\"price\": 999999999999.999999995}'))",
        [account, Jsonb(mt5.deal()), Jsonb(mt5.deal())],
    ).fetchone()
    assert counts == (1, 1)
