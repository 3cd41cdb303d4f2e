"""Results as multiples of what was risked (R): distribution, excursions, and what has no R."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import psycopg

from rubi.queries import queries
from rubi.reporting.figures import Report, read_bins
from rubi.reporting.plots import Plot, bin_label, distribution_plot, number
from rubi.reporting.scope import Row, rows
from rubi.reporting.wording import Writer, counted, moment

SQL = queries(__file__)
WIDTH, FIRST, LAST = Decimal("0.5"), -6, 9  # bins of half an R, from -3 R to 5 R, open beyond
POINTS = 1000  # trades whose excursions are drawn, the newest
# why a trade has no R: the codes of trip_risks.reason
REASONS = {
    "no_stop": "without a stop",
    "unknown_stop": "whose stop is not known",
    "stop_beyond_entry": "whose stop secured a profit",
    "several_orders": "opened by several orders",
    "not_whole": "whose deals are not all stored",
    "no_terms": "of symbols whose terms are not known",
    "no_tick_value": "without a tick value of the day",
}


@dataclass
class Multiples:
    of_prices: bool = False
    """The worth of a price is known of no trade: R of prices, without costs."""
    groups: dict[str, list[Row]] = field(default_factory=dict)
    distribution: list[Row] = field(default_factory=list)
    excursions: list[Row] = field(default_factory=list)

    @property
    def all(self) -> Row | None:
        """The row over all trades; None where no trade was closed."""
        return next(iter(self.groups.get("all", [])), None)


def read_groups(connection: psycopg.Connection, parameters: Row) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows(connection, SQL.GROUPS, parameters):
        found.setdefault(row["grouped_by"], []).append(row)
    return found


def read_multiples(connection: psycopg.Connection, report: Report) -> None:
    """Add trades in R to a report."""
    parameters = report.scope.parameters(of_prices=False, limit=POINTS)
    read = Multiples(groups=read_groups(connection, parameters))
    if read.all and not read.all["trades"]:
        parameters["of_prices"] = True
        of_prices = read_groups(connection, parameters)
        if of_prices["all"][0]["trades"]:
            read = Multiples(of_prices=True, groups=of_prices)
    if read.all and read.all["trades"]:
        read.distribution = read_bins(
            connection, SQL.MULTIPLES, parameters | {"width": WIDTH, "first": FIRST, "last": LAST}
        )
        read.excursions = rows(connection, SQL.EXCURSIONS, parameters)
    report.multiples = read


def left_out(row: Row, write: Writer) -> str:
    """How many trades have no R, by the reason."""
    by = sorted(row["left_out_by"].items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(
        f"{write(times, 'count')} {REASONS.get(reason, reason)}" for reason, times in by
    )


def in_r(value: Any, write: Writer) -> str:
    return f"{write(value, 'ratio')} R"


def excursions_plot(read: Multiples) -> Plot | None:
    """Largest loss and largest gain of each trade on its way, in R."""
    if not read.excursions:
        return None
    points = sorted(read.excursions, key=lambda row: (row["mae_r"], row["closed_at"]))
    return {
        "label": f"How far {counted(len(points), 'trades')} went against (across) and in favour"
        f" (up), in R; {sum(row['r'] > 0 for row in points)} of them won.",
        "names": [f"{row['symbol']}, closed {moment(row['closed_at'])}" for row in points],
        "points": [[number(row["mae_r"], 3), number(row["mfe_r"], 3)] for row in points],
        "r": [number(row["r"], 3) for row in points],
    }


def plots(read: Multiples, write: Writer) -> dict[str, Plot | None]:
    made = distribution_plot(read.distribution, write, "R")
    return {"multiples": made, "excursions": excursions_plot(read)}


def bins(read: Multiples, write: Writer) -> list[tuple[str, Row]]:
    """Bins that have trades, with their names."""
    return [(bin_label(row, write, "R"), row) for row in read.distribution if row["trades"]]
