"""The page of benchmarks/year.py."""

from __future__ import annotations

import statistics
from typing import Any

from pages import Lines, heading, said
from year_measures import COUNTED
from year_mix import FIRST, MONTH

MIB = 2**20
NIGHTLY = 30 * 60


def ratio(found: dict[str, dict[str, float]], name: str, old: str = FIRST) -> str:
    """Today's figure by day 1's, or another day's."""
    return f"{found['now'][name] / found[old][name]:.2f}"


def latency(step: dict[str, Any]) -> str:
    """Columns of the requests that ended during a step."""
    if "count" not in step:
        return "0 | | |"
    return f"{step['count']} | {step['p50']:.2f} | {step['p99']:.2f} | {step['max']:.1f}"


def mix_of(result: dict[str, Any]) -> Lines:
    """The API's mix, of each day."""
    effort = result["effort"]
    lines = heading(
        f"The API's mix at {effort['rate']} requests a second, {effort['rounds']} rounds of "
        f"{effort['seconds']} s on each database in turn", "day", "day 1, p50 ms", "p50 ms",
        "day 1, p99 ms", "p99 ms", "p99 to day 1", "processor time to day 1",
    )  # fmt: skip
    for found in result["measured"]:
        first, now = found["mix"][FIRST], found["mix"]["now"]
        lines.append(
            f"| {found['day']} | {first['p50']:.2f} | {now['p50']:.2f} | {first['p99']:.2f} "
            f"| {now['p99']:.2f} | {ratio(found['mix'], 'p99')} | {ratio(found['mix'], 'cpu')} |"
        )
    return lines


def beside_of(result: dict[str, Any]) -> Lines:
    """The mix beside the last night, step by step."""
    found = result["measured"][-1].get("beside")
    if not found:
        return []
    lines = heading(
        f"The API's mix at {result['effort']['rate']} requests a second while a night's work runs "
        "in its database, on the last day", "beside", "seconds", "requests", "p50 ms", "p99 ms",
        "longest ms",
    )  # fmt: skip
    for step in ({"name": "nothing"} | found["alone"], *found["steps"]):
        seconds = f"{step['seconds']:.1f}" if "seconds" in step else ""
        lines.append(f"| {step['name']} | {seconds} | {latency(step)} |")
    return [
        *lines,
        "",
        "The night is that of a week: seven days thinned to the hour and to the day, a chunk of "
        "each table archived and dropped, chunks clustered, results of the day, readings, then a "
        "verified backup.",
    ]


def moved_of(result: dict[str, Any]) -> Lines:
    """The move to another major, of a year of its own scale."""
    if not (found := result.get("moved")):
        return []
    old, new = (
        f"PostgreSQL {side['PostgreSQL']} with TimescaleDB {side['TimescaleDB']}"
        for side in (found["old"], found["new"])
    )
    lines = heading(
        f"Major upgrade with a year in it, by the page's commands: {old} to {new}", "step",
        "seconds", "rows copied", "requests", "p50 ms", "p99 ms", "longest ms",
    )  # fmt: skip
    steps = [
        {"name": "nothing"} | found["alone"],
        *({"name": f"copy ahead, call {n}"} | each for n, each in enumerate(found["ahead"], 1)),
        {"name": "writes held", "seconds": found["held"], "rows": found["copied"]},
        {"name": "nothing, on the new server"} | found["after"],
    ]
    for step in steps:
        seconds = f"{step['seconds']:.1f}" if "seconds" in step else ""
        rows = f"{step['rows']:,.0f}" if "rows" in step else ""
        lines.append(f"| {step['name']} | {seconds} | {rows} | {latency(step)} |")
    return [
        *lines,
        "",
        f"A year of scale {found['scale']:g} and {found['days']} days, "
        f"{found['old']['bytes'] / MIB:,.0f} MiB; the API's mix at {found['rate']} requests a "
        "second until its sessions were ended, both servers on the same cores. Writes were held "
        f"for {found['held']:.1f} s; wanted: {found['wanted']} s at most. Meanwhile "
        f"{found['compared']:,.0f} rows were compared; afterwards all {found['rows']:,.0f} rows of "
        f"{found['tables']} tables were equal in number and checksum on both sides, and "
        f"{found['proofs']} proofs held, also after the mix on the new server. The mix's round "
        "that was ended has no figures.",
    ]


def reads_of(result: dict[str, Any]) -> Lines:
    """Reads by key: the median of the last day, and the ratio on each."""
    measured = result["measured"]
    kept = MONTH in next(iter(measured[-1]["reads"].values()))
    lines = heading(
        "Reads by key, each beside the same read of day 1's database in turn; wanted: 1.3 at most",
        "read", "ms of the last day, p50", "p99",
        *(f"day {found['day']}: p50 to day 1" for found in measured),
        *(["the last day's to day 30"] if kept else []),
        "the last day's processor time to day 1", "its first calls in a session: p50 to day 1",
    )  # fmt: skip
    for name, last in measured[-1]["reads"].items():
        now = last["now"]
        shown = [ratio(found["reads"][name], "p50") for found in measured]
        shown += [ratio(last, "p50", MONTH)] if kept else []
        shown += [ratio(last, "cpu"), ratio(last, "new")]
        lines.append(f"| {name} | {now['p50']:.3f} | {now['p99']:.3f} | {' | '.join(shown)} |")
    return [
        *lines,
        "",
        "A session has read other keys before, twice as many as are timed in all; the last column "
        "is of its calls 11 to 50. Client and sessions share a core.",
    ]


def week(result: dict[str, Any], day: int) -> list[dict]:
    """What the seven days that end with a day took."""
    return [each for each in result["each"] if day - 7 < each["day"] <= day]


def shown(days: list[dict], measured: list[int]) -> list[dict]:
    """The days of which the page says something: weeks to the measured ones, and the last 28."""
    last = days[-1]["day"]
    return [
        each for each in days
        if each["day"] > last - 28 or any(day - 7 < each["day"] <= day for day in measured)
    ]  # fmt: skip


def doors_of(result: dict[str, Any]) -> Lines:
    """Processor time of a row by door, over the week that ends with each day."""
    days = [found["day"] for found in result["measured"]]
    lines = heading(
        "Ingest: microseconds of the server's processor a row, over the week to each day",
        "door", "rows a day", *(f"day {day}" for day in days),
    )  # fmt: skip
    for name in result["each"][0]["doors"]:
        if not sum(each["doors"][name][0] for each in result["each"]):
            continue
        costs = []
        for day in days:
            some = [each["doors"][name] for each in week(result, day)]
            costs.append(f"{sum(d[2] for d in some) / max(sum(d[0] for d in some), 1) * 1e6:,.0f}")
        rows = max(each["doors"][name][0] for each in result["each"])
        lines.append(f"| {name} | {rows:,.0f} | {' | '.join(costs)} |")
    return lines


def nights_of(result: dict[str, Any]) -> Lines:
    """Nightly work: the median night of the last 28 days, and the longest."""
    last = result["each"][-28:]
    names = dict.fromkeys(name for each in last for name in each["night"])
    lines = heading(
        "Nightly work, seconds, of the last 28 nights", "work", "median", "longest",
        "longest, by the rows of scale 1",
    )  # fmt: skip
    for name in names:
        taken = [each["night"][name] for each in last if name in each["night"]]
        longest = max(taken)
        lines.append(
            f"| {name} | {statistics.median(taken):.2f} | {longest:.2f} "
            f"| {longest / result['scale']:.0f} |"
        )
    nights = [sum(each["night"].values()) for each in last]
    backup = result["measured"][-1]["backup"]["backup"]
    longest = max(nights) + backup
    lines += [
        f"| all of a night | {statistics.median(nights):.2f} | {max(nights):.2f} "
        f"| {max(nights) / result['scale']:.0f} |",
        f"| with the backup | | {longest:.2f} | {longest / result['scale']:.0f} |",
        "",
        f"Wanted at scale 1: {NIGHTLY} s. The last column multiplies by the rows, which is an "
        "extrapolation, not a measurement: what a job takes for each table or file stays as it "
        "is, and what outgrows memory grows faster.",
    ]
    return lines


def sizes_of(result: dict[str, Any]) -> Lines:
    """Bytes by table against what is told before the year; without the rows of the mix."""
    measured = result["measured"]
    base = result["base"]
    lines = heading(
        "Size by table against what scripts/capacity.py tells before the year; wanted: within 10 %",
        "table", "MiB told for the last day", "MiB", *(f"day {found['day']}: to what was told"
                                                      for found in measured),
    )  # fmt: skip
    for name, tables in COUNTED.items():
        grown = [sum(f["sizes"][t] - base[t] for t in tables) for f in measured]
        told = [found["predicted"][name] for found in measured]
        shown = " | ".join(f"{g / t:.2f}" for g, t in zip(grown, told, strict=True))
        lines.append(f"| {name} | {told[-1] / MIB:,.1f} | {grown[-1] / MIB:,.1f} | {shown} |")
    known = {table for tables in COUNTED.values() for table in tables}
    last = measured[-1]
    others = {
        name: size - base.get(name, 0) for name, size in last["sizes"].items() if name not in known
    }
    lines += ["", f"The database: {last['bytes'] / MIB:,.0f} MiB; archive: "
              f"{result['archive'] / MIB:,.0f} MiB. Tables that capacity.py does not count:", "",
              "| table | MiB | share of the growth |", "| --- | ---: | ---: |"]  # fmt: skip
    whole = sum(size - base.get(name, 0) for name, size in last["sizes"].items())
    for name, size in sorted(others.items(), key=lambda item: -item[1])[:12]:
        if size > MIB / 10:
            lines.append(f"| {name} | {size / MIB:,.1f} | {size / whole:.1%} |")
    return lines


def rest_of(result: dict[str, Any]) -> Lines:
    """Report, backup and restore."""
    lines = heading(
        "Report, backup, restore", "day", "database, MiB", "a user's report, s",
        "verified backup, s", "backup, MiB", "restore and comparison, s",
    )  # fmt: skip
    for found in result["measured"]:
        backup = found["backup"]
        lines.append(
            f"| {found['day']} | {found['bytes'] / MIB:,.0f} | {found['report']:.2f} "
            f"| {backup['backup']:.1f} | {backup['bytes'] / MIB:,.1f} | {backup['restore']:.1f} |"
        )
    return lines


def report(result: dict[str, Any]) -> str:
    """The page."""
    size = result["platform"]
    return "\n".join(
        [
            "# A platform's year",
            "",
            f"Made by `benchmarks/year.py --scale {result['scale']:g} --days {result['days']}"
            f" --until {result['until']}`: "
            f"{size['accounts']} accounts and strategies with a snapshot each minute, M1 bars of "
            f"{size['symbols']} symbols, {size['tick_symbols'] * size['ticks'] * 24:,} ticks a "
            f"day of {size['tick_symbols']}, {size['trips']} positions a day of a signal, a "
            "claim, an order_send, an order of the API, two orders and two deals of MT5 each; the "
            "rows of the API's mix (20,000 signals and orders, 4,000 positions) come into the "
            "copies that are measured. "
            "Scale 1 is 200 accounts, 60 symbols, 500,000 ticks, 2,740 positions a day.",
            "",
            "Rows carry the time of their day, and the ages of lifecycle are longer by the days "
            "to come. Rows that carry the server's time alone do so here: audit, claims. Every "
            f"proof held, asked each {result['proofs']} days. A call of a door has the rows of "
            f"{result['hours']} hours.",
            "",
            said(result["facts"]),
            *(line for note in result.get("notes", ()) for line in ("", note)),
            *mix_of(result),
            *beside_of(result),
            *moved_of(result),
            *reads_of(result),
            *doors_of(result),
            *nights_of(result),
            *sizes_of(result),
            *rest_of(result),
            "",
        ]
    )
