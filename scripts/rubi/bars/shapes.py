"""The maker of a file of bars or ticks, told from its first lines.

Headers go by their names, files without one by the shape of their first line. An unknown form is
refused, and the message names the option for it.
"""

import csv
import re
import unicodedata
from collections import Counter

from rubi.bars import layouts
from rubi.bars.times import EPOCH, FORMS
from rubi.cli import Failure


def cells_of(line: str, delimiter: str) -> list[str]:
    """The fields of a line without blanks around them."""
    if '"' not in line:
        return [cell.strip() for cell in line.split(delimiter)]
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter), [])]
    except csv.Error:
        return [line]


def canonical(name: str) -> str:
    """A name of a header without case, accents, brackets, blanks and the zone behind it."""
    name = unicodedata.normalize("NFKD", re.sub(r"\(.*?\)", "", name))
    return re.sub(r"[^0-9a-z]", "", name.lower())


def recognise(lines: list[str], options: layouts.Options) -> layouts.Layout:
    """The layout of a file with these first lines. Raises Failure for an unknown form."""
    first = next((n for n, line in enumerate(lines) if line.strip()), 0)
    start = first
    # a maker's address, or Excel's sep=, before the header
    while start < min(first + 5, len(lines) - 1) and (
        not lines[start].strip() or max(map(lines[start].count, "\t;,")) == 0
        or re.match(r"https?://|sep=", lines[start])
    ):  # fmt: skip
        start += 1
    if options.columns:
        layout = given_columns(lines, start, options.columns)
    else:
        delimiter = max("\t;,", key=lines[start].count)
        rows = [cells_of(line, delimiter) for line in lines[start : start + 4]]
        if table := pandas_header(rows, options):
            layout, depth = table
        elif moments_in(rows[0]):
            layout, depth = headless(rows[0], delimiter), 0
        else:
            following = next((row for row in rows[1:] if any(row)), [])
            layout, depth = with_header(rows[0], following, delimiter, lines[first]), 1
        layout.skip, layout.delimiter = start + depth, delimiter
        if "cryptodatadownload" in lines[first].lower():
            layout.form, layout.clock = "CryptoDataDownload", "UTC"
            layout.volume = layout.volume or "real"
    rest = [cells_of(line, layout.delimiter) for line in lines[layout.skip :] if line.strip()]
    layout.sample = rest[0] if rest else []
    layout.decimal_comma = comma_of(layout, rest, options.decimal_comma)
    return settle(layout, options)


def comma_of(layout: layouts.Layout, rows: list[list[str]], given: bool | None) -> bool | None:
    """Whether decimals stand behind a comma; None where a comma is odd. A note says what was found.

    Semicolons part fields where they do. Raises Failure where 38,123 can be 38.123 and 38123.
    """
    prices = [
        text
        for row in rows
        for role, text in zip(layout.columns, row, strict=False)
        if role in (*layouts.PRICES, "bid", "ask") and {".", ","} & set(text)
    ]
    known: dict[bool, str] = {}
    open_ones = []  # prices that can be read both ways
    for price in (price for price in prices if "," in price):
        ways = [way for way in (True, False) if is_number(price, way)]
        if len(ways) == 1:
            known.setdefault(ways[0], price)
        open_ones += [price] if len(ways) == 2 else []
    if given is not None or not (known or open_ones):
        return given
    ((is_usual, _),) = Counter("," in price for price in prices).most_common(1)
    if not is_usual and "." not in "".join(known.values()):
        return None
    if layout.delimiter == ";" and not known:
        known[True] = open_ones[0]
    if len(known) != 1:
        price = next(iter(open_ones), known.get(True, ""))
        raise Failure(
            f"prices such as {price} can have decimals or thousands behind the comma: give"
            f" --decimal-comma for {layouts.plain(price, True)}, --decimal-point for"
            f" {price.replace(',', '')}"
        )
    ((comma, price),) = known.items()
    layout.notes.append(f"{'a decimal comma' if comma else 'commas part thousands'}, as in {price}")
    return comma


def is_number(text: str, comma: bool | None) -> bool:
    return bool(layouts.NUMBER.fullmatch(layouts.plain(text, comma)))


def settle(layout: layouts.Layout, options: layouts.Options) -> layouts.Layout:
    """Add the facts of the options and of the first line of values."""
    layout.ticker = options.ticker if "ticker" in layout.columns else None
    layout.order, layout.short = options.dates or layout.order, bool(options.dates)
    if options.volume:
        layout.volume = options.volume
    if {"volume", "traded"} <= set(layout.columns) and not layout.ticks:
        # price changes or trades are counted beside it
        layout.columns[layout.columns.index("traded")] = "real_volume"
    when = moment_of(layout, layout.sample)
    if not layout.order and (EPOCH.fullmatch(when) or FORMS["ymd"].fullmatch(when)):
        layout.order = "ymd"
    return layout


def moment_of(layout: layouts.Layout, cells: list[str]) -> str:
    """The text of date and time in a line."""
    fields = dict(zip(layout.columns, cells, strict=False))
    return f"{fields.get('when', '')} {fields.get('clock', '')}".strip()


def roles_of(names: list[str], sample: list[str]) -> list[str]:
    """The role of each column of a header; two of a kind are left to the caller."""
    plain = [canonical(name) for name in names]
    roles = [layouts.NAMES.get(name, "") for name in plain]
    if "last" not in roles:
        pairs = zip(plain, roles, strict=True)
        roles = ["last" if name in layouts.PRICED else role for name, role in pairs]
    if "close" not in roles and "bid" not in roles:
        roles = ["close" if role == "last" else role for role in roles]
    elif "bid" not in roles:
        roles = ["" if role == "last" else role for role in roles]
    if "bid" in roles:
        roles = ["volume" if role == "traded" else role for role in roles]
    elif "traded" not in roles:  # CryptoDataDownload: one column each for both sides of the pair
        coins = [n for n, name in enumerate(names) if re.fullmatch(r"Volume [A-Z0-9]+", name)]
        pair = sample[roles.index("ticker")] if "ticker" in roles[: len(sample)] else ""
        for n in sorted(coins, key=lambda n: not pair.startswith(names[n][7:]))[:1]:
            roles[n] = "traded"
    dates = [n for n, name in enumerate(plain) if name in layouts.DATES]
    clocks = [n for n, name in enumerate(plain) if name in layouts.CLOCKS]
    wholes = [n for n, name in enumerate(plain) if name in layouts.WHENS]

    def shown(n: int) -> str:
        return sample[n] if n < len(sample) else ""

    def rank(n: int) -> tuple:  # seconds since 1970 say most, an index without a name least
        return (not EPOCH.fullmatch(shown(n)), plain[n] == "", n)

    def whole(text: str) -> bool:
        epoch = EPOCH.fullmatch(text) and len(text) > 9
        return bool(epoch or any(form.fullmatch(text) for form in FORMS.values()))

    if "timemsc" in plain:  # the MetaTrader5 package has the seconds beside it
        roles[plain.index("timemsc")] = "when"
    elif dates and clocks and not wholes and not whole(shown(clocks[0])):
        roles[dates[0]], roles[clocks[0]] = "when", "clock"
    elif found := sorted([*wholes, *dates, *clocks], key=rank):
        roles[found[0]] = "when"
    return roles


def with_header(names: list[str], sample: list[str], delimiter: str, line: str) -> layouts.Layout:
    """The layout that a header's names tell. Raises Failure where they do not."""
    names = [name.strip('"') for name in names]
    roles = roles_of(names, sample)
    ticks = "bid" in roles
    missing = [
        name
        for name in ("when", *(("bid", "ask") if ticks else layouts.PRICES))
        if name not in roles
    ]
    if missing:
        raise Failure(
            f"the first line is no header with {'date and ' if 'when' in missing else ''}"
            f"{'bid, ask' if ticks else ', '.join(layouts.PRICES)}: {line!r:.80}; give --columns"
        )
    twice = [role for role in roles if role and roles.count(role) > 1]
    if twice:
        raise Failure(f"two columns mean {twice[0]}: {line!r:.80}; give --columns")
    layout = layouts.Layout("CSV with a header", roles, delimiter)
    layout.ignored = [name for name, role in zip(names, roles, strict=True) if name and not role]
    name_maker(layout, names, sample)
    return layout


def name_maker(layout: layouts.Layout, names: list[str], sample: list[str]) -> None:
    """The maker that writes such a header, and its clock."""
    plain = [canonical(name) for name in names]
    held = set(plain)
    brackets = all(re.fullmatch(r"<\w+>", name) for name in names)
    when = moment_of(layout, sample)
    zone = re.search(r"\((\w+)\)", names[layout.columns.index("when")])
    if held & {"tickvol", "tickvolume", "flags"}:
        kind = "ticks" if layout.ticks else "bars"
        layout.form = f"MT5's {kind}" if brackets else f"MT5's {kind}, names without brackets"
        layout.server, layout.bare = True, False
        layout.zero_is_none = "timemsc" in held
    elif "gmttime" in held or layouts.DUKASCOPY_TIME.fullmatch(when):
        layout.form, layout.volume = "Dukascopy", "real"
        layout.clock, layout.order = None if "localtime" in held else "UTC", "dmy"
    elif "closetime" in held and held & {"ignore", "takerbuyvolume", "quoteassetvolume"}:
        layout.form, layout.clock, layout.volume = "Binance", "UTC", "real"
    elif brackets and {"ticker", "per"} <= held:
        layout.form = "Stooq" if "openint" in held else "Finam"
        layout.clock = None if "openint" in held else "Europe/Moscow"
    elif "zamkniecie" in held:
        layout.form = "Stooq"
    elif held & {"adjclose", "dividends"}:
        layout.form = "Yahoo"
    elif plain[0] == "time" and names[0] == "time" and (EPOCH.fullmatch(when) or "-" in when[:5]):
        layout.form = "TradingView"
    if zone and zone[1].lower() in layouts.ZONES:
        layout.clock = layouts.ZONES[zone[1].lower()]
    elif held & {"timeutc", "utctime", "dateutc", "dategmt"}:
        layout.clock = "UTC"
    if "adjclose" in held:
        layout.notes.append("adjusted closes are not loaded")


def pandas_header(
    rows: list[list[str]], options: layouts.Options
) -> tuple[layouts.Layout, int] | None:
    """yfinance as pandas writes it: names, tickers and Date in three rows."""
    if len(rows) < 3 or rows[2][0] not in ("Date", "Datetime") or any(rows[2][1:]):
        return None
    names, tickers = (rows[1], rows[0]) if rows[0][0] == "Ticker" else (rows[0], rows[1])
    held = list(dict.fromkeys(tickers[1:]))
    chosen = options.ticker or held[0]
    if len(held) > 1 and not options.ticker:
        raise Failure(f"holds {len(held)} symbols ({', '.join(held[:5])} …): give --ticker")
    if chosen not in held:
        raise Failure(f"holds no {chosen}, but {', '.join(held[:5])}")
    roles, ignored = ["when"], []
    for name, ticker in zip(names[1:], tickers[1:], strict=True):
        roles.append(layouts.NAMES.get(canonical(name), "") if ticker == chosen else "")
        if ticker == chosen and not roles[-1]:
            ignored.append(name)
    missing = [name for name in layouts.PRICES if name not in roles]
    if missing:
        raise Failure(f"no {missing[0]} among the columns of {chosen}")
    layout = layouts.Layout("Yahoo (yfinance)", roles, ",", symbol=chosen, ignored=ignored)
    if "Adj Close" in ignored:
        layout.notes.append("adjusted closes are not loaded")
    return layout, 3


def moments_in(cells: list[str]) -> int:
    """The number of cells at the start of a line that make its time: 0 where none does."""
    if not cells or not all(
        is_number(cell, True) or is_number(cell, False) or not cell for cell in cells[3:]
    ):
        return 0
    of_day = len(cells) > 2 and layouts.DAY.fullmatch(cells[0]) and cells[1]
    if of_day and layouts.OF_DAY.fullmatch(of_day) and (":" in of_day or len(cells) > 6):
        return 2
    known = any(form.fullmatch(cells[0]) for form in FORMS.values()) or EPOCH.fullmatch(cells[0])
    return 1 if known else 0


def headless(cells: list[str], delimiter: str) -> layouts.Layout:
    """The layout of a file without a header. Raises Failure for an unknown shape."""
    shape = ["when", "clock"][: moments_in(cells)]
    cells = cells[:-1] if cells[-1] == "" else cells
    rest = len(cells) - len(shape)
    layout = layouts.Layout("no header, date and prices", [], delimiter, bare=False)
    if EPOCH.fullmatch(cells[0]) and not layouts.DAY.fullmatch(cells[0]):
        if rest in (10, 11):
            layout.form, layout.clock, layout.volume = "no header, Binance", "UTC", "real"
            shape += [*layouts.PRICES, "traded", "", "", "volume", "", "", ""][:rest]
        elif rest in (4, 5, 6):  # Kraken counts trades in the sixth
            shape += [*layouts.PRICES, "traded", "volume"][:rest]
        layout.form = layout.form.replace("date", "seconds since 1970")
    elif re.fullmatch(r"\d{8} \d{6}", cells[0]) and delimiter == ";" and rest == 5:
        layout.form, layout.clock = "no header, HistData", "UTC-5"
        shape += [*layouts.PRICES, "volume"]
    elif re.fullmatch(r"\d{8} \d{9}", cells[0]) and rest == 3:
        layout.form, layout.clock = "no header, HistData's ticks", "UTC-5"
        shape += ["bid", "ask", ""]
    elif len(shape) == 2 and rest in (4, 5):
        layout.form, layout.server = "no header, MT4's form", True
        shape += [*layouts.PRICES, "volume"][:rest]
    elif rest == 7:
        layout.form, layout.server = "no header, MT5's bars", True
        shape += [*layouts.PRICES, "volume", "real_volume", "spread"]
    elif rest in (4, 5):
        shape += [*layouts.PRICES, "traded"][:rest]
    if len(shape) < 5 and "bid" not in shape:
        raise Failure(
            f"no header, and {len(cells)} fields whose meaning nothing tells: give --columns, such"
            " as date,time,open,high,low,close,volume (- leaves one out)"
        )
    layout.columns = shape
    shown = [name for name in shape if name]
    layout.notes.append(f"columns by their shape: {', '.join(shown)}; --columns tells others")
    return layout


def given_columns(lines: list[str], start: int, names: list[str]) -> layouts.Layout:
    """The layout of --columns; a header is what stands before the first line with a time."""
    for skip in range(start, min(start + 6, len(lines))):
        for delimiter in "\t;,":
            cells = cells_of(lines[skip], delimiter)
            cells = cells[:-1] if len(cells) == len(names) + 1 and not cells[-1] else cells
            if len(cells) != len(names):
                continue
            roles = roles_of(["" if name == "-" else name for name in names], cells)
            roles = ["" if name == "-" else role for name, role in zip(names, roles, strict=True)]
            layout = layouts.Layout("columns as given", roles, delimiter, skip=skip, bare=False)
            when = moment_of(layout, cells)
            if EPOCH.fullmatch(when) or any(form.fullmatch(when) for form in FORMS.values()):
                return check_given(layout)
    raise Failure(f"no line has the {len(names)} fields of --columns with a time among them")


def check_given(layout: layouts.Layout) -> layouts.Layout:
    """Whether --columns is enough. Raises Failure where something is missing or there twice."""
    needed = ("bid", "ask") if layout.ticks else layouts.PRICES
    missing = [name for name in needed if name not in layout.columns]
    twice = [role for role in layout.columns if role and layout.columns.count(role) > 1]
    if missing or twice:
        raise Failure(
            f"--columns: {'no ' + missing[0] if missing else 'two columns mean ' + twice[0]}"
        )
    return layout
