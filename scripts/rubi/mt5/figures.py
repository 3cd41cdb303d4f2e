"""The figures below a report's lists: the account's state, and the terminal's own results."""

import re

from rubi.mt5.cells import Row
from rubi.mt5.numbers import digits_of

# Names by place: a row of the file each, None for a label without a value. `a (b)` are two figures.
STATE = (
    ("balance", "margin_free"),
    ("credit", "margin"),
    ("floating", "margin_level"),
    ("equity",),
)
RESULTS = (
    ("net_profit", "gross_profit", "gross_loss"),
    ("profit_factor", "expected_payoff"),
    ("recovery_factor", "sharpe_ratio"),
    (None,),
    (
        "drawdown_absolute",
        "drawdown_maximal drawdown_maximal_percent",
        "drawdown_relative_percent drawdown_relative",
    ),
    ("trades", "short_trades short_won_percent", "long_trades long_won_percent"),
    ("won_trades won_percent", "lost_trades lost_percent"),
    ("largest_profit", "largest_loss"),
    ("average_profit", "average_loss"),
    ("longest_wins longest_wins_profit", "longest_losses longest_losses_loss"),
    ("maximal_series_profit maximal_series_profit_trades",
     "maximal_series_loss maximal_series_loss_trades"),
    ("average_wins", "average_losses"),
)  # fmt: skip


def labels(row: Row) -> list[str | None]:
    """The values of a row of labels, which end in a colon; None where a label has no value."""
    values: list[str | None] = []
    for text in row:
        if not text:
            continue
        if text.endswith((":", "\uff1a")):
            values.append(None)
        elif values and values[-1] is None:
            values[-1] = text
    return values


def parts(text: str) -> list[str]:
    """`5 338.90 (5.32%)` as its two numbers, `0.94` as one."""
    match = re.fullmatch(r"([^()]*)\(([^()]*)\)", text)
    texts = list(match.groups()) if match else [text]
    return [part.replace("%", "").strip() for part in texts]


def read_figures(rest: list[Row], sign: str) -> dict[str, str]:
    """Figures by name, in the digits they are printed in. A figure outside its place is absent."""
    rows = [values for row in rest if (values := labels(row))]
    figures: dict[str, str] = {}
    # results begin at the first row of three labels: no row of the account's state has three
    begin = next((i for i, values in enumerate(rows) if len(values) == 3), len(rows))
    for names, values in [*zip(STATE, rows[:begin], strict=False),
                          *zip(RESULTS, rows[begin:], strict=False)]:  # fmt: skip
        if len(names) != len(values):
            break
        for name, value in zip(names, values, strict=True):
            if name is None or value is None:
                continue
            for one, text in zip(name.split(), parts(value), strict=False):
                digits = digits_of(text, sign)
                if digits is not None:
                    figures[one] = digits
    return figures
